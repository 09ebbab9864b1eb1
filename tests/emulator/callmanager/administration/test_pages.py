"""The administration pages, through the application alone."""

import base64
import re
from html import unescape
from typing import ClassVar
from urllib.parse import urlencode

import pytest
import trio
from quart.wrappers import Response
from werkzeug.datastructures import Headers

from emulator.callmanager.administration import application
from emulator.callmanager.administration.entrance import COOKIE
from emulator.callmanager.administration.form import FORM_BYTES_MAX
from emulator.callmanager.cluster import Administrator, Cluster, ResetError
from emulator.callmanager.directory import DirectoryError, Person
from emulator.callmanager.registry import Device, Registry
from emulator.callmanager.users import Devices, User

SECRET = "Geheim-77"
ADMINISTRATOR = Administrator(name="ccmadministrator", password="Geheim-99")
NAMES = [f"SEP001BD4{number:06X}" for number in range(120)]
OWN = "http://10.20.128.20/CCMCIP/authenticate.asp"


class People:
    """A directory of one person; a name of its own makes it fail."""

    async def find(self, beginning: str) -> list[Person]:
        return [person] if (person := await self.person(beginning)) else []

    async def person(self, name: str) -> Person | None:
        if name == "down":
            raise DirectoryError("unreachable")
        return Person(name="AgPush", dn="cn=<b>,dc=lab") if name.lower() in {"agpush", "ag"} else None


class Fleet:
    def __init__(self) -> None:
        self.told: list[str] = []

    async def __call__(self, name: str) -> None:
        if name == NAMES[1]:
            raise ResetError(f"{name}: it <does> not answer")
        self.told.append(name)


class Accounts:
    def __init__(self) -> None:
        self.names = {"locked"}

    def locked(self, user: User) -> bool:
        return user.name in self.names

    def unlock(self, user: User) -> None:
        self.names.discard(user.name)


class Visitor:
    """A browser without script: keeps the cookie, sends a form with what the page hid in it."""

    def __init__(self, administrator: Administrator | None = ADMINISTRATOR, *, directory: bool = False) -> None:
        phones = [Device(name=name, directory_number=str(2000 + at)) for at, name in enumerate(NAMES)]
        self.fleet = Fleet()
        self.cluster = Cluster(
            registry=Registry(phones),
            administrator=administrator,
            reset=self.fleet,
            directory=People() if directory else None,
        )
        app = application(self.cluster, accounts=Accounts(), authentication_url=OWN)
        self.client = app.test_client()
        self.status = 0
        self.page = ""
        self.headers = Headers()

    async def _took(self, response: Response) -> str:
        self.status = response.status_code
        self.page = await response.get_data(as_text=True)
        self.headers = response.headers
        assert SECRET not in self.page + str(self.headers)
        assert ADMINISTRATOR.password not in self.page + str(self.headers)
        return self.page

    async def get(self, path: str, **headers: str) -> str:
        return await self._took(await self.client.get(path, headers=headers))

    async def post(self, path: str, fields: object = (), *, data: bytes | None = None, **headers: str) -> str:
        """Send a form with the token of the page seen last, and follow where it leads."""
        token = re.search(r'name="token" value="([0-9a-f]+)"', self.page)
        assert token is not None, self.page
        pairs = [("token", token[1]), *(fields.items() if isinstance(fields, dict) else fields)]
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        response = await self.client.post(path, data=data or urlencode(pairs).encode(), headers=headers)
        page = await self._took(response)
        return await self.get(self.headers["Location"]) if self.status == 303 else page

    async def log_in(self, password: str = ADMINISTRATOR.password, following: str = "") -> str:
        await self.get("/ccmadmin/login")
        fields = {"name": "ccmadministrator", "password": password, "next": following}
        return await self.post("/ccmadmin/login", fields)

    def user(self, name: str = "agpush") -> User:
        user = self.cluster.users.get(name)
        assert user is not None
        return user

    def checked(self) -> set[str]:
        return set(re.findall(r'name="device" value="([^"]+)"[^>]* checked', self.page))


@pytest.fixture
async def visitor() -> Visitor:
    visitor = Visitor()
    await visitor.log_in()
    assert visitor.status == 200
    return visitor


class TestEntrance:
    async def test_without_an_administrator_the_pages_say_how_to_name_one(self):
        visitor = Visitor(None)
        for path in ("/ccmadmin/", "/ccmadmin/login", "/ccmadmin/device/phones"):
            page = await visitor.get(path)
            assert visitor.status == 403
            assert "[administrator]" in page
            assert NAMES[0] not in page
        right = "Basic " + base64.b64encode(b":").decode()
        await visitor.get("/ccmadmin/", Authorization=right)
        assert visitor.status == 403

    async def test_who_is_not_logged_in_gets_the_login_page_and_then_the_page_he_wanted(self):
        visitor = Visitor()
        await visitor.get("/ccmadmin/device/phones?text=SEP")
        assert visitor.status == 303
        assert visitor.headers["Location"] == "/ccmadmin/login?next=%2Fccmadmin%2Fdevice%2Fphones%3Ftext%3DSEP"
        await visitor.get(visitor.headers["Location"])
        assert 'name="next" value="/ccmadmin/device/phones?text=SEP"' in visitor.page
        page = await visitor.log_in(following="/ccmadmin/device/phones?text=SEP")
        assert NAMES[0] in page

    @pytest.mark.parametrize(
        "following",
        ["http://elsewhere/", "//elsewhere/", "/\\elsewhere", "/api/users", "/ccmadmin/\n", "/ccmadmin/" + "x" * 3000],
    )
    async def test_a_login_leads_nowhere_else(self, following: str):
        visitor = Visitor()
        assert "<h1>Start</h1>" in await visitor.log_in(following=following)

    async def test_a_wrong_password_is_refused_and_not_shown(self):
        visitor = Visitor()
        page = await visitor.log_in(SECRET)
        assert visitor.status == 403
        assert "The name or the password is wrong." in page
        await visitor.get("/ccmadmin/")
        assert visitor.status == 303

    async def test_the_cookie_is_a_browsers_alone_and_new_after_the_login(self):
        visitor = Visitor()
        await visitor.get("/ccmadmin/login")
        before = visitor.headers["Set-Cookie"]
        assert "HttpOnly" in before
        assert "SameSite=Lax" in before
        token = re.search(r'name="token" value="([0-9a-f]+)"', visitor.page)
        assert token is not None
        fields = {"token": token[1], "name": "ccmadministrator", "password": "Geheim-99", "next": ""}
        response = await visitor.client.post(
            "/ccmadmin/login",
            data=urlencode(fields).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        after = response.headers["Set-Cookie"]
        assert after.startswith(f"{COOKIE}=")
        assert after.split(";")[0] != before.split(";")[0]

    async def test_a_cookie_from_outside_is_nobodys(self):
        visitor = Visitor()
        await visitor.get("/ccmadmin/", Cookie=f"{COOKIE}=chosen")
        assert visitor.status == 303
        await visitor.get("/ccmadmin/", Cookie=f"{COOKIE}={'x' * 5000}")
        assert visitor.status == 303

    async def test_basic_as_callmanager_asked_for_it(self):
        visitor = Visitor()
        right = "Basic " + base64.b64encode(b"ccmadministrator:Geheim-99").decode()
        page = await visitor.get("/ccmadmin/user/add", Authorization=right)
        assert "Confirm Password" in page
        assert "Log Out" not in page
        fields = {**TestUsers.FIELDS}
        await visitor.post("/ccmadmin/user/add", fields, Authorization=right)
        assert visitor.user().knows(SECRET)

    @pytest.mark.parametrize("given", ["Basic", "Basic !", "Basic \xff", "Basic /w==", "Digest x", "Bearer t0ken"])
    async def test_basic_that_is_none(self, given: str):
        visitor = Visitor()
        await visitor.get("/ccmadmin/", Authorization=given)
        assert visitor.status == 401
        assert visitor.headers["WWW-Authenticate"].startswith("Basic realm=")

    async def test_logging_out(self, visitor: Visitor):
        await visitor.post("/ccmadmin/logout")
        await visitor.get("/ccmadmin/")
        assert visitor.status == 303

    async def test_a_session_ends(self, visitor: Visitor, autojump_clock: trio.testing.MockClock):
        autojump_clock.jump(3600)
        await visitor.get("/ccmadmin/")
        assert visitor.status == 303

    @pytest.mark.parametrize(
        "header",
        [
            {"Origin": "http://elsewhere"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    @pytest.mark.parametrize("path", ["/ccmadmin/user/add", "/ccmadmin/login", "/ccmadmin/logout"])
    async def test_a_form_of_another_site_is_refused(self, visitor: Visitor, path: str, header: dict[str, str]):
        await visitor.post(path, {"name": "mallory", "password": "p", "confirm": "p"}, **header)
        assert visitor.status == 403
        assert "another site" in visitor.page
        assert visitor.cluster.users.get("mallory") is None

    @pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
    async def test_a_form_without_the_sessions_token_is_refused(self, visitor: Visitor, token: str):
        fields = {"token": token, "name": "mallory", "password": "p", "confirm": "p"}
        await visitor.post("/ccmadmin/user/add", data=urlencode(fields).encode())
        assert visitor.status == 403
        assert visitor.cluster.users.get("mallory") is None

    async def test_a_form_of_another_session_is_refused(self, visitor: Visitor):
        page = visitor.page
        await visitor.log_in()
        visitor.page = page
        await visitor.post("/ccmadmin/user/add", {"name": "mallory", "password": "p", "confirm": "p"})
        assert visitor.status == 403

    async def test_headers_that_browsers_heed_are_on_every_answer(self, visitor: Visitor):
        for path in ("/ccmadmin/", "/ccmadmin/absent", "/ccmadmin/static/administration.css", "/api/users", "/x"):
            await visitor.get(path)
            assert "default-src 'none'" in visitor.headers["Content-Security-Policy"]
            assert visitor.headers["X-Content-Type-Options"] == "nosniff"
            assert visitor.headers["X-Frame-Options"] == "DENY"

    async def test_the_old_addresses_lead_to_the_start(self, visitor: Visitor):
        for path in ("/", "/CCMAdmin/", "/CCMAdmin/main.asp"):
            await visitor.get(path)
            assert (visitor.status, visitor.headers["Location"]) == (303, "/ccmadmin/")

    async def test_static_files_are_known_by_their_names_alone(self, visitor: Visitor):
        await visitor.get("/ccmadmin/static/check-all.js")
        assert visitor.headers["Content-Type"] == "text/javascript; charset=utf-8"
        etag = visitor.headers["Etag"]
        await visitor.get("/ccmadmin/static/check-all.js", **{"If-None-Match": etag})
        assert visitor.status == 304
        await visitor.get("/ccmadmin/static/..%2Fapi.py")
        assert visitor.status == 404


class TestUsers:
    FIELDS: ClassVar = {
        "first_name": "",
        "last_name": "Gateway",
        "name": "agpush",
        "password": SECRET,
        "confirm": SECRET,
    }

    async def test_a_user_is_added_changed_and_deleted(self, visitor: Visitor):
        assert "Insert" in await visitor.get("/ccmadmin/user/add")
        page = await visitor.post("/ccmadmin/user/add", {**self.FIELDS, "cti": "1"})
        assert "Inserted." in page
        assert "no phone: every push is refused" in page
        user = visitor.user()
        assert (user.last_name, user.cti, user.devices, user.knows(SECRET)) == ("Gateway", True, Devices(), True)
        await visitor.post(
            "/ccmadmin/user/edit", {"name": "agpush", "first_name": "A", "last_name": "", "password": "", "confirm": ""}
        )
        user = visitor.user()
        assert (user.first_name, user.last_name, user.cti, user.knows(SECRET)) == ("A", "", False, True)
        await visitor.post(
            "/ccmadmin/user/edit",
            {"name": "agpush", "first_name": "", "last_name": "", "password": "new", "confirm": "new"},
        )
        assert visitor.user().knows("new")
        await visitor.post("/ccmadmin/user/delete", {"name": "agpush"})
        assert "Delete user agpush?" in visitor.page
        assert "Deleted." in await visitor.post("/ccmadmin/user/delete", {"name": "agpush", "confirmed": "1"})
        assert len(visitor.cluster.users) == 0

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"confirm": "other"}, "User Password: it and its confirmation differ"),
            ({"password": "", "confirm": ""}, "User Password: 1 to 256 characters are needed"),
            ({"name": " "}, "Name: 1 to 128 printable characters are needed"),
            ({"name": "a\nb"}, "Name: 1 to 128 printable"),
            ({"name": "taken"}, "Name: there is a user 'taken' already"),
            ({"first_name": "x" * 65}, "First Name: at most 64 printable characters"),
        ],
    )
    async def test_what_cannot_be_is_said_and_the_form_keeps_what_was_typed(
        self, visitor: Visitor, changed: dict[str, str], said: str
    ):
        visitor.cluster.users.add(name="taken", password="p", cti=True, devices=Devices())
        await visitor.get("/ccmadmin/user/add")
        page = await visitor.post("/ccmadmin/user/add", {**self.FIELDS, "cti": "1", **changed})
        assert visitor.status == 400
        assert said in unescape(page)
        assert 'value="Gateway"' in page
        assert re.search(r'name="cti" value="1" checked', page)
        assert len(visitor.cluster.users) == 1

    @pytest.mark.parametrize(
        ("fields", "status", "said"),
        [
            ([("name", "a"), ("name", "b")], 400, "name comes 2 times"),
            ([("name", "a"), ("admin", "1")], 400, "'admin' is no field of this form"),
            ([("x", "1")] * 1001, 400, "more than 1000 fields"),
            ([("name", "x" * FORM_BYTES_MAX)], 413, "larger than"),
        ],
    )
    async def test_hostile_forms_get_a_clear_answer(
        self, visitor: Visitor, fields: list[tuple[str, str]], status: int, said: str
    ):
        await visitor.get("/ccmadmin/user/add")
        page = unescape(await visitor.post("/ccmadmin/user/add", fields))
        assert (visitor.status, said in page) == (status, True)
        assert len(visitor.cluster.users) == 0

    @pytest.mark.parametrize(
        "kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=utf-7"]
    )
    async def test_another_kind_of_form_is_refused(self, visitor: Visitor, kind: str):
        await visitor.post("/ccmadmin/user/add", self.FIELDS, **{"Content-Type": kind})
        assert visitor.status == 415
        assert len(visitor.cluster.users) == 0

    async def test_bytes_that_are_no_utf8(self, visitor: Visitor):
        await visitor.post("/ccmadmin/user/add", data=b"token=x&name=%FF")
        assert visitor.status == 400

    async def test_a_lock_is_shown_and_ended(self, visitor: Visitor):
        visitor.cluster.users.add(name="locked", password="p", cti=True, devices=Devices())
        assert "locked after failed logons" in await visitor.get("/ccmadmin/user/edit?name=locked")
        assert "Locked" in await visitor.get("/ccmadmin/user/directory")
        page = await visitor.post("/ccmadmin/user/unlock", {"name": "locked"})
        assert "Unlocked." in page
        assert "not locked" in page

    async def test_who_is_not_there(self, visitor: Visitor):
        for path in ("edit", "association"):
            page = await visitor.get(f"/ccmadmin/user/{path}?name=%3Cscript%3E")
            assert visitor.status == 404
            assert "<script>" not in page.partition("<main")[2]
        for path in ("association", "association/each", "unlock", "delete"):
            await visitor.get("/ccmadmin/user/add")
            await visitor.post(f"/ccmadmin/user/{path}", {"name": "nobody"})
            assert visitor.status == 404, path

    async def test_what_somebody_typed_is_never_markup(self, visitor: Visitor):
        evil = "\"><script>alert(1)</script>'{{7*7}}"
        visitor.cluster.users.add(
            name=evil, password="p", cti=True, devices=Devices(names=frozenset(NAMES[:1])), first_name=evil
        )
        visitor.cluster.registry.change(NAMES[0], description=evil)
        query = urlencode({"name": evil})
        for path in (
            "/ccmadmin/user/directory?" + urlencode({"search": evil}),
            f"/ccmadmin/user/edit?{query}",
            f"/ccmadmin/user/association?{query}",
            "/ccmadmin/user/association?" + urlencode({"name": evil, "field": "description", "text": evil}),
            "/ccmadmin/device/phones?" + urlencode({"field": "description", "match": "contains", "text": evil}),
            f"/ccmadmin/device/phone?name={NAMES[0]}",
            "/ccmadmin/login?" + urlencode({"next": "/ccmadmin/" + evil}),
            "/ccmadmin/" + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        ):
            page = await visitor.get(path)
            assert "<script>" not in page, path
            assert '"><script' not in page
            assert ">49" not in page
        page = await visitor.get(f"/ccmadmin/user/edit?{query}")
        assert f"User {evil}" in unescape(page)


class TestGlobalDirectory:
    async def test_own_users_are_found_by_the_beginning_of_a_name(self, visitor: Visitor):
        for name, last_name in (("agpush", ""), ("bea", "Agnes"), ("carl", "")):
            visitor.cluster.users.add(name=name, password="p", cti=True, devices=Devices(), last_name=last_name)
        page = await visitor.get("/ccmadmin/user/directory?search=AG")
        assert [name in page for name in ("agpush", "bea", "carl")] == [True, True, False]
        assert "not integrated with a directory" in page

    async def test_a_person_is_found_and_associated(self):
        visitor = Visitor(directory=True)
        await visitor.log_in()
        page = await visitor.get("/ccmadmin/user/directory?search=ag")
        assert "cn=&lt;b&gt;,dc=lab" in page
        page = await visitor.post("/ccmadmin/user/directory", {"name": "AgPush", "cti": "1", "search": "ag"})
        assert "Inserted." in page
        assert "of the directory, which holds its password" in page
        assert visitor.user("AgPush").directory
        assert visitor.user("AgPush").cti
        page = await visitor.get("/ccmadmin/user/directory?search=ag")
        assert ">Associated</a>" in page
        await visitor.post("/ccmadmin/user/directory", {"name": "AgPush", "search": "ag"})
        assert visitor.status == 400
        await visitor.post("/ccmadmin/user/directory", {"name": "absent", "search": ""})
        assert visitor.status == 404
        await visitor.post(
            "/ccmadmin/user/edit",
            {"name": "AgPush", "first_name": "", "last_name": "", "password": "p", "confirm": "p"},
        )
        assert "is changed there" in unescape(visitor.page)

    async def test_a_directory_that_cannot_say(self):
        visitor = Visitor(directory=True)
        await visitor.log_in()
        page = await visitor.get("/ccmadmin/user/directory?search=down")
        assert visitor.status == 502
        assert "the directory: unreachable" in page
        await visitor.post("/ccmadmin/user/directory", {"name": "down", "search": "down"})
        assert visitor.status == 502


class TestDeviceAssociation:
    @pytest.fixture
    async def at_association(self, visitor: Visitor) -> Visitor:
        visitor.cluster.users.add(name="agpush", password="p", cti=True, devices=Devices(names=frozenset(["SEPX"])))
        await visitor.get("/ccmadmin/user/association?name=agpush&per_page=25")
        return visitor

    async def update(self, visitor: Visitor, *more: tuple[str, str], device: list[str], shown: list[str]) -> str:
        fields = [("name", "agpush"), *(("shown", name) for name in shown), *(("device", name) for name in device)]
        return await visitor.post("/ccmadmin/user/association", [*fields, *more])

    async def test_checked_phones_are_associated_and_unchecked_ones_no_longer(self, at_association: Visitor):
        visitor = at_association
        assert "no phone of this CallManager: SEPX" in visitor.page
        await self.update(visitor, device=NAMES[:3], shown=NAMES[:25])
        assert visitor.user().devices.names == {"SEPX", *NAMES[:3]}
        assert visitor.checked() == set(NAMES[:3])
        await self.update(visitor, device=NAMES[2:4], shown=NAMES[:25])
        assert visitor.user().devices.names == {"SEPX", *NAMES[2:4]}

    async def test_other_pages_stay_as_they_are(self, at_association: Visitor):
        visitor = at_association
        await self.update(visitor, device=NAMES[:25], shown=NAMES[:25])
        await self.update(visitor, ("page", "2"), ("per_page", "25"), device=[], shown=NAMES[25:50])
        assert visitor.user().devices.names == {"SEPX", *NAMES[:25]}
        assert "26\N{EN DASH}50 of 120" in visitor.page

    async def test_check_all_on_page_and_in_search_work_without_script(self, at_association: Visitor):
        visitor = at_association
        await self.update(visitor, ("all_on_page", "1"), device=[], shown=NAMES[:25])
        assert visitor.user().devices.names == {"SEPX", *NAMES[:25]}
        search = (("field", "directory_number"), ("match", "begins with"), ("text", "205"), ("all_in_search", "1"))
        await self.update(visitor, *search, device=[], shown=NAMES[50:60])
        assert visitor.user().devices.names == {"SEPX", *NAMES[:25], *NAMES[50:60]}
        assert visitor.checked() == set(NAMES[50:60])

    async def test_all_in_a_search_of_the_associated_adds_nobody(self, at_association: Visitor):
        visitor = at_association
        await self.update(visitor, device=NAMES[:1], shown=NAMES[:25])
        page = await visitor.get("/ccmadmin/user/association?name=agpush&associated=1")
        assert "1\N{EN DASH}1 of 1" in page
        await self.update(visitor, ("all_in_search", "1"), ("associated", "1"), device=[], shown=NAMES[:1])
        assert visitor.user().devices.names == {"SEPX", NAMES[0]}

    async def test_names_that_are_no_phones_are_not_associated(self, at_association: Visitor):
        visitor = at_association
        strange = ["SEP000000000000", "<b>", "x" * 500]
        await self.update(visitor, ("all_on_page", "1"), device=strange, shown=[*strange, NAMES[0]])
        assert visitor.user().devices.names == {"SEPX", NAMES[0]}

    async def test_all_devices_are_listed_before_one_is_taken_away(self, at_association: Visitor):
        visitor = at_association
        visitor.cluster.users.change("agpush", devices=Devices(everything=True))
        page = await visitor.get("/ccmadmin/user/association?name=agpush")
        assert "all phones, also later ones" in page
        assert "Check All on Page" not in page
        await self.update(visitor, device=[], shown=NAMES[:25])
        assert visitor.status == 409
        await visitor.get("/ccmadmin/user/association?name=agpush")
        await visitor.post("/ccmadmin/user/association/each", {"name": "agpush"})
        assert visitor.user().devices.names == set(NAMES)
        await self.update(visitor, device=NAMES[1:25], shown=NAMES[:25])
        assert visitor.user().devices.names == set(NAMES[1:])

    async def test_a_search_that_is_none(self, at_association: Visitor):
        page = await at_association.get("/ccmadmin/user/association?name=agpush&sort=%3Cb%3E")
        assert at_association.status == 400
        assert "sort: one of" in page

    async def test_without_a_list_of_phones_the_page_says_what_to_do(self):
        visitor = Visitor()
        await visitor.log_in()
        visitor.cluster.users.add(name="agpush", password="p", cti=True, devices=Devices())
        for name in NAMES:
            visitor.cluster.registry.remove(name)
        for path in ("user/association?name=agpush", "device/phones"):
            assert "devices_csv" in await visitor.get(f"/ccmadmin/{path}")


class TestPhones:
    CHANGE: ClassVar = {"name": NAMES[0], "description": "Ward", "directory_number": "2001", "model": "CP-7940G"}
    URLS: ClassVar = {"authentication_url": "", "secured_authentication_url": "", "services_url": "http://10.0.0.1/s"}

    async def test_phones_are_listed_page_by_page(self, visitor: Visitor):
        page = unescape(await visitor.get("/ccmadmin/device/phones?sort=directory_number&descending=1&per_page=25"))
        assert page.index(NAMES[119]) < page.index(NAMES[118])
        assert "1\N{EN DASH}25 of 120" in page
        following = re.search(r'rel="next" href="([^"]+)"', page)
        assert following is not None
        page = await visitor.get(following[1])
        assert "26\N{EN DASH}50 of 120" in page
        assert NAMES[94] in page
        assert 'aria-sort="descending"' in page

    async def test_a_phone_is_changed(self, visitor: Visitor):
        visitor.cluster.users.add(name="agpush", password="p", cti=True, devices=Devices(everything=True))
        page = await visitor.get(f"/ccmadmin/device/phone?name={NAMES[0]}")
        assert ">agpush</a>" in page
        page = await visitor.post("/ccmadmin/device/phone", {**self.CHANGE, **self.URLS, "web_access": "disabled"})
        assert "Updated." in page
        assert '<option value="disabled" selected>' in page
        device = visitor.cluster.registry.get(NAMES[0])
        assert device is not None
        assert (device.web_access, device.description, device.services_url) == (False, "Ward", "http://10.0.0.1/s")
        assert "Disabled" in await visitor.get("/ccmadmin/device/phones")

    @pytest.mark.parametrize(
        ("changed", "status", "said"),
        [
            ({"web_access": "perhaps"}, 400, "web_access: enabled or disabled is needed"),
            ({"description": "x" * 129}, 400, "Description: at most 128 printable characters"),
            ({"authentication_url": "javascript:alert(1)"}, 400, "Authentication URL: http:// or https:// is needed"),
            ({"name": "SEPX"}, 404, "there is no device 'SEPX'"),
            ({"address": "10.0.0.1"}, 400, "'address' is no field"),
        ],
    )
    async def test_what_cannot_be_changes_nothing(
        self, visitor: Visitor, changed: dict[str, str], status: int, said: str
    ):
        before = visitor.cluster.registry.all()
        await visitor.get(f"/ccmadmin/device/phone?name={NAMES[0]}")
        fields = {**self.CHANGE, **self.URLS, "web_access": "enabled", **changed}
        page = unescape(await visitor.post("/ccmadmin/device/phone", fields))
        assert (visitor.status, said in page) == (status, True)
        assert visitor.cluster.registry.all() == before

    async def test_one_phone_is_reset(self, visitor: Visitor):
        await visitor.get(f"/ccmadmin/device/phone?name={NAMES[0]}")
        page = await visitor.post("/ccmadmin/device/reset", {"scope": "selected", "device": NAMES[0]})
        assert f"1 phone told to reset: {NAMES[0]}." in page
        assert visitor.fleet.told == NAMES[:1]

    async def test_several_are_reset_and_who_cannot_be_told_is_named(self, visitor: Visitor):
        await visitor.get("/ccmadmin/device/phones")
        selected = [("scope", "selected"), *(("device", name) for name in NAMES[:3])]
        page = unescape(await visitor.post("/ccmadmin/device/reset", selected))
        assert "2 phones told to reset" in page
        assert "1 phone could not be told." in page
        assert "it <does> not answer" in page
        assert sorted(visitor.fleet.told) == [NAMES[0], NAMES[2]]

    async def test_all_on_a_page_without_script(self, visitor: Visitor):
        await visitor.get("/ccmadmin/device/phones")
        fields = [("scope", "selected"), ("all_on_page", "1"), *(("shown", name) for name in NAMES[5:9])]
        assert "4 phones told to reset" in await visitor.post("/ccmadmin/device/reset", fields)

    async def test_all_in_a_search_are_reset_after_a_question(self, visitor: Visitor):
        await visitor.get("/ccmadmin/device/phones")
        fields = {"scope": "search", "field": "directory_number", "match": "begins with", "text": "205"}
        page = await visitor.post("/ccmadmin/device/reset", fields)
        assert "Reset 10 phones?" in page
        assert visitor.fleet.told == []
        carried = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        carried = {name: unescape(value) for name, value in carried.items() if name != "token"}
        assert "10 phones told to reset" in await visitor.post("/ccmadmin/device/reset", carried)
        assert sorted(visitor.fleet.told) == NAMES[50:60]

    async def test_none_selected_and_no_scope(self, visitor: Visitor):
        await visitor.get("/ccmadmin/device/phones")
        assert "No phone was selected." in await visitor.post("/ccmadmin/device/reset", {"scope": "selected"})
        await visitor.get("/ccmadmin/device/phones")
        await visitor.post("/ccmadmin/device/reset", {"scope": "everything"})
        assert visitor.status == 400
        assert visitor.fleet.told == []


class TestEnterpriseParameters:
    async def change(self, visitor: Visitor, **values: str) -> str:
        await visitor.get("/ccmadmin/system/parameters")
        fields = dict(re.findall(r'<input id="(\w+)"[^>]*? value="([^"]*)"', visitor.page))
        return await visitor.post("/ccmadmin/system/parameters", {**fields, **values})

    async def test_they_are_shown_with_callmanagers_own_url_and_changed(self, visitor: Visitor):
        page = await visitor.get("/ccmadmin/system/parameters")
        assert OWN in page
        assert "<strong>next reset</strong>" in page
        page = await self.change(visitor, url_authentication=" http://10.20.128.10/cisco_auth/authenticate.html ")
        assert "Updated." in page
        parameters = visitor.cluster.enterprise.parameters
        assert parameters.url_authentication == "http://10.20.128.10/cisco_auth/authenticate.html"

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"url_authentication": "10.0.0.1"}, "URL Authentication: http:// or https:// is needed"),
            ({"url_idle_time_s": "soon"}, "URL Idle Time: a whole number of seconds is needed"),
            ({"url_idle_time_s": "999999999"}, "URL Idle Time: 0 to 604800 seconds"),
            ({"secured_idle_url": "https://x/" + "x" * 255}, "Secured Idle URL: a URL of at most 255"),
        ],
    )
    async def test_what_cannot_be_is_said_and_changes_nothing(
        self, visitor: Visitor, values: dict[str, str], said: str
    ):
        before = visitor.cluster.enterprise.parameters
        page = await self.change(visitor, url_messages="http://10.0.0.1/typed", **values)
        assert visitor.status == 400
        assert said in page
        assert 'aria-invalid="true"' in page
        assert "http://10.0.0.1/typed" in page
        assert visitor.cluster.enterprise.parameters == before

    async def test_what_is_missing_empties_nothing_by_accident(self, visitor: Visitor):
        await self.change(visitor, url_services="http://10.0.0.1/s")
        await visitor.post("/ccmadmin/system/parameters", {"url_authentication": "http://10.0.0.1/a"})
        assert visitor.status == 400
        assert "ip_phone_proxy_address is missing" in visitor.page
        assert visitor.cluster.enterprise.parameters.url_services == "http://10.0.0.1/s"


async def test_a_defect_shows_its_type_alone(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fails(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(Registry, "all", fails)
    await visitor.get("/ccmadmin/device/phones")
    assert visitor.status == 500
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


async def test_failures_are_slowed_and_the_administrator_is_never_shut_out(autojump_clock: trio.abc.Clock):
    visitor = Visitor()
    began = trio.current_time()
    for _ in range(5):
        await visitor.log_in("wrong")
    assert trio.current_time() - began >= 2
    await visitor.log_in()
    assert visitor.status == 200


async def test_a_flood_of_guesses_is_refused(autojump_clock: trio.abc.Clock):
    visitor = Visitor()
    statuses = []

    async def guess() -> None:
        response = await visitor.client.get("/ccmadmin/", headers={"Authorization": "Basic eDp5"})
        statuses.append(response.status_code)

    async with trio.open_nursery() as nursery:
        for _ in range(40):
            nursery.start_soon(guess)
    assert set(statuses) == {401, 429}
    assert statuses.count(401) < 20
