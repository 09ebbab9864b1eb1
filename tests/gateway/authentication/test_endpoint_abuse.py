"""Section B of the list of faults, against a whole gateway's phone port on loopback; rows are in the tests' names."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import trio

from gateway.authentication import OwnUserMismatch
from gateway.configuration import Configuration, Endpoint
from gateway.phone_port import open_listener
from gateway.phone_port_secured import SecuredPhonePort, tls_context
from gateway.product import Gateway
from gateway.records import Records
from gateway.store import Database

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway"
AUTHORIZED = (GOLDEN / "authorized.http").read_bytes()
UNAUTHORIZED = (GOLDEN / "unauthorized.http").read_bytes()
PHONE, ATTACKER = "127.20.0.31", "127.20.0.66"
GATEWAY = "127.20.128.12"
RIGHT = "secret"
CALLMANAGER = "http://10.20.128.20/CCMCIP/authenticate.asp"


@dataclass
class Unit:
    gateway: Gateway
    port: int

    async def ask(
        self, *, user: str = "agpush", password: str = RIGHT, source: str = PHONE, head: str = "", name: str = "31"
    ) -> bytes:
        """One question from an address; what came until the port closed."""
        question = f"UserID={user}&Password={password}&devicename=SEP0000000000{name}"
        data = f"GET /cisco_auth/authenticate.html?{question} HTTP/1.1\r\nHost: {GATEWAY}\r\n{head}\r\n".encode()
        return await self.send(data, source=source)

    async def send(self, data: bytes, *, source: str = PHONE) -> bytes:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            await sock.bind((source, 0))
            await sock.connect((GATEWAY, self.port))
            await sock.send(data)
            received = b""
            while part := await sock.recv(65536):
                received += part
            return received


def configuration(fixed: Mapping[str, object]) -> Configuration:
    settings = {"push_user": "agpush", "push_password": "secret", "callmanager_url": CALLMANAGER, **fixed}
    return Configuration(
        phone_port=Endpoint(host=GATEWAY, port=0),
        secured_phone_port=None,
        certificate=None,
        certificate_key=None,
        administration=None,
        token=None,
        accepted_password=None,
        store_folder=None,
        key_file=None,
        fixed={name: value for name, value in settings.items() if value is not None},
        source=None,
        concurrency=10,
        connect_s=1.0,
        total_s=2.0,
        phones_csv=None,
        phones_port=80,
        rtp_port=32674,
    )


@asynccontextmanager
async def running(events: Path | None = None, **fixed: object) -> AsyncIterator[Unit]:
    with (
        Database.open(None) as database,
        Records(events) as records,
        open_listener(GATEWAY, 0) as listener,
        trio.fail_after(30),
    ):
        gateway = Gateway(configuration(fixed), (), records, database)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(gateway.make_phone_port(listener).serve)
            yield Unit(gateway, listener.getsockname()[1])
            nursery.cancel_scope.cancel()


async def test_b1_right_credentials_are_answered_with_the_golden_bytes() -> None:
    async with running() as unit:
        assert await unit.ask() == AUTHORIZED


async def test_b2_others_are_redirected_to_the_configured_url_alone() -> None:
    async with running() as unit:
        answer = await unit.ask(user="a%26b", password="x%0d%0aSet-Cookie:+y")
        location = next(line for line in answer.split(b"\r\n") if line.startswith(b"Location: "))
        assert location.startswith(f"Location: {CALLMANAGER}?UserID=a%26b&Password=x%0D%0ASet-Cookie%3A+y&".encode())
        assert b"Set-Cookie: y" not in answer


@pytest.mark.parametrize(("mismatch", "status"), [("redirect", b"302"), ("refuse", b"200")])
async def test_b3_the_own_users_wrong_password(mismatch: str, status: bytes) -> None:
    async with running(own_user_mismatch=OwnUserMismatch(mismatch)) as unit:
        answers = [await unit.ask(password="wrong") for _ in range(3)]
        assert {answer[9:12] for answer in answers} == {status}
        assert all((answer == UNAUTHORIZED) == (mismatch == "refuse") for answer in answers)
        assert unit.gateway.failures.total == 3
        assert await unit.ask() == AUTHORIZED


@pytest.mark.parametrize(
    "head", ["X-Forwarded-Host: evil.example\r\n", "Forwarded: host=evil.example\r\n", "X-Original-URL: //evil\r\n"]
)
async def test_b7_nothing_but_the_setting_says_where_the_redirect_goes(head: str) -> None:
    async with running() as unit:
        answer = await unit.ask(password="wrong&url=http://evil.example", head=head)
        assert b"evil" not in answer.partition(b"?")[0]
        assert answer.split(b"Location: ")[1].startswith(CALLMANAGER.encode())


async def test_b8_b9_guesses_wait_and_right_answers_do_not(autojump_clock: trio.testing.MockClock) -> None:
    del autojump_clock  # a real socket's answer is there within the clock's threshold; seconds of waiting are skipped
    async with running() as unit:
        began = trio.current_time()
        for _ in range(10):
            assert (await unit.ask(password="guess", source=ATTACKER))[9:12] == b"302"
        assert trio.current_time() - began < 0.05
        for number in range(1, 21):
            assert (await unit.ask(password="guess", source=ATTACKER))[9:12] == b"302"
            assert trio.current_time() - began >= number / 10 - 0.01
        at = trio.current_time()
        # B9: the very address that is slowed is a live phone's, and the other phones are there too.
        assert await unit.ask(source=ATTACKER) == AUTHORIZED
        assert await unit.ask() == AUTHORIZED
        assert trio.current_time() - at < 0.05


async def test_b8_a_flood_of_guesses_holds_up_nobody_and_sounds_an_alarm() -> None:
    async with running() as unit, trio.open_nursery() as nursery:
        answers: list[bytes] = []

        async def guess() -> None:
            answers.append(await unit.ask(password="guess", source=ATTACKER))

        async with trio.open_nursery() as guesses:
            for _ in range(200):
                guesses.start_soon(guess)
            with trio.fail_after(1):
                assert await unit.ask() == AUTHORIZED
                assert await unit.ask(source=ATTACKER) == AUTHORIZED
        assert 10 <= sum(answer[9:12] == b"302" for answer in answers) <= 60
        assert answers.count(b"") >= 140
        assert unit.gateway.failures.flooding(trio.current_time()) == [ATTACKER]
        nursery.cancel_scope.cancel()


async def test_b11_b12_who_is_outside_is_not_looked_at_whatever_it_says_it_is(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    async with running(events, phone_networks=(IPv4Network("127.20.0.0/26"),)) as unit:
        assert await unit.ask() == AUTHORIZED
        answer = await unit.ask(source=ATTACKER, head=f"X-Forwarded-For: {PHONE}\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert unit.gateway.failures.total == 0
    assert '"answer":"rejected"' in events.read_text()


@pytest.mark.parametrize(("authorise", "answer"), [("always", AUTHORIZED), ("in-flight", UNAUTHORIZED)])
async def test_b13_a_replayed_question(authorise: str, answer: bytes, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    async with running(events, authorise=authorise, authorise_after_s=30.0) as unit:
        unit.gateway.flights.begun("SEP000000000031")
        assert await unit.ask() == AUTHORIZED
        unit.gateway.flights.ended("SEP000000000031", trio.current_time() - 31)
        assert await unit.ask() == answer
        assert unit.gateway.unexpected == 1
    assert events.read_text().count('"in_flight":false') == 1


@pytest.mark.parametrize("secret", ["canary-7f3a", "canary 7f3a&"])
async def test_b14_no_trace_of_a_password(
    secret: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    encoded = secret.replace("&", "%26").replace(" ", "+")
    async with running(events) as unit:
        await unit.ask(password=encoded)
        await unit.ask(password=encoded, head=f"Referer: http://x/?Password={encoded}\r\n")
        await unit.send(f"GET /x?Password={encoded} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        await unit.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{encoded}".encode())
    told = events.read_text() + caplog.text + "".join(capfd.readouterr())
    assert "canary" not in told


async def test_b15_a_name_with_a_line_end_makes_no_line(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    async with running(events) as unit:
        assert await unit.ask(name="%0aFAKE") == AUTHORIZED
    assert "FAKE" not in events.read_text()


class RunningPage:
    number = "1"
    state = "playing"


async def test_b16_a_changed_password_during_a_page_loses_no_phone() -> None:
    async with running(push_user=None, push_password=None) as unit:
        await unit.gateway.settings.change({"push_user": "agpush", "push_password": "secret"})
        page = RunningPage()
        unit.gateway.pages._pages["1"] = page  # type: ignore[assignment]
        await unit.gateway.settings.change({"push_password": "newer"})
        assert await unit.ask() == await unit.ask(password="newer") == AUTHORIZED
        assert (await unit.ask(user="other", password="secret"))[9:12] == b"302"
        page.state = "ended"
        assert (await unit.ask())[9:12] == b"302"
        assert await unit.ask(password="newer") == AUTHORIZED
        assert unit.gateway._former == []


async def test_nobody_is_authorised_before_somebody_has_set_credentials() -> None:
    async with running(push_user=None, push_password=None, callmanager_url=None) as unit:
        assert await unit.ask() == UNAUTHORIZED
        assert await unit.ask(user="", password="") == (GOLDEN / "error.http").read_bytes()


async def test_the_secured_port_answers_byte_for_byte_the_same(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gateway"]
    command += ["-addext", f"subjectAltName=IP:{GATEWAY}", "-keyout", str(key), "-out", str(certificate)]
    await trio.run_process(command, capture_stderr=True)
    async with running() as unit, trio.open_nursery() as nursery:
        listener = open_listener(GATEWAY, 0)
        port = listener.getsockname()[1]
        plain = unit.gateway.make_phone_port(listener)
        secured = SecuredPhonePort(listener=listener, context=tls_context(certificate, key), plain=plain)
        nursery.start_soon(secured.serve)
        url = f"https://{GATEWAY}:{port}/cisco_auth/authenticate.html?UserID=agpush&devicename=SEP1&Password="
        for password, expected in (("secret", AUTHORIZED), ("wrong", b"HTTP/1.1 302 Found\r\n")):
            command = ["curl", "--silent", "--include", "--cacert", str(certificate), url + password]
            answer = (await trio.run_process(command, capture_stdout=True)).stdout
            assert answer.startswith(expected)
        # What is no TLS costs its own connection.
        stream = await trio.open_tcp_stream(GATEWAY, port)
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        with trio.move_on_after(2):
            await stream.receive_some(100)
        await stream.aclose()
        answer = (await trio.run_process([*command[:-1], url + "secret"], capture_stdout=True)).stdout
        assert answer == AUTHORIZED
        nursery.cancel_scope.cancel()


async def test_b21_a_question_twice_and_one_after_the_push_is_over_are_answered_and_counted(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    async with running(events) as unit:
        unit.gateway.flights.begun("SEP000000000031")
        assert [await unit.ask(), await unit.ask()] == [AUTHORIZED] * 2
        assert unit.gateway.flights.ended("SEP000000000031", trio.current_time())
        assert await unit.ask() == AUTHORIZED
        assert unit.gateway.status()["authentications"] == 3
        assert unit.gateway.unexpected == 0
    assert "in_flight" not in events.read_text()
