from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.capture import clause as clauses
from harness.capture.clause import Clause, Instruction

if TYPE_CHECKING:
    from tests.harness.capture.conftest import Builder

RTP = Clause(name="rtp", kind="rtp", interface="lo", port=32674)
RTP_TO = Clause(name="rtp", kind="rtp", interface="lo", port=32674, address="10.20.0.1")
SYN = Clause(name="syn", kind="syn", interface="lo", port=80)
SYN_TO = Clause(name="syn", kind="syn", interface="lo", port=80, address="10.20.128.10")
SYN_HIGH = Clause(name="syn", kind="syn", interface="lo", port=80, address="192.168.128.10")
"""Its highest bit is set: scapy gives such a number as a negative one."""
ALL = [RTP, RTP_TO, SYN, SYN_TO, SYN_HIGH]


def run(program: tuple[Instruction, ...], frame: bytes) -> int:
    """A small interpreter of classic BPF: how many bytes the kernel would keep of the frame.

    As in the kernel, a load beyond the frame rejects it.
    """
    a = x = place = 0
    while True:
        code, if_true, if_false, k = program[place]
        place += 1
        try:
            if code in {0x20, 0x28, 0x30, 0x40, 0x48, 0x50}:
                at = k + (x if code >= 0x40 else 0)
                a = int(struct.unpack_from({0x20: ">I", 0x28: ">H", 0x30: ">B"}[code & ~0x40 | 0x20], frame, at)[0])
            elif code == 0xB1:
                x = (frame[k] & 15) * 4
            elif code in {0x15, 0x45}:
                place += if_true if (a == k if code == 0x15 else a & k) else if_false
            elif code == 0x05:
                place += k
            elif code in {0x54, 0x74, 0x04, 0x0C}:
                a = {0x54: a & k, 0x74: a >> (k & 31), 0x04: a + k, 0x0C: a + x}[code] & 0xFFFFFFFF
            else:
                assert code in {0x06, 0x16}, hex(code)
                return min(k if code == 0x06 else a, len(frame))
        except (struct.error, IndexError):
            return 0


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Frames that nearly match: each field is right or not."""

    def either(right: int, bits: int) -> int:
        return draw(st.sampled_from([right] * 6 + [draw(st.integers(0, (1 << bits) - 1))]))

    words = draw(st.sampled_from([5, 5, 6, 15]))
    frame = bytes(12) + struct.pack(">H", either(0x0800, 16))
    frame += struct.pack(">BBHHHBB", 0x40 | words, 0, 60, 1, draw(st.sampled_from([0, 0x4000, 0x2000, 1])), 64,
                         draw(st.sampled_from([17, 6, 1])))  # fmt: skip
    frame += struct.pack(">H4sI", 0, bytes(4), draw(st.sampled_from([0x0A140001, 0x0A14800A, 0xC0A8800A, 1])))
    frame += bytes((words - 5) * 4)
    frame += struct.pack(">HHIIBBH", 5, draw(st.sampled_from([32674, 80, 81])), 0, 0, draw(st.integers(0, 255)),
                         draw(st.sampled_from([2, 0x12, 0x10, 0xC2, draw(st.integers(0, 255))])), 0)  # fmt: skip
    frame += bytes(draw(st.integers(0, 60)))
    return frame[: draw(st.sampled_from([len(frame), draw(st.integers(0, len(frame)))]))]


def wanted(clause: Clause, frame: bytes) -> int:
    """The clause in plain words."""
    if len(frame) < 34 or frame[12:14] != b"\x08\x00" or int.from_bytes(frame[20:22]) & 0x1FFF:
        return 0
    if frame[23] != (17 if clause.kind == "rtp" else 6):
        return 0
    if clause.address and ".".join(map(str, frame[30:34])) != clause.address:
        return 0
    transport = 14 + (frame[14] & 15) * 4
    if int.from_bytes(frame[transport + 2 : transport + 4]) != clause.port or len(frame) < transport + 4:
        return 0
    if clause.kind == "rtp":
        return len(frame)
    if len(frame) < transport + 14 or frame[transport + 13] & 0x12 != 2:
        return 0
    return min(transport + (frame[transport + 12] >> 4) * 4, len(frame))


@given(st.sampled_from(ALL), frames())
def test_the_built_in_program_does_what_the_clause_says(clause: Clause, frame: bytes):
    assert run(clauses.built_in(clause), frame) == wanted(clause, frame)


@given(st.sampled_from(ALL), frames())
@example(SYN, bytes(34))
def test_libpcap_and_the_built_in_program_agree(clause: Clause, frame: bytes):
    try:
        compiled = clauses.compiled(clause)
    except OSError as error:
        pytest.skip(str(error))
    # Flags in IPv6 headers and the like are not asked: both say IPv4.
    assert run(compiled, frame) == run(clauses.built_in(clause), frame)


def test_real_frames(build: Builder):
    assert [run(clauses.built_in(clause), build.rtp()) for clause in ALL] == [214, 214, 0, 0, 0]
    assert [run(clauses.built_in(clause), build.tcp(extra=b"password")) for clause in ALL] == [0, 0, 58, 58, 0]
    assert [run(clauses.built_in(clause), build.tcp(flags=0x12)) for clause in ALL] == [0] * 5
    assert run(clauses.built_in(SYN_TO), build.tcp(destination="10.20.128.20")) == 0


def test_without_libpcap_the_built_in_program_is_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clauses, "_LIBPCAP_NAMES", ("libnothing.so.9",))
    chosen = clauses.program(SYN)
    assert (chosen.origin, chosen.instructions) == ("built-in", clauses.built_in(SYN))
    with pytest.raises(OSError, match=r"apt-get install libpcap0\.8"):
        clauses.compiled(SYN)


@pytest.mark.parametrize("clause", ALL, ids=lambda clause: f"{clause.kind}-{clause.address}")
def test_programs_are_what_the_kernel_takes(clause: Clause) -> None:
    program = clauses.program(clause).instructions
    assert len(b"".join(struct.pack("HBBI", *line) for line in program)) == 8 * len(program)
