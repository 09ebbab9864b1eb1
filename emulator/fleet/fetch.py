"""A phone fetches an http URL and shows what it finds: from its own address, within one deadline and one size."""

from __future__ import annotations

import socket
from typing import Final

import trio

from emulator.fleet.question import connect, exchange
from emulator.phone.authentication import AnswerReader, question_again, read_url
from emulator.phone.phone import Phone
from emulator.phone.screen import HTTP_REFUSED, HTTP_UNREACHABLE, XML_ERROR, Screen, read_object

FETCH_S: Final = 10.0
"""For all of it (assumed)."""


async def fetch(phone: Phone, url: str) -> Screen:
    """The object at the URL, or the phone's own message why there is none.

    `#DEVICENAME#` in it becomes the phone's name (PTT relies on it). Only http and IPv4 addresses, as with
    authentication URLs. Nothing is appended to the URL of an Execute's item (chan-sccp issue 377), and its answer's
    Content-Type is not looked at (ours; XSI-6 wants text/xml).
    """
    server = read_url(url.replace("#DEVICENAME#", phone.device_name))
    if server is None or server.secured:
        return HTTP_UNREACHABLE
    reader = AnswerReader()
    with trio.move_on_after(FETCH_S):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
                connect(sock, phone.address, server)
                await exchange(sock, question_again(phone.model, server), reader)
        except OSError:
            return HTTP_UNREACHABLE if reader.status is None else HTTP_REFUSED
        if reader.garbled or reader.status != 200:
            return HTTP_REFUSED
        return read_object(reader.body.strip()) or XML_ERROR
    return HTTP_UNREACHABLE
