"""The JSON interface, through the application alone."""

import contextlib
import json
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart_trio import QuartTrio

from emulator.callmanager.administration import application
from emulator.callmanager.cluster import Cluster
from emulator.callmanager.directory import DirectoryError, Person
from emulator.callmanager.users import Users

TOKEN = "t0ken"
SECRET = "Geheim-77"
PHONES = ["SEP001BD4000001", "SEP001BD4000002"]
AGPUSH = {"name": "agpush", "password": SECRET, "cti": True, "devices": PHONES}


class Client:
    def __init__(self, app: QuartTrio) -> None:
        self._client = app.test_client()

    async def __call__(self, method: str, path: str, body: object = None, token: str | None = TOKEN) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        response = await self._client.open(path, method=method, headers=headers, data=data)
        text = await response.get_data(as_text=True)
        assert SECRET not in text + str(response.headers)
        return response.status_code, json.loads(text) if text else None


@contextlib.asynccontextmanager
async def running(users: Users) -> AsyncIterator[Client]:
    yield Client(application(Cluster(users=users), token=TOKEN))


async def test_a_user_is_added_shown_changed_and_removed():
    users = Users()
    async with running(users) as ask:
        shown = {"name": "agpush", "cti": True, "devices": PHONES}
        assert await ask("POST", "/api/users", AGPUSH) == (201, shown)
        assert users.check(name="agpush", password=SECRET, device=PHONES[0]).authorised
        assert await ask("GET", "/api/users") == (200, {"users": [shown]})
        assert await ask("GET", "/api/users/agpush") == (200, shown)
        changed = {**shown, "cti": False}
        assert await ask("PATCH", "/api/users/agpush", {"cti": False, "password": "new"}) == (200, changed)
        assert users.check(name="agpush", password="new", device=PHONES[0]).reason == "cti"
        assert await ask("PATCH", "/api/users/agpush", {"devices": "none"}) == (
            200,
            {**shown, "cti": False, "devices": "none"},
        )
        assert await ask("DELETE", "/api/users/agpush") == (204, None)
        assert await ask("GET", "/api/users") == (200, {"users": []})


async def test_defaults_of_a_new_user_are_cti_and_no_devices():
    async with running(Users()) as ask:
        assert (await ask("POST", "/api/users", {"name": "a", "password": "p"}))[1] == {
            "name": "a",
            "cti": True,
            "devices": "none",
        }


async def test_a_name_with_a_slash_is_reached_like_any_other():
    async with running(Users()) as ask:
        for name in ("lab/agpush", "a/devices"):
            quoted = urllib.parse.quote(name, safe="")
            assert (await ask("POST", "/api/users", {"name": name, "password": "p"}))[0] == 201
            assert (await ask("PATCH", f"/api/users/{quoted}", {"cti": False}))[1]["name"] == name
            answer = await ask("POST", f"/api/users/{quoted}/devices", {"add": ["SEP001BD4000001"]})
            assert answer[1]["devices"] == ["SEP001BD4000001"]
            assert await ask("DELETE", f"/api/users/{quoted}") == (204, None)
        assert await ask("GET", "/api/users") == (200, {"users": []})


async def test_devices_are_associated_and_taken_back_by_name():
    async with running(Users()) as ask:
        await ask("POST", "/api/users", AGPUSH)

        async def associate(**body: object) -> tuple[int, Any]:
            status, answer = await ask("POST", "/api/users/agpush/devices", body)
            return status, answer.get("devices", answer)

        assert await associate(add=["SEP3"], remove=[PHONES[0]]) == (200, ["SEP3", PHONES[1]][::-1])
        assert await associate(remove=["unknown"]) == (200, [PHONES[1], "SEP3"])
        assert await associate(add="all") == (200, "all")
        assert (await associate(remove=["SEP3"]))[0] == 409
        assert await associate(remove="all") == (200, "none")


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", "ü"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/api/users"), ("DELETE", "/api/users/a"), ("GET", "/api/")])
async def test_nothing_without_the_token(token: str | None, method: str, path: str):
    async with running(Users()) as ask:
        assert await ask(method, path, token=token) == (401, {"error": "the bearer token is missing or wrong"})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "a JSON object is needed"),
        (b"{", "a JSON object is needed"),
        ([], "a JSON object is needed"),
        (b"\xff", "a JSON object is needed"),
        (b"[" * 100_000, "a JSON object is needed"),
        ({"name": "a"}, "password: is needed"),
        ({"name": "a", "pasword": SECRET}, "password: is needed; 'pasword': unknown key; did you mean password?"),
        ({"name": 5, "password": [SECRET], "cti": 1}, "name: a text is needed; password: a text is needed; cti: true"),
        ({"name": "a", "password": "p", "devices": "some"}, 'devices: "all", "none" or a list'),
        ({"name": "a", "password": SECRET * 40}, "password: 1 to 256 characters are needed"),
        ({"name": "", "password": SECRET}, "name: 1 to 128 printable"),
    ],
)
async def test_bad_bodies_are_named_and_change_nothing(body: object, error: str):
    users = Users()
    async with running(users) as ask:
        status, answer = await ask("POST", "/api/users", body)
        assert status == 400
        assert answer["error"].startswith(error)
        assert len(users) == 0


async def test_duplicates_and_the_unknown():
    async with running(Users()) as ask:
        await ask("POST", "/api/users", AGPUSH)
        assert (await ask("POST", "/api/users", AGPUSH))[0] == 400
        for method in ("GET", "PATCH", "DELETE"):
            assert (await ask(method, "/api/users/absent", {}))[0] == 404
        assert await ask("GET", "/api/elsewhere") == (404, {"error": "Not Found"})
        assert (await ask("PUT", "/api/users"))[0] == 405


async def test_too_large_a_body_is_refused():
    async with running(Users()) as ask:
        assert (await ask("POST", "/api/users", b" " * (4 * 1024 * 1024 + 1)))[0] == 413


async def test_a_defect_shows_its_type_alone(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def fails(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Users, "names", fails)
    async with running(Users()) as ask:
        assert await ask("GET", "/api/users") == (500, {"error": "a defect of this server"})
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


class People:
    """A directory of one person; a name of its own makes it fail."""

    async def find(self, beginning: str) -> list[Person]:
        return [person] if (person := await self.person(beginning)) else []

    async def person(self, name: str) -> Person | None:
        if name == "down":
            raise DirectoryError("unreachable")
        return Person(name="AgPush", dn="cn=a,dc=lab") if name.lower() in {"agpush", "ag"} else None


async def test_a_person_is_found_in_the_global_directory_and_associated_there():
    users = Users()
    ask = Client(application(Cluster(users=users, directory=People()), token=TOKEN))
    found = {"name": "AgPush", "dn": "cn=a,dc=lab", "associated": False}
    assert await ask("GET", "/api/directory?search=ag") == (200, {"users": [found]})
    assert await ask("GET", "/api/directory") == (200, {"users": []})
    added = await ask("POST", "/api/users", {"name": "agpush", "directory": True, "devices": PHONES})
    shown = {"name": "AgPush", "cti": True, "devices": PHONES, "directory": True}
    assert added == (201, shown)
    assert await ask("GET", "/api/directory?search=ag") == (200, {"users": [{**found, "associated": True}]})
    assert await ask("GET", "/api/users") == (200, {"users": [shown]})
    assert (await ask("POST", "/api/users", {"name": "agpush", "directory": True}))[0] == 400
    assert (await ask("PATCH", "/api/users/AgPush", {"password": "p"}))[0] == 400
    assert (await ask("POST", "/api/users", {"name": "absent", "directory": True}))[0] == 404
    refused = await ask("POST", "/api/users", {"name": "agpush", "directory": True, "password": "p"})
    assert refused == (400, {"error": "password: a user of the directory has none here"})
    assert await ask("GET", "/api/directory?search=down") == (502, {"error": "the directory: unreachable"})
    assert (await ask("GET", "/api/directory", token=None))[0] == 401
    assert await ask("DELETE", "/api/users/AgPush") == (204, None)


async def test_without_a_directory_there_is_no_global_directory():
    async with running(Users()) as ask:
        assert (await ask("GET", "/api/directory"))[0] == 409
        assert (await ask("POST", "/api/users", {"name": "agpush", "directory": True}))[0] == 409
        wrong = await ask("POST", "/api/users", {"name": "agpush", "directory": "yes"})
        assert wrong == (400, {"error": "password: is needed; directory: true or false is needed"})
