"""A bad network at a phone's door: what is injected, what is counted, and that both are equal."""

import json
import socket
import struct
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from emulator.fleet.catalogue import load
from emulator.fleet.faults import Faults, by_share, read
from emulator.fleet.fleet import Fleet, Settings
from emulator.fleet.impairment import STREAMS, Door, Impairment, ImpairmentError, Injected, read_impairment
from emulator.phone.phone import Phone
from emulator.phone.stream import Period, Stream
from emulator.records import Records
from emulator.server import ConfigurationError

GATEWAY = "127.20.128.10"
SOURCE = int.from_bytes(socket.inet_aton(GATEWAY), "big")
MS = 1_000_000
FRAME = bytes([0x80]) * 160


def heard_through(door: Door, count: int, *, first: int = 0) -> tuple[list[int], Stream | None, Injected]:
    """Send so many packets, 20 ms apart: the numbers heard in their order, counted from 0, the phone's own figures, and
    what was injected."""
    period = Period(push="x", source=GATEWAY, port=32674, since_ns=0)
    heard: list[int] = []

    def hear(*packet: Any) -> None:  # noqa: ANN401 - passed on as it is
        heard.append((packet[6] - first) & 0xFFFF)
        period.hear(*packet)

    door.open(0, hear)
    for number in range(count):
        door.hear(number * 20 * MS, SOURCE, 5000, 172, 0x80, 0, (first + number) & 0xFFFF, number * 160, 7, FRAME)
    (injected,) = door.close().values()
    return heard, next(iter(period.streams.values()), None), injected


shares = st.floats(0, 0.33)


@given(shares, shares, shares, st.integers(0, 1000), st.integers(0, 0xFFFF), st.integers(1, 400))
def test_the_phone_counts_exactly_what_was_injected(
    loss: float, duplicate: float, reorder: float, seed: int, first: int, count: int
) -> None:
    door = Door(Impairment(loss=loss, duplicate=duplicate, reorder=reorder), seed=seed, phone="SEP1")
    heard, stream, injected = heard_through(door, count, first=first)
    times = Counter(heard)
    assert injected.packets == count
    assert len(times) == count - injected.lost
    assert injected.duplicated == sum(n - 1 for n in times.values())
    assert set(times.values()) <= {1, 2}
    # Heard behind a later one, by the phone's own definition: a packet below the highest before it, for the first time.
    late = {n for at, n in enumerate(heard) if at and n < max(heard[:at]) and n not in heard[:at]}
    assert injected.reordered == len(late)
    assert (stream is not None) == bool(heard)
    if stream is not None:
        assert stream.packets == count - injected.lost + injected.duplicated
        assert (stream.duplicates, stream.reordered) == (injected.duplicated, injected.reordered)
        assert stream.lost == max(heard) - min(heard) + 1 - len(times)
        assert (stream.first_sequence, stream.last_sequence) == (
            (first + min(heard)) & 0xFFFF,
            (first + max(heard)) & 0xFFFF,
        )


def test_the_same_seed_injects_the_same_and_the_numbers_go_on() -> None:
    impairment = Impairment(loss=0.1, duplicate=0.1, reorder=0.1)

    def two_periods(seed: int, phone: str) -> list[list[int]]:
        door = Door(impairment, seed=seed, phone=phone)
        return [heard_through(door, 200)[0] for _ in range(2)]

    once = two_periods(1, "SEP1")
    assert once == two_periods(1, "SEP1")
    assert once[0] != once[1]
    assert once != two_periods(2, "SEP1")
    assert once != two_periods(1, "SEP2")


def test_shares_are_those_asked_for() -> None:
    door = Door(Impairment(loss=0.01, duplicate=0.05, reorder=0.2), seed=3, phone="SEP1")
    *_, injected = heard_through(door, 60_000)
    assert injected.lost == pytest.approx(600, abs=100)  # four standard deviations
    assert injected.duplicated == pytest.approx(3000, abs=220)
    # One is held at a time, so a fifth of the packets that come while none is held: 0.2 / 1.2 of all.
    assert injected.reordered == pytest.approx(60_000 * 0.2 / 1.2, rel=0.05)


def reference_jitter_ms(arrivals: list[tuple[int, int]]) -> float:
    """RFC 3550, 6.4.1 and A.8, of (arrival in ns, RTP timestamp)."""
    jitter = 0.0
    for (before_ns, before), (at_ns, timestamp) in pairwise(arrivals):
        difference = (at_ns - before_ns) / 1e9 * 8000 - (timestamp - before)
        jitter += (abs(difference) - jitter) / 16
    return jitter / 8


def test_jitter_is_what_the_rfc_makes_of_the_injected_delays() -> None:
    seen = []
    for seed in range(200):
        door = Door(Impairment(jitter_ms=20), seed=seed, phone="SEP1")
        _, stream, _ = heard_through(door, 300)
        assert stream is not None
        arrivals = [(number * 20 * MS + door.draw(number)[1], number * 160) for number in range(300)]
        assert stream.jitter_ms == pytest.approx(reference_jitter_ms(arrivals), rel=1e-6)
        seen.append(stream.jitter_ms)
    assert sum(seen) / len(seen) == pytest.approx(20 / 3, rel=0.05)


def test_delay_never_changes_the_order() -> None:
    door = Door(Impairment(jitter_ms=200), seed=1, phone="SEP1")
    heard, stream, injected = heard_through(door, 500)
    assert heard == list(range(500))
    assert stream is not None
    assert 190 * MS < injected.most_delay_ns <= 200 * MS
    assert stream.reordered == 0


def test_what_is_no_rtp_and_too_many_streams_pass() -> None:
    door = Door(Impairment(loss=1.0), seed=1, phone="SEP1")
    passed = []
    door.open(0, lambda *packet: passed.append(packet[8]))
    door.hear(0, SOURCE, 5000, 3, 0, 0, 0, 0, 0, b"")
    for ssrc in range(STREAMS + 5):
        door.hear(0, SOURCE, 5000, 172, 0x80, 0, 1, 0, ssrc, FRAME)
    assert passed == [0, *range(STREAMS, STREAMS + 5)]
    assert len(door.close()) == STREAMS
    door.hear(0, SOURCE, 5000, 172, 0x80, 0, 1, 0, 1, FRAME)  # nobody listens


@pytest.mark.parametrize(
    "words", [["loss"], ["loss=2"], ["loss=a"], ["delay=1"], ["loss=0.1", "loss=0.1"], ["loss=0"], []]
)
def test_what_is_no_impairment(words: list[str]) -> None:
    with pytest.raises(ImpairmentError):
        read_impairment(words)


def phones(count: int) -> list[Phone]:
    return [
        Phone(
            device_name=f"SEP001BD400000{number}", directory_number=f"200{number}", mac=f"001BD400000{number}",
            model=load().models["CP-7961G"], address=f"127.20.0.{number}", server=None,
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def test_shares_of_faults_are_of_different_phones() -> None:
    found = by_share(phones(8), ["hang=0.25"], ["loss=0.1,jitter_ms=5@0.5"], seed=1)
    assert list(found.misbehaving.values()) == ["hang"] * 2
    assert list(found.impaired.values()) == [Impairment(loss=0.1, jitter_ms=5)] * 4
    assert not set(found.misbehaving) & set(found.impaired)
    assert [name for _, name, _ in found] == ["hang"] * 2 + ["impairment"] * 4
    with pytest.raises(ConfigurationError) as error:
        by_share(phones(8), ["hang=0.25", "x=1"], ["loss=3@0.5", "loss=0.1@2"], seed=1)
    assert [problem.split(":")[0] for problem in error.value.problems] == [
        "--misbehaviour",
        "--impairment 'loss=3@0.5'",
        "--impairment 'loss=0.1@2'",
    ]
    with pytest.raises(ConfigurationError, match="more than 1 together"):
        by_share(phones(8), ["hang=0.6"], ["loss=0.1@0.6"], seed=1)


def test_a_file_of_faults_and_all_that_is_wrong_with_one(tmp_path: Path) -> None:
    path = tmp_path / "faults.csv"
    path.write_text(
        "device_name,fault,parameters\nSEP001BD4000001,hang,\nSEP001BD4000003,impairment,loss=0.1 reorder=0.2\n"
    )
    found = read(path, phones(3))
    assert found.misbehaving == {"127.20.0.1": "hang"}
    assert found.impaired == {"127.20.0.3": Impairment(loss=0.1, reorder=0.2)}
    path.write_text(
        "device_name,fault,parameters\nSEP001BD4000009,hang,\nSEP001BD4000001,hang,x=1\nSEP001BD4000002,flood,\n"
        "SEP001BD4000003,impairment,\nSEP001BD4000003,hang\nSEP001BD4000003,hang,\nSEP001BD4000003,refuses,\n"
    )
    with pytest.raises(ConfigurationError) as error:
        read(path, phones(3))
    assert [problem.split(":")[1] for problem in error.value.problems] == ["2", "3", "4", "5", "6", "8"]
    path.write_text("device_name\n")
    with pytest.raises(ConfigurationError, match="expected the columns"):
        read(path, phones(3))


def free_port() -> int:
    """An even port where phones may be told to hear."""
    for port in range(29000, 31000, 2):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise AssertionError


async def push(port: int, address: str, url: str) -> None:
    body = f'XML=<CiscoIPPhoneExecute><ExecuteItem URL="{url}"/></CiscoIPPhoneExecute>'
    async with await trio.open_tcp_stream(address, port) as stream:
        head = f"POST /CGI/Execute HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        await stream.send_all((head + body).encode())
        while await stream.receive_some():
            pass


async def test_on_real_sockets_the_counts_are_equal_and_the_jitter_is_the_reference(tmp_path: Path) -> None:
    impairment = Impairment(loss=0.05, duplicate=0.05, reorder=0.05, jitter_ms=20)
    late = Impairment(jitter_ms=20)
    rtp_port = free_port()
    faults = Faults(impaired={"127.20.0.1": impairment, "127.20.0.2": late})
    fleet = Fleet(phones(3), Settings(port=0, rtp_port=rtp_port, faults=faults, seed=5))
    records = Records(tmp_path / "events.jsonl", witness="phones", clock=time.monotonic_ns)
    sent_ns: list[tuple[int, int]] = []
    count = 400
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(fleet.run, records)
        port = int(urls["phones"].rpartition(":")[2])
        for number in (1, 2, 3):
            await push(port, f"127.20.0.{number}", f"RTPRx:{GATEWAY}:{rtp_port}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((GATEWAY, 0))
            for index in range(count):
                for number in (1, 2, 3):
                    # The timestamp is the time of sending, so that a busy machine adds no jitter of its own.
                    now = time.monotonic_ns()
                    stamp = now * 8 // MS
                    if number == 2:
                        sent_ns.append((now, stamp))
                    header = struct.pack("!BBHII", 0x80, 0, (65300 + index) & 0xFFFF, stamp & 0xFFFFFFFF, number)
                    sender.sendto(header + FRAME, (f"127.20.0.{number}", rtp_port))
                await trio.sleep(0.001)
        for number in (1, 2, 3):
            await push(port, f"127.20.0.{number}", "RTPRx:Stop")
        nursery.cancel_scope.cancel()
    records.close()
    diary = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    door = {record["phone"]: record for record in diary if record["kind"] == "stream.impaired"}
    heard = {record["phone"]: record for record in diary if record["kind"] == "stream.heard"}
    said = {r["phone"]: r["parameters"] for r in diary if r["kind"] == "phone.misbehaves"}
    first, second, third = (f"SEP001BD400000{number}" for number in (1, 2, 3))
    assert said == {first: "loss=0.05,duplicate=0.05,reorder=0.05,jitter_ms=20", second: "jitter_ms=20"}
    assert set(door) == {first, second}
    assert door[first]["packets"] == count
    assert min(door[first][name] for name in ("lost", "duplicated", "reordered")) > 0
    assert heard[first]["packets"] == count - door[first]["lost"] + door[first]["duplicated"]
    assert heard[first]["duplicates"] == door[first]["duplicated"]
    assert heard[first]["reordered"] == door[first]["reordered"]
    ends = (heard[first]["first_sequence"] - 65300) % 65536
    ends += (65300 + count - 1 - heard[first]["last_sequence"]) % 65536
    assert heard[first]["lost"] == door[first]["lost"] - ends
    # Jitter, against the sending times with the delays laid on them.
    own, arrivals, before = Door(late, seed=5, phone=second), [], 0
    for index, (at_ns, stamp) in enumerate(sent_ns):
        before = max(before, at_ns + own.draw(index)[1])
        arrivals.append((before, stamp))
    assert heard[second]["jitter_ms"] == pytest.approx(reference_jitter_ms(arrivals), rel=0.1)
    assert door[second]["delay_mean_ms"] > 9
    assert (heard[third]["packets"], heard[third]["lost"]) == (count, 0)
