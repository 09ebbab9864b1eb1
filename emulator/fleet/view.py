"""What the pages of a phone show at this moment, gathered from its state and the clock of the host."""

from __future__ import annotations

import time
from typing import Final

from emulator.fleet.reception import address_text
from emulator.phone.pages import Hearing, Sending, View
from emulator.phone.phone import Phone
from emulator.phone.screen import Screen

_LISTED: Final = frozenset({"MenuItem", "DirectoryEntry", "InputItem"})


def view(phone: Phone, now_ns: int) -> View:
    """A phone's view.

    Args:
        phone: The phone.
        now_ns: CLOCK_MONOTONIC, the clock of its listening period.

    Times are UTC.
    """
    now = time.time()
    hearing = _hearing(phone, now, now_ns)
    return View(
        name=phone.device_name,
        mac=phone.mac,
        dn=phone.directory_number,
        address=phone.address,
        authentication_url=phone.server.url if phone.server is not None else "",
        services_url=phone.services_url,
        time=_clock(now),
        date=time.strftime("%m/%d/%y", time.gmtime(now)),
        log=(f"{phone.device_name}.cnf.xml",),
        hearing=hearing,
        sending=_sending(phone, now, now_ns),
        state=phone.state,
        shown=_shown(phone.screen, hearing),
    )


def _shown(screen: Screen | None, hearing: Hearing | None) -> tuple[str, ...]:
    """Lines: of an object its title, its text or its items, and its prompt; else who is heard."""
    if screen is None:
        return ("Your current options",) if hearing is None else (f"Receiving from {hearing.remote}",)
    names = (fields.get("Name", fields.get("DisplayName", "")) for kind, fields in screen.items if kind in _LISTED)
    lines = [screen.title, *screen.fields.get("Text", "").splitlines()]
    lines += [f"{number}. {name}" for number, name in enumerate(names, 1)]
    lines.append(screen.fields.get("Prompt", ""))
    return tuple(line for line in lines if line)


def _hearing(phone: Phone, now: float, now_ns: int) -> Hearing | None:
    """The stream of the source that the phone listens to, or the last one that came."""
    period = phone.period
    if period is None:
        return None
    streams = list(period.streams.values())
    own = [stream for stream in streams if not stream.foreign] or streams
    stream = own[-1] if own else None
    remote = f"{address_text(stream.source)}/{stream.source_port}" if stream else f"{period.source}/0"
    return Hearing(
        remote=remote,
        local=f"{phone.address}/{period.port}",
        start=_clock(now - (now_ns - period.since_ns) / 1e9),
        packets=stream.packets if stream else 0,
        lost=stream.lost if stream else 0,
        jitter_ms=stream.jitter_ms if stream else 0.0,
        most_jitter_ms=stream.most_jitter_ms if stream else 0.0,
    )


def _sending(phone: Phone, now: float, now_ns: int) -> Sending | None:
    transmission = phone.transmission
    if transmission is None:
        return None
    return Sending(
        remote=f"{transmission.destination}/{transmission.port}",
        local=f"{phone.address}/{transmission.local_port}",
        start=_clock(now - (now_ns - transmission.since_ns) / 1e9),
        packets=transmission.packets,
    )


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))
