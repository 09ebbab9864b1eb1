"""The administration port over a real socket, plain and with TLS: requests that end an unguarded hypercorn."""

from __future__ import annotations

import errno
import shutil
import ssl
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from gateway.administration import certificate as certificate_module
from gateway.administration import listener as module
from gateway.administration.certificate import make_certificate, own_certificate, server_context
from gateway.administration.opening import secure_port
from gateway.alarms import Alarms
from gateway.configuration import Configuration, load_configuration

ADDRESS = "127.20.128.10"
OpenTool = Callable[..., AbstractAsyncContextManager[Any]]


def contexts(folder: Path, name: str) -> dict[str, ssl.SSLContext]:
    """Server's and client's side of the port; nothing where it is plain."""
    if name == "plain":
        return {}
    chain, key = make_certificate(ADDRESS)
    (folder / "c.crt").write_bytes(chain)
    (folder / "c.key").write_bytes(key)
    (folder / "c.key").chmod(0o600)
    return {
        "server": server_context(folder / "c.crt", folder / "c.key"),
        "client": ssl.create_default_context(cafile=folder / "c.crt"),
    }


H2C = (
    b"GET /api/status HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: %s\r\n\r\n"
)
WEBSOCKET = (
    b"GET /api/status HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
# HEADERS, end of stream and headers; GET, http, authority indexed as needed, :path as given literally without Huffman.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS


def h2_request(path: bytes) -> bytes:
    block = b"\x82\x86\x04" + bytes([len(path)]) + path + b"\x01\x01a"
    return PREFACE + len(block).to_bytes(3, "big") + b"\x01\x05\0\0\0\1" + block


@pytest.mark.parametrize("transport", ["plain", "tls"])
@pytest.mark.parametrize(
    "data",
    [
        H2C % b"!!!",
        H2C % b"AAMAAABkAAQAAP__",
        H2C % b"\xff",
        PREFACE,
        h2_request(b"/\xff\xfe"),
        h2_request(b"/x?\xff\xfe"),
        b"PRI * HTTP/2.0\r\n\r\n",
        WEBSOCKET,
        WEBSOCKET + b"\x81",
        WEBSOCKET + b"\xff" * 100,
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/3.7\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000,
        b"\x16\x03\x01\x02\x00\x01\x00",
        (
            b"GET /api/status HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-token\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
        ),
        b"POST /api/pages HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\nConnection: close\r\n\r\nabc",
    ],
)
async def test_no_request_ends_the_process(
    data: bytes, transport: str, tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    monkeypatch.setattr(module, "READ_S", 1)
    async with open_tool(tmp_path, store=False, people={}, **contexts(tmp_path, transport)) as tool:
        answer = await tool.raw(data)
        assert b" 101 " not in answer[:20]
        assert not answer.startswith(b"HTTP/1.1 200")
        assert await tool.alive()


async def test_an_answer_may_take_longer_than_a_request(
    tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_S", 0.1)
    monkeypatch.setattr(module, "HEAD_S", 0.1)
    async with open_tool(tmp_path, store=False, people={}) as tool:

        async def slow(names: object = None) -> dict[str, int]:
            await trio.sleep(0.5)
            return {"read": 3}

        monkeypatch.setattr(tool.desk.phonebook, "read", slow)
        assert await tool.api("POST", "/api/inventory/read") == (200, {"outcomes": {"read": 3}})
        assert await tool.api("POST", "/api/inventory/read", {}) == (200, {"outcomes": {"read": 3}})


@pytest.mark.parametrize("data", [b"", b"GET / HT", b"\x00\r\n\r\n"])
async def test_a_connection_that_has_ended_keeps_no_place(
    data: bytes, tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    async with open_tool(tmp_path, store=False, people={}) as tool:
        for _ in range(10):
            async with await trio.open_tcp_stream(ADDRESS, tool.port) as stream:
                await stream.send_all(data)
                await stream.send_eof()
                while await stream.receive_some(1000):
                    pass
            assert await tool.alive()


async def test_connections_are_limited(tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 3)
    monkeypatch.setattr(module, "HEAD_S", 0.3)
    async with open_tool(tmp_path, store=False, people={}) as tool:
        idle = [await trio.open_tcp_stream(ADDRESS, tool.port) for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert await tool.raw(b"GET / HTTP/1.1\r\n\r\n") == b""
        for stream in idle:
            assert await stream.receive_some(10) == b""
            await stream.aclose()
        assert await tool.alive()


async def test_g7_plain_http_on_the_tls_port_is_told_so(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, store=False, people={}, **contexts(tmp_path, "tls")) as tool:
        stream = await trio.open_tcp_stream(ADDRESS, tool.port)
        async with stream:
            await stream.send_all(b"GET /login HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a-token\r\n\r\n")
            received = b""
            while piece := await stream.receive_some(1000):
                received += piece
        assert received == module.PLAIN_ANSWER
        assert await tool.alive()


@pytest.mark.parametrize("sent", [b"\x16\x03\x01", b""])
async def test_g7_a_handshake_that_stalls_is_ended(
    sent: bytes, tmp_path: Path, open_tool: OpenTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.HANDSHAKE_S <= 10
    assert module.HEAD_S <= 10
    monkeypatch.setattr(module, "HANDSHAKE_S", 0.2)
    monkeypatch.setattr(module, "HEAD_S", 0.2)
    async with (
        open_tool(tmp_path, store=False, people={}, **contexts(tmp_path, "tls")) as tool,
        await trio.open_tcp_stream(ADDRESS, tool.port) as stream,
    ):
        await stream.send_all(sent)
        with trio.fail_after(3):
            try:
                while await stream.receive_some(1000):
                    pass
            except trio.BrokenResourceError:
                pass


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
)
async def test_g7_only_tls_1_2_and_1_3(version: ssl.TLSVersion, tmp_path: Path, open_tool: OpenTool) -> None:
    sides = contexts(tmp_path, "tls")
    client = sides["client"]
    with pytest.warns(DeprecationWarning, match="TLSv1") if version < ssl.TLSVersion.TLSv1_2 else nullcontext():
        client.minimum_version = client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")
    async with open_tool(tmp_path, store=False, people={}, **sides) as tool:
        if version < ssl.TLSVersion.TLSv1_2:
            with pytest.raises(trio.BrokenResourceError):
                await refused(tool)
        else:
            assert await tool.alive()


async def refused(tool: Any) -> None:  # noqa: ANN401  see OpenTool
    stream = trio.SSLStream(await trio.open_tcp_stream(ADDRESS, tool.port), tool.context, server_hostname=ADDRESS)
    async with stream:
        await stream.do_handshake()


@pytest.mark.parametrize("ciphers", ["AES256-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "eNULL", "3DES"])
async def test_g7_weak_ciphers_are_not_spoken(ciphers: str, tmp_path: Path, open_tool: OpenTool) -> None:
    sides = contexts(tmp_path, "tls")
    client = sides["client"]
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        client.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    except ssl.SSLError:
        return  # this OpenSSL does not know it either
    async with open_tool(tmp_path, store=False, people={}, **sides) as tool:
        with pytest.raises(trio.BrokenResourceError):
            await refused(tool)


async def test_g7_renegotiation_is_refused(tmp_path: Path, open_tool: OpenTool) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian: apt-get install openssl)")
    async with open_tool(tmp_path, store=False, people={}, **contexts(tmp_path, "tls")) as tool:
        command = ["openssl", "s_client", "-connect", f"{ADDRESS}:{tool.port}", "-tls1_2"]
        async with trio.open_nursery() as nursery:
            client = await nursery.start(
                partial(
                    trio.run_process,
                    command,
                    stdin=subprocess.PIPE,
                    capture_stdout=True,
                    stderr=subprocess.PIPE,
                    check=False,
                )
            )
            await trio.sleep(0.3)
            await client.stdin.send_all(b"R\n")  # s_client's letter for it
            said = b""
            while b"no renegotiation" not in said:
                piece = await client.stderr.receive_some()
                assert piece, said
                said += piece
            nursery.cancel_scope.cancel()
        assert await tool.alive()


def serving(folder: Path) -> Configuration:
    (folder / "g.toml").write_text(
        f'[phone_port]\nlisten = "{ADDRESS}:0"\n[administration]\nlisten = "{ADDRESS}:0"\n'
        f'certificate_file = "data/administration.crt"\nkey_file = "data/administration.key"\n'
        '[store]\nfolder = "data"\nkey_file = "keys/key"\n'
    )
    return load_configuration(folder / "g.toml")


def ended_certificate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "data").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(certificate_module, "VALID_DAYS", -1)
        patched.setattr(certificate_module, "BEGINS_BEFORE_DAYS", 10)
        assert own_certificate(folder / "data", ADDRESS) is not None


def test_g7_an_ended_certificate_of_the_owners_serves_on_with_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_certificate(tmp_path, monkeypatch)
    alarms = Alarms()
    context, fingerprint = secure_port(serving(tmp_path), alarms)
    assert context is not None
    assert fingerprint is not None
    (alarm,) = alarms.active()
    assert alarm.name == "certificate-ending"
    assert "has ended" in alarm.text


def test_p4_a_disk_that_takes_no_certificate_leaves_the_old_one_or_one_of_this_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_certificate(tmp_path, monkeypatch)
    (tmp_path / "g.toml").write_text(
        f'[phone_port]\nlisten = "{ADDRESS}:0"\n[administration]\nlisten = "{ADDRESS}:0"\n'
        '[store]\nfolder = "data"\nkey_file = "keys/key"\n'
    )
    configuration = load_configuration(tmp_path / "g.toml")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(certificate_module.os, "fsync", full)
    alarms = Alarms()
    assert secure_port(configuration, alarms)[1] is not None
    assert [alarm.name for alarm in alarms.active()] == ["certificate-ending"]
    (tmp_path / "data" / "administration.crt").unlink()
    alarms = Alarms()
    assert secure_port(configuration, alarms)[0] is not None
    assert [alarm.name for alarm in alarms.active()] == ["certificate-not-kept"]


async def test_g7_strict_transport_security(tmp_path: Path, open_tool: OpenTool) -> None:
    async with open_tool(tmp_path, people={}) as tool:
        assert (await tool.send("GET", "/login")).header("Strict-Transport-Security") is None
    with_tls = (tmp_path / "g.toml").read_text().replace('tls = "off"', 'tls = "on"')
    assert 'tls = "on"' in with_tls
    async with open_tool(tmp_path, people={}, toml=with_tls, **contexts(tmp_path, "tls")) as tool:
        answer = await tool.send("GET", "/login")
        assert answer.header("Strict-Transport-Security") == "max-age=31536000"
