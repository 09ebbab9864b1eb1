"""The wire of CallManager's authentication pages: read the question, write the exact answer. No I/O.

Two faces of one service:

* `/CCMCIP/authenticate.asp`: CallManager 3 and 4 on Windows 2000, so IIS 5.0. No capture was found; the headers are
  IIS's usual ones, kept to the least (inferred). IIS does not care about the case of a path.
* `/ccmcip/authenticate.jsp`: Unified CM on Tomcat, header for header as captured from a release after 11.5
  (UPLINX in tests/golden/SOURCES.md): no reason phrase, an empty `Server`. 69xx phones cannot read these headers.

The body is one of three words without a newline. `ERROR` for a missing, empty or repeated parameter is inferred.
"""

import enum
import hashlib
import urllib.parse
from dataclasses import dataclass, field
from email.utils import formatdate

PARAMETERS = ("UserID", "Password", "devicename")
"""Names in the order phones send them, in exact case (VOIPINFO, WEBMAX in tests/golden/SOURCES.md)."""
FIELDS_MAX = 16
"""Three are needed; some more are ignored; hundreds are an attack on the parser."""
CONTENT_SECURITY_POLICY = "default-src *"
"""The captured value begins so; the source shortens the rest."""


class Face(enum.Enum):
    """Which generation of CallManager answers."""

    ASP = "asp"
    JSP = "jsp"


class Word(enum.Enum):
    """The whole body of an answer."""

    AUTHORIZED = b"AUTHORIZED"
    UNAUTHORIZED = b"UN-AUTHORIZED"
    ERROR = b"ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One authentication request. The password stays out of `repr`."""

    user: str
    device: str
    password: str = field(repr=False)


def face_of(path: str) -> Face | None:
    """Which face a path without query addresses, or None: not found."""
    if path.lower() == "/ccmcip/authenticate.asp":
        return Face.ASP
    if path == "/ccmcip/authenticate.jsp":
        return Face.JSP
    return None


def read_question(*, query: bytes, body: bytes) -> Question | None:
    """Read the three parameters from the query of a GET, or from the form body or the query of a POST.

    Args:
        query: what follows the `?` of the target, form-urlencoded.
        body: the form body, form-urlencoded; empty for a GET.

    Returns:
        The question, or None where a parameter is missing, empty or repeated (also once here and once there), or where
        the text is not UTF-8: the answer is then `ERROR`. Other parameters are ignored. No exception carries the text.
    """
    values: dict[str, str] = {}
    try:
        for part in (query, body):
            pairs = urllib.parse.parse_qsl(
                part.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
            )
            for name, value in pairs:
                if name in values or (name in PARAMETERS and not value):
                    return None
                if name in PARAMETERS:
                    values[name] = value
    except ValueError:  # UnicodeDecodeError among them, whose text would show the password
        return None
    if len(values) < len(PARAMETERS):
        return None
    return Question(user=values["UserID"], password=values["Password"], device=values["devicename"])


def answer(face: Face, word: Word, *, seed: int, ordinal: int, unix_s: float) -> bytes:
    """Write the whole answer to a question.

    Args:
        face: whose headers.
        word: the body.
        seed: with `ordinal` it makes the JSESSIONID, so that a run repeats byte for byte but for the date.
        ordinal: of the arrival.
        unix_s: the time for the Date header, seconds since 1970.
    """
    if face is Face.ASP:
        return _asp("200 OK", word.value, unix_s)
    session = hashlib.blake2b(f"{seed}:session:{ordinal}".encode("ascii"), digest_size=16).hexdigest().upper()
    head = (
        "HTTP/1.1 200 \r\n"  # RFC 9112 section 4: the blank stays where the reason phrase is left out
        "X-Frame-Options: SAMEORIGIN\r\n"
        "Strict-Transport-Security: max-age=31536000; includeSubdomains\r\n"
        f"Content-Security-Policy: {CONTENT_SECURITY_POLICY}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "X-XSS-Protection: 1; mode=block\r\n"
        f"Set-Cookie: JSESSIONID={session}; Path=/ccmcip; Secure; HttpOnly\r\n"
        "Content-Type: text/html\r\n"
        f"Content-Length: {len(word.value)}\r\n"
        f"Date: {formatdate(unix_s, usegmt=True)}\r\n"
        "Connection: close\r\n"
        "Server: \r\n"
        "\r\n"
    )
    return head.encode("ascii") + word.value


def busy(face: Face, *, unix_s: float) -> bytes:
    """Write the 503 of a full queue (inferred for both faces: no capture of a drowning CallManager was found)."""
    if face is Face.ASP:
        return _asp("503 Service Unavailable", b"", unix_s)
    date = formatdate(unix_s, usegmt=True)
    head = f"HTTP/1.1 503 \r\nContent-Length: 0\r\nDate: {date}\r\nConnection: close\r\nServer: \r\n\r\n"
    return head.encode("ascii")


def not_found(*, unix_s: float) -> bytes:
    """Write the 404 for every other path."""
    return _asp("404 Not Found", b"", unix_s)


def wrong_method(*, unix_s: float) -> bytes:
    """Write the 405 for methods other than GET and POST."""
    return _asp("405 Method Not Allowed", b"", unix_s, extra="Allow: GET, POST\r\n")


def _asp(status: str, body: bytes, unix_s: float, *, extra: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\n"
        "Server: Microsoft-IIS/5.0\r\n"
        f"Date: {formatdate(unix_s, usegmt=True)}\r\n"
        "Connection: close\r\n"
        f"{extra}"
        f"Content-Length: {len(body)}\r\n"
        "Content-Type: text/html\r\n"
        "\r\n"
    )
    return head.encode("ascii") + body
