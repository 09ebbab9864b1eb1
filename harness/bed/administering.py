"""Our gateway set up as an administrator does it, with `[gateway] set_up = "administration"`: row 7 of the model.

The gateway starts with an empty data folder, and a file that names neither user nor CallManager nor phones. The console
prints a set-up token; with it an administrator gets an account, logs in over HTTPS, and enters everything: push user,
password, CallManager's URL, the phones' networks, phones, a zone. Then the gateway is started again where the scenario
says so, and what was entered is looked for. An administrator does all of it in a browser too: tests of the gateway's
own have that; here it is the same interface without one.
"""

import http.client
import re
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import trio

from harness.bed.configuration import multicast_groups
from harness.bed.errors import BedError
from harness.bed.gateway_client import GatewayClient
from harness.bed.ground import Host
from harness.bed.json_interface import JsonInterface, connect
from harness.bed.plans import GATEWAY_CONFIGURATION, GATEWAY_DATA, GATEWAY_ROSTER
from harness.bed.roster import Roster
from harness.bed.secrets import PrivateFolder
from harness.bed.setup import RunSecrets, Setup
from harness.observe import EventWriter

ADMINISTRATOR: Final = "administrator"
ZONE: Final = "Whole site"
SOURCE: Final = "Phone list"
CONSOLE_S: Final = 30.0
NAMED: Final = 10
"""Facts that a record names of those that were lost."""
_TOKEN: Final = re.compile(r"good once and for an hour: (\S+)")
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')


async def administer(
    setup: Setup,
    roster: Roster,
    private: PrivateFolder,
    secrets: RunSecrets,
    writer: EventWriter,
    restart: Callable[[], Awaitable[None]],
) -> GatewayClient:
    """Set the gateway up, start it again where the scenario says so, and record what is left of it then.

    Returns:
        The gateway's interface, with the administrator's token.

    Raises:
        BedError: the gateway refuses something.
    """
    setup.display.stage("setting the gateway up")
    interface = await _let_in(setup, private, secrets)
    await _enter(setup, roster, private, secrets, interface)
    entered = _entered(setup, roster)
    writer.write("gateway.administered", facts=len(entered))
    if setup.scenario.gateway.restarted:
        setup.display.stage("starting the gateway again")
        await restart()
        writer.write("gateway.restarted")
    found = await _found(interface)
    lost = [name for name, value in entered.items() if found.get(name) != value]
    writer.write("administration.checked", facts=len(entered), kept=len(entered) - len(lost), lost=lost[:NAMED])
    return GatewayClient(interface=interface)


async def _let_in(setup: Setup, private: PrivateFolder, secrets: RunSecrets) -> JsonInterface:
    """From the console's token to an account, and from the account to a token for programs."""
    addresses, harness = setup.ground.addresses, setup.ground.host("harness")
    address, port = addresses.gateway, addresses.gateway_administration_port
    context = ssl.create_default_context(cafile=private.path / GATEWAY_DATA / "administration.crt")
    assert secrets.administrator is not None
    token, password = await _set_up_token(private), secrets.administrator.value
    origin = f"https://{address}:{port}"
    form = {"name": ADMINISTRATOR, "token": token, "password": password, "again": password}
    forms = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    status, headers, _ = await _browse(harness, address, port, context, "POST", "/set-up", forms, urlencode(form))
    cookie = headers.get("set-cookie", "").partition(";")[0]
    if status != 303 or not cookie:
        raise BedError(f"gateway: the first administrator was not let in (status {status})")
    _, _, page = await _browse(harness, address, port, context, "GET", "/account", {"Cookie": cookie}, "")
    csrf = _CSRF.search(page)
    if csrf is None:
        raise BedError("gateway: its page of the own account has no form")
    session = {"Cookie": cookie, "X-CSRF-Token": csrf[1], "Origin": origin}
    logged_in = JsonInterface(
        host=harness, part="gateway", address=address, port=port, context=context, headers=session
    )
    made = await logged_in.ask("POST", "/api/tokens", {"name": "test bed", "role": "administrator"})
    return JsonInterface(
        host=harness, part="gateway", address=address, port=port, context=context, token=str(made["token"])
    )


async def _set_up_token(private: PrivateFolder) -> str:
    """As the console of the gateway's machine prints it."""
    words = ("gateway", "account", "set-up", "--config", str(private.path / GATEWAY_CONFIGURATION))
    with trio.move_on_after(CONSOLE_S):
        done = await trio.run_process(
            [sys.executable, "-P", "-m", "harness.cli", *words],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        found = _TOKEN.search(done.stdout.decode("utf-8", "replace"))
        if done.returncode == 0 and found is not None:
            return found[1]
        raise BedError(f"gateway: its console gave no set-up token: {done.stderr.decode('utf-8', 'replace')[-1000:]}")
    raise BedError(f"gateway: its console gave no set-up token within {CONSOLE_S:g} s")


async def _enter(
    setup: Setup, roster: Roster, private: PrivateFolder, secrets: RunSecrets, interface: JsonInterface
) -> None:
    await interface.ask("PATCH", "/api/settings", {**_settings(setup), "push_password": secrets.pushed.value})
    listed = (private.path / GATEWAY_ROSTER).read_text(encoding="utf-8")
    await interface.ask("POST", "/api/inventory/sources", {"name": SOURCE, "kind": "csv", "csv": listed})
    await interface.ask("POST", f"/api/inventory/sources/{SOURCE.replace(' ', '%20')}/synchronise")
    await interface.ask("POST", "/api/zones", {"name": ZONE, "description": "every phone"})
    names = [phone.device_name for phone in roster.phones]
    await interface.ask("POST", "/api/inventory/zone", {"phones": names, "zone": ZONE})


def _settings(setup: Setup) -> dict[str, object]:
    gateway, addresses = setup.scenario.gateway, setup.ground.addresses
    first, last = multicast_groups(setup.scenario)
    return {
        "push_user": gateway.user,
        "callmanager_url": addresses.callmanager_authentication_url,
        "own_user_mismatch": gateway.own_user_mismatch,
        "phone_networks": list(addresses.phones_networks),
        "multicast": True,
        "multicast_first": first,
        "multicast_last": last,
        "multicast_port": addresses.rtp_port,
    }


def _entered(setup: Setup, roster: Roster) -> dict[str, object]:
    """What must be found again: fact → value. A password is a fact, its value is not looked at."""
    facts: dict[str, object] = {f"setting {name}": value for name, value in _settings(setup).items()}
    facts["secret push_password"] = True
    facts[f"account {ADMINISTRATOR}"] = "administrator"
    facts[f"source {SOURCE}"] = "csv"
    facts[f"zone {ZONE}"] = len(roster.phones)
    return facts | {f"phone {phone.device_name}": (phone.address, ZONE) for phone in roster.phones}


async def _found(interface: JsonInterface) -> dict[str, object]:
    """The same facts, as the gateway tells them."""
    told: Mapping[str, Any] = await interface.ask("GET", "/api/settings")
    facts: dict[str, object] = {f"setting {name}": value for name, value in told["settings"].items()}
    facts |= {f"secret {name}": name in told["secrets_set"] for name in ("push_password",)}
    accounts = await interface.ask("GET", "/api/accounts")
    facts |= {f"account {each['name']}": each["role"] for each in accounts["accounts"]}
    sources = await interface.ask("GET", "/api/inventory/sources")
    facts |= {f"source {each['name']}": each["kind"] for each in sources["sources"]}
    zones = await interface.ask("GET", "/api/zones")
    facts |= {f"zone {each['name']}": each["phones"] for each in zones["zones"]}
    phones = await interface.ask("GET", "/api/inventory")
    return facts | {f"phone {each['phone']}": (each["address"], each["zone"]) for each in phones["phones"]}


async def _browse(
    host: Host,
    address: str,
    port: int,
    context: ssl.SSLContext,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: str,
) -> tuple[int, Mapping[str, str], str]:
    """One page as a browser asks for it: status, headers by name in small letters, text."""

    def ask() -> tuple[int, Mapping[str, str], str]:
        connection = connect(host, address, port, context)
        try:
            connection.request(method, path, body=body or None, headers=dict(headers))
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, names, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    try:
        return await trio.to_thread.run_sync(lambda: host.call(ask), abandon_on_cancel=True)
    except (OSError, http.client.HTTPException) as error:
        raise BedError(f"gateway: {method} {path} was not answered: {error}") from None
