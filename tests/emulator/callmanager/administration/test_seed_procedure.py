"""The set-up of the push user as Citrix CTX111243 walks it, in a real browser, over real sockets.

What it brings about is asked of the real authentication page, as a phone would.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from collections.abc import AsyncIterator, Callable
from typing import Any

import trio

from emulator import engine
from emulator.callmanager import web
from emulator.callmanager.administration import application
from emulator.callmanager.cluster import Administrator, Cluster
from emulator.callmanager.configuration import Configuration
from emulator.callmanager.enterprise import settings_of
from emulator.callmanager.registry import Device, Registry
from emulator.callmanager.service import Service
from emulator.callmanager.users import Devices
from emulator.records import Records

Hands = Any
"""The one of tests/conftest.py, which cannot be imported from."""
ADMINISTRATOR = Administrator(name="ccmadministrator", password="Geheim-99")
SECRET = "Geheim-77"
NAMES = [f"SEP001BD4{number:06X}" for number in range(120)]
GATEWAY = "http://10.20.128.10/cisco_auth/authenticate.html"


class CallManager:
    """A mock CallManager in this process, its phones' fleet a stand-in that notes who was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        phones = [
            Device(name=name, directory_number=str(2000 + at), description=f"Ward {at // 50}")
            for at, name in enumerate(NAMES)
        ]
        self.cluster = Cluster(registry=Registry(phones), administrator=ADMINISTRATOR, reset=self._reset)
        self.authentication = ""
        self.pages = ""

    async def _reset(self, name: str) -> None:
        self.told.append(name)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[CallManager]:
        configuration = Configuration(service_p50_ms=1, service_p99_ms=2)
        service = Service(
            configuration, self.cluster.users, Records(None, witness="callmanager", clock=time.monotonic_ns)
        )
        listener, door = engine.listen("127.0.0.1", 0), engine.listen("127.0.0.1", 0)
        self.authentication = f"http://127.0.0.1:{listener.getsockname()[1]}/CCMCIP/authenticate.asp"
        self.pages = f"http://127.0.0.1:{door.getsockname()[1]}/ccmadmin/"
        self.cluster.enterprise.change(url_authentication=self.authentication)
        app = application(self.cluster, accounts=service, authentication_url=self.authentication)
        async with trio.open_nursery() as nursery:
            await nursery.start(web.serve, app, door)
            await nursery.start(engine.serve, [listener], service.handle)
            with trio.fail_after(60):
                yield self
            nursery.cancel_scope.cancel()

    async def asked(self, device: str, password: str = SECRET) -> str:
        """What the authentication page answers a phone."""
        query = urllib.parse.urlencode({"UserID": "agpush", "Password": password, "devicename": device})
        parts = urllib.parse.urlsplit(self.authentication)
        async with await trio.open_tcp_stream("127.0.0.1", parts.port or 80) as stream:
            await stream.send_all(f"GET {parts.path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            async for chunk in stream:
                answer += chunk
        return answer.partition(b"\r\n\r\n")[2].decode()


def log_in(hands: Hands, pages: str) -> None:
    hands.browser.get(pages)
    hands.type("User Name", ADMINISTRATOR.name)
    hands.type("Password", ADMINISTRATOR.password)
    hands.press("Log In")


async def test_the_push_user_is_set_up(hands: Hands):
    browser = hands.browser

    def boxes() -> list[bool]:
        return [box.is_selected() for box in browser.find_elements("name", "device")]

    async def by_hand(act: Callable[[], None]) -> None:
        await trio.to_thread.run_sync(act)

    async with CallManager().running() as callmanager:

        def add_user() -> None:  # row 5
            hands.follow("Add a New User")
            hands.type("Last Name", "Gateway")
            hands.type("User ID", "agpush")
            hands.type("User Password", SECRET)
            hands.type("Confirm Password", SECRET)
            hands.press("Insert")
            assert "Inserted." in hands.text()

        await by_hand(lambda: log_in(hands, callmanager.pages))
        await by_hand(add_user)
        assert await callmanager.asked(NAMES[0]) == "UN-AUTHORIZED"  # without CTI and without the association

        def associate() -> None:
            hands.follow("Device Association")
            hands.choose("Field", "Directory Number")
            hands.choose("Comparison", "begins with")
            browser.find_element("name", "text").send_keys("205")
            hands.press("Find")
            assert boxes() == [False] * 10
            hands.check("Check All on Page")
            assert boxes() == [True] * 10
            browser.find_elements("name", "device")[9].click()
            assert not browser.find_element("name", "all_on_page").is_selected()
            hands.press("Update")
            assert boxes() == [True] * 9 + [False]

        await by_hand(associate)
        assert await callmanager.asked(NAMES[50]) == "UN-AUTHORIZED"  # still without CTI

        def enable_cti() -> None:
            hands.follow("User agpush")
            hands.check("Enable CTI Application Use")
            hands.press("Update")

        await by_hand(enable_cti)
        answers = [await callmanager.asked(name) for name in (NAMES[50], NAMES[58], NAMES[59], NAMES[0])]
        assert answers == ["AUTHORIZED", "AUTHORIZED", "UN-AUTHORIZED", "UN-AUTHORIZED"]
        assert await callmanager.asked(NAMES[50], "wrong") == "UN-AUTHORIZED"

        def associate_all() -> None:
            hands.follow("Device Association")
            hands.check("Check All in Search")
            hands.press("Update")

        await by_hand(associate_all)
        assert await callmanager.asked(NAMES[119]) == "AUTHORIZED"

        def web_access_off() -> None:  # row 2
            hands.follow("Phone")
            hands.choose("Field", "Description")
            hands.choose("Comparison", "contains")
            browser.find_element("name", "text").send_keys("ward 2")
            hands.press("Find")
            hands.follow(NAMES[100])
            hands.choose("Web Access", "Disabled")
            hands.press("Update")
            assert "Updated." in hands.text()
            hands.press("Reset Phone")
            assert f"1 phone told to reset: {NAMES[100]}." in hands.text()

        await by_hand(web_access_off)
        device = callmanager.cluster.registry.get(NAMES[100])
        assert device is not None
        assert not device.web_access
        assert callmanager.told == [NAMES[100]]

        def change_url() -> None:  # row 10
            hands.follow("Enterprise Parameters")
            assert "next reset" in hands.text()
            hands.type("URL Authentication", GATEWAY)
            hands.press("Update")
            hands.follow("Phone")
            hands.press("Reset All in Search")
            assert "Reset 120 phones?" in hands.text()
            hands.press("Reset")
            assert "120 phones told to reset" in hands.text()

        await by_hand(change_url)
        settings = settings_of(device, callmanager.cluster.enterprise.parameters)
        assert settings.authentication_url == GATEWAY
        assert sorted(callmanager.told[1:]) == NAMES

        def log_out() -> None:
            hands.leave(lambda: browser.find_element("xpath", "//button[.='Log Out']").click())
            browser.get(callmanager.pages + "user/edit?name=agpush")
            assert "Log In" in hands.text()
            complaints = [entry["message"] for entry in browser.get_log("browser")]
            assert complaints == []  # the Content-Security-Policy refuses nothing that the pages need

        await by_hand(log_out)


UNLABELLED = """
return [...document.querySelectorAll("input:not([type=hidden]), select, button, a[href]")]
  .filter((e) => !(e.labels && e.labels.length) && !e.ariaLabel && !e.textContent.trim()).map((e) => e.outerHTML)
"""


async def test_pages_have_labels_and_fit_a_phones_screen(hands: Hands):
    browser = hands.browser
    callmanager = CallManager()
    callmanager.cluster.users.add(name="agpush", password="p", cti=True, devices=Devices())
    paths = ["", "device/phones", f"device/phone?name={NAMES[0]}", "system/parameters", "user/add"]
    paths += ["user/directory", "user/edit?name=agpush", "user/association?name=agpush"]

    def look() -> None:
        log_in(hands, callmanager.pages)
        for path in paths:
            browser.get(callmanager.pages + path)
            assert browser.execute_script(UNLABELLED) == [], path
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390, path

    async with callmanager.running():
        screen = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        await trio.to_thread.run_sync(look)


async def test_other_sites_neither_act_nor_log_the_administrator_out(hands: Hands):
    browser = hands.browser
    callmanager = CallManager()

    def visit() -> None:
        log_in(hands, callmanager.pages)
        browser.get(f"data:text/html,<main><a href='{callmanager.pages}device/phones'>wiki</a></main>")
        hands.follow("wiki")  # he comes from a page about this CallManager, and is still logged in
        assert browser.find_element("tag name", "h1").text == "Phones"
        browser.get(callmanager.pages + "user/add")
        token = browser.find_element("name", "token").get_attribute("value")
        values = {"name": "evil", "password": "x", "confirm": "x", "first_name": "", "last_name": "", "token": token}
        fields = "".join(f"<input name={key} value='{value}'>" for key, value in values.items())
        form = f"<form method=post action={callmanager.pages}user/add>{fields}<button>Win</button></form>"
        browser.get(f"data:text/html,<main>{form}</main>")
        hands.press("Win")
        browser.get(callmanager.pages)
        assert browser.find_element("tag name", "h1").text == "Start"

    async with callmanager.running():
        await trio.to_thread.run_sync(visit)
    assert callmanager.cluster.users.names() == []
