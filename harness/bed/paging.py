"""What happens while the parts stand: the positive control, pages, and other applications' pushes."""

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from harness.bed.administering import ZONE
from harness.bed.application import push
from harness.bed.canary import CLAUSE_HOSTS, When, send_canaries
from harness.bed.configuration import CONTROL_USER
from harness.bed.errors import BedError, RefusedError
from harness.bed.fleet_client import FleetClient
from harness.bed.gateway_client import GatewayClient
from harness.bed.ground import Ground
from harness.bed.interfaces import phones_interface
from harness.bed.load import Generator
from harness.bed.roster import Roster
from harness.bed.setup import RunSecrets, Setup
from harness.observe import EventWriter
from harness.scenario.audio import audio_seconds
from harness.scenario.model import Alert, Application, Page, share_of
from harness.scenario.schedule import STOPPING_S, Planned, schedule
from harness.site import Phone

POLL_S: Final = 0.1
PAGE_MARGIN_S: Final = 60.0
"""A page that takes this much longer than its plan allows is stopped, and the run ends as a bed that failed."""
TOO_MANY: Final = 429
"""The gateway has as many pages as it takes (docs/reference/gateway.md, Several pages)."""
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
    digests = {recording: _digest(recording) for recording in setup.scenario.recordings}
    for one in planned_of(setup, roster):
        kind, digest = ("page", digests[one.page.audio_path]) if one.page else ("alert", None)
        everybody = len(one.phones) == len(roster.phones)
        writer.write(
            f"{kind}.planned",
            item=one.name,
            at_s=one.at_s,
            phones=None if everybody else list(one.phones),
            audio_sha256=digest,
        )


def planned_of(setup: Setup, roster: Roster) -> tuple[Planned, ...]:
    """Every page and alert of the run."""
    return schedule(setup.scenario, [phone.device_name for phone in roster.phones])


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
    planned = planned_of(setup, roster)
    generator = Generator(setup.scenario.load, writer)
    async with trio.open_nursery() as nursery:
        for one in planned:
            send = _one_page if one.page else _one_alert
            sending = Sending(
                setup=setup,
                client=client,
                roster=roster,
                writer=writer,
                generator=generator,
                planned=one,
                several=len(planned) > 1,
            )
            nursery.start_soon(send, sending)
        nursery.start_soon(applications, setup, roster, secrets, writer)
    generator.tell()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What it takes to send one page or alert."""

    setup: Setup
    client: GatewayClient
    roster: Roster
    writer: EventWriter
    generator: Generator
    planned: Planned
    several: bool
    """Whether there are others in the run."""

    def stage(self, text: str, *, ends_at: float | None = None) -> None:
        """Tell who waits; which page it is, where there are several."""
        self.setup.display.stage(f"{self.planned.name}: {text}" if self.several else text, ends_at=ends_at)

    def requested(self, kind: str, **fields: object) -> None:
        """Record that it is asked for now; of a load, beside when it was planned."""
        told: dict[str, Any] = dict(fields)
        if self.setup.scenario.load.open and kind == "page":
            told["planned_t_ns"] = self.generator.planned_ns(self.planned)
        self.writer.write(f"{kind}.requested", item=self.planned.name, at_s=self.planned.at_s, **told)


async def applications(setup: Setup, roster: Roster, secrets: RunSecrets, writer: EventWriter) -> None:
    """The scenario's other applications push, each at its time."""
    async with trio.open_nursery() as nursery:
        for index, application in enumerate(setup.scenario.applications):
            nursery.start_soon(_application, setup, index, application, roster, secrets, writer)


async def _one_page(sending: Sending) -> None:
    planned, client = sending.planned, sending.client
    page = planned.page
    assert page is not None
    if not await sending.generator.due(planned):
        return
    ends_at = trio.current_time() + STOPPING_S + audio_seconds(page.audio_path)
    sending.stage("paging", ends_at=ends_at)
    sending.requested("page", audio=page.audio)
    wish = {
        "audio": str(page.audio_path.absolute()),
        **whom(sending),
        "delivery": page.delivery,
        "start": page.start,
        "start_fraction": page.start_fraction,
        "start_deadline_s": page.start_deadline_s,
        "priority": page.priority,
        "busy": page.busy_rule,
    }
    try:
        number = await client.begin_page(wish)
    except RefusedError as error:
        if error.status != TOO_MANY:
            raise
        sending.generator.dropped(planned, "gateway", str(error))
        sending.generator.over(planned)
        return
    sending.writer.write("page.accepted", item=planned.name, page=number)
    limit_s = page_limit_s(sending.setup, page) * len(planned_of(sending.setup, sending.roster))
    shown = "starting"
    with trio.move_on_after(limit_s):
        while True:
            state = await client.page(number)
            if state["state"] != shown:
                shown = str(state["state"])
                sending.stage(_STAGES.get(shown, shown))
            if shown == "ended":
                sending.writer.write("page.done", item=planned.name, page=number, reason=state["reason"])
                sending.generator.over(planned)
                return
            await trio.sleep(POLL_S)
    await client.stop_page(number)
    raise BedError(f"page {number} did not end within {limit_s:g} s; it was stopped. See gateway.log")


async def _one_alert(sending: Sending) -> None:
    """Send an alert, wait until no phone is awaited any more, and have people press keys."""
    setup, client, planned = sending.setup, sending.client, sending.planned
    alert = planned.alert
    assert alert is not None
    await sending.generator.due(planned)
    sending.stage("alerting")
    sending.requested("alert")
    number = await client.begin_alert(
        {"text": alert.text, "title": alert.title, "priority": alert.priority, **whom(sending)}
    )
    sending.writer.write("alert.accepted", item=planned.name, alert=number)
    rounds = -(-setup.scenario.fleet.phones // setup.scenario.gateway.concurrency)
    limit_s = ALERT_SHARE * rounds * PUSH_TOTAL_S + PAGE_MARGIN_S
    with trio.move_on_after(limit_s):
        while True:
            state = await client.alert(number)
            outcomes = dict(state["outcomes"])
            if not state["sending"] and not outcomes.keys() & {"waiting", "pushed"}:
                outcomes = await _answer(sending, number, alert) or outcomes
                sending.writer.write("alert.done", item=planned.name, alert=number, outcomes=outcomes)
                sending.generator.over(planned)
                return
            await trio.sleep(POLL_S)
    raise BedError(f"alert {number} was not settled within {limit_s:g} s. See gateway.log")


async def _answer(sending: Sending, number: str, alert: Alert) -> dict[str, int]:
    """Press Acknowledge at some phones; the outcomes once the gateway knows of all, or did not hear of them in time."""
    if not alert.acknowledge:
        return {}
    setup, client = sending.setup, sending.client
    sending.stage("people answer")
    told = (await client.alert(number))["phones"]
    names = sorted(phone["phone"] for phone in told if phone["state"] == "displayed")
    pressed = min(len(names), share_of(len(sending.planned.phones), alert.acknowledge))
    await trio.sleep(DRAWN_S)
    chosen = random.Random(f"acknowledge-{setup.scenario.seed}").sample(names, pressed)
    await FleetClient(interface=phones_interface(setup)).press(chosen, "Acknowledge")
    outcomes: dict[str, int] = {}
    with trio.move_on_after(HEARD_S):
        while outcomes.get("acknowledged", 0) < pressed:
            outcomes = dict((await client.alert(number))["outcomes"])
            await trio.sleep(POLL_S)
    return outcomes


def whom(sending: Sending) -> dict[str, object]:
    """To whom it goes: named phones, or the whole fleet, by its zone where an administrator put it into one."""
    if len(sending.planned.phones) < len(sending.roster.phones):
        return {"phones": list(sending.planned.phones)}
    return {"zones": [ZONE]} if sending.setup.scenario.gateway.administered else {"phones": "all"}


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
