"""A phone's question, "may this user push to me?", out of a query or a form.

Fields are `UserID`, `Password` and `devicename`, form-urlencoded; phones send them by GET or POST (Cisco's documents
say "HTTP GET/POST", tools and captures show both). Values are bytes: phones write Latin-1 or UTF-8, and nothing here
needs to know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes, unquote_to_bytes

MAX_FIELDS = 32
"""Fields of one question; three are known, a configured URL may bring a few of its own."""
MAX_VALUE = 256
"""Bytes of one value, decoded. CallManager's own limits are 128 for both."""

_FIELDS = (b"userid", b"password", b"devicename")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a phone asks. The password is left out of ``repr``."""

    user: bytes
    password: bytes = field(repr=False)
    device_name: bytes

    def encoded(self) -> str:
        """The question as a query again: safe ASCII only, in the order that phones use."""
        values = (("UserID", self.user), ("Password", self.password), ("devicename", self.device_name))
        return "&".join(f"{name}={quote_from_bytes(value, safe='').replace('%20', '+')}" for name, value in values)


def parse_question(query: bytes, body: bytes) -> Question | None:
    """Read a question from a query and a form body together.

    Names are compared without case, as a reader of foreign devices should.

    Returns:
        None where one of the three is missing, empty, repeated (in whichever spelling or place) or too long: which of
        two values an application believes is how such checks are fooled, so neither is.
    """
    values: dict[bytes, bytes] = {}
    fields = [part for source in (query, body.strip(b"\r\n")) for part in source.split(b"&", MAX_FIELDS) if part]
    if len(fields) > MAX_FIELDS:
        return None
    for part in fields:
        name, _, value = part.partition(b"=")
        name = unquote_to_bytes(name.replace(b"+", b" ")).lower()
        if name not in _FIELDS:
            continue
        value = unquote_to_bytes(value.replace(b"+", b" "))
        if name in values or not 0 < len(value) <= MAX_VALUE:
            return None
        values[name] = value
    if len(values) != len(_FIELDS):
        return None
    return Question(user=values[b"userid"], password=values[b"password"], device_name=values[b"devicename"])
