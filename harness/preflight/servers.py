"""Asking the servers that URLs name: whether the name is known, somebody answers, and with such a page."""

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import trio

from harness.preflight.addresses import is_address
from harness.preflight.asking import ask, get
from harness.preflight.pace import Pace
from harness.preflight.phone_checks import Server
from harness.probe.target import Target, TargetError

NAME_S: Final = 5.0
"""A resolver's own patience with one server."""
FOREIGN_SERVERS: Final = 16
"""URLs found on phones that are asked. A site has two or three; more would be a scan that somebody else's phone "
"asked for."""
NOT_OUTSIDE: Final = "its URL leads to this machine, a link-local address or a group: such are not asked"
_ANSWER_S: Final = 10.0
"""How long a phone waits (assumed, as `[fleet] authentication_timeout_s`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a URL's host is."""

    address: str = ""
    unknown: bool = False
    """There is no such name. Not: nobody could be asked."""
    why: str = ""


async def look_up(host: str, port: int) -> Place:
    """The address of a host, by this machine's name servers."""
    try:
        with trio.fail_after(NAME_S):
            found = await trio.to_thread.run_sync(
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), abandon_on_cancel=True
            )
    except trio.TooSlowError:
        return Place(why=f"no name server answered within {NAME_S:g} s")
    except socket.gaierror as error:
        known = error.errno in {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
        return Place(unknown=known, why="there is no such name" if known else "no name server answers here")
    except (OSError, UnicodeError) as error:
        return Place(unknown=isinstance(error, UnicodeError), why="it cannot be a name")
    return Place(address=str(found[0][4][0]))


async def ask_server(url: str, pace: Pace, *, foreign: bool = False) -> Server:
    """Ask a URL for its page, without user, password and device; its own query is left away, it may hold a password.

    Args:
        url: http or https.
        pace: how fast.
        foreign: a phone told the URL, so that it may lead anywhere (`may_be_asked`).
    """
    try:
        target = Target.parse(url.partition("?")[0])
    except TargetError:
        return Server(state="no-such-page", why="it is no URL that can be asked")
    async with pace.turn():
        place = await look_up(target.host, target.port)
        if not place.address:
            if place.unknown:
                return Server(name="unknown", state="no-answer", why=place.why)
            return Server(name="not-asked", state="not-asked", why=place.why)
        if foreign and not _lies_outside(place.address):
            return Server(state="not-asked", why=NOT_OUTSIDE)
        tls = unchecked() if target.secured else None
        asked = await ask(
            place.address, target.port, get(target.authority, target.path), tls=tls, server_name=target.host,
            answer_s=_ANSWER_S,
        )  # fmt: skip
    if asked.answer is None:
        return Server(state="no-answer", why=asked.why)
    if asked.answer.status in {404, 410}:
        return Server(state="no-such-page", why=f"status {asked.answer.status}")
    if asked.answer.status >= 500:
        return Server(state="no-answer", why=f"status {asked.answer.status}")
    return Server(why=f"status {asked.answer.status}")


def may_be_asked(url: str) -> bool:
    """Whether a URL that a phone told may be asked: not this machine, nor what only has a meaning on one link."""
    try:
        host = Target.parse(url.partition("?")[0]).host
    except TargetError:
        return False
    return not is_address(host) or _lies_outside(host)


def _lies_outside(host: str) -> bool:
    address = ip_address(host.partition("%")[0])
    return not (address.is_link_local or address.is_multicast or address.is_unspecified or address.is_loopback)


def unchecked() -> ssl.SSLContext:
    """TLS with whoever answers: certificates are looked at by the check `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
