"""The pages, as a browser asks for them; what faults.md says of logging in, sessions and secrets."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from gateway.administration.site.entry import WRONG, local_path
from gateway.store import StoreError

OpenTool = Callable[..., AbstractAsyncContextManager[Any]]
IP_PHONE = "/operation/voice-office/ip-phone"
PASSWORD = "correct horse battery"
SETTINGS = {
    "push_user": "agpush",
    "push_password": "canary&pass",
    "callmanager_url": "http://127.20.128.20:18080/CCMCIP/authenticate.asp",
    "own_user_mismatch": "refuse",
    "authorise": "always",
    "authorise_after_s": "30",
    "multicast_shown": "1",
    "multicast": "on",
    "multicast_first": "239.0.1.1",
    "multicast_last": "239.0.1.16",
    "multicast_port": "32674",
    "phone_networks": "127.20.0.0/17\n10.0.0.0/8",
}


async def test_g6_the_first_start(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, people={}) as tool:
        browser = await tool.browser()
        answer = await browser.get("/")
        assert answer.status == 401
        assert "Set-up token" in answer.text
        token = await tool.desk.accounts.new_set_up_token()
        form = {"token": token, "name": "Ada", "password": PASSWORD, "again": PASSWORD}
        for wrong, status in (({"token": "AAAA"}, 403), ({"again": "x"}, 400), ({"password": "x", "again": "x"}, 400)):
            answer = await browser.post("/set-up", **{**form, **wrong})
            assert answer.status == status
            assert PASSWORD not in answer.text
        answer = await browser.post("/set-up", **form)
        assert (answer.status, answer.header("Location")) == (303, IP_PHONE)
        assert (await browser.get(IP_PHONE)).status == 200
        assert (await (await tool.browser()).post("/set-up", **form)).status == 403
        assert "Log in" in (await (await tool.browser()).get("/")).text


async def test_g4_the_cookie_and_a_new_session_at_each_login(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser()
        browser.cookie = planted = "__Host-pushlab=planted"
        answer = await browser.post("/login", name="ada", password=PASSWORD, next="/pages")
        assert (answer.status, answer.header("Location")) == (303, "/pages")
        name, _, attributes = str(answer.header("Set-Cookie")).partition("=")
        assert name == "__Host-pushlab"
        assert [part.strip() for part in attributes.split(";")[1:]] == [
            "Path=/",
            "Secure",
            "HttpOnly",
            "SameSite=Strict",
        ]
        assert browser.cookie != planted
        first = browser.cookie
        await browser.get("/account")
        await browser.post("/login", name="ada", password=PASSWORD, next="/")
        assert browser.cookie != first
        assert (await tool.send("GET", "/", {"Cookie": first})).status == 401  # the one before has ended


async def test_g4_logging_out_ends_the_session_on_the_server(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("vera")
        cookie = browser.cookie
        answer = await browser.post("/logout")
        assert "Max-Age=0" in str(answer.header("Set-Cookie"))
        assert (await tool.send("GET", "/", {"Cookie": cookie})).status == 401


async def test_g1_unknown_names_and_wrong_passwords_are_answered_alike(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        answers = set()
        for name in ("ada", "nobody"):
            browser = await tool.browser()
            answer = await browser.post("/login", name=name, password="wrong", next="/")
            answers.add((answer.status, answer.text.replace(f'value="{name}"', "")))
        ((status, text),) = answers
        assert status == 403
        assert WRONG in text


async def test_g1_g2_guessing_is_slowed_and_stops_nobody_who_pages(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("otto")
        guesser = await tool.browser()
        # Of an address that nobody has logged in from.
        tool.desk.accounts._known.clear()
        statuses = [
            (await guesser.post("/login", name="otto", password=f"wrong {n}", next="/")).status for n in range(8)
        ]
        assert statuses == [403] * 4 + [429] * 4
        answer = await guesser.post("/login", name="otto", password=PASSWORD, next="/")
        assert answer.status == 429
        assert int(str(answer.header("Retry-After"))) >= 1
        assert (await browser.get("/send")).status == 200
        answer = await browser.post("/send", audio=str(tmp_path / "none.wav"), to="all", start="together")
        assert "none.wav" in answer.text
        assert (await tool.api("GET", "/api/status"))[0] == 200


async def test_the_ip_phone_page_holds_at_once_and_over_a_restart(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        page = await browser.get(IP_PHONE)
        assert "http://127.20.128.10:18099/cisco_auth/authenticate.html" in page.text
        answer = await browser.post(IP_PHONE, **SETTINGS)
        assert (answer.status, answer.header("Location")) == (303, f"{IP_PHONE}?saved=1")
        settings = tool.desk.settings.current
        assert (settings.push_user, settings.push_password, settings.multicast) == ("agpush", "canary&pass", True)
        assert len(settings.phone_networks) == 2
        # The phones' question is decided with them from now on.
        from gateway.authentication.request import Request

        target = b"/cisco_auth/authenticate.html?UserID=agpush&Password=canary%26pass&devicename=SEP001BD4000001"
        assert tool.gateway.respond(Request(method=b"GET", target=target, body=b"")).answer == "authorized"
        page = await browser.get(f"{IP_PHONE}?saved=1")
        assert "in force from now on" in page.text
        # An empty password keeps the one that is set.
        await browser.post(IP_PHONE, **{**SETTINGS, "push_password": "", "push_user": "other"})
        assert tool.desk.settings.current.push_password == "canary&pass"
    async with open_tool(tmp_path) as tool:
        assert tool.desk.settings.current.push_user == "other"
        assert tool.desk.settings.current.push_password == "canary&pass"


async def test_the_ip_phone_page_explains_what_is_wrong(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        wrong = {
            "multicast_last": "239.0.9.9",
            "callmanager_url": "http://127.20.128.10:18099/cisco_auth/authenticate.html",
            "phone_networks": "here",
            "multicast_port": "x",
            "authorise_after_s": "soon",
            "push_user": "<b>a</b>:",
        }
        answer = await browser.post(IP_PHONE, **{**SETTINGS, **wrong})
        assert answer.status == 400
        for expected in ("at most 128 are taken", "in circles", "is no network", "even ports", "number of seconds"):
            assert expected in answer.text
        assert answer.text.count('aria-invalid="true"') >= 5
        assert "canary" not in answer.text
        assert "<b>" not in answer.text
        assert 'value="239.0.9.9"' in answer.text  # what was entered is still there
        assert tool.desk.settings.current.push_user == ""


async def test_settings_of_the_configuration_file_are_shown_as_fixed(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, store=False) as tool:
        browser = await tool.browser("ada")
        page = await browser.get(IP_PHONE)
        assert page.text.count("Fixed by the configuration file.") == 4
        answer = await browser.post(IP_PHONE, **SETTINGS)
        assert answer.status == 303
        assert tool.desk.settings.current.own_user_mismatch == "redirect"
        assert tool.desk.settings.current.multicast


async def test_g9_the_push_password_is_nowhere(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        await browser.post(IP_PHONE, **SETTINGS)
        from gateway.administration.table import ROUTES

        for route in ROUTES:
            if route.method == "GET" and "{" not in route.path:
                answer = await tool.send("GET", route.path, {"Authorization": "Bearer a-token"})
                assert "canary" not in answer.head + answer.text, route.path
        answer = await browser.post("/system/backup", password="wrong")
        assert answer.status == 403
        answer = await browser.post("/system/backup", password=PASSWORD)
        assert answer.status == 200
        assert b"SQLite format 3" in answer.body
        assert b"canary" not in answer.body
        assert (await tool.send("POST", "/system/backup", {"Authorization": "Bearer a-token"})).status == 400
        await tool.desk.audit.written()
        database = sqlite3.connect(tmp_path / "data" / "gateway.sqlite")
        everything = "\n".join(database.iterdump())
        database.close()
        assert "canary" not in everything


async def test_the_own_password_is_changed_with_the_present_one(tmp_path: Path, open_tool: OpenTool) -> None:
    new = "another long password"
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("vera")
        for form in (
            {"present": "wrong", "password": new, "again": new},
            {"present": PASSWORD, "password": new, "again": "x"},
            {"present": PASSWORD, "password": "short", "again": "short"},
        ):
            assert (await browser.post("/account", **form)).status == 400
        assert (await browser.post("/account", present=PASSWORD, password=new, again=new)).status == 303
        assert (await browser.get("/")).status == 401
        assert (await browser.log_in("vera", new)).status == 303


async def test_accounts_and_tokens(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        assert (await browser.post("/accounts", name="nora", role="viewer", password=PASSWORD)).status == 303
        answer = await browser.post("/accounts", name="nora", role="viewer", password=PASSWORD)
        assert (answer.status, "already" in answer.text) == (400, True)
        assert (await browser.post("/accounts/nora/role", role="operator")).status == 303
        assert (await browser.post("/accounts/nora/role", role="king")).status == 400
        assert (await browser.post("/accounts/nora/password", password="another long one")).status == 303
        assert (await browser.post("/accounts/ada/remove")).status == 400
        assert (await browser.post("/accounts/nora/remove")).status == 303
        answer = await browser.post("/tokens", name="nurse call", role="operator", days="30")
        token = re.search(r"pushlab_[\w-]+", answer.text)
        assert token is not None
        assert (await tool.api("GET", "/api/status", token=token.group()))[0] == 200
        assert token.group() not in (await browser.get("/accounts")).text
        for days in ("0", "x", "99999999999999999999"):
            assert (await browser.post("/tokens", name="y", role="viewer", days=days)).status == 400
        assert (await browser.post("/tokens/nurse%20call/remove")).status == 303
        page = await browser.get("/audit?action=token.")
        assert "token added" in page.text
        assert token.group() not in page.text


async def test_inventory_zones_and_lists(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, phones=250) as tool:
        browser = await tool.browser("ada")
        page = await browser.get("/inventory")
        assert "250 phones, 1 to 100 shown" in page.text
        assert page.text.count('name="phone"') == 100
        page = await browser.get("/inventory?sort=address&descending=1&offset=200")
        assert page.text.count('name="phone"') == 50
        assert (await browser.get("/inventory?offset=-1")).status == 400
        page = await browser.get("/inventory?q=127.20.0.7")
        assert "11 phones" in page.text  # .7, .70 to .79
        assert (await browser.post("/zones", name="East", description="<b>Floors</b>")).status == 303
        answer = await browser.post("/inventory", phone=["SEP001BD4000001", "SEP001BD4000002"], zone="East", do="zone")
        assert answer.status == 303
        assert "2 phones" in (await browser.get("/inventory?zone=East")).text
        await browser.post("/inventory", all_found="1", q="127.20.0.7", in_zone="*", state="", zone="East", do="zone")
        assert "13 phones" in (await browser.get("/inventory?zone=East")).text
        page = await browser.get("/zones")
        assert "&lt;b&gt;Floors" in page.text
        assert (await browser.post("/zones/East", name="North wing", description="")).status == 303
        lists = {"name": "Managers", "zones": "North wing", "phones": "SEP001BD4000009"}
        assert (await browser.post("/lists", **lists)).status == 303
        assert (await browser.post("/lists", **lists)).status == 400
        assert (await browser.post("/lists", **{**lists, "name": "x", "phones": "SEP0"})).status == 400
        assert (await browser.post("/lists/Managers", **{**lists, "name": "Chiefs"})).status == 303
        assert (await browser.post("/zones/North%20wing/remove")).status == 303
        assert (await browser.post("/lists/Chiefs/remove")).status == 303
        assert (await browser.post("/inventory", do="remove")).status == 400
        assert (await browser.post("/inventory", phone="SEP001BD4000001", do="remove")).status == 303
        assert len(tool.desk.phonebook.entries) == 249


async def test_a_viewer_sees_and_changes_nothing(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("vera")
        for path in ("/", "/inventory", "/zones", IP_PHONE, "/pages", "/audit", "/system"):
            page = await browser.get(path)
            assert page.status == 200
            assert page.text.count('<form method="post"') == 1, path  # logging out


async def test_an_alert_from_its_form_to_its_withdrawal(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("otto")
        form = {
            "text": "Leave by the <b>east</b> stairs",
            "priority": "background",
            "softkeys": "Coming, Cannot",
            "to": "all",
        }
        for wrong, why in (
            ({"text": "x" * 257}, "at most 256"),
            ({"softkeys": "a,b,c"}, "at most 2"),
            ({"minutes": "soon"}, "number of minutes"),
            ({"to": "groups"}, "nobody would be alerted"),
            ({"to": "names", "phones": "SEP0"}, "not in the inventory"),
        ):
            answer = await browser.post("/alerts/send", **{**form, **wrong})
            assert (answer.status, why in answer.text) == (400, True), why
        await browser.get("/alerts/send")
        sent = [await browser.post("/alerts/send", key="k", **form) for _ in range(2)]
        assert [answer.header("Location") for answer in sent] == ["/alerts/1", "/alerts/1"]
        page = await browser.get("/alerts/1")
        assert "&lt;b&gt;east" in page.text
        assert "keys: Coming, Cannot" in page.text
        assert "Alert 1" in (await browser.get("/alerts")).text
        assert (await browser.post("/alerts/1/withdraw")).status == 303
        assert "withdrawn" in (await browser.get("/alerts/1")).text
        assert (await browser.post("/alerts/1/withdraw")).status == 409
        assert (await browser.get("/alerts/9")).status == 404
        assert (await tool.api("POST", "/api/alerts", {"text": "a"}))[0] == 202
        assert (await tool.api("GET", "/api/alerts/2"))[1]["text"] == "a"


async def test_the_audit_page(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        await browser.post(IP_PHONE, **SETTINGS)
        await tool.desk.audit.written()
        page = await browser.get("/audit?verify=1")
        assert "is whole" in page.text
        assert "own user mismatch: redirect → refuse" in page.text
        assert "push password: changed" in page.text
        await tool.desk.database.write(lambda c: c.execute("UPDATE audit SET who = 'eve' WHERE number = 1"))
        assert "The chain is broken:" in (await browser.get("/audit?verify=1")).text


async def test_p4_the_page_goes_out_when_the_store_is_gone(
    tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")

        async def full(work: object) -> None:
            raise StoreError("disk I/O error")

        sent = []

        async def begin(wish: object, _by: str) -> object:
            sent.append(wish)
            kept = trio.Event()
            kept.set()
            return SimpleNamespace(page=SimpleNamespace(number="1"), kept=kept)

        monkeypatch.setattr(tool.desk.database, "write", full)
        monkeypatch.setattr(tool.desk.database, "read", full)
        monkeypatch.setattr(tool.desk.pages, "_begin", begin)
        answer = await browser.post(IP_PHONE, **SETTINGS)
        assert answer.status == 503
        assert tool.desk.settings.current.push_user == ""
        with trio.fail_after(2):
            answer = await browser.post("/send", audio="/a.wav", to="all", start="together", key="k")
            again = await browser.post("/send", audio="/a.wav", to="all", start="together", key="k")
        assert (answer.status, again.header("Location")) == (303, "/pages/1")
        assert len(sent) == 1
        with trio.fail_after(20):
            while not {"audit-lost"} <= {alarm.name for alarm in tool.desk.alarms.active()}:
                await trio.sleep(0.05)


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\r\nSet-Cookie: x", "/login", "/ü"],
)
def test_nobody_is_sent_elsewhere_after_logging_in(path: str) -> None:
    assert local_path(path) == "/"


def test_a_page_of_ours_is_gone_on_to() -> None:
    assert local_path("/inventory?q=7960&zone=") == "/inventory?q=7960&zone="


async def test_an_operator_acknowledges_an_alarm_that_does_not_end_by_itself(
    tmp_path: Path, open_tool: OpenTool
) -> None:
    async with open_tool(tmp_path) as tool:
        tool.desk.alarms.sound("page-interrupted:7", "page 7 was interrupted", stays=True)
        tool.desk.alarms.sound("journal-lost", "the disk is full")
        viewer, operator = await tool.browser("vera"), await tool.browser("otto")
        assert "Acknowledge" not in (await viewer.get("/system")).text
        assert (await operator.get("/system")).text.count("Acknowledge</button>") == 1
        path = "/system/alarms/page-interrupted%3A7/acknowledge"
        assert (await viewer.post(path)).status == 403
        assert (await operator.post(path)).header("Location") == "/system"
        assert [alarm.name for alarm in tool.desk.alarms.active()] == ["journal-lost"]
        assert (await operator.post("/system/alarms/journal-lost/acknowledge")).status == 404
        await tool.desk.audit.written()
        assert "system.alarm-acknowledged" in str(await tool.desk.audit.entries(before=None, limit=9))
        status, answer = await tool.api("POST", "/api/alarms/page-interrupted:7/acknowledge", {})
        assert (status, answer["errors"]) == (404, ["there is no alarm page-interrupted:7 that could be acknowledged"])
