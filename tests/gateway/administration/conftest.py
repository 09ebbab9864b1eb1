"""A gateway whose Administration Tool listens on a real socket, for tests of its pages and its JSON interface."""

from __future__ import annotations

import importlib
import json
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
import trio
from argon2 import PasswordHasher

from gateway.accounts import Accounts, Passwords, Role
from gateway.administration.application import create_application
from gateway.administration.desk import Desk
from gateway.administration.listener import serve_administration
from gateway.administration.opening import make_desk
from gateway.configuration import load_configuration
from gateway.inventory import Listed, Listing
from gateway.phone_port import open_listener
from gateway.product import Gateway
from gateway.records import Records
from gateway.store import Database

ADDRESS = "127.20.128.10"
TOKEN = "a-token"
PASSWORD = "correct horse battery"
PEOPLE = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "ada": Role.ADMINISTRATOR}
LIMIT_S = 30


def gateway_class() -> type[Gateway]:
    """What these tests are about, or another gateway that PUSHLAB_TEST_GATEWAY names, module:class (tests/mutants)."""
    module, _, name = os.environ.get("PUSHLAB_TEST_GATEWAY", "gateway.product:Gateway").partition(":")
    found: type[Gateway] = getattr(importlib.import_module(module), name)
    return found


@dataclass(frozen=True)
class Answer:
    status: int
    head: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def document(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.body)
        return found

    def header(self, name: str) -> str | None:
        found = re.search(rf"^{name}: (.*?)\r?$", self.head, re.IGNORECASE | re.MULTILINE)
        return found.group(1) if found else None


@dataclass
class Browser:
    """Keeps a cookie and the token of the forms, as a browser does."""

    tool: Tool
    cookie: str = ""
    csrf: str = ""

    async def get(self, path: str, **headers: str) -> Answer:
        answer = await self.tool.send("GET", path, {**self._cookies(), **headers})
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        if found:
            self.csrf = found.group(1)
        return answer

    async def post(
        self, path: str, *, drop: tuple[str, ...] = (), headers: Mapping[str, str] | None = None, **form: object
    ) -> Answer:
        fields = {"csrf": self.csrf, **form}
        body = urlencode({name: value for name, value in fields.items() if name not in drop}, doseq=True)
        sent = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://{ADDRESS}:{self.tool.port}",
            "Sec-Fetch-Site": "same-origin",
            **self._cookies(),
            **(headers or {}),
        }
        answer = await self.tool.send("POST", path, {n: v for n, v in sent.items() if n not in drop}, body.encode())
        cookie = answer.header("Set-Cookie")
        if cookie is not None:
            self.cookie = cookie.partition(";")[0]
        return answer

    async def log_in(self, name: str, password: str = PASSWORD) -> Answer:
        answer = await self.post("/login", name=name, password=password, next="/")
        if answer.status == 303:
            await self.get("/account")
        return answer

    def _cookies(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}


@dataclass
class Tool:
    gateway: Gateway
    desk: Desk
    port: int
    context: ssl.SSLContext | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
        lines = {"Host": f"{ADDRESS}:{self.port}", "Connection": "close", **(headers or {})}
        if body or method != "GET":
            lines["Content-Length"] = str(len(body))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.sent.append((method, path))
        received = await self.raw(head.encode() + b"\r\n" + body)
        top, _, content = received.partition(b"\r\n\r\n")
        return Answer(int(top.split(b" ")[1]), top.decode(), content)

    async def raw(self, data: bytes) -> bytes:
        """Raw bytes out, everything that comes until the end."""
        stream: trio.abc.Stream = await trio.open_tcp_stream(ADDRESS, self.port)
        if self.context is not None:
            stream = trio.SSLStream(stream, self.context, server_hostname=ADDRESS, https_compatible=True)
        async with stream:
            received = bytearray()
            try:
                await stream.send_all(data)
                while piece := await stream.receive_some(65536):
                    received += piece
            except trio.BrokenResourceError:
                pass
            return bytes(received)

    async def api(
        self, method: str, path: str, document: object = None, token: str = TOKEN, **headers: str
    ) -> tuple[int, dict[str, object]]:
        body = b"" if document is None else json.dumps(document).encode()
        answer = await self.send(method, path, {"Authorization": f"Bearer {token}", **headers}, body)
        return answer.status, answer.document

    async def browser(self, name: str | None = None) -> Browser:
        """Somebody in front of it; with a name: logged in."""
        browser = Browser(self)
        if name is not None:
            assert (await browser.log_in(name)).status == 303
        return browser

    async def alive(self) -> bool:
        with trio.fail_after(5):
            return (await self.api("GET", "/api/status"))[0] == 200


def quick_passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def configure(folder: Path, *, administration: str = "", store: bool = False) -> Path:
    for name, text in (("token", TOKEN), ("password", "canary&pass")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    path = folder / "g.toml"
    kept = '[store]\nfolder = "data"\nkey_file = "keys/key"\n' if store else (
        '[push_user]\nname = "agpush"\npassword_file = "password"\n'
        '[authentication]\ncallmanager_url = "http://127.20.128.20:18080/CCMCIP/authenticate.asp"\n'
    )  # fmt: skip
    path.write_text(
        f'[phone_port]\nlisten = "{ADDRESS}:18099"\n[administration]\nlisten = "{ADDRESS}:0"\ntoken_file = "token"\n'
        f'tls = "off"\n{administration}{kept}'
    )
    return path


@asynccontextmanager
async def tool(
    folder: Path,
    *,
    people: Mapping[str, Role] = PEOPLE,
    phones: int = 3,
    store: bool = True,
    administration: str = "",
    server: ssl.SSLContext | None = None,
    client: ssl.SSLContext | None = None,
    database: Database | None = None,
    toml: str | None = None,
    limit_s: float = LIMIT_S,
) -> AsyncIterator[Tool]:
    path = configure(folder, administration=administration, store=store)
    if toml is not None:
        path.write_text(toml)
    configuration = load_configuration(path)
    listener = open_listener(ADDRESS, 0)
    with database or Database.open(configuration.store_folder) as opened, trio.fail_after(limit_s):
        gateway = gateway_class()(configuration, (), Records(None), opened)
        gateway.accounts = Accounts(opened, file_token=configuration.token, passwords=quick_passwords())
        for name, role in people.items():
            if all(account.name != name for account in gateway.accounts.accounts()):
                await gateway.accounts.add(name, role, PASSWORD)
        listed = [
            Listed(device_name=f"SEP{0x001BD4000001 + at:012X}", address=f"127.20.0.{at + 1}") for at in range(phones)
        ]
        gateway.phonebook.take_at_start(Listing(source="test", phones=listed))
        desk = make_desk(
            gateway,
            version="0.0",
            authentication_url=f"http://{ADDRESS}:18099/cisco_auth/authenticate.html",
            certificate=None,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.keep_books)
            async with gateway.running():
                nursery.start_soon(serve_administration, create_application(desk), listener, server)
                yield Tool(gateway, desk, listener.getsockname()[1], client)
            nursery.cancel_scope.cancel()


@pytest.fixture
def open_tool() -> Callable[..., AbstractAsyncContextManager[Tool]]:
    """`async with open_tool(folder) as tool:` brings a gateway up; see `tool` for its arguments."""
    return tool
