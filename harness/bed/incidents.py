"""Faults that come while the page runs, and go again: `at_s` and `lasts_s` of `[[fault]]`.

Their times are seconds after the run's zero, as those of pages and other applications. One whose time does not come
before the last page has ended is not made, and the judge says so: the fault was not applied.
"""

from collections.abc import Sequence

import trio

from harness.bed.errors import BedError
from harness.bed.faults import Struck, make
from harness.bed.gateway_client import GatewayClient
from harness.bed.interfaces import callmanager_interface
from harness.bed.setup import RunSecrets, Setup
from harness.observe import EventWriter
from harness.scenario.faults import CREDENTIAL_DRIFT


async def strike(
    setup: Setup, struck: Sequence[Struck], client: GatewayClient | None, secrets: RunSecrets, writer: EventWriter
) -> None:
    """Make each fault that has a time at its time; runs until all have come and gone.

    Args:
        setup: the run.
        struck: its faults.
        client: of our gateway; None where another program pushes.
        secrets: the run's passwords.
        writer: where it is recorded.

    Raises:
        BedError: a fault cannot be made.
    """
    async with trio.open_nursery() as nursery:
        for one in struck:
            if one.fault.at_s:
                nursery.start_soon(_one, setup, one, client, secrets, writer)


async def _one(
    setup: Setup, one: Struck, client: GatewayClient | None, secrets: RunSecrets, writer: EventWriter
) -> None:
    await trio.sleep(one.fault.at_s)
    if one.fault.kind == CREDENTIAL_DRIFT:
        detail = await _drift(setup, one.fault.where, client, secrets)
    else:
        detail = make(setup.ground, one)
    writer.write("fault.applied", fault=one.fault.kind, phones=[], detail=f"{detail}, from {one.fault.at_s:g} s on")
    if one.fault.lasts_s:
        await trio.sleep(one.fault.lasts_s)
        setup.ground.unblock_host(_blocked(setup, one.fault.kind))
        writer.write("fault.ended", fault=one.fault.kind)


def _blocked(setup: Setup, kind: str) -> str:
    addresses = setup.ground.addresses
    return {"callmanager-blocked": addresses.callmanager, "directory-blocked": addresses.directory}[kind]


async def _drift(setup: Setup, where: str, client: GatewayClient | None, secrets: RunSecrets) -> str:
    """Change the push user's password: in CallManager first, as an administrator does."""
    assert secrets.drifted is not None
    user, password = setup.scenario.gateway.user, secrets.drifted.value
    if where != "gateway":
        await callmanager_interface(setup, secrets).ask("PATCH", f"/api/users/{user}", {"password": password})
    if where != "callmanager":
        if client is None:
            raise BedError("the password of another program's gateway cannot be changed from here")
        await client.interface.ask("PATCH", "/api/settings", {"push_password": password})
    places = {"both": "CallManager and in the gateway", "gateway": "the gateway", "callmanager": "CallManager"}
    return f"the password of {user} is changed in {places[where]}"
