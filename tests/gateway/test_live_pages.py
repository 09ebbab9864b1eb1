"""Live audio, from its source to what phones record: gateway, phones, command and source as processes of their own."""

from __future__ import annotations

import json
import math
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gateway.media import mulaw

if TYPE_CHECKING:
    from tests.gateway.conftest import Bed

pytestmark = pytest.mark.real

RATE = 8000
PHONES = 3
LIMIT_S = 40


def sound(seconds: float, begin_hz: float = 300) -> np.ndarray:
    """A tone that rises: no two frames are alike."""
    at = np.arange(round(seconds * RATE)) / RATE
    return (12_000 * np.sin(2 * math.pi * (begin_hz * at + 200 * at * at))).astype(np.int16)


def decoded(payload: bytes) -> np.ndarray:
    """Values of mu-law characters, from G.711's formula."""
    bits = ~np.frombuffer(payload, np.uint8).astype(np.int32) & 0xFF
    magnitude = ((((bits & 0x0F) << 3) + 132) << ((bits >> 4) & 7)) - 132
    return np.where(bits & 0x80, -magnitude, magnitude)


def heard(bed: Bed) -> list[np.ndarray]:
    """What each phone recorded."""
    found = []
    for path in sorted((bed.folder / "heard").glob("*.wav")):
        with wave.open(str(path)) as file:
            found.append(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int32))
    return found


def places(payload: bytes, within: np.ndarray) -> list[int]:
    """Where its frames are, sample for sample and in their order; what is in none of them must be silence.

    A pacer that is held up leaves frames out, and a machine of tests holds it up: one in twenty may be missing.
    """
    found, begin = [], 0
    for at in range(0, len(payload), 160):
        frame = decoded(payload[at : at + 160])
        if not frame.any():
            continue
        spots = range(begin, len(within) - 159, 160)
        spot = next((each for each in spots if np.array_equal(within[each : each + 160], frame)), None)
        if spot is not None:
            found.append(spot)
            begin = spot + 160
    assert len(found) >= 0.95 * len(payload) / 160
    others = np.ones(len(within), bool)
    for spot in found:
        others[spot : spot + 160] = False
    assert not within[found[0] : found[-1]][others[found[0] : found[-1]]].any()
    return found


def live(bed: Bed, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        bed.command("page", "--live", *words, "--json"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_from_standard_input_faster_than_it_is_heard(bed: Bed) -> None:
    """Seven seconds at once: five of them are kept, the rest waits at its source; phones hear all of it, exactly."""
    bed.imported()
    samples = sound(7)
    began = time.monotonic()
    out, errors = live(bed, "-", "--zones", "East wing", "--tone", "chime").communicate(
        samples.astype("<i2").tobytes(), timeout=LIMIT_S
    )
    assert errors == b""
    page = json.loads(out)
    assert (page["reason"], page["outcomes"]) == ("completed", {"executed": PHONES})
    assert 7 < time.monotonic() - began < 20
    recordings = heard(bed)
    assert len(recordings) == PHONES
    for each in recordings:
        found = places(mulaw.encode(samples), each)
        assert found[0] >= 1.2 * RATE  # behind the tone
        assert found[-1] - found[0] <= 7.2 * RATE  # without a gap
        assert len(each) - found[-1] < 0.2 * RATE  # and then it is over


def test_a_source_that_stalls_is_silence_and_goes_on(bed: Bed) -> None:
    bed.imported()
    process = live(bed, "-", "--encoding", "mulaw")
    assert process.stdin is not None
    first, second = mulaw.encode(sound(1)), mulaw.encode(sound(1, begin_hz=500))
    for payload, rest_s in ((first, 3), (second, 0)):
        for at in range(0, len(payload), 160):  # as a microphone gives it
            process.stdin.write(payload[at : at + 160])
            process.stdin.flush()
            time.sleep(0.02)
        time.sleep(rest_s)
    out, errors = process.communicate(timeout=LIMIT_S)
    assert (errors, json.loads(out)["reason"]) == (b"", "completed")
    for each in heard(bed):
        found = places(first + second, each)
        gaps = np.diff(found)
        assert gaps.max() >= RATE  # less than it stalled: what was kept is heard first
        assert np.count_nonzero(gaps > 0.3 * RATE) == 1


@pytest.mark.slow
def test_a_giver_that_is_killed_ends_its_page(bed: Bed) -> None:
    bed.imported()
    process = live(bed, "-")
    assert process.stdin is not None
    process.stdin.write(sound(1).astype("<i2").tobytes())
    process.stdin.flush()
    while not any(each["state"] == "playing" for each in bed.json("history")["pages"] or ()):
        if bed.json("history")["pages"]:
            break
        time.sleep(0.1)
    process.kill()
    process.communicate()
    until = time.monotonic() + LIMIT_S
    while (page := bed.json("history")["pages"][0])["state"] != "ended":
        assert time.monotonic() < until
        time.sleep(0.5)
    assert (page["reason"], page["outcomes"]) == ("completed", {"executed": PHONES})
    assert "live audio stopped coming" in page["note"]
    assert len(heard(bed)) == PHONES  # a phone writes its recording when it is stopped


def test_stopped_while_the_source_goes_on(bed: Bed) -> None:
    bed.imported()
    process = live(bed, "-")
    assert process.stdin is not None
    process.stdin.write(sound(0.5).astype("<i2").tobytes())
    process.stdin.flush()
    while not bed.json("history")["pages"]:
        time.sleep(0.1)
    assert bed.run("stop", "all")[0] == 0
    assert process.wait(LIMIT_S) == 1  # it notices without more input
    out, errors = process.communicate()
    assert (errors, json.loads(out)["reason"]) == (b"", "interrupted")


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.20.128.35", port))
        except OSError:
            return False
        return True


def test_from_rtp_with_a_packet_lost_and_one_doubled(bed: Bed) -> None:
    bed.imported()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.20.128.35", 0))
        port = probe.getsockname()[1]
    payload = mulaw.encode(sound(2))
    process = live(bed, f"rtp://127.20.128.35:{port}")
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while is_free(port):
                time.sleep(0.05)
            for number in range(100):
                packet = struct.pack("!BBHII", 0x80, 0, number, 2**32 - 4000 + 160 * number & 0xFFFFFFFF, 7)
                for _ in range({50: 0, 60: 2}.get(number, 1)):
                    sender.sendto(packet + payload[160 * number : 160 * number + 160], ("127.20.128.35", port))
                sender.sendto(b"no RTP", ("127.20.128.35", port))
                time.sleep(0.02)

    sending = threading.Thread(target=send)
    sending.start()
    out, errors = process.communicate(timeout=LIMIT_S)
    sending.join()
    assert (errors, json.loads(out)["reason"]) == (b"", "completed")
    for each in heard(bed):
        found = places(payload[: 50 * 160] + payload[51 * 160 :], each)
        assert len(set(found)) == len(found)


def test_wrong_sources(bed: Bed) -> None:
    bed.imported()
    audio = str(bed.folder / "a.wav")
    for words, code, told in (
        (("--live", "udp://x"), 4, "expected - (standard input) or rtp://ADDRESS:PORT"),
        (("--live", "rtp://192.0.2.1:5004"), 4, "cannot listen there"),
        (("--live", "-", audio), 2, "give one of AUDIO"),
        (("--live", "-"), 4, "the source gave nothing"),
        (("--live", "rtp://127.0.0.1:0", "--encoding", "mulaw"), 2, "--encoding is for"),
    ):
        status, out = bed.run("page", *words)
        assert (status, told in out) == (code, True), out
    for words, given, told in (
        ((), (bed.folder / "a.wav").read_bytes(), "this is a WAV file"),
        (("--repeat", "3"), bytes(3200), "live audio cannot be repeated"),
    ):
        process = live(bed, "-", *words)
        out, errors = process.communicate(given, timeout=LIMIT_S)
        assert (process.returncode, out, told in errors.decode()) == (4, b"", True)
    assert bed.json("history")["pages"] == []


def test_what_the_interface_says_to_givers(bed: Bed) -> None:
    bed.imported()
    context = ssl.create_default_context(cafile=bed.folder / "store" / "administration.crt")

    def post(path: str, data: bytes) -> tuple[int, dict[str, object]]:
        asked = urllib.request.Request(f"{bed.url}{path}", data, {"Authorization": "Bearer t0ken"})  # noqa: S310  ours
        try:
            with urllib.request.urlopen(asked, timeout=LIMIT_S, context=context) as answer:  # noqa: S310  as above
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    assert post("/api/pages/1/audio", b"")[0] == 404
    status, answer = post("/api/pages", json.dumps({"live": True, "audio": "/a.wav"}).encode())
    assert (status, answer["errors"]) == (400, ["live and audio exclude each other"])
    assert post("/api/pages", json.dumps({"audio": str(bed.folder / "a.wav")}).encode()) == (202, {"page": "1"})
    status, answer = post("/api/pages/1/audio", bytes(160))
    assert (status, "takes no live audio" in str(answer["error"])) == (409, True)
    assert post("/api/pages", json.dumps({"live": True, "busy": "queue"}).encode()) == (202, {"page": "2"})
    assert post("/api/pages/2/audio", bytes(80_001))[0] == 413
    assert post("/api/pages/2/audio?end=2", b"")[0] == 400
    status, answer = post("/api/pages/2/audio", bytes(16_000))
    assert (status, answer["taken"]) in ((200, 16_000), (200, 0))  # 0: not begun yet
    assert post("/api/pages/2/audio?end=1", b"")[0] == 200
    assert post("/api/pages/2/audio", bytes(160))[0] == 409
