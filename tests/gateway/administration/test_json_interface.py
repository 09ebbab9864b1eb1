"""The JSON interface: what it answers, and that its description is right."""

from __future__ import annotations

import wave
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from gateway.accounts import Role
from gateway.administration.openapi import openapi_document
from gateway.administration.reference import reference
from gateway.administration.table import ROUTES

OpenTool = Callable[..., AbstractAsyncContextManager[Any]]
PHONES = ["SEP001BD4000001", "SEP001BD4000002", "SEP001BD4000003"]


def test_the_description_is_valid_and_has_every_route() -> None:
    document = openapi_document("1.0")
    validate(document)  # type: ignore[arg-type]
    paths = document["paths"]
    assert isinstance(paths, dict)
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert described == {(route.method, route.path) for route in ROUTES if route.is_api}


async def test_status_and_description(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        status, answer = await tool.api("GET", "/api/status")
        assert status == 200
        assert answer["alarms"] == []
        assert (await tool.api("GET", "/api/openapi.json"))[1]["openapi"] == "3.1.0"
        assert (await tool.api("GET", "/nowhere"))[0] == 404
        assert (await tool.api("DELETE", "/api/status"))[0] == 405


async def test_wrong_documents_are_explained(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        auth = {"Authorization": "Bearer a-token"}
        for body in (b"", b"[", b"\xff", b"[]", b"[" * 100_000, b'{"audio": 3}', b"null"):
            for path in ("/api/pages", "/api/zones", "/api/accounts", "/api/tokens"):
                answer = await tool.send("POST", path, auth, body)
                assert answer.status == 400, (path, body)
                assert answer.document["errors"]
        status, answer = await tool.api("POST", "/api/accounts", {"nmae": "x", "role": 3})
        assert status == 400
        assert answer["errors"] == [
            "unknown key 'nmae', did you mean name?",
            "name is missing",
            "role must be text",
            "password is missing",
        ]


async def test_settings(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        status, answer = await tool.api(
            "PATCH",
            "/api/settings",
            {"push_user": "agpush", "push_password": "canary", "phone_networks": ["127.20.0.0/17"]},
        )
        assert status == 200
        assert answer["settings"]["push_user"] == "agpush"
        assert answer["secrets_set"] == ["push_password"]
        assert tool.desk.settings.current.push_password == "canary"
        assert "canary" not in str(answer)
        status, answer = await tool.api("PATCH", "/api/settings", {"multicast": True, "authorise": "x", "nothing": 1})
        assert status == 400
        assert len(answer["errors"]) == 3
        for body in ({}, [], None, "x"):
            assert (await tool.api("PATCH", "/api/settings", body))[0] == 400
        _, audit = await tool.api("GET", "/api/audit?action=settings.")
        (entry,) = audit["entries"]
        assert entry["who"] == "token of the configuration file"
        assert entry["detail"]["changes"]["push_user"] == ["", "agpush"]
        assert entry["detail"]["changes"]["push_password"] == "changed"


async def test_settings_of_the_configuration_file_are_fixed(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, store=False) as tool:
        _, shown = await tool.api("GET", "/api/settings")
        assert "push_user" in shown["fixed"]
        status, answer = await tool.api("PATCH", "/api/settings", {"push_user": "mallory"})
        assert (status, answer["errors"]) == (400, ["push_user: is fixed by the configuration file"])


async def test_inventory_zones_and_lists(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        _, found = await tool.api("GET", "/api/inventory")
        assert [phone["phone"] for phone in found["phones"]] == PHONES
        assert (await tool.api("POST", "/api/zones", {"name": "East", "description": "Floors"})) == (
            201,
            {"name": "East"},
        )
        assert (await tool.api("POST", "/api/zones", {"name": "East"}))[0] == 400
        assert await tool.api("POST", "/api/inventory/zone", {"phones": PHONES[:2], "zone": "East"}) == (
            200,
            {"phones": 2},
        )
        assert (await tool.api("POST", "/api/inventory/zone", {"phones": ["SEP0"], "zone": "East"}))[0] == 400
        assert (await tool.api("POST", "/api/inventory/zone", {"phones": [3], "zone": "East"}))[0] == 400
        assert (await tool.api("PATCH", "/api/zones/East", {"name": "North"}))[0] == 200
        _, found = await tool.api("GET", "/api/inventory?zone=North&sort=address&descending=1&limit=1")
        assert (found["total"], found["phones"][0]["phone"]) == (2, PHONES[1])
        assert (await tool.api("GET", "/api/inventory?sort=colour"))[0] == 400
        assert (await tool.api("GET", "/api/inventory?limit=0"))[0] == 400
        _, zones = await tool.api("GET", "/api/zones")
        assert zones == {"zones": [{"name": "North", "description": "Floors", "phones": 2}]}
        wish = {"name": "Managers", "phones": [PHONES[2]], "zones": ["North"]}
        assert (await tool.api("POST", "/api/lists", wish))[0] == 201
        assert (await tool.api("PATCH", "/api/lists/Managers", {"description": "All of them"}))[1] == {
            **wish,
            "description": "All of them",
        }
        assert (await tool.api("DELETE", "/api/zones/North"))[0] == 200
        _, lists = await tool.api("GET", "/api/lists")
        assert lists["lists"][0]["zones"] == []
        assert (await tool.api("DELETE", "/api/lists/Managers"))[0] == 200
        assert (await tool.api("DELETE", "/api/lists/Managers"))[0] == 404
        assert (await tool.api("POST", "/api/inventory/remove", {"phones": PHONES[:1]})) == (200, {"phones": 1})


async def test_sources(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, phones=0) as tool:
        await tool.api("PATCH", "/api/settings", {"phone_networks": ["127.20.0.0/17"]})
        csv = "device_name,address\n" + "".join(f"{name},127.20.0.{at + 1}\n" for at, name in enumerate(PHONES))
        assert (await tool.api("POST", "/api/inventory/sources", {"name": "a", "kind": "csv", "csv": csv}))[0] == 201
        status, answer = await tool.api("POST", "/api/inventory/sources/a/synchronise")
        assert (status, answer["result"]["listed"]) == (200, 3)
        wish = {"name": "cm", "kind": "risport", "url": "https://10.0.0.1", "user": "u", "password": "canary"}
        assert (await tool.api("POST", "/api/inventory/sources", wish))[0] == 201
        _, shown = await tool.api("GET", "/api/inventory/sources")
        assert "canary" not in str(shown)
        assert [each["password_set"] for each in shown["sources"]] == [False, True]
        assert (await tool.api("POST", "/api/inventory/sources", {"name": "b", "kind": "carrier pigeon"}))[0] == 400
        assert (await tool.api("DELETE", "/api/inventory/sources/cm"))[0] == 200
        assert (await tool.api("POST", "/api/inventory/sources/cm/synchronise"))[0] == 404


async def test_accounts_and_tokens(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        wish = {"name": "Nora", "role": "operator", "password": "a long enough one"}
        assert await tool.api("POST", "/api/accounts", wish) == (201, {"name": "nora"})
        assert (await tool.api("POST", "/api/accounts", wish))[0] == 400
        assert (await tool.api("POST", "/api/accounts", {**wish, "name": "x", "password": "short"}))[0] == 400
        assert (await tool.api("PATCH", "/api/accounts/nora", {"role": "viewer"}))[0] == 200
        assert (await tool.api("PATCH", "/api/accounts/nora", {}))[0] == 400
        assert (await tool.api("PATCH", "/api/accounts/nobody", {"role": "viewer"}))[0] == 404
        _, shown = await tool.api("GET", "/api/accounts")
        assert {each["name"]: each["role"] for each in shown["accounts"]}["nora"] == Role.VIEWER
        assert "argon2" not in str(shown)
        assert (await tool.api("DELETE", "/api/accounts/nora"))[0] == 200
        status, made = await tool.api("POST", "/api/tokens", {"name": "nurse call", "role": "operator", "days": 30})
        assert status == 201
        assert made["token"].startswith("pushlab_")
        assert (await tool.api("GET", "/api/status", token=made["token"]))[0] == 200
        assert (await tool.api("GET", "/api/accounts", token=made["token"]))[0] == 403
        _, shown = await tool.api("GET", "/api/tokens")
        assert made["token"] not in str(shown)
        for wrong in ({"days": 0}, {"days": 10_000}, {"days": True}, {"role": "king"}):
            assert (await tool.api("POST", "/api/tokens", {"name": "x", "role": "viewer", **wrong}))[0] == 400
        assert (await tool.api("DELETE", "/api/tokens/nurse%20call"))[0] == 200
        assert (await tool.api("GET", "/api/status", token=made["token"]))[0] == 401


async def test_the_audit_trail(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        for number in range(5):
            await tool.api("POST", "/api/zones", {"name": f"Zone {number}"})
        await tool.desk.audit.written()
        _, found = await tool.api("GET", "/api/audit?limit=2")
        assert [entry["subject"] for entry in found["entries"]] == ["Zone 4", "Zone 3"]
        _, found = await tool.api("GET", f"/api/audit?before={found['entries'][-1]['number']}")
        assert [entry["subject"] for entry in found["entries"]] == ["Zone 2", "Zone 1", "Zone 0"]
        assert (await tool.api("GET", "/api/audit?limit=abc"))[0] == 400
        assert await tool.api("GET", "/api/audit/verify") == (200, {"entries": 5, "whole": True, "break": None})
        await tool.desk.database.write(lambda c: c.execute("UPDATE audit SET who = 'eve' WHERE number = 2"))
        _, verified = await tool.api("GET", "/api/audit/verify")
        assert "entry 2 was changed" in verified["break"]


async def test_health_and_metrics(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        answer = await tool.send("GET", "/health")
        assert (answer.status, answer.document) == (200, {"status": "ok", "alarms": []})
        tool.desk.alarms.sound("journal-lost", "a text that names a path")
        answer = await tool.send("GET", "/health")
        assert (answer.status, answer.document) == (503, {"status": "alarm", "alarms": ["journal-lost"]})
        assert (await tool.send("GET", "/metrics")).status == 401
        answer = await tool.send("GET", "/metrics", {"Authorization": "Bearer a-token"})
        found = {family.name: family for family in text_string_to_metric_families(answer.text)}
        assert found["pushlab_gateway_alarm"].samples[0].labels == {"name": "journal-lost"}
        assert found["pushlab_gateway_phones"].samples[0].value == 3
        assert "pushlab_gateway_authentications" in found
    networks = 'metrics_networks = ["127.0.0.0/8"]\n'
    async with open_tool(tmp_path, administration=networks) as tool:
        assert (await tool.send("GET", "/metrics")).status == 200
        assert (await tool.send("GET", "/metrics", {"Authorization": "Bearer wrong"})).status == 401
        assert (await tool.send("GET", "/api/status")).status == 401
        spoofed = {"X-Forwarded-For": "127.0.0.1"}
        assert (await tool.send("GET", "/api/status", spoofed)).status == 401


def announcement(folder: Path, seconds: float = 0.2) -> Path:
    path = folder / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x10\x20" * int(8000 * seconds))
    return path


async def until_ended(tool: Any, number: str) -> dict[str, object]:  # noqa: ANN401  see OpenTool
    while True:
        _, page = await tool.api("GET", f"/api/pages/{number}")
        if page["state"] == "ended":
            found: dict[str, object] = page
            return found
        await trio.sleep(0.05)


async def test_p17_the_same_request_twice_is_one_page(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        wish = {"audio": str(announcement(tmp_path))}
        answers = []

        async def send() -> None:
            answers.append(await tool.api("POST", "/api/pages", wish, **{"Idempotency-Key": "k1"}))

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(send)
        assert answers == [(202, {"page": "1"})] * 4
        other = await tool.api("POST", "/api/pages", {**wish, "repeat": 2}, **{"Idempotency-Key": "k1"})
        assert other[0] == 409
        assert (await tool.api("POST", "/api/pages", {**wish, "idempotency_key": "k1"}))[1] == {"page": "1"}
        assert (await tool.api("POST", "/api/pages", wish, **{"Idempotency-Key": "k2"}))[1] == {"page": "2"}
        assert (await tool.api("POST", "/api/pages", wish))[1] == {"page": "3"}
        assert (await tool.api("POST", "/api/pages", wish, **{"Idempotency-Key": "x" * 256}))[0] == 400
        # Another caller's key is another key.
        _, made = await tool.api("POST", "/api/tokens", {"name": "other", "role": "operator"})
        mine = await tool.api("POST", "/api/pages", wish, token=made["token"], **{"Idempotency-Key": "k1"})
        assert mine == (202, {"page": "4"})


async def test_a_page_from_its_sending_to_its_history(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        wav = announcement(tmp_path).read_bytes()
        auth = {"Authorization": "Bearer a-token"}
        assert (await tool.send("POST", "/api/recordings/Fire", auth, b"no wav")).status == 400
        assert (await tool.send("POST", "/api/recordings/..%2Fevil", auth, wav)).status == 404
        assert (await tool.send("POST", "/api/recordings/Fire", auth, wav)).status == 201
        assert (await tool.api("GET", "/api/recordings"))[1] == {"recordings": ["Fire"]}
        await tool.api("POST", "/api/zones", {"name": "East"})
        await tool.api("POST", "/api/inventory/zone", {"phones": PHONES[:2], "zone": "East"})
        status, sent = await tool.api("POST", "/api/pages", {"recording": "Fire", "zones": ["East"]})
        assert (status, sent) == (202, {"page": "1"})
        page = await until_ended(tool, "1")
        assert (page["phones"], page["reason"], page["delivery"]) == (2, "failed", "unicast")
        _, found = await tool.api("GET", "/api/pages/1/phones")
        assert [each["phone"] for each in found["phones"]] == PHONES[:2]
        assert all("could not be reached" in each["words"] for each in found["phones"])
        assert (await tool.api("GET", "/api/pages/1/phones?outcome=executed"))[1] == {"phones": [], "total": 0}
        assert (await tool.api("GET", "/api/pages/1/phones?limit=0"))[0] == 400
        _, history = await tool.api("GET", "/api/pages")
        (record,) = history["pages"]
        assert (record["page"], record["audio"], record["requested_by"]) == (
            "1",
            "Fire",
            "token of the configuration file",
        )
        for path in ("/api/pages/9", "/api/pages/9/phones", "/api/pages/x"):
            assert (await tool.api("GET", path))[0] == 404
        assert (await tool.api("POST", "/api/pages/9/stop"))[0] == 404
        assert (await tool.api("DELETE", "/api/recordings/Fire"))[0] == 200
        assert (await tool.api("DELETE", "/api/recordings/Fire"))[0] == 404
        await tool.desk.audit.written()
        _, audit = await tool.api("GET", "/api/audit?action=page.")
        assert audit["entries"][0]["detail"]["zones"] == ["East"]


async def test_a_page_is_stopped(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path) as tool:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_STREAM) as silent:
            await silent.bind(("127.20.0.1", 0))
            silent.listen(5)  # a phone that takes the connection and says nothing
            tool.gateway.pusher._settings = replace(tool.gateway.pusher._settings, port=silent.getsockname()[1])
            wish = {"audio": str(announcement(tmp_path)), "phones": PHONES[:1]}
            assert (await tool.api("POST", "/api/pages", wish))[1] == {"page": "1"}
            assert (await tool.api("POST", "/api/pages/1/stop"))[0] == 202
            silent.close()
            assert (await until_ended(tool, "1"))["reason"] == "interrupted"


async def test_a_store_that_takes_nothing(tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch) -> None:
    """P4: changes are refused and leave everything as it was; looking at things and paging go on."""
    from gateway.store import StoreError

    async with open_tool(tmp_path) as tool:

        async def full(work: object) -> None:
            raise StoreError("database or disk is full")

        monkeypatch.setattr(tool.desk.database, "write", full)
        status, answer = await tool.api("PATCH", "/api/settings", {"push_user": "agpush"})
        assert (status, tool.desk.settings.current.push_user) == (503, "")
        assert "Pages still go out" in answer["error"]
        assert (await tool.api("GET", "/api/inventory"))[0] == 200
        assert "store-failing" in (await tool.send("GET", "/health")).text
        wish = {"audio": str(tmp_path / "nowhere.wav")}
        with trio.fail_after(5):
            assert "nowhere.wav" in (await tool.api("POST", "/api/pages", wish))[1]["error"]


def test_the_reference_page_is_that_of_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "rest-api.md"
    assert page.read_text(encoding="utf-8") == reference(), "python -m gateway.administration.reference"
