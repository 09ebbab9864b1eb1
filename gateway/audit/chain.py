"""The chain of audit entries, without I/O.

Each entry's code is an HMAC-SHA256 over the code before it and the entry's own content, with a key that comes from the
gateway's key file, which lies outside of the data: whoever can write to the database alone can neither change, insert,
reorder nor remove an entry unseen, nor calculate the chain anew. The number of the last entry is sealed in the same
way, so that entries cut off at the end are missed. Not covered: putting back a whole older database, whose chain is
right; compare the number of entries with the log, which names it at each start.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

FIRST: Final = bytes(32)
"""What the first entry's code covers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that somebody did."""

    number: int
    """From 1, without gaps."""
    at_s: float
    """Seconds since 1970, to the millisecond."""
    who: str
    address: str
    action: str
    """Two words with a dot, such as `settings.changed`."""
    subject: str
    """What it was done to: a page's number, a setting, an account."""
    detail: str
    """A JSON object, without secrets."""


def code_of(entry: Entry, previous: bytes, key: bytes) -> bytes:
    """The entry's code, 32 bytes."""
    content = json.dumps(
        [entry.number, f"{entry.at_s:.3f}", entry.who, entry.address, entry.action, entry.subject, entry.detail]
    )
    return hmac.digest(key, previous + content.encode(), sha256)


def seal_of(number: int, code: bytes, key: bytes) -> bytes:
    """The seal of the last entry."""
    return hmac.digest(key, b"end" + number.to_bytes(8, "big") + code, sha256)


def first_break(entries: Iterable[tuple[Entry, bytes]], end: tuple[int, bytes] | None, key: bytes) -> str | None:
    """Where the chain is broken, in words; None: it is whole.

    Args:
        entries: in the order of their numbers, each with its code.
        end: the sealed number of the last entry and its seal.
        key: as they were made with.
    """
    code, number = FIRST, 0
    for entry, stored in entries:
        if entry.number != number + 1:
            return f"entry {number + 1} is missing: entry {entry.number} follows entry {number}"
        code = code_of(entry, code, key)
        number = entry.number
        if not hmac.compare_digest(code, stored):
            return f"entry {number} was changed, or an entry before it, or the key file is another one"
    if end is None:
        return None if number == 0 else "the seal of the last entry is missing"
    if end[0] != number:
        return f"the last entry is {number}, and {end[0]} was sealed: entries at the end are missing or were added"
    if not hmac.compare_digest(seal_of(number, code, key), end[1]):
        return "the seal of the last entry does not fit"
    return None
