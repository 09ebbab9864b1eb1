"""Phones that misbehave: by name, the same ones for the same seed.

Some misbehave in how they answer a push (`play_out` writes the answer's bytes in that way), some in what they do with
it (the fleet looks at the name). Names and meanings are ours.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

import trio

from emulator.engine import Wire

ANSWERING: Final[Mapping[str, str]] = {
    "hang": "executes, and never answers",
    "slow-drip": "a byte of the answer every 100 ms",
    "reset-before": "resets the connection instead of answering",
    "reset-within": "resets it in the middle of the headers",
    "reset-after": "resets it after the headers",
    "garbage": "answers bytes that are no HTTP",
    "truncated": "closes in the middle of the body",
    "giant-body": "announces 1 GiB and sends 16 MiB of it",
    "wrong-length": "the body is longer than announced",
    "two-answers": "answers twice",
}
DOING: Final[Mapping[str, str]] = {
    "wrong-credentials-cached": "refuses from memory, whatever the credentials: asks nobody",
    "without-asking": "executes without asking whether the push is genuine",
    "answers-first": "says that it executed, then asks, then executes",
    "asks-twice": "asks twice, and heeds the second answer",
    "asks-late": "asks 3 s after the push came",
    "reboots": "starts again after it has asked, before it executes",
    "refuses": "resets every connection as soon as it stands",
    "silent": "does not answer connections at all",
}
NAMES: Final = {**ANSWERING, **DOING}
LATE_S: Final = 3.0
_DRIP_S: Final = 0.1
_PIECE: Final = bytes(65536)
_PIECES: Final = 256
_GIANT: Final = 1 << 30
_SURPLUS: Final = 7


class MisbehaviourError(ValueError):
    """A name that is not known, or shares that are none."""


def read_shares(texts: Sequence[str]) -> dict[str, float]:
    """`NAME=SHARE`, each share of all phones, together at most 1.

    Raises:
        MisbehaviourError: with all that is wrong.
    """
    shares: dict[str, float] = {}
    problems = []
    for text in texts:
        name, _, share = text.partition("=")
        try:
            value = float(share or "1")
        except ValueError:
            value = -1.0
        if name not in NAMES:
            problems.append(f"{name!r}: expected one of {', '.join(NAMES)}")
        elif name in shares or not 0 <= value <= 1:
            problems.append(f"{text!r}: given twice, or its share is not from 0 to 1")
        shares[name] = value
    if not problems and sum(shares.values()) > 1 + 1e-9:
        problems.append("the shares are more than 1 together")
    if problems:
        raise MisbehaviourError("\n".join(problems))
    return shares


def choose(addresses: Sequence[str], shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Which phones misbehave how: exactly the share of each, rounded; which ones the seed decides."""
    order = random.Random(seed).sample(range(len(addresses)), len(addresses))
    chosen: dict[str, str] = {}
    for name, share in shares.items():
        for _ in range(min(len(order), round(share * len(addresses)))):
            chosen[addresses[order.pop()]] = name
    return chosen


async def play_out(name: str, wire: Wire, *, data: bytes, seed: str) -> None:
    """Write an answer as that misbehaviour does.

    Raises:
        ConnectionResetError: the connection is to be closed, and its close sends RST.
    """
    head = data.index(b"\r\n\r\n") + 4
    match name:
        case "hang":
            await trio.sleep_forever()
        case "slow-drip":
            for index in range(len(data)):
                await wire.send(data[index : index + 1])
                await trio.sleep(_DRIP_S)
        case "reset-before":
            _reset(wire)
        case "reset-within":
            await wire.send(data[: head // 2])
            _reset(wire)
        case "reset-after":
            await wire.send(data[:head])
            _reset(wire)
        case "garbage":
            # Never by chance the beginning of an answer.
            await wire.send(b"\x00" + random.Random(seed).randbytes(511))
        case "truncated":
            # A refusal of the old phones has no body: it ends in the middle of the headers.
            await wire.send(data[: head + (len(data) - head) // 2] if len(data) > head else data[: head // 2])
        case "giant-body":
            await wire.send(_with_length(data[:head], _GIANT))
            for _ in range(_PIECES):
                await wire.send(_PIECE)
        case "wrong-length":
            body = data[head:] or bytes(_SURPLUS)
            await wire.send(_with_length(data[:head], len(body) - _SURPLUS) + body)
        case "two-answers":
            await wire.send(data + data)
        case _:
            raise AssertionError(name)


def _with_length(head: bytes, length: int) -> bytes:
    lines = [line for line in head.split(b"\r\n")[:-2] if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b""])


def _reset(wire: Wire) -> None:
    wire.reset()
    raise ConnectionResetError
