"""Read a request for a page: strict, all errors at once."""

from __future__ import annotations

import difflib
import enum
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from gateway.media import TONES
from gateway.push import Busy, Delivery, Priority, Start

MAX_START_DEADLINE_S = 60.0
"""Nobody waits longer than that for phones that do not answer."""
MAX_REPEAT = 20
"""With pauses; the announcement in all has at most ten minutes."""
MAX_NAME = 64
"""Characters of a zone's, list's or recording's name."""
MAX_NAMES = 256
"""Zones or lists in one request: as many distribution lists as the modelled product has."""
MAX_KEY = 128
"""Characters of an idempotency key."""
_KEYS = (
    "audio",
    "recording",
    "live",
    "phones",
    "zones",
    "lists",
    "delivery",
    "priority",
    "busy",
    "start",
    "start_fraction",
    "start_deadline_s",
    "tone",
    "repeat",
    "idempotency_key",
)
RECORDING_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9 _-]{{0,{MAX_NAME - 1}}}")
"""What a recording may be called: it is the name of a file."""
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY}}}")
E = TypeVar("E", bound=enum.StrEnum)


class RequestError(Exception):
    """A request that cannot be granted.

    Attributes:
        errors: What is wrong with it, one text each.
        status: HTTP status of the answer.
    """

    def __init__(self, errors: list[str], *, status: int = 400) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRequest:
    """A page, as asked for."""

    audio: Path | None = None
    """A WAV file on this machine; exactly one of this and `recording` is given."""
    recording: str | None = None
    """Name of a recording that the gateway keeps."""
    live: bool = False
    """Audio is given while the page runs, in place of both."""
    phones: tuple[str, ...] | None = None
    """Device names; None: those of `zones` and `lists`, or where they are empty as well, all phones."""
    zones: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    """Names of distribution lists."""
    start: Start = Start.TOGETHER
    start_fraction: float = 1.0
    start_deadline_s: float = 2.0
    delivery: Delivery = Delivery.UNICAST
    priority: Priority = Priority.NORMAL
    busy: Busy = Busy.SKIP
    tone: str | None = None
    """A bundled tone's name, or the path of a WAV file; None: no tone."""
    repeat: int = 1
    """How often the recording is played."""
    idempotency_key: str | None = field(default=None, compare=False)

    def document(self) -> Mapping[str, object]:
        """As JSON has it, values that are in force spelled out; the key left out."""
        return {
            "audio": None if self.audio is None else str(self.audio),
            "recording": self.recording,
            **({"live": True} if self.live else {}),
            "phones": None if self.phones is None else list(self.phones),
            "zones": list(self.zones),
            "lists": list(self.lists),
            "start": self.start,
            "start_fraction": self.start_fraction,
            "start_deadline_s": self.start_deadline_s,
            "delivery": self.delivery,
            "priority": self.priority,
            "busy": self.busy,
            "tone": self.tone,
            "repeat": self.repeat,
        }

    def digest(self) -> str:
        """Equal for requests that ask for the same page."""
        return sha256(json.dumps(self.document(), sort_keys=True).encode()).hexdigest()


def parse_page_request(document: object) -> PageRequest:
    """Check the JSON document of ``POST /api/pages``.

    Raises:
        RequestError: With every error found.
    """
    if not isinstance(document, dict):
        raise RequestError(["the body must be a JSON object"])
    reader = _Reader(document)
    wish = reader.wish()
    if reader.errors:
        raise RequestError(reader.errors)
    return wish


class _Reader:
    """Reads one document, collecting errors; values after an error are placeholders that are never used."""

    def __init__(self, document: dict[object, object]) -> None:
        self._document = document
        self.errors: list[str] = []
        for key in document:
            if key not in _KEYS:
                near = difflib.get_close_matches(str(key), _KEYS, n=1)
                self.errors.append(f"unknown key {str(key)[:40]!r}" + (f", did you mean {near[0]}?" if near else ""))

    def wish(self) -> PageRequest:
        live = self._live()
        audio, recording = (None, None) if live else self._audio()
        phones = self._phones()
        zones, lists = self._names("zones"), self._names("lists")
        delivery = self._choice("delivery", Delivery, Delivery.UNICAST)
        priority = self._choice("priority", Priority, Priority.NORMAL)
        # In an emergency nobody wants to have thought of it: what else the phone plays gives way.
        busy = self._choice("busy", Busy, Busy.NOW if priority is Priority.EMERGENCY else Busy.SKIP)
        start = self._choice("start", Start, Start.TOGETHER)
        fraction = self._number("start_fraction", 1.0)
        if fraction is None or not 0 < fraction <= 1:
            self.errors.append("start_fraction must be above 0 and at most 1")
        deadline_s = self._number("start_deadline_s", 2.0)
        if deadline_s is None or not 0 <= deadline_s <= MAX_START_DEADLINE_S:
            self.errors.append(f"start_deadline_s must be from 0 to {MAX_START_DEADLINE_S:g}")
        if delivery is Delivery.MULTICAST and start is Start.EACH:
            self.errors.append('start "each" needs delivery "unicast": by multicast all phones hear one stream')
        return PageRequest(
            audio=audio,
            recording=recording,
            live=live,
            phones=phones,
            zones=zones,
            lists=lists,
            start=start,
            start_fraction=fraction or 1.0,
            start_deadline_s=deadline_s or 0.0,
            delivery=delivery,
            priority=priority,
            busy=busy,
            tone=self._tone(),
            repeat=self._repeat(),
            idempotency_key=self._key(),
        )

    def _live(self) -> bool:
        live = self._document.get("live", False)
        if not isinstance(live, bool):
            self.errors.append("live must be true or false")
        elif live:
            others = [name for name in ("audio", "recording") if self._document.get(name) is not None]
            self.errors += [f"live and {name} exclude each other" for name in others]
            if self._document.get("repeat", 1) != 1:
                self.errors.append("live audio cannot be repeated")
            return True
        return False

    def _audio(self) -> tuple[Path | None, str | None]:
        audio, recording = self._document.get("audio"), self._document.get("recording")
        if audio is not None and recording is not None:
            self.errors.append("audio and recording exclude each other")
        if recording is not None:
            if isinstance(recording, str) and RECORDING_NAME.fullmatch(recording):
                return None, recording
            self.errors.append(f"recording must be the name of one, up to {MAX_NAME} letters, digits, spaces, _ and -")
        elif _is_path(audio):
            return Path(str(audio)), None
        else:
            self.errors.append("audio must be the absolute path of a WAV file on the gateway's machine")
        return None, None

    def _phones(self) -> tuple[str, ...] | None:
        phones = self._document.get("phones", "all")
        if isinstance(phones, list) and all(isinstance(name, str) for name in phones):
            if not phones:
                self.errors.append("phones is empty: nobody would be paged")
            if len(set(phones)) != len(phones):
                self.errors.append("phones names a phone more than once")
            return tuple(phones)
        if phones != "all":
            self.errors.append('phones must be "all" or a list of device names')
        elif "phones" in self._document and (self._document.get("zones") or self._document.get("lists")):
            self.errors.append('phones "all" leaves nothing for zones and lists: leave one of them out')
        return None

    def _names(self, key: str) -> tuple[str, ...]:
        value = self._document.get(key, [])
        if not isinstance(value, list) or len(value) > MAX_NAMES:
            self.errors.append(f"{key} must be a list of at most {MAX_NAMES} names")
            return ()
        if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable() for name in value):
            self.errors.append(f"{key} must hold names of 1 to {MAX_NAME} printable characters")
            return ()
        if len(set(value)) != len(value):
            self.errors.append(f"{key} has a name more than once")
        return tuple(value)

    def _choice(self, key: str, kind: type[E], default: E) -> E:
        value = self._document.get(key, default)
        if isinstance(value, str) and value in tuple(kind):
            return kind(value)
        *most, last = (f'"{each}"' for each in kind)
        self.errors.append(f"{key} must be {', '.join(most)} or {last}")
        return default

    def _tone(self) -> str | None:
        tone = self._document.get("tone")
        if tone is None or tone == "none":
            return None
        if tone in TONES or _is_path(tone):
            return str(tone)
        names = ", ".join(f'"{name}"' for name in ("none", *TONES))
        self.errors.append(f"tone must be {names} or the absolute path of a WAV file on the gateway's machine")
        return None

    def _repeat(self) -> int:
        value = self._document.get("repeat", 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_REPEAT:
            self.errors.append(f"repeat must be a whole number from 1 to {MAX_REPEAT}")
            return 1
        return value

    def _key(self) -> str | None:
        value = self._document.get("idempotency_key")
        if value is None or (isinstance(value, str) and _KEY.fullmatch(value)):
            return value
        self.errors.append(f"idempotency_key must be 1 to {MAX_KEY} visible ASCII characters")
        return None

    def _number(self, key: str, default: float) -> float | None:
        value = self._document.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        # A JSON integer may be too long for a float; such a one is out of every range anyway.
        return float(value) if abs(value) < 1e9 and math.isfinite(value) else None


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and "\0" not in value
