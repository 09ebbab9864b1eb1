"""A phone tells an application that a stream of its `startMedia` ended: a POST from its address (XSI-4, XSI-5)."""

from __future__ import annotations

import socket
from typing import Final

import trio

from emulator.fleet.question import connect, exchange
from emulator.phone.authentication import AnswerReader, Server, post
from emulator.phone.media import Medium, notification
from emulator.phone.phone import Phone

ATTEMPTS: Final = 4
"""Once and three times again (XSI-5, Notify)."""
_PAUSE_S: Final = 1.0
"""Between attempts (assumed)."""
_ATTEMPT_S: Final = 5.0
"""For each (assumed)."""


async def notify(phone: Phone, medium: Medium, reason: str) -> bool:
    """Whether somebody answered with a status below 400.

    `reason` is why the stream ended. Stopped by an application it is told as such (the name is assumed); a call, which
    the user began, is the user's doing (OL20949 p.4-5 knows "user").
    """
    handler = medium.on_stopped
    assert handler is not None
    server = Server(handler.address, handler.port, handler.target)
    data = post(phone.model, server, notification(medium, "application" if reason == "push" else "user"))
    for attempt in range(ATTEMPTS):
        if attempt:
            await trio.sleep(_PAUSE_S)
        reader = AnswerReader()
        with trio.move_on_after(_ATTEMPT_S):
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                    connect(sock, phone.address, server)
                    await exchange(sock, data, reader)
            except OSError:
                continue
            if reader.status is not None and reader.status < 400:
                return True
    return False
