"""Misbehaving phones: who, and what a client gets to see."""

import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from emulator import misbehaviour
from emulator.callmanager.certificate import ensure_certificate, server_context
from emulator.engine import Answer, Request, listen, serve
from emulator.fleet.catalogue import load
from emulator.fleet.faults import Faults
from emulator.fleet.fleet import Fleet, Settings
from emulator.phone.authentication import Server
from emulator.phone.phone import Phone
from emulator.records import Records

GATEWAY = "127.20.128.10"
ADDRESSES = [f"10.0.0.{number}" for number in range(100)]


def test_exact_shares_of_the_same_phones_for_the_same_seed():
    shares = {"hang": 0.1, "garbage": 0.25}
    chosen = misbehaviour.choose(ADDRESSES, shares, 7)
    assert sorted(chosen.values()) == ["garbage"] * 25 + ["hang"] * 10
    assert chosen == misbehaviour.choose(ADDRESSES, shares, 7)
    assert chosen != misbehaviour.choose(ADDRESSES, shares, 8)


@pytest.mark.parametrize(
    "texts", [["x=1"], ["hang=2"], ["hang=a"], ["hang=0.1", "hang=0.1"], ["hang=0.6", "garbage=0.6"]]
)
def test_what_are_no_shares(texts: list[str]) -> None:
    with pytest.raises(misbehaviour.MisbehaviourError):
        misbehaviour.read_shares(texts)


class Bed:
    def __init__(self, fleet: Fleet, urls: Mapping[str, str], asked: list[Request]) -> None:
        self.fleet = fleet
        self.asked = asked
        self._ports = {name: int(url.rpartition(":")[2]) for name, url in urls.items()}

    async def push(self) -> bytes:
        body = b'XML=<CiscoIPPhoneExecute><ExecuteItem URL="Key:Info"/></CiscoIPPhoneExecute>'
        head = b"POST /CGI/Execute HTTP/1.1\r\nAuthorization: Basic YTpi\r\nContent-Length: %d\r\n\r\n" % len(body)
        async with await trio.open_tcp_stream("127.20.0.1", self._ports["phones"]) as stream:
            await stream.send_all(head + body)
            stream.socket.shutdown(socket.SHUT_WR)
            self.got = b""
            while more := await stream.receive_some(1 << 20):
                self.got += more
        return self.got

    async def push_secured(self) -> bytes:
        """What came of the answer by TLS, a reset being its end as well."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = await trio.open_tcp_stream("127.20.0.1", self._ports["phones_secured"])
        got = b""
        async with trio.SSLStream(plain, context, https_compatible=True) as stream:
            body = b'XML=<CiscoIPPhoneExecute><ExecuteItem URL="Key:Info"/></CiscoIPPhoneExecute>'
            head = b"POST /CGI/Execute HTTP/1.0\r\nAuthorization: Basic YTpi\r\nContent-Length: %d\r\n\r\n" % len(body)
            await stream.send_all(head + body)
            try:
                while more := await stream.receive_some(1 << 20):
                    got += more
            except trio.BrokenResourceError:
                got += b"<reset>"
        return got


@asynccontextmanager
async def running(name: str, path: Path, https: tuple[int, ssl.SSLContext] | None = None) -> AsyncIterator[Bed]:
    asked: list[Request] = []

    async def yes(request: Request) -> Answer:
        asked.append(request)
        return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nAUTHORIZED")

    listener = listen(GATEWAY, 0)
    phone = Phone(
        device_name="SEP001BD4000001", directory_number="2001", mac="001BD4000001", model=load().models["CP-7961G"],
        address="127.20.0.1", server=Server(GATEWAY, listener.getsockname()[1], "/a"),
    )  # fmt: skip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        rtp_port = probe.getsockname()[1]
    fleet = Fleet(
        [phone],
        Settings(port=0, rtp_port=rtp_port, https=https, faults=Faults(misbehaving={"127.20.0.1": name}), reset_s=60),
    )
    records = Records(path / "events.jsonl", witness="phones", clock=time.monotonic_ns)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, [listener], yes))
        urls = await nursery.start(fleet.run, records)
        yield Bed(fleet, urls, asked)
        nursery.cancel_scope.cancel()
    records.close()


@pytest.mark.parametrize("name", ["reset-before", "reset-within", "reset-after", "reboots", "refuses"])
async def test_resets(name: str, tmp_path: Path) -> None:
    async with running(name, tmp_path) as bed:
        with pytest.raises((trio.BrokenResourceError, OSError)):
            await bed.push()
        assert getattr(bed, "got", b"").count(b"\r\n\r\n") == (name == "reset-after")
        assert len(bed.asked) == (name != "refuses")
        assert bed.fleet.away(bed.fleet.phones[0]) == (name == "reboots")
    said = (tmp_path / "events.jsonl").read_text()
    assert f'"misbehaviour":"{name}"' in said
    assert ('"answer":"none"' in said) == (name != "refuses")


async def test_a_silent_phone_answers_no_connection(tmp_path: Path) -> None:
    async with running("silent", tmp_path) as bed:
        with trio.move_on_after(0.3) as waiting:
            await bed.push()
        assert waiting.cancelled_caught
        assert bed.asked == []


async def test_a_cached_refusal_asks_nobody(tmp_path: Path) -> None:
    async with running("wrong-credentials-cached", tmp_path) as bed:
        assert b'<CiscoIPPhoneError Number="4"' in await bed.push()
        assert bed.asked == []
    assert "push.executed" not in (tmp_path / "events.jsonl").read_text()


async def test_an_answer_before_the_question(tmp_path: Path) -> None:
    async with running("answers-first", tmp_path) as bed:
        assert b'Status="0"' in await bed.push()
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [kind for kind in kinds if kind in ("push.answered", "authentication.asked", "push.executed")] == [
        "push.answered",
        "authentication.asked",
        "push.executed",
    ]


async def test_the_diary_says_what_spoilt_an_answer(tmp_path: Path) -> None:
    async with running("garbage", tmp_path) as bed:
        await bed.push()
    (answered,) = [
        json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines() if "push.answered" in line
    ]
    assert (answered["answer"], answered["spoilt"]) == ("response", "garbage")


async def test_spoilt_answers(tmp_path: Path) -> None:
    answers = {}
    for name in ("garbage", "truncated", "giant-body", "wrong-length", "two-answers", "asks-twice", "without-asking"):
        async with running(name, tmp_path) as bed:
            answers[name] = await bed.push()
            assert len(bed.asked) == {"asks-twice": 2, "without-asking": 0}.get(name, 1)
    whole = answers["asks-twice"]
    body = whole.partition(b"\r\n\r\n")[2]
    assert b'Status="0"' in body
    assert answers["garbage"][:1] == b"\x00"
    assert len(answers["truncated"].partition(b"\r\n\r\n")[2]) == len(body) // 2
    assert b"Content-Length: %d\r\n" % len(body) in answers["truncated"]
    assert b"Content-Length: 1073741824\r\n" in answers["giant-body"]
    assert len(answers["giant-body"]) > 16 << 20
    assert b"Content-Length: %d\r\n" % (len(body) - 7) in answers["wrong-length"]
    assert answers["wrong-length"].endswith(b"\r\n\r\n" + body)
    assert answers["two-answers"].count(b"HTTP/1.1 200 OK") == 2


async def test_slow_ones(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with running("asks-late", tmp_path) as bed:
        begun = trio.current_time()
        assert b'Status="0"' in await bed.push()
        assert trio.current_time() - begun == misbehaviour.LATE_S
    async with running("slow-drip", tmp_path) as bed:
        begun = trio.current_time()
        answer = await bed.push()
        assert trio.current_time() - begun == pytest.approx(min(30.0, 0.1 * len(answer)), abs=0.2)
    async with running("hang", tmp_path) as bed:
        begun = trio.current_time()
        assert await bed.push() == b""
        assert trio.current_time() - begun == 30.0  # the engine's total of 20 s, and the authentication's 10 s


async def test_they_misbehave_by_https_too(tmp_path: Path) -> None:
    ensure_certificate(tmp_path / "c.pem", tmp_path / "c.key", address="phones.invalid")
    https = (0, server_context(tmp_path / "c.pem", tmp_path / "c.key"))
    answers = {}
    names = ("asks-twice", "two-answers", "garbage", "truncated", "giant-body", "reset-before", "reboots")
    for name in (*names, "reset-after", "answers-first"):
        async with running(name, tmp_path, https) as bed:
            answers[name] = await bed.push_secured()
            if name == "answers-first":
                with trio.fail_after(5):
                    while not bed.asked:
                        await trio.sleep(0.01)
    whole = answers["asks-twice"]
    assert b'Status="0"' in whole
    assert answers["two-answers"].count(b"HTTP/1.1 200 OK") == 2
    assert answers["garbage"][:1] == b"\x00"
    assert len(answers["truncated"]) < len(whole)
    assert len(answers["giant-body"]) > 16 << 20
    assert answers["reset-before"] == answers["reboots"] == b"<reset>"
    assert answers["reset-after"].endswith(b"\r\n\r\n<reset>")
    assert b'Status="0"' in answers["answers-first"]


class Sent(bytearray):
    async def send(self, data: bytes) -> None:
        self.extend(data)

    def reset(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("name", ["truncated", "wrong-length"])
async def test_a_refusal_without_a_body_is_spoilt_too(name: str) -> None:
    refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    sent = Sent()
    await misbehaviour.play_out(name, sent, data=refusal, seed="")
    if name == "truncated":
        assert refusal.startswith(sent)
        assert len(sent) < len(refusal)
    else:
        assert sent == refusal + bytes(7)
