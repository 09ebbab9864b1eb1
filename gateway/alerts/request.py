"""An alert as somebody asks for it, and reading it from JSON: strict, all errors at once. No I/O."""

from __future__ import annotations

import difflib
import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_TEXT: Final = 256
"""Characters (modelled system, broadcast alerts)."""
MAX_TITLE: Final = 32
"""Characters of title and prompt (Cisco's XML schema in CUAE, CiscoIPPhoneServices.xsd)."""
MAX_KEY_NAME: Final = 32
"""Characters of a soft key's name (same schema). Phones show about 8, larger screens 14 (assumed)."""
MAX_KEYS: Final = 2
"""Own soft keys of an alert (modelled system)."""
MIN_EXPIRES_S: Final = 10.0
MAX_EXPIRES_S: Final = 7 * 86_400.0
DEFAULT_EXPIRES_S: Final = 3600.0
MAX_NAMES: Final = 200_000
"""Device names of one request; the inventory's own limit."""
MAX_IDEMPOTENCY_KEY: Final = 255
DEFAULT_TITLE: Final = "Alert"
DEFAULT_KEYS: Final = ("Acknowledge",)
_KEYS: Final = (
    "text", "title", "prompt", "priority", "softkeys", "expires_s", "phones", "zones", "lists", "page",
)  # fmt: skip


class Priority(enum.StrEnum):
    """When a phone shows an alert (modelled system; the numbers are those of CiscoIPPhoneExecute)."""

    EMERGENCY = "emergency"
    """At once, whatever the phone does: Priority 0."""
    NORMAL = "normal"
    """As soon as the phone is idle: Priority 1."""
    BACKGROUND = "background"
    """Never pushed, only in the list that a phone asks for."""


class AlertError(Exception):
    """An alert that cannot be sent, found or withdrawn.

    Attributes:
        errors: What is wrong, one text each.
        status: The HTTP status that fits.
    """

    def __init__(self, errors: list[str], *, status: int = 400) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRequest:
    """An alert, as asked for. `check` says what is wrong with one that was not parsed."""

    text: str
    title: str = DEFAULT_TITLE
    prompt: str = ""
    priority: Priority = Priority.NORMAL
    softkeys: tuple[str, ...] = DEFAULT_KEYS
    """Names of the keys by which somebody answers, at most two; Exit is always there besides."""
    expires_s: float = DEFAULT_EXPIRES_S
    phones: tuple[str, ...] | None = None
    """Device names; None with neither zones nor lists: all phones."""
    zones: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    page: str | None = None
    """Number of a page that is heard beside it; only noted."""

    def check(self) -> list[str]:
        """What is wrong with it."""
        errors: list[str] = []
        if not self.text.strip():
            errors.append("text is empty: nothing would be shown")
        errors += _text_errors("text", self.text, MAX_TEXT, lines=True)
        errors += _text_errors("title", self.title, MAX_TITLE)
        errors += _text_errors("prompt", self.prompt, MAX_TITLE)
        if len(self.softkeys) > MAX_KEYS:
            errors.append(f"softkeys: an alert has at most {MAX_KEYS} of its own, got {len(self.softkeys)}")
        for name in self.softkeys[: MAX_KEYS + 1]:
            errors += ["softkeys: a key has a name"] if not name.strip() else []
            errors += _text_errors("softkeys", name, MAX_KEY_NAME)
        if len(set(self.softkeys)) != len(self.softkeys):
            errors.append("softkeys: two keys have the same name")
        if not MIN_EXPIRES_S <= self.expires_s <= MAX_EXPIRES_S:
            errors.append(f"expires_s must be from {MIN_EXPIRES_S:g} to {MAX_EXPIRES_S:g}")
        for name, values in (("phones", self.phones), ("zones", self.zones), ("lists", self.lists)):
            if values is not None and len(values) > MAX_NAMES:
                errors.append(f"{name} has more than {MAX_NAMES} names")
        if self.phones is not None and not (self.phones or self.zones or self.lists):
            errors.append("phones is empty: nobody would be alerted")
        return errors


def _text_errors(where: str, text: str, most: int, *, lines: bool = False) -> list[str]:
    errors: list[str] = []
    if len(text) > most:
        errors.append(f"{where} has at most {most} characters, got {len(text)}")
    # What XML 1.0 cannot hold, however it is written, and what a phone's screen has no line for.
    if any(not _is_shown(character) and not (lines and character == "\n") for character in text):
        errors.append(f"{where} has a control character, or one that cannot be written in XML")
    return errors


def _is_shown(character: str) -> bool:
    code = ord(character)
    return 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code >= 0x10000


def parse_alert_request(document: object) -> AlertRequest:
    """Read the JSON document of ``POST /api/alerts``.

    Raises:
        AlertError: With every error found.
    """
    if not isinstance(document, dict):
        raise AlertError(["the body must be a JSON object"])
    errors: list[str] = []
    for key in document:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            errors.append(f"unknown key {str(key)[:40]!r}" + (f", did you mean {near[0]}?" if near else ""))
    if "text" not in document:
        errors.append("text is missing")
    priority = document.get("priority", Priority.NORMAL)
    if priority not in tuple(Priority):
        errors.append('priority must be "emergency", "normal" or "background"')
        priority = Priority.NORMAL
    phones = document.get("phones", "all")
    everybody = phones == "all"
    expires = document.get("expires_s", DEFAULT_EXPIRES_S)
    page = document.get("page")
    if page is not None and not (isinstance(page, str) and 0 < len(page) <= 20 and page.isascii() and page.isdigit()):
        errors.append("page must be the number of a page, as text")
        page = None
    request = AlertRequest(
        text=_text(document, "text", "-", errors),
        title=_text(document, "title", DEFAULT_TITLE, errors),
        prompt=_text(document, "prompt", "", errors),
        priority=Priority(priority),
        softkeys=_names(document.get("softkeys", list(DEFAULT_KEYS)), "softkeys", "names", errors),
        expires_s=_number(expires, errors),
        phones=None if everybody else _names(phones, "phones", 'device names, or "all"', errors),
        zones=_names(document.get("zones", []), "zones", "names of zones", errors),
        lists=_names(document.get("lists", []), "lists", "names of distribution lists", errors),
        page=page,
    )
    errors += request.check()
    if "phones" in document and everybody and (request.zones or request.lists):
        errors.append('phones is "all": zones and lists would mean nothing')
    if errors:
        raise AlertError(errors)
    return request


def _text(document: Mapping[str, object], key: str, default: str, errors: list[str]) -> str:
    value = document.get(key, default)
    if not isinstance(value, str):
        errors.append(f"{key} must be text")
        return default
    return value.replace("\r\n", "\n") if key == "text" else value


def _names(value: object, key: str, what: str, errors: list[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        errors.append(f"{key} must be a list of {what}")
        return ("?",) if key == "phones" else ()
    if len(set(value)) != len(value) and key != "softkeys":
        errors.append(f"{key} has a name more than once")
    return tuple(value)


def _number(value: object, errors: list[str]) -> float:
    # A JSON integer may be too long for a float; such a one is out of range anyway.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9 and math.isfinite(value):
        return float(value)
    errors.append("expires_s must be a number of seconds")
    return DEFAULT_EXPIRES_S
