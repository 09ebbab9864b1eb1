"""Devices, resets and enterprise parameters by JSON; and who is let in."""

import base64
import json
from typing import Any

import pytest

from emulator.callmanager.administration import application
from emulator.callmanager.cluster import Administrator, Cluster, ResetError
from emulator.callmanager.registry import Device, Registration, Registry
from emulator.callmanager.users import Devices, User

TOKEN = "t0ken"
NAMES = [f"SEP001BD40000{number:02X}" for number in range(60)]
ADMINISTRATOR = Administrator(name="ccmadministrator", password="Geheim-77")


async def tell(name: str) -> None:
    if name == NAMES[1]:
        raise ResetError(f"{name}: it does not answer")


class Program:
    def __init__(self, accounts: "Accounts | None" = None, token: str | None = TOKEN) -> None:
        phones = [Device(name=name, directory_number=str(2000 + at)) for at, name in enumerate(NAMES)]
        phones[0] = Device(name=NAMES[0], address="10.20.0.1", registration=Registration.REGISTERED)
        self.cluster = Cluster(registry=Registry(phones), administrator=ADMINISTRATOR, reset=tell)
        self._client = application(self.cluster, token=token, accounts=accounts).test_client()

    async def __call__(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        given = {"Authorization": f"Bearer {TOKEN}"} if headers is None else headers
        data = None if body is None else json.dumps(body).encode()
        response = await self._client.open(path, method=method, headers=given, data=data)
        text = await response.get_data(as_text=True)
        assert "Geheim-77" not in text + str(response.headers)
        return response.status_code, json.loads(text) if text else None


@pytest.fixture
def ask() -> Program:
    return Program()


async def test_a_device_is_found_shown_and_changed(ask: Program):
    status, found = await ask("GET", "/api/devices?field=directory_number&match=begins+with&text=205&per_page=25")
    assert (status, found["total"], found["page"], found["pages"]) == (200, 10, 1, 1)
    assert [device["directory_number"] for device in found["devices"]] == [str(number) for number in range(2050, 2060)]
    shown = {
        "name": NAMES[0],
        "description": "",
        "directory_number": "",
        "model": "CP-7960G",
        "web_access": True,
        "authentication_url": "",
        "secured_authentication_url": "",
        "services_url": "",
        "address": "10.20.0.1",
        "registration": "registered",
    }
    assert await ask("GET", f"/api/devices/{NAMES[0]}") == (200, shown)
    changed = {**shown, "web_access": False, "authentication_url": "http://10.0.0.9/own"}
    change = {"web_access": False, "authentication_url": "http://10.0.0.9/own"}
    assert await ask("PATCH", f"/api/devices/{NAMES[0]}", change) == (200, changed)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"web_access": "off"}, "web_access: true or false is needed"),
        ({"address": "10.0.0.1"}, "'address': unknown key"),
        ({"descripton": ""}, "'descripton': unknown key; did you mean description?"),
        ({"description": "a\nb"}, "description: at most 128 printable characters"),
        ({"authentication_url": "gopher://x"}, "authentication_url: http:// or https:// is needed"),
        ([], "a JSON object is needed"),
    ],
)
async def test_what_a_device_cannot_be_changes_nothing(ask: Program, body: object, said: str):
    status, answer = await ask("PATCH", f"/api/devices/{NAMES[3]}", body)
    assert status == 400
    assert answer["error"].startswith(said)
    assert ask.cluster.registry.get(NAMES[3]) == Device(name=NAMES[3], directory_number="2003")


async def test_what_is_not_there(ask: Program):
    for method, path in (("GET", "x"), ("PATCH", "x"), ("POST", "x/reset")):
        assert await ask(method, f"/api/devices/{path}", {}) == (404, {"error": "there is no device 'x'"})
    assert (await ask("GET", "/api/devices?sortt=name"))[0] == 400
    assert (await ask("GET", "/api/devices?sort=nothing"))[0] == 400
    assert (await ask("DELETE", f"/api/devices/{NAMES[0]}"))[0] == 405


async def test_phones_are_reset_one_several_and_all(ask: Program):
    assert await ask("POST", f"/api/devices/{NAMES[0]}/reset") == (200, {"told": 1, "failed": {}})
    failed = {NAMES[1]: "it does not answer"}
    assert await ask("POST", "/api/reset", {"devices": NAMES[:3]}) == (200, {"told": 2, "failed": failed})
    assert await ask("POST", "/api/reset", {"devices": "all"}) == (200, {"told": 59, "failed": failed})
    assert await ask("POST", "/api/reset", {"devices": "none"}) == (200, {"told": 0, "failed": {}})
    assert (await ask("POST", "/api/reset", {}))[0] == 400


async def test_enterprise_parameters(ask: Program):
    status, shown = await ask("GET", "/api/enterprise")
    assert (status, shown["url_authentication"], shown["url_idle_time_s"]) == (200, "", 0)
    change = {"url_authentication": "http://10.20.128.10/cisco_auth/authenticate.html", "url_idle_time_s": 60}
    assert await ask("PATCH", "/api/enterprise", change) == (200, {**shown, **change})
    assert ask.cluster.enterprise.parameters.url_authentication == change["url_authentication"]
    for wrong in ({"url_idle_time_s": -1}, {"url_idle_time_s": True}, {"url_idle_time_s": 2**70}, {"url": ""}):
        assert (await ask("PATCH", "/api/enterprise", wrong))[0] == 400
    assert (await ask("GET", "/api/enterprise"))[1] == {**shown, **change}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


async def test_the_administrator_may_use_it_without_a_token():
    ask = Program(token=None)
    right = basic("ccmadministrator", "Geheim-77")
    assert (await ask("GET", "/api/users", headers=right))[0] == 200
    assert (await ask("GET", "/api/users", headers=basic("ccmadministrator", "wrong")))[0] == 401
    assert (await ask("GET", "/api/users", headers={"Authorization": "Bearer "}))[0] == 401
    assert (await ask("GET", "/api/users", headers={}))[0] == 401
    assert (await ask("GET", "/api/users", headers={"Authorization": "Basic \xff"}))[0] == 401


@pytest.mark.parametrize(
    "header",
    [{"Origin": "http://elsewhere"}, {"Origin": "null"}, {"Origin": "http://["}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_another_sites_page_cannot_use_what_the_browser_remembers(header: dict[str, str]):
    ask = Program()
    right = basic("ccmadministrator", "Geheim-77")
    status, _ = await ask("PATCH", "/api/enterprise", {"url_idle_time_s": 5}, headers={**right, **header})
    assert status == 403
    assert ask.cluster.enterprise.parameters.url_idle_time_s == 0
    assert (await ask("PATCH", "/api/enterprise", {}, headers={**right, "Origin": "http://localhost"}))[0] == 200


class Accounts:
    def __init__(self) -> None:
        self.names = {"agpush"}

    def locked(self, user: User) -> bool:
        return user.name in self.names

    def unlock(self, user: User) -> None:
        self.names.discard(user.name)


async def test_a_locked_user_is_shown_and_unlocked():
    ask = Program(Accounts())
    ask.cluster.users.add(name="agpush", password="p", cti=True, devices=Devices(), last_name="Gateway")
    shown = {"name": "agpush", "cti": True, "devices": "none", "last_name": "Gateway"}
    assert await ask("GET", "/api/users/agpush") == (200, {**shown, "locked": True})
    assert await ask("POST", "/api/users/agpush/unlock") == (200, shown)
    assert (await ask("POST", "/api/users/nobody/unlock"))[0] == 404
