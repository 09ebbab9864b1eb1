"""The probe of `[probe]`: asked inside the lab from a reserved address of the phones' network, its results as records.

The judge leaves that address out of every metric and law, like those of the canaries.
"""

import socket
from pathlib import Path
from typing import Final

import trio

from harness.bed.ground import Host
from harness.bed.roster import Roster
from harness.bed.secrets import PrivateFolder
from harness.bed.setup import RunSecrets, Setup
from harness.observe import EventWriter
from harness.probe import CHECKS, ProbePlan, Result, Target, probe
from harness.probe.exchange import exchange
from harness.probe.finding import plain
from harness.probe.plan import OURS, Connector
from harness.probe.question import DEVICE, NOBODY, Credentials, get, parameters
from harness.probe.running import not_asked
from harness.probe.secrecy import masked

DONE: Final = "probe.done"
"""File that tells a foreign gateway that it was probed and may end (docs/reference/exec.md)."""
LISTENING_S: Final = 30.0
"""A foreign gateway listens within this, or nothing is probed."""
POLL_S: Final = 0.05


def wanted(setup: Setup, when: str) -> bool:
    """Whether our gateway is to be probed now."""
    return setup.scenario.probe.when == when


async def run(setup: Setup, roster: Roster, secrets: RunSecrets, writer: EventWriter) -> None:
    """Probe the gateway's authentication endpoint; each check becomes a record, and one says that all were asked."""
    await _probe(setup, roster, secrets, writer, [])
    writer.write("probe.ended", checks=len(CHECKS))


async def run_beside(
    setup: Setup, roster: Roster, private: PrivateFolder, secrets: RunSecrets, writer: EventWriter
) -> None:
    """Probe a foreign gateway while it runs: from when it listens, until it was asked everything or is cancelled."""
    if wanted(setup, "never"):
        return
    done: list[str] = []
    why = "the command ended before; it has to stay until the file PUSHLAB_PROBE_DONE is there"
    try:
        connect = _connector(setup, setup.ground.host("phones"), setup.ground.addresses.probe_source)
        if await _listens(connect, Target.parse(setup.ground.addresses.gateway_authentication_url)):
            await _probe(setup, roster, secrets, writer, done)
        else:
            why = f"nobody listened at {setup.ground.addresses.gateway_authentication_url} within {LISTENING_S:g} s"
    finally:
        done_file(private).touch()
        for result in not_asked([check for check in CHECKS if check.name not in done], why):
            _record(writer, result, "")
        writer.write("probe.ended", checks=len(done))


def done_file(private: PrivateFolder) -> Path:
    """The file that tells a foreign gateway that it was probed."""
    return private.path / DONE


async def _probe(setup: Setup, roster: Roster, secrets: RunSecrets, writer: EventWriter, done: list[str]) -> None:
    setup.display.stage("probing the gateway's authentication endpoint")
    user = setup.scenario.gateway.user
    password = secrets.users[user].value

    def observe(result: Result) -> None:
        done.append(result.check.name)
        _record(writer, result, password)

    await probe(_plan(setup, roster, user, password), observe=observe)


def _record(writer: EventWriter, result: Result, password: str) -> None:
    writer.write(
        "probe.checked",
        check=result.check.name,
        verdict=result.finding.verdict,
        observed=result.finding.observed,
        why=masked(result.finding.why, password),
        took_s=round(result.seconds, 3),
        sent=plain(result.check.sends),
        expected=plain(result.check.must),
    )


def _plan(setup: Setup, roster: Roster, user: str, password: str) -> ProbePlan:
    scenario, ground = setup.scenario, setup.ground
    addresses = ground.addresses
    own = scenario.gateway.own_user_mismatch
    limited = not setup.foreign
    return ProbePlan(
        target=Target.parse(addresses.gateway_authentication_url),
        credentials=Credentials(user=user, password=password, device=roster.phones[0].device_name),
        connect=_connector(setup, ground.host("phones"), addresses.probe_source),
        consent=True,
        care=OURS,
        callmanager_url=addresses.callmanager_authentication_url,
        own_user_mismatch="refuse" if own == "refuse" else "redirect",
        # A foreign gateway was not told which networks phones are in.
        outside=_connector(setup, ground.host("harness"), addresses.canary_source) if limited else None,
        inside_address=addresses.probe_source,
        leave_out=frozenset(scenario.probe.leave_out),
    )


def _connector(setup: Setup, host: Host, source: str) -> Connector:
    place = (setup.ground.addresses.gateway, setup.ground.addresses.authentication_port)

    async def connect() -> trio.SocketStream:
        client = trio.socket.from_stdlib_socket(host.socket(socket.SOCK_STREAM, source))
        try:
            await client.connect(place)
        except BaseException:
            client.close()
            raise
        return trio.SocketStream(client)

    return connect


async def _listens(connect: Connector, target: Target) -> bool:
    """Wait until it answers: on a busy machine a program may listen for seconds before it comes to its first question.

    What listens and answers nothing is probed all the same, and found.
    """
    question = get(target, parameters(NOBODY, "pushlab+probe", DEVICE))
    listens = False
    with trio.move_on_after(LISTENING_S):
        while True:
            found = await exchange(connect, question)
            listens |= found.connected
            if found.answer is not None:
                break
            await trio.sleep(POLL_S)
    return listens
