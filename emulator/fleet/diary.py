"""What phones write into the fleet's records (docs/reference/events.md); the questions' own are in question.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from emulator.fleet.impairment import Injected, Key
from emulator.fleet.reception import Unlistened, address_text
from emulator.phone.execute import Push
from emulator.phone.media import Medium
from emulator.phone.phone import Action, Event, Phone, Transmission
from emulator.phone.stream import Period, Stream
from emulator.records import Records

_SHOWN_TEXT: Final = 256
"""Characters of a shown text that are recorded: an alert's."""


class Diary:
    """One method a record."""

    def __init__(self, records: Records) -> None:
        self._write = records.write

    def misbehaves(self, phone: Phone, name: str, parameters: str) -> None:
        """The phone has a fault."""
        self._write("phone.misbehaves", phone=phone.device_name, misbehaviour=name, parameters=parameters or None)

    def received(self, phone: Phone, push: str, what: Push) -> None:
        """A push came; `push` is its name."""
        self._write(
            "push.received",
            phone=phone.device_name,
            push=push,
            items=list(what.urls),
            well_formed=what.well_formed,
        )

    def answered(
        self,
        phone: Phone,
        push: str,
        kind: str,
        http_status: int | None = None,
        number: int | None = None,
        *,
        spoilt: str | None = None,
    ) -> None:
        """A push was answered; `kind` is none where it was not, `number` that of an error."""
        self._write(
            "push.answered",
            phone=phone.device_name,
            push=push,
            answer=kind,
            http_status=http_status,
            error_number=number,
            spoilt=spoilt,
        )

    def executed(self, phone: Phone, push: str, action: Action, by: str | None) -> None:
        """One thing that a push wanted was done; `by` is the server that allowed it."""
        self._write("push.executed", phone=phone.device_name, push=push, action=action, authorised_by=by)

    def changed(self, phone: Phone, event: Event) -> None:
        """Something happened to the phone's line, or it was reset."""
        self._write("phone.changed", phone=phone.device_name, event=event, state=phone.state)

    def shown(self, phone: Phone, push: str | None) -> None:
        """The phone shows another object."""
        screen = phone.screen
        assert screen is not None
        self._write(
            "screen.shown",
            phone=phone.device_name,
            push=push,
            object=screen.kind,
            title=screen.title or None,
            text=screen.fields.get("Text", "")[:_SHOWN_TEXT] or None,
        )

    def pressed(self, phone: Phone, key: str) -> None:
        """Somebody pressed a soft key of the object that the phone shows."""
        self._write("softkey.pressed", phone=phone.device_name, name=key)

    def notified(self, phone: Phone, medium: Medium, *, told: bool) -> None:
        """The phone has told an application that a stream ended, or has tried to."""
        self._write("media.notified", phone=phone.device_name, stream=medium.identity, told=told)

    def sent(self, phone: Phone, transmission: Transmission, reason: str) -> None:
        """The phone has stopped sending."""
        self._write(
            "stream.sent",
            phone=phone.device_name,
            push=transmission.push,
            destination=f"{transmission.destination}:{transmission.port}",
            ssrc=transmission.ssrc,
            packets=transmission.packets,
            reason=reason,
        )

    def listening(self, phone: Phone, push: str | None, period: Period) -> None:
        """The phone listens since then."""
        self._write(
            "stream.listening",
            t_ns=period.since_ns,
            phone=phone.device_name,
            push=push,
            source=period.source,
            port=period.port,
            mixed=period.mixed or None,
        )

    def impaired(self, phone: Phone, period: Period, injected: Mapping[Key, Injected]) -> None:
        """What was done to each stream at the phone's door."""
        for (source, source_port, ssrc), done in injected.items():
            self._write(
                "stream.impaired",
                phone=phone.device_name,
                push=period.push,
                source=f"{address_text(source)}:{source_port}",
                ssrc=ssrc,
                packets=done.packets,
                lost=done.lost,
                duplicated=done.duplicated,
                reordered=done.reordered,
                delay_mean_ms=round(done.delay_ns / 1e6 / max(1, done.packets - done.lost), 3),
                delay_max_ms=round(done.most_delay_ns / 1e6, 3),
            )

    def stopped(self, phone: Phone, period: Period, push: str | None, reason: str) -> None:
        """The phone has stopped listening; what it heard comes first."""
        for stream in period.streams.values():
            self._write("stream.heard", phone=phone.device_name, push=period.push, **_heard(stream))
        self._write("stream.stopped", phone=phone.device_name, push=push, reason=reason)

    def unlistened(self, phone: Phone, source: int, count: Unlistened) -> None:
        """What came to the phone from that source while it did not listen."""
        self._write(
            "rtp.unlistened",
            phone=phone.device_name,
            source=address_text(source),
            packets=count.packets,
            first_t_ns=count.first_t_ns,
            last_t_ns=count.last_t_ns,
        )


def _heard(stream: Stream) -> Mapping[str, Any]:
    return {
        "source": f"{address_text(stream.source)}:{stream.source_port}",
        "ssrc": stream.ssrc,
        "packets": stream.packets,
        "lost": stream.lost,
        "duplicates": stream.duplicates,
        "reordered": stream.reordered,
        "malformed": stream.malformed,
        "foreign": stream.foreign,
        "first_t_ns": stream.first_t_ns,
        "last_t_ns": stream.last_t_ns,
        "first_sequence": stream.first_sequence,
        "last_sequence": stream.last_sequence,
        "first_timestamp": stream.first_timestamp,
        "jitter_ms": round(stream.jitter_ms, 3),
        "gap_ms": round(stream.gap_ns / 1e6, 3),
        "crc32": f"{stream.crc:08x}",
    }
