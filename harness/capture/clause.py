"""What a tap lets through: a clause, and its classic BPF program.

Two forms exist. `rtp`: IPv4 UDP to one port, whole. `syn`: IPv4 TCP to one port (and address) with SYN set and ACK
clear, **cut by the program itself behind the TCP header**, so that no payload ever leaves the kernel: a SYN may carry
data (TCP Fast Open, RFC 7413), and that could be a password.

Programs come from libpcap through scapy where libpcap is installed; elsewhere from two small programs here, which a
test compares with libpcap's. Of fragments only the first can match: later ones have no ports.

Source: classic BPF as in Linux Documentation/networking/filter.rst; instruction classes in linux/bpf_common.h.
"""

from __future__ import annotations

import ctypes
import ipaddress
from dataclasses import dataclass
from typing import Literal

Instruction = tuple[int, int, int, int]
"""code, jump if true, jump if false, k."""

_WORD = 0xFFFFFFFF
"""scapy reads k, which is unsigned, as signed: addresses from 128.0.0.0 on would be negative."""
SNAP_BYTES = 65_535
"""More than any frame of the lab, so RTP is kept whole."""

_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_LOAD_HALF_AT_X, _LOAD_BYTE_AT_X = 0x48, 0x50
_LOAD_X_HEADER = 0xB1  # X = 4 * (frame[k] & 15): length of the IPv4 header
_JUMP, _JUMP_EQUAL, _JUMP_SET = 0x05, 0x15, 0x45
_AND, _SHIFT_RIGHT, _ADD, _ADD_X = 0x54, 0x74, 0x04, 0x0C
_RETURN, _RETURN_A = 0x06, 0x16
_CUT: tuple[Instruction, ...] = (
    (_LOAD_X_HEADER, 0, 0, 14),
    (_LOAD_BYTE_AT_X, 0, 0, 14 + 12),
    (_AND, 0, 0, 0xF0),
    (_SHIFT_RIGHT, 0, 0, 2),
    (_ADD_X, 0, 0, 0),
    (_ADD, 0, 0, 14),
    (_RETURN_A, 0, 0, 0),
)
"""Accept, but only Ethernet + IPv4 + TCP header."""
REJECT: tuple[Instruction, ...] = ((_RETURN, 0, 0, 0),)
"""Lets nothing through."""

_LIBPCAP_NAMES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """One question to the wire, and where it is asked.

    Attributes:
        name: as in docs/design/parts.md, for example `authentication-gateway`.
        kind: `rtp` or `syn`.
        interface: network interface to stand on.
        port: UDP destination port (rtp) or TCP destination port (syn).
        address: destination IPv4 address; None for any.
        namespace: network namespace of the interface: a path such as /proc/123/ns/net, or the number of an inherited
            file descriptor; None for the process's own.
        incoming_only: packets that leave by this interface are not seen. On `lo` each packet is both.
        block_bytes: size of a ring block, a power of two and at least 4096.
        blocks: how many of them.
    """

    name: str
    kind: Literal["rtp", "syn"]
    interface: str
    port: int
    address: str | None = None
    namespace: str | int | None = None
    incoming_only: bool = True
    block_bytes: int = 1 << 20
    blocks: int = 32

    @property
    def filter_text(self) -> str:
        """The filter in the language of libpcap."""
        host = f"ip dst host {self.address}" if self.address else "ip"
        if self.kind == "rtp":
            return f"{host} and udp dst port {self.port}"
        return f"{host} and tcp dst port {self.port} and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn"


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A filter to attach.

    Attributes:
        instructions: classic BPF.
        origin: `libpcap` or `built-in`.
    """

    instructions: tuple[Instruction, ...]
    origin: Literal["libpcap", "built-in"]


def program(clause: Clause) -> Program:
    """The clause's filter: libpcap's where it is installed, else the built-in one."""
    if _has_libpcap():
        return Program(instructions=compiled(clause), origin="libpcap")
    return Program(instructions=built_in(clause), origin="built-in")


def compiled(clause: Clause) -> tuple[Instruction, ...]:
    """The clause's filter as libpcap compiles it, cut behind the TCP header if it is `syn`.

    Raises:
        OSError: libpcap is not installed.
    """
    if not _has_libpcap():
        raise OSError("libpcap is not installed (Debian: apt-get install libpcap0.8)")
    # Imported late: a machine without libpcap never pays for it.
    from scapy.arch.common import compile_filter  # noqa: PLC0415

    found = compile_filter(clause.filter_text, linktype=1)
    listed: list[Instruction] = [
        (int(i.code), int(i.jt), int(i.jf), int(i.k) & _WORD) for i in (found.bf_insns[n] for n in range(found.bf_len))
    ]
    if clause.kind == "rtp":
        return tuple(listed)
    end = len(listed)
    for place, (code, _, _, k) in enumerate(listed):
        if code == _RETURN and k:
            listed[place] = (_JUMP, 0, 0, end - place - 1)
    return (*listed, *_CUT)


def built_in(clause: Clause) -> tuple[Instruction, ...]:
    """The clause's filter without libpcap."""
    # Each test is (load, jump, value, what the answer must be); a wrong answer goes to the reject at the end.
    tests: list[tuple[Instruction, int, int, bool]] = [
        ((_LOAD_HALF, 0, 0, 12), _JUMP_EQUAL, 0x0800, True),
        ((_LOAD_BYTE, 0, 0, 23), _JUMP_EQUAL, 17 if clause.kind == "rtp" else 6, True),
        ((_LOAD_HALF, 0, 0, 20), _JUMP_SET, 0x1FFF, False),
    ]
    if clause.address:
        tests.append(((_LOAD_WORD, 0, 0, 30), _JUMP_EQUAL, int(ipaddress.IPv4Address(clause.address)), True))
    lines: list[Instruction] = []
    wrong: list[int] = []

    def ask(load: Instruction, jump: int, value: int, *, right: bool) -> None:
        lines.append(load)
        wrong.append(len(lines))
        lines.append((jump, int(not right), int(right), value))

    for load, jump, value, right in tests:
        ask(load, jump, value, right=right)
    lines.append((_LOAD_X_HEADER, 0, 0, 14))
    ask((_LOAD_HALF_AT_X, 0, 0, 16), _JUMP_EQUAL, clause.port, right=True)
    if clause.kind == "syn":
        lines.append((_LOAD_BYTE_AT_X, 0, 0, 14 + 13))
        ask((_AND, 0, 0, 0x12), _JUMP_EQUAL, 0x02, right=True)
        lines += _CUT
    else:
        lines.append((_RETURN, 0, 0, SNAP_BYTES))
    for place in wrong:
        code, if_true, if_false, value = lines[place]
        away = len(lines) - place - 1
        lines[place] = (code, if_true * away, if_false * away, value)
    return (*lines, *REJECT)


def _has_libpcap() -> bool:
    # scapy looks with ctypes.util.find_library, which runs other programs; loading by name is the same and quick.
    for name in _LIBPCAP_NAMES:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False
