"""Read a request for a page: strict, all errors at once."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from pathlib import Path

from gateway.push import Start

MAX_START_DEADLINE_S = 60.0
"""Nobody waits longer than that for phones that do not answer."""
_KEYS = ("audio", "phones", "delivery", "start", "start_fraction", "start_deadline_s")


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

    audio: Path
    """A WAV file on this machine."""
    phones: tuple[str, ...] | None
    """Device names; None: all of the phone list."""
    start: Start
    start_fraction: float
    start_deadline_s: float


def parse_page_request(document: object) -> PageRequest:
    """Check the JSON document of ``POST /api/pages``.

    Raises:
        RequestError: With every error found.
    """
    if not isinstance(document, dict):
        raise RequestError(["the body must be a JSON object"])
    errors: list[str] = []
    for key in document:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            errors.append(f"unknown key {str(key)[:40]!r}" + (f", did you mean {near[0]}?" if near else ""))
    audio = document.get("audio")
    if not isinstance(audio, str) or not audio.startswith("/") or "\0" in audio:
        errors.append("audio must be the absolute path of a WAV file on the gateway's machine")
        audio = "/"
    phones = document.get("phones", "all")
    names: tuple[str, ...] | None = None
    if isinstance(phones, list) and all(isinstance(name, str) for name in phones):
        names = tuple(phones)
        if not names:
            errors.append("phones is empty: nobody would be paged")
        if len(set(names)) != len(names):
            errors.append("phones names a phone more than once")
    elif phones != "all":
        errors.append('phones must be "all" or a list of device names')
    if document.get("delivery", "unicast") != "unicast":
        errors.append('delivery must be "unicast"')
    start = document.get("start", "together")
    if start not in tuple(Start):
        errors.append('start must be "together" or "each"')
        start = "together"
    fraction = _number(document.get("start_fraction", 1.0))
    if fraction is None or not 0 < fraction <= 1:
        errors.append("start_fraction must be above 0 and at most 1")
    deadline_s = _number(document.get("start_deadline_s", 2.0))
    if deadline_s is None or not 0 <= deadline_s <= MAX_START_DEADLINE_S:
        errors.append(f"start_deadline_s must be from 0 to {MAX_START_DEADLINE_S:g}")
    if errors:
        raise RequestError(errors)
    assert fraction is not None
    assert deadline_s is not None
    return PageRequest(
        audio=Path(audio), phones=names, start=Start(start), start_fraction=fraction, start_deadline_s=deadline_s
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # A JSON integer may be too long for a float; such a one is out of every range anyway.
    return float(value) if abs(value) < 1e9 and math.isfinite(value) else None
