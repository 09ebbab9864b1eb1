"""Phones' configuration as in life, with `[fleet] boot = "fetch"`: phones boot from CallManager, and are reset by it.

The procedure of the modelled system's administrator: phones booted while the enterprise parameter URL Authentication
named one server; it is then changed to another, and phones are reset so that they take it up. Those under the fault
`not-reset` are left out.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import trio

from harness.bed.errors import BedError
from harness.bed.faults import Struck
from harness.bed.interfaces import callmanager_interface, phones_interface
from harness.bed.json_interface import JsonInterface
from harness.bed.roster import Roster
from harness.bed.setup import RunSecrets, Setup
from harness.observe import EventWriter
from harness.scenario.faults import NOT_RESET

UP_S: Final = 90.0
"""From a reset, or a start, until all phones are there: 10,000 boot in 4 s on an idle machine."""
POLL_S: Final = 0.1
PAGE: Final = 1000
"""Phones that the control API tells at a time, and resets that CallManager is asked for at a time."""


async def boot(
    setup: Setup, roster: Roster, struck: Sequence[Struck], secrets: RunSecrets, writer: EventWriter
) -> None:
    """Wait until all phones have booted; change the authentication URL and reset phones, where the scenario says so.

    Raises:
        BedError: a phone does not boot, or cannot be reset.
    """
    if not setup.fetching:
        return
    phones = phones_interface(setup)
    setup.display.stage("phones fetch their configuration")
    await _all_up(phones)
    if setup.authentication_url_at_boot == setup.authentication_url:
        return
    callmanager = callmanager_interface(setup, secrets)
    setup.display.stage("changing the authentication URL and resetting phones")
    await callmanager.ask("PATCH", "/api/enterprise", {"url_authentication": setup.authentication_url})
    writer.write("enterprise.changed", parameter="url_authentication", value=setup.authentication_url)
    left = {name for one in struck if one.fault.kind == NOT_RESET for name in one.phones}
    names = iter([phone.device_name for phone in roster.phones if phone.device_name not in left])
    told = 0
    while some := list(islice(names, PAGE)):
        answer = await callmanager.ask("POST", "/api/reset", {"devices": some})
        if answer["failed"]:
            name, why = next(iter(answer["failed"].items()))
            raise BedError(f"callmanager: {len(answer['failed'])} phones could not be reset; {name}: {why}")
        told += answer["told"]
    await _all_up(phones)
    writer.write("phones.reset", count=told, left_out=len(left))


async def _all_up(phones: JsonInterface) -> None:
    begun = trio.current_time()
    starting = await _starting(phones)
    while starting and trio.current_time() < begun + UP_S:
        await trio.sleep(POLL_S)
        starting = await _starting(phones)
    if starting:
        raise BedError(f"phones: {', '.join(starting[:3])} and so on have not booted within {UP_S:g} s; see phones.log")


async def _starting(phones: JsonInterface) -> list[str]:
    """Phones that have no configuration yet."""
    first: int | None = 0
    found: list[str] = []
    while first is not None:
        page: dict[str, Any] = await phones.ask("GET", f"/phones?first={first}&count={PAGE}")
        found += [phone["device_name"] for phone in page["phones"] if phone["state"] == "starting"]
        first = page["next"]
    return found
