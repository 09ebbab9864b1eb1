"""Decide a phone's question: a pure function of it and the stored credentials. No state, so no lockout either.

Row 9 of the modelled system: a match is authorised here; anything else is redirected to CallManager, and the same
phone's next question is decided afresh.
"""

from __future__ import annotations

import enum
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from gateway.authentication.question import Question, parse_question

Answer = Literal["authorized", "redirected", "refused", "rejected", "served"]
"""`served`: it was no question, and something else of this gateway answered it."""

_RECORDABLE = re.compile(rb"[A-Za-z0-9._-]{1,32}")


class OwnUserMismatch(enum.StrEnum):
    """What happens to the push user's own name with a wrong password.

    The modelled product redirects every mismatch. Relaying wrong passwords of the push user lets anybody lock that
    user in CallManager with three requests; `REFUSE` answers them here.
    """

    REDIRECT = "redirect"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What to answer and what to note down. The response may hold another user's password (Location)."""

    answer: Answer
    own_user: bool
    device_name: str | None
    response: bytes = field(repr=False)
    in_flight: bool | None = None
    """False: right credentials, but this gateway has not pushed to the phone lately."""


def text_response(status: str, body: bytes) -> bytes:
    """A minimal response with a body, byte for byte the same each time: 69xx phones fail on fields they do not know."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


AUTHORIZED = text_response("200 OK", b"AUTHORIZED")
"""Exactly this word, with nothing behind it: a phone takes anything else for a refusal (usecallmanagernz, phone
services)."""
UNAUTHORIZED = text_response("200 OK", b"UN-AUTHORIZED")
"""CallManager's word for a refusal (voip-info.org)."""
ERROR = text_response("400 Bad Request", b"ERROR")
"""CallManager's word for a question that is none (voip-info.org)."""


def redirect_response(location: str) -> bytes:
    """A redirect. ``location`` is ASCII without control characters by construction."""
    return (f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").encode(
        "ascii"
    )


def ready_for_fields(url: str) -> str:
    """An authentication URL, its query kept, up to where the fields of a question follow."""
    if "?" not in url:
        return url + "?"
    return url if url.endswith(("?", "&")) else url + "&"


class Authenticator:
    """Holds digests of the stored credentials and decides questions.

    Args:
        user: Name of the push user.
        password: The stored password that questions are compared with.
        callmanager_url: Where a mismatch is redirected to: absolute, ASCII, already checked. Empty while nobody has
            set it: then a mismatch is refused.
        own_user_mismatch: What happens to the own user's wrong password.
        key: Random bytes of this process (at most 64), so that digests can be neither predicted nor compared elsewhere.
        former: Users with passwords that were stored before and are accepted for a while: of pages begun with them.
    """

    def __init__(
        self,
        *,
        user: str,
        password: str,
        callmanager_url: str,
        own_user_mismatch: OwnUserMismatch,
        key: bytes,
        former: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._key = key
        self._accepted = [
            (self._digest(name.encode()), self._digest(word.encode())) for name, word in ((user, password), *former)
        ]
        self._own_user_mismatch = own_user_mismatch
        self._location = ready_for_fields(callmanager_url) if callmanager_url else ""

    def compare(self, question: Question) -> tuple[bool, bool]:
        """Whether the user is a stored one, and whether the password is that user's.

        All are always compared, in constant time.
        """
        asked_user, asked_password = self._digest(question.user), self._digest(question.password)
        known = right = False
        for stored_user, stored_password in self._accepted:
            user = hmac.compare_digest(asked_user, stored_user)
            password = hmac.compare_digest(asked_password, stored_password)
            known |= user
            right |= user & password
        return known, right

    def decide(self, query: bytes, body: bytes) -> Decision:
        """Answer the question in ``query`` and ``body``."""
        question = parse_question(query, body)
        if question is None:
            return Decision(answer="rejected", own_user=False, device_name=None, response=ERROR)
        user, right = self.compare(question)
        device_name = question.device_name.decode() if _RECORDABLE.fullmatch(question.device_name) else None
        if right:
            return Decision(answer="authorized", own_user=True, device_name=device_name, response=AUTHORIZED)
        if not self._location or (user and self._own_user_mismatch is OwnUserMismatch.REFUSE):
            return Decision(answer="refused", own_user=user, device_name=device_name, response=UNAUTHORIZED)
        return Decision(
            answer="redirected",
            own_user=user,
            device_name=device_name,
            response=redirect_response(self._location + question.encoded()),
        )

    def _digest(self, value: bytes) -> bytes:
        return blake2b(value, key=self._key, digest_size=32).digest()
