"""One run: bring the parts up, page, take them down; what is left is a folder of evidence.

The stages follow each other as they are written in `_stages`. Whatever goes wrong, the parts are stopped in order
(gateway first, so that it can stop its phones; the capture last, so that it sees that), their records are merged, and
the manifest is written.
"""

import math
import os
import platform
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import trio

from harness import run_folder
from harness.bed import administering, booting, external, faults, foreign, incidents, leaks, paging, probing
from harness.bed.directory import placing
from harness.bed.gateway_client import GatewayClient
from harness.bed.ground import Host
from harness.bed.interfaces import gateway_interface
from harness.bed.plans import plans
from harness.bed.processes import Part, PartEndedError, PartPlan
from harness.bed.roster import Roster, build_roster
from harness.bed.secrets import PrivateFolder, private_folder
from harness.bed.setup import RunSecrets, Setup
from harness.bed.site_fleet import site_roster
from harness.observe import EventWriter, merge_records
from harness.scenario.audio import audio_seconds
from harness.scenario.model import Scenario
from harness.scenario.resolved import write_resolved
from harness.scenario.schedule import schedule
from harness.scenario.sites import SITE
from harness.site.phone_list import write_phone_list

WRITERS: Final = {
    "gateway": "gateway",
    "phones": "phones",
    "callmanager": "callmanager",
    "capture": "harness",
    "harness": "harness",
}
"""Who writes records, and the witness that each speaks for."""
STOP_ORDER: Final = ("gateway", "phones", "callmanager", "directory", "capture")
SETTLE_S: Final = 0.3
"""Between the last push and the last canaries: what is in flight lands."""
DEATH_S: Final = 1.0
"""A killed process is known to be dead within milliseconds; on a crowded machine that may be many."""
PACKETS_PER_S: Final = 50


def expected_packets(scenario: Scenario) -> int:
    """RTP packets that the scenario's pages send at most."""
    planned = schedule(scenario, [str(number) for number in range(scenario.fleet.phones)])
    seconds = sum(audio_seconds(one.page.audio_path) * len(one.phones) for one in planned if one.page)
    return math.ceil(seconds * PACKETS_PER_S)


async def run(setup: Setup) -> list[str]:
    """Run one scenario and leave its evidence in the folder, with a manifest.

    Returns:
        What to say of parts that ended by themselves once all stood, and of a command in the gateway's place that
        did not end well. The run can be judged: a part that is gone is a blind witness, and a gateway that is gone has
        left its phones listening.

    Raises:
        BedError: a part could not start, or the page did not come to an end.
        RosterError: the fleet cannot be built.
    """
    scenario, folder = setup.scenario, setup.folder
    write_resolved(scenario, folder.file(run_folder.SCENARIO), _versions(), _machine())
    # Judged again elsewhere, the folder is all there is: nobody's word for the sound is needed there either.
    for recording, name in zip(scenario.recordings, run_folder.AUDIOS, strict=False):
        shutil.copyfile(recording, folder.file(name))
    roster = _roster(setup)
    if roster.control is not None:
        # The control asks CallManager itself: it must not depend on the gateway that is under test.
        url = setup.ground.addresses.callmanager_authentication_url
        roster = replace(roster, control=replace(roster.control, authentication_url=url))
    struck = faults.draw(scenario, roster)
    roster = faults.settle(roster, struck)
    roster.write(folder.file(run_folder.ROSTER))
    with private_folder() as private:
        events = {part: private.path / f"{part}.jsonl" for part in WRITERS}
        try:
            with EventWriter(events["harness"]) as writer:
                return await _stages(setup, roster, struck, private, writer, events)
        finally:
            setup.display.stage("collecting evidence")
            merge_records(events.values(), folder.file(run_folder.EVENTS), WRITERS)
            folder.write_manifest()


def _roster(setup: Setup) -> Roster:
    """The fleet that the scenario asks for; a site's list is kept beside it, as evidence of what it is a twin of."""
    fleet, addresses = setup.scenario.fleet, setup.ground.addresses
    if fleet.csv is None:
        return build_roster(phones=fleet.phones, models=fleet.models, seed=setup.scenario.seed, addresses=addresses)
    setup.folder.file(SITE).write_text(write_phone_list(fleet.site), encoding="utf-8")
    if fleet.real:
        # Nobody but the run may be pushed to beside them: a control phone would have to be one of the user's own.
        return Roster(phones=fleet.site, control=None)
    return site_roster(fleet.site, addresses, mapped=not setup.ground.hermetic)


async def _stages(
    setup: Setup,
    roster: Roster,
    struck: Sequence[faults.Struck],
    private: PrivateFolder,
    writer: EventWriter,
    events: Mapping[str, Path],
) -> list[str]:
    ground, stage = setup.ground, setup.display.stage
    secrets = RunSecrets.make(setup.scenario, private)
    paging.describe(setup, roster, writer)
    stage("starting the parts")
    deaths: list[str] = []
    standing = trio.CancelScope()

    def on_death(part: Part, message: str) -> None:
        if not stands or part.name == placing.PART:
            # A directory is no witness and not under test: without it nothing fair can be said.
            raise PartEndedError(message)
        deaths.append(message)
        if part.name == "gateway":
            # Nothing more will happen. Without another part the page goes on: to cut it short would look like the
            # gateway's doing.
            standing.cancel()

    stands = False
    async with trio.open_nursery() as nursery:
        parts: dict[str, Part] = {}

        async def restart_gateway() -> None:
            host, plan = next(one for one in placed if one[1].name == "gateway")
            await parts["gateway"].stop()
            again = replace(plan, on_death=on_death, log_continued=True)
            await _start(nursery, ground.host(host), again, parts)

        try:
            placed = plans(setup, roster, struck, private, secrets, events)
            # Phones that boot from CallManager find it there.
            last = {"phones"} if setup.fetching else set()
            for wave in (
                [one for one in placed if one[1].name not in last],
                [one for one in placed if one[1].name in last],
            ):
                async with trio.open_nursery() as starting:
                    for host, plan in wave:
                        mortal = replace(plan, on_death=on_death)
                        starting.start_soon(_start, nursery, ground.host(host), mortal, parts)
            stands = True
            faults.apply(ground, roster, struck, writer)
            with standing:
                try:
                    await booting.boot(setup, roster, struck, secrets, writer)
                    status = await _play(
                        setup, roster, struck, private, secrets, writer, events, parts, restart_gateway
                    )
                    if status:
                        deaths.append(_ended_badly(status))
                except Exception:
                    # A part that died shows as a lost connection first: then what is to be told is its death.
                    await trio.sleep(DEATH_S)
                    raise
            await trio.sleep(SETTLE_S)
            await paging.canaries(ground, writer, "after")
        finally:
            with trio.CancelScope(shield=True):
                stage("stopping the parts")
                for name in STOP_ORDER:
                    if name in parts:
                        await parts[name].stop()
                written = [*events.values(), *(setup.folder.file(name) for name in run_folder.LOGS)]
                looked, found = await trio.to_thread.run_sync(leaks.search, written, leaks.passwords_of(secrets))
                writer.write("secrets.searched", files=looked, found=found)
    return deaths


async def _play(
    setup: Setup,
    roster: Roster,
    struck: Sequence[faults.Struck],
    private: PrivateFolder,
    secrets: RunSecrets,
    writer: EventWriter,
    events: Mapping[str, Path],
    parts: Mapping[str, Part],
    restart_gateway: Callable[[], Awaitable[None]],
) -> int:
    """What happens while all parts stand.

    Returns:
        Exit status of the command in the gateway's place, negative for a signal; 0 where there is none.
    """
    ground, stage = setup.ground, setup.display.stage
    if setup.foreign:
        stage("canaries and positive control")
        await paging.canaries(ground, writer, "before")
        await paging.control(setup, roster, secrets, writer)
        told = foreign.environment(setup, roster, private, secrets, events["gateway"])
        status = 0
        async with trio.open_nursery() as beside, trio.open_nursery() as while_it_runs:
            beside.start_soon(paging.applications, setup, roster, secrets, writer)
            while_it_runs.start_soon(incidents.strike, setup, struck, None, secrets, writer)
            if setup.scenario.gateway.external:
                control = roster.control.device_name if roster.control else None
                await external.page(setup, parts["phones"], told, writer, events["phones"], control)
            else:
                stage("running the command")
                while_it_runs.start_soon(probing.run_beside, setup, roster, private, secrets, writer)
                status = await foreign.run_command(setup, told)
                writer.write("command.ended", exit_status=status)
            while_it_runs.cancel_scope.cancel()
        return status
    private.forget_secrets()
    if setup.scenario.gateway.administered:
        client = await administering.administer(setup, roster, private, secrets, writer, restart_gateway)
    else:
        client = GatewayClient(interface=gateway_interface(setup, secrets))
    stage("reading the phones' web servers")
    await client.read_inventory()
    stage("canaries and positive control")
    await paging.canaries(ground, writer, "before")
    await paging.control(setup, roster, secrets, writer)
    if probing.wanted(setup, "before"):
        await probing.run(setup, roster, secrets, writer)
    async with trio.open_nursery() as beside:
        beside.start_soon(incidents.strike, setup, struck, client, secrets, writer)
        await paging.page(setup, client, roster, secrets, writer)
        beside.cancel_scope.cancel()
    if probing.wanted(setup, "after"):
        await probing.run(setup, roster, secrets, writer)
    return 0


def _ended_badly(status: int) -> str:
    """A word on the command in the gateway's place: a run of nothing has many checks, and one reason."""
    end = f"was ended by signal {-status}" if status < 0 else f"ended with exit status {status}"
    return f"the command in the gateway's place {end}"


async def _start(nursery: trio.Nursery, host: Host, plan: PartPlan, parts: dict[str, Part]) -> None:
    parts[plan.name] = await host.start(nursery, plan)


def _versions() -> dict[str, str]:
    names = ("pushlab", "trio", "httptools", "numpy", "scapy")
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        **{name: version(name) for name in names},
    }


def _machine() -> dict[str, str | int | float]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": memory,
        "architecture": platform.machine(),
    }


def _processor() -> str:
    """What the kernel calls the processor; `unknown` where it does not name it."""
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return "unknown"
