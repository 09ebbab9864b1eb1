"""A program that is not our gateway, run where a gateway would stand.

It is told by environment variables where everything is; passwords it finds in files, never in a variable.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from harness.bed.errors import BedError
from harness.bed.paging import planned_of
from harness.bed.plans import GATEWAY_CONFIGURATION, GATEWAY_ROSTER
from harness.bed.probing import done_file
from harness.bed.processes import PartPlan
from harness.bed.roster import Roster
from harness.bed.secrets import PrivateFolder
from harness.bed.setup import RunSecrets, Setup
from harness.scenario.model import Scenario
from harness.scenario.schedule import Planned

LIMIT_S: Final = 600.0
"""A command that runs longer is stopped: no load goes on for ever."""
GRACE_S: Final = 10.0


def environment(
    setup: Setup, roster: Roster, private: PrivateFolder, secrets: RunSecrets, events: Path
) -> Mapping[str, str]:
    """The variables of a foreign gateway (docs/reference/exec.md), added to this process's own."""
    addresses = setup.ground.addresses
    user = setup.scenario.gateway.user
    netrc = private.write("netrc", f"default login {user} password {secrets.pushed.value}\n")
    told = {
        "PUSHLAB_PHONE": roster.phones[0].address,
        "PUSHLAB_PHONE_PORT": str(addresses.phone_port),
        "PUSHLAB_PHONES": str(len(roster.phones)),
        "PUSHLAB_PHONES_CSV": str(private.path / GATEWAY_ROSTER),
        "PUSHLAB_RTP_PORT": str(addresses.rtp_port),
        "PUSHLAB_GATEWAY": addresses.gateway,
        "PUSHLAB_AUTHENTICATION_URL": setup.authentication_url,
        "PUSHLAB_AUTHENTICATION_LISTEN": f"{addresses.gateway}:{addresses.authentication_port}",
        "PUSHLAB_CALLMANAGER_URL": addresses.callmanager_authentication_url,
        "PUSHLAB_USER": user,
        "PUSHLAB_PASSWORD_FILE": str(secrets.pushed.path),
        "PUSHLAB_NETRC_FILE": str(netrc),
        **_wish(setup.scenario),
        **_pages(planned_of(setup, roster), private),
        "PUSHLAB_EVENTS": str(events),
        "PUSHLAB_GATEWAY_CONFIG": str(private.path / GATEWAY_CONFIGURATION),
    }
    if setup.scenario.probe.when != "never":
        told["PUSHLAB_PROBE_DONE"] = str(done_file(private))
    return os.environ | told


def _wish(scenario: Scenario) -> Mapping[str, str]:
    """What is to be sent: a page's audio, or an alert's words."""
    if scenario.alerts:
        return {"PUSHLAB_ALERT": scenario.alerts[0].text, "PUSHLAB_ALERT_TITLE": scenario.alerts[0].title}
    return {"PUSHLAB_AUDIO": str(scenario.pages[0].audio_path.absolute())}


def _pages(planned: Sequence[Planned], private: PrivateFolder) -> Mapping[str, str]:
    """A file with all pages, where there are several or one does not go to all phones."""
    pages = [
        {
            "item": one.name,
            "at_s": one.at_s,
            "audio": str(one.page.audio_path.absolute()),
            "phones": list(one.phones),
            "delivery": one.page.delivery,
            "priority": one.page.priority,
            "busy": one.page.busy_rule,
        }
        for one in planned
        if one.page
    ]
    if len(pages) < 2 and all(one.wish.phones == 1 for one in planned):
        return {}
    return {"PUSHLAB_PAGES": str(private.write("pages.json", json.dumps(pages)))}


async def run_command(setup: Setup, told: Mapping[str, str]) -> int:
    """Run the command to its end on the gateway's host; in the terminal for `pushlab exec`, else into gateway.log.

    Returns:
        Its exit code, negative for a signal.

    Raises:
        BedError: it cannot be started, or does not end.
    """
    argv = setup.scenario.gateway.command
    log = setup.folder.file("gateway.log")
    placed = setup.ground.host("gateway").placed(
        PartPlan(name="gateway", argv=argv, log_path=log, environment=told, speaks=False)
    )
    with log.open("wb") as file:
        try:
            process = await trio.lowlevel.open_process(
                list(placed.argv),
                stdin=subprocess.DEVNULL,
                stdout=None if setup.in_terminal else file,
                stderr=None if setup.in_terminal else file,
                env=dict(told),
                pass_fds=tuple(placed.pass_fds),
            )
        except OSError as error:
            raise BedError(f"the command cannot be started: {argv[0]}: {error.strerror}") from None
        try:
            with trio.fail_after(LIMIT_S):
                return await process.wait()
        except trio.TooSlowError:
            raise BedError(f"the command did not end within {LIMIT_S:g} s and was stopped: {argv[0]}") from None
        finally:
            with trio.CancelScope(shield=True):
                await end_process(process)


async def end_process(process: trio.Process) -> None:
    """Have a process ended: asked first, killed after a while."""
    if process.returncode is None:
        process.terminate()
        with trio.move_on_after(GRACE_S):
            await process.wait()
            return
        process.kill()
        await process.wait()
