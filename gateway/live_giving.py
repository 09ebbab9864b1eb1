"""`pushlab gateway page --live`: reads live audio and gives it to the page piece by piece.

Sources: raw samples on standard input (`-`), 8,000 a second, mono, 16 bit little endian or G.711 mu-law; or mu-law by
RTP to a UDP port of this machine (`rtp://ADDRESS:PORT`, payload type 0, RFC 3551). What the page does not take yet
stays here, at most one piece, so that standard input is read no faster than it is heard and its writer waits.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np

from gateway.client import Client, RefusedError
from gateway.configuration import ConfigurationError
from gateway.media import mulaw

PIECE_BYTES: Final = 800
"""mu-law of one request: 100 ms. Smaller ones cost more requests, larger ones are heard later."""
AHEAD_MS: Final = 1500
"""So much may be kept at the gateway before the next piece is given: a page that is stopped loses no more."""
AGAIN_S: Final = 0.1
IDLE_S: Final = 1.0
"""Without audio for so long, the page is looked at: it may have been stopped."""
RTP_SILENCE_S: Final = 5.0
"""RTP does not say that it ends; after so long without a packet it has. The first one is waited for without end."""
MAX_DATAGRAM: Final = 2048
MOST_LOST_BYTES: Final = 8_000
"""A gap in RTP of up to a second is filled with silence; a larger one is a new beginning of the sender's."""
ENCODINGS: Final = ("s16", "mulaw")


class _Idle:
    """Nothing came."""


IDLE: Final = _Idle()
Pieces = Iterator[bytes | _Idle]


def pieces_of(source: str, encoding: str) -> Pieces:
    """Open a source; what it gives as mu-law, and `IDLE` where nothing comes for a while.

    Raises:
        ConfigurationError: it is none, or cannot be opened.
    """
    if source == "-":
        return _standard_input(encoding)
    address, _, port = source.removeprefix("rtp://").rpartition(":")
    if not source.startswith("rtp://") or not port.isdecimal():
        raise ConfigurationError([f"--live {source}: expected - (standard input) or rtp://ADDRESS:PORT"])
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        listener.bind((address, int(port)))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError([f"--live {source}: cannot listen there: {reason}"]) from None
    return _rtp(listener)


def _standard_input(encoding: str) -> Pieces:
    width = 2 if encoding == "s16" else 1
    held = b""
    first = True
    while True:
        if not select.select([0], [], [], IDLE_S)[0]:
            yield IDLE
            continue
        data = os.read(0, PIECE_BYTES * width)
        if first and data.startswith(b"RIFF"):
            raise ConfigurationError(["--live -: this is a WAV file: give raw samples, as by `arecord -t raw`"])
        first = False
        held += data
        whole = len(held) if not data else len(held) // (PIECE_BYTES * width) * PIECE_BYTES * width
        if whole:
            yield _as_mulaw(held[: whole // width * width], encoding)
            held = held[whole:]
        if not data:
            return


def _as_mulaw(samples: bytes, encoding: str) -> bytes:
    return samples if encoding == "mulaw" else mulaw.encode(np.frombuffer(samples, "<i2").astype(np.int16))


def _rtp(listener: socket.socket) -> Pieces:
    """The payload of RTP in the order of its timestamps; what comes too late for its place is left out."""
    expected: int | None = None
    heard = 0.0
    with listener:
        listener.settimeout(IDLE_S)
        while True:
            try:
                data = listener.recv(MAX_DATAGRAM)
            except TimeoutError:
                if expected is not None and time.monotonic() - heard >= RTP_SILENCE_S:
                    return
                yield IDLE
                continue
            payload = rtp_payload(data)
            if payload is None:
                continue
            heard = time.monotonic()
            timestamp = int.from_bytes(data[4:8])
            gap = 0 if expected is None else (timestamp - expected) % 2**32
            if gap >= 2**32 - MOST_LOST_BYTES:
                continue  # doubled, or overtaken by others
            lost = gap if gap <= MOST_LOST_BYTES else 0
            expected = (timestamp + len(payload)) % 2**32
            yield bytes([mulaw.SILENCE]) * lost + payload


def rtp_payload(data: bytes) -> bytes | None:
    """The G.711 mu-law of an RTP packet (RFC 3550, 5.1); None where it is none."""
    if len(data) < 12 or data[0] >> 6 != 2 or data[1] & 0x7F != 0:
        return None
    begin = 12 + 4 * (data[0] & 0x0F)
    if data[0] & 0x10:  # a header extension
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4])
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    return data[begin:end] if begin < end else None


def begun(pieces: Pieces) -> Pieces:
    """The same pieces, once the first is there: no phone is made to listen before its page can be heard.

    Raises:
        ConfigurationError: there is none, or the source is none.
    """
    for piece in pieces:
        if not isinstance(piece, _Idle):
            return chain([piece], pieces)
    raise ConfigurationError(["--live: the source gave nothing"])


def give(client: Client, number: str, pieces: Pieces) -> None:
    """Give all pieces to a page; returns at their end, or when the page takes no more.

    Raises:
        RefusedError: the gateway refuses who gives.
        OSError: no gateway answers.
        ConfigurationError: the source is none.
    """
    path = f"/api/pages/{number}/audio"
    held = b""
    try:
        for piece in pieces:
            if isinstance(piece, _Idle):
                if client.ask("GET", f"/api/pages/{number}")["state"] == "ended":
                    return
                continue
            held += piece
            while len(held) >= PIECE_BYTES:
                held = held[_give(client, path, held[:PIECE_BYTES]) :]
        while held:
            held = held[_give(client, path, held[:PIECE_BYTES]) :]
        client.send(f"{path}?end=1", b"")
    except RefusedError as error:
        if error.status != 409:  # the page is over: nothing is wrong
            raise


def _give(client: Client, path: str, piece: bytes) -> int:
    """Bytes that were taken; waits where that is less, or much is kept."""
    answer = client.send(path, piece)
    taken, kept_ms = int(str(answer["taken"])), int(str(answer["buffered_ms"]))
    if taken < len(piece):
        time.sleep(AGAIN_S)
    elif kept_ms > AHEAD_MS:
        time.sleep((kept_ms - AHEAD_MS) / 1000)
    return taken
