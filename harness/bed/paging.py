"""What happens while the parts stand: the positive control, pages, and other applications' pushes."""

import hashlib
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import trio

from harness.bed.administering import ZONE
from harness.bed.application import push
from harness.bed.canary import CLAUSE_HOSTS, When, send_canaries
from harness.bed.configuration import CONTROL_USER
from harness.bed.errors import BedError
from harness.bed.fleet_client import FleetClient
from harness.bed.gateway_client import GatewayClient
from harness.bed.ground import Ground
from harness.bed.json_interface import JsonInterface
from harness.bed.roster import Roster
from harness.bed.setup import RunSecrets, Setup
from harness.observe import EventWriter
from harness.scenario.audio import audio_seconds
from harness.scenario.model import Alert, Application, Page, share_of
from harness.site import Phone

POLL_S: Final = 0.1
STOPPING_S: Final = 3.0
"""What a page takes beside its audio, as shown to who waits: starting and stopping 1,000 phones (measured 2 s)."""
PAGE_MARGIN_S: Final = 60.0
"""A page that takes this much longer than its plan allows is stopped, and the run ends as a bed that failed."""
PUSH_TOTAL_S: Final = 10.0
"""The gateway's limit for one push (docs/design/parts.md)."""
ALERT_SHARE: Final = 16
"""An alert has at least a sixteenth of the pages' slots (docs/reference/gateway.md, Alerts)."""
DRAWN_S: Final = 0.5
"""Between the last fetch and the first press: a phone draws what it fetched."""
HEARD_S: Final = 10.0
"""How long the gateway may take to hear of keys that were pressed; a phone's fetch has that limit."""
PUSHES_PER_PHONE: Final = 3
"""Start, stop, and one stop again."""


def describe(setup: Setup, roster: Roster, writer: EventWriter) -> None:
    """Record where everything stands, so that the judge needs no other source."""
    addresses = setup.ground.addresses
    writer.write(
        "lab.described",
        ground=setup.ground.name,
        phones_network=addresses.phones_network,
        gateway=addresses.gateway,
        callmanager=addresses.callmanager,
        harness=addresses.harness,
        authentication_servers={
            "gateway": f"{addresses.gateway}:{addresses.authentication_port}",
            "callmanager": f"{addresses.callmanager}:{addresses.callmanager_authentication_port}",
        },
        unseen=[clause for clause, host in CLAUSE_HOSTS.items() if setup.ground.tap(host) is None],
        authentication_url=setup.authentication_url,
        control_phone=roster.control.device_name if roster.control else None,
        reserved=[a for a in (addresses.canary_source, addresses.canary_phone, addresses.probe_source) if a],
        # What is judged again later is held against the same recording or against none.
        audio_sha256=_digest(setup.scenario.pages[0].audio_path) if setup.scenario.pages else None,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def canaries(ground: Ground, writer: EventWriter, when: When) -> None:
    """Send one canary for each clause of the capture, and record them."""
    for canary in await send_canaries(ground, when):
        writer.write(
            "canary.sent",
            clause=canary.clause,
            source=canary.source,
            destination=canary.destination,
            when=canary.when,
            answered=canary.answered,
        )


async def control(setup: Setup, roster: Roster, secrets: RunSecrets, writer: EventWriter) -> None:
    """The positive control: one push by another CallManager user to the phone outside the fleet."""
    if roster.control is None:
        return
    result = await _push_as(setup, roster.control, CONTROL_USER, secrets)
    writer.write(
        "control.pushed", phone=roster.control.device_name, push=result[0], user=CONTROL_USER, outcome=result[1]
    )


async def page(setup: Setup, client: GatewayClient, roster: Roster, secrets: RunSecrets, writer: EventWriter) -> None:
    """Send the scenario's pages, with the other applications' pushes beside them.

    Raises:
        BedError: a page does not come to an end.
    """
    async with trio.open_nursery() as nursery:
        for planned in setup.scenario.pages:
            nursery.start_soon(_one_page, setup, client, writer, planned)
        for alert in setup.scenario.alerts:
            nursery.start_soon(_one_alert, setup, client, roster, writer, alert)
        nursery.start_soon(applications, setup, roster, secrets, writer)


async def applications(setup: Setup, roster: Roster, secrets: RunSecrets, writer: EventWriter) -> None:
    """The scenario's other applications push, each at its time."""
    async with trio.open_nursery() as nursery:
        for index, application in enumerate(setup.scenario.applications):
            nursery.start_soon(_application, setup, index, application, roster, secrets, writer)


async def _one_page(setup: Setup, client: GatewayClient, writer: EventWriter, planned: Page) -> None:
    await trio.sleep(planned.at_s)
    ends_at = trio.current_time() + STOPPING_S + audio_seconds(planned.audio_path)
    setup.display.stage("paging", ends_at=ends_at)
    sent_ns = writer.write("page.requested", audio=planned.audio, at_s=planned.at_s)
    assert sent_ns > 0
    number = await client.begin_page(
        {
            "audio": str(planned.audio_path.absolute()),
            **whom(setup),
            "delivery": planned.delivery,
            "start": planned.start,
            "start_fraction": planned.start_fraction,
            "start_deadline_s": planned.start_deadline_s,
        }
    )
    limit_s = page_limit_s(setup, planned)
    shown = "starting"
    with trio.move_on_after(limit_s):
        while True:
            state = await client.page(number)
            if state["state"] != shown:
                shown = str(state["state"])
                setup.display.stage(_STAGES.get(shown, shown))
            if shown == "ended":
                writer.write("page.done", page=number, reason=state["reason"])
                return
            await trio.sleep(POLL_S)
    await client.stop_page(number)
    raise BedError(f"page {number} did not end within {limit_s:g} s; it was stopped. See gateway.log")


async def _one_alert(
    setup: Setup, client: GatewayClient, roster: Roster, writer: EventWriter, planned: Alert
) -> None:
    """Send an alert, wait until no phone is awaited any more, and have people press keys."""
    await trio.sleep(planned.at_s)
    setup.display.stage("alerting")
    writer.write("alert.requested", at_s=planned.at_s)
    number = await client.begin_alert(
        {"text": planned.text, "title": planned.title, "priority": planned.priority, **whom(setup)}
    )
    rounds = -(-setup.scenario.fleet.phones // setup.scenario.gateway.concurrency)
    limit_s = ALERT_SHARE * rounds * PUSH_TOTAL_S + PAGE_MARGIN_S
    with trio.move_on_after(limit_s):
        while True:
            state = await client.alert(number)
            outcomes = dict(state["outcomes"])
            if not state["sending"] and not outcomes.keys() & {"waiting", "pushed"}:
                outcomes = await _answer(setup, client, roster, number, planned) or outcomes
                writer.write("alert.done", alert=number, outcomes=outcomes)
                return
            await trio.sleep(POLL_S)
    raise BedError(f"alert {number} was not settled within {limit_s:g} s. See gateway.log")


async def _answer(
    setup: Setup, client: GatewayClient, roster: Roster, number: str, planned: Alert
) -> dict[str, int]:
    """Press Acknowledge at some phones; the outcomes once the gateway knows of all, or did not hear of them in time."""
    if not planned.acknowledge:
        return {}
    setup.display.stage("people answer")
    addresses, harness = setup.ground.addresses, setup.ground.host("harness")
    phones = JsonInterface(host=harness, part="phones", address=addresses.phones, port=addresses.phones_control_port)
    told = (await client.alert(number))["phones"]
    names = sorted(phone["phone"] for phone in told if phone["state"] == "displayed")
    pressed = min(len(names), share_of(len(roster.phones), planned.acknowledge))
    await trio.sleep(DRAWN_S)
    chosen = random.Random(f"acknowledge-{setup.scenario.seed}").sample(names, pressed)
    await FleetClient(interface=phones).press(chosen, "Acknowledge")
    outcomes: dict[str, int] = {}
    with trio.move_on_after(HEARD_S):
        while outcomes.get("acknowledged", 0) < pressed:
            outcomes = dict((await client.alert(number))["outcomes"])
            await trio.sleep(POLL_S)
    return outcomes


def whom(setup: Setup) -> dict[str, object]:
    """To whom pages and alerts go: the whole fleet, by its zone where an administrator put it into one."""
    return {"zones": [ZONE]} if setup.scenario.gateway.administered else {"phones": "all"}


_STAGES: Final = {"playing": "playing the announcement", "stopping": "stopping the phones", "ended": "page ended"}


def page_limit_s(setup: Setup, planned: Page) -> float:
    """Seconds that a page may take: audio, and every phone hanging to its deadline at each push."""
    scenario = setup.scenario
    rounds = -(-scenario.fleet.phones // scenario.gateway.concurrency)
    pushing_s = rounds * PUSHES_PER_PHONE * PUSH_TOTAL_S
    return planned.start_deadline_s + audio_seconds(planned.audio_path) + pushing_s + PAGE_MARGIN_S


async def _application(
    setup: Setup, index: int, application: Application, roster: Roster, secrets: RunSecrets, writer: EventWriter
) -> None:
    await trio.sleep(application.at_s)
    for phone in _chosen(setup.scenario.seed, index, application, roster):
        push_name, outcome = await _push_as(setup, phone, application.user, secrets)
        writer.write(
            "application.pushed", phone=phone.device_name, push=push_name, user=application.user, outcome=outcome
        )


def _chosen(seed: int, index: int, application: Application, roster: Roster) -> Iterable[Phone]:
    count = share_of(len(roster.phones), application.phones)
    return random.Random(f"application-{seed}-{index}").sample(list(roster.phones), count)


async def _push_as(setup: Setup, phone: Phone, user: str, secrets: RunSecrets) -> tuple[str, str]:
    ground = setup.ground
    result = await push(
        ground.host("harness"),
        phone_address=phone.address,
        port=ground.addresses.phone_port,
        source=ground.addresses.harness,
        user=user,
        password=secrets.users[user].value,
    )
    return result.push, result.outcome
