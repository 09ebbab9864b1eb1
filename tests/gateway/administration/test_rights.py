"""G8: who may what, over every route that there is; and what a session's forms have to bring (G3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from gateway.accounts import Role
from gateway.administration.application import create_application
from gateway.administration.table import ROUTES

OpenTool = Callable[..., AbstractAsyncContextManager[Any]]
OPEN = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/set-up"),
    ("POST", "/set-up"),
    ("GET", "/health"),
    ("GET", "/static/{name}"),
}
"""All that anybody may ask for."""


def concrete(path: str) -> str:
    return re.sub(r"{\w+}", "1", path)


def test_g8_what_is_open_is_named_here() -> None:
    assert {(route.method, route.path) for route in ROUTES if route.role is None} == OPEN


def test_each_route_is_in_the_table_once() -> None:
    assert len({route.endpoint for route in ROUTES}) == len(ROUTES)


async def test_nothing_is_answered_that_is_not_in_the_table(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        rules = create_application(tool.desk).url_map.iter_rules()
        found = {(method, rule.rule) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}}
        assert found == {(route.method, route.rule) for route in ROUTES}


async def test_g8_every_route_without_a_session(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        for route in ROUTES:
            if route.role is None:
                continue
            answer = await tool.send(
                route.method, concrete(route.path), {"Origin": f"http://127.20.128.10:{tool.port}"}
            )
            assert answer.status == 401, route.endpoint
            assert ("json" in (answer.header("Content-Type") or "")) == route.is_api
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer wrong"},
            {"Cookie": "__Host-pushlab=x"},
        ):
            assert (await tool.send("GET", "/nowhere", headers)).status == 401


async def test_g8_every_route_with_too_small_a_role(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        tokens = {}
        for role in Role:
            _, made = await tool.api("POST", "/api/tokens", {"name": str(role), "role": role})
            tokens[role] = made["token"]
        browsers = {Role.VIEWER: await tool.browser("vera"), Role.OPERATOR: await tool.browser("otto")}
        for route in ROUTES:
            if route.role is None:
                continue
            for role in Role:
                if role.may(route.role):
                    continue
                path = concrete(route.path)
                with_token = await tool.send(route.method, path, {"Authorization": f"Bearer {tokens[role]}"})
                browser = browsers[role]
                in_browser = await (browser.get(path) if route.method == "GET" else tool.send(
                    route.method, path, {"Cookie": browser.cookie, "X-CSRF-Token": browser.csrf}
                ))  # fmt: skip
                assert (with_token.status, in_browser.status) == (403, 403), (route.endpoint, role)
        changing = [route for route in ROUTES if route.changes and route.role is not None]
        viewers = {route.path for route in changing if route.role is Role.VIEWER}
        assert viewers == {"/logout", "/account"}  # of one's own


async def test_every_page_opens_for_an_administrator(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        for route in ROUTES:
            if (
                route.method == "GET"
                and not route.is_api
                and "{" not in route.path
                and route.path not in ("/login", "/set-up")
            ):
                answer = await browser.get(route.path)
                assert answer.status == 200, route.path
                assert "style=" not in answer.text
                assert "onclick" not in answer.text
                if "html" in str(answer.header("Content-Type")):
                    assert answer.text.count("<h1") == 1


async def test_g3_a_form_needs_the_sessions_own_token_and_a_page_of_ours(tmp_path: Path, open_tool: OpenTool) -> None:
    path = "/operation/voice-office/ip-phone"
    async with open_tool(tmp_path) as tool:
        browser, other = await tool.browser("ada"), await tool.browser("ada")
        settings = tool.desk.settings
        for drop, headers, csrf in (
            (("csrf",), {}, None),
            ((), {}, "x"),
            ((), {}, other.csrf),
            ((), {"Origin": "https://elsewhere.example"}, None),
            ((), {"Origin": "null"}, None),
            ((), {"Sec-Fetch-Site": "cross-site"}, None),
            ((), {"Sec-Fetch-Site": "same-site"}, None),
            (("Origin", "Sec-Fetch-Site"), {}, None),
        ):
            form = {"push_user": "mallory", **({"csrf": csrf} if csrf else {})}
            answer = await browser.post(path, drop=drop, headers=headers, **form)
            assert answer.status == 403, (drop, headers, csrf)
            assert settings.current.push_user == ""
        # A GET with the same fields changes nothing, and another method is not there.
        assert (await browser.get(f"{path}?push_user=mallory&csrf={browser.csrf}")).status == 200
        assert settings.current.push_user == ""
        assert (await browser.post(path, push_user="agpush")).status == 303
        assert settings.current.push_user == "agpush"


async def test_g3_logging_in_needs_a_page_of_ours(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser()
        for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            answer = await browser.post("/login", headers=headers, name="ada", password="correct horse battery")
            assert answer.status == 403
            assert answer.header("Set-Cookie") is None


async def test_g3_the_json_interface_with_a_cookie_needs_the_token_too(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        origin = {"Origin": f"http://127.20.128.10:{tool.port}", "Cookie": browser.cookie}
        body = b'{"name": "East"}'
        assert (await tool.send("POST", "/api/zones", origin, body)).status == 403
        assert (
            await tool.send("POST", "/api/zones", {"Cookie": browser.cookie, "X-CSRF-Token": browser.csrf}, body)
        ).status == 403
        assert (await tool.send("POST", "/api/zones", {**origin, "X-CSRF-Token": browser.csrf}, body)).status == 201


async def test_a_wrong_token_beside_a_right_cookie_is_nobody(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        browser = await tool.browser("ada")
        answer = await tool.send("GET", "/api/status", {"Cookie": browser.cookie, "Authorization": "Bearer wrong"})
        assert answer.status == 401


async def test_security_headers_are_on_every_answer(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        for path in ("/", "/login", "/nowhere", "/health", "/static/style.css", "/api/status"):
            answer = await tool.send("GET", path)
            assert "default-src 'none'" in str(answer.header("Content-Security-Policy"))
            assert "unsafe" not in str(answer.header("Content-Security-Policy"))
            assert answer.header("X-Content-Type-Options") == "nosniff"
            assert answer.header("Server") is None
            assert (answer.header("Cache-Control") == "no-store") == (not path.startswith("/static"))
