"""What came back, read from its bytes, and what it is worth to a phone. No I/O."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

MAX_ANSWER: Final = 64 * 1024
"""Bytes read of an answer to a question of ten letters."""
AUTHORIZED: Final = b"AUTHORIZED"
BOM: Final = b"\xef\xbb\xbf"
ENDLESS: Final = "no length and no end"
_AROUND: Final = b" \t\r\n\0"
_STATUS_LINE: Final = re.compile(rb"HTTP/([0-9]\.[0-9]) ([0-9]{3})(?: [^\r\n]*)?")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_INTERIM: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer. Body and fields may hold a password (a redirect's Location does): left out of `repr`."""

    raw: bytes = field(repr=False)
    version: str
    status: int
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    """Names in lower case; order and repetition kept."""
    body: bytes = field(repr=False)
    problem: str
    """Why it is not a whole, well-formed answer; empty where it is."""

    def values(self, name: str) -> tuple[str, ...]:
        """All values of a header field."""
        return tuple(value for known, value in self.fields if known == name)

    @property
    def location(self) -> str | None:
        """Where a redirect points; None where it is none, or says so twice."""
        found = self.values("location")
        return found[0] if self.status in _REDIRECTS and len(found) == 1 else None

    @property
    def is_redirect(self) -> bool:
        """Whether the phone is sent elsewhere."""
        return self.status in _REDIRECTS

    @property
    def exact(self) -> bool:
        """Whether each phone takes it for a yes: 200 and exactly the word, not a byte more (UCM-DOC)."""
        return not self.problem and self.status == 200 and self.body == AUTHORIZED

    @property
    def authorises(self) -> bool:
        """Whether some phone may take it for a yes.

        A body that begins with the word is enough: in any case of its letters, behind blanks or a byte-order mark,
        with anything behind it.
        """
        return 200 <= self.status < 300 and self.says_yes

    @property
    def says_yes(self) -> bool:
        """Whether the body begins with the word, whatever the status: that a phone looks at it is not known."""
        return _bare(self.body).upper().startswith(AUTHORIZED)

    @property
    def told(self) -> str:
        """The answer in a few words, without anything that was asked."""
        if self.location is not None:
            return f"{self.status} to {place(self.location)}"
        if self.body.strip().upper() in (b"AUTHORIZED", b"UN-AUTHORIZED", b"UNAUTHORIZED", b"ERROR"):
            return f"{self.status} {self.body.strip().decode('ascii')}"
        coding = next(iter(self.values("content-encoding")), "")
        return (
            f"{self.status}"
            + (f" with {self.body_told}" if self.body else "")
            + (f", Content-Encoding {place(coding)}" if coding else "")
        )

    @property
    def body_told(self) -> str:
        """The body in a few words: what stands around the word of ten letters, else its length.

        No more of it: a server may write there what it was asked.
        """
        bare = _bare(self.body)
        if not bare.upper().startswith(AUTHORIZED):
            return f"{len(self.body)} bytes"
        before, behind = len(self.body) - len(bare), len(bare) - len(AUTHORIZED)
        parts = [bare[: len(AUTHORIZED)].decode("ascii")]
        if before:
            parts.append(f"{before} bytes before it ({_named(self.body[:before])})")
        if behind:
            tail = bare[len(AUTHORIZED) :]
            parts.append(f"{behind} behind it" + ("" if tail.strip(_AROUND) else f" ({_named(tail)})"))
        return f"{len(self.body)} bytes: " + ", ".join(parts)


def _bare(body: bytes) -> bytes:
    return body.lstrip(_AROUND).removeprefix(BOM).lstrip(_AROUND)


def _named(data: bytes) -> str:
    return "a byte-order mark" if data == BOM else data[:8].hex(" ").upper()


def place(location: str) -> str:
    """Scheme, host and path of a URL: its query holds a password. What cannot be printed is escaped."""
    head = location.partition("?")[0].partition("#")[0]
    return head.encode("unicode_escape").decode("ascii")[:120]


def same_place(location: str, url: str) -> bool:
    """Whether a redirect points at that URL: scheme, host, port and path, byte for byte but for the host's case."""
    try:
        found, wanted = urlsplit(location), urlsplit(url)
        return (
            found.scheme == wanted.scheme
            and found.hostname == wanted.hostname
            and _port(found.scheme, found.port) == _port(wanted.scheme, wanted.port)
            and (found.path or "/") == (wanted.path or "/")
            and found.username is None
        )
    except ValueError:
        return False


def _port(scheme: str, port: int | None) -> int | None:
    return port or {"http": 80, "https": 443}.get(scheme)


def is_whole(raw: bytes) -> bool:
    """Whether nothing more is to come on this connection for the first answer that is no interim one."""
    head, separator, rest = _without_interim(raw).partition(b"\r\n\r\n")
    if not separator:
        return False
    fields = _fields(head.split(b"\r\n")[1:])[0]
    lengths = [value for name, value in fields if name == "content-length"]
    status = _STATUS_LINE.match(head)
    if status is not None and status[2] in (b"101", b"204", b"304"):
        return True
    if any(name == "transfer-encoding" for name, _ in fields):
        return _unchunked(rest) is not None
    return len(lengths) == 1 and lengths[0].isdecimal() and len(rest) >= int(lengths[0][:9])


def read_answer(raw: bytes, *, ended: bool) -> Answer | None:
    """Read an answer; interim ones before it are left out.

    Args:
        raw: all that came.
        ended: whether the server closed the connection.

    Returns:
        None where nothing that is an HTTP answer came.
    """
    raw = _without_interim(raw) or raw
    head, separator, rest = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(lines[0])
    if status is None:
        return None
    fields, problem = _fields(lines[1:])
    if not separator:
        problem = "it ends within its header"
    body, framing = _body(fields, rest, int(status[2]), ended=ended)
    return Answer(
        raw=raw,
        version=status[1].decode("ascii"),
        status=int(status[2]),
        fields=fields,
        body=body,
        problem=problem or framing,
    )


def _without_interim(raw: bytes) -> bytes:
    """What follows `100 Continue` and the like; old IIS sends one before each answer to a POST. 101 is an answer."""
    at = 0
    while interim := _INTERIM.match(raw, at):
        at = interim.end()
    return raw[at:]


def _fields(lines: list[bytes]) -> tuple[tuple[tuple[str, str], ...], str]:
    found, problem = [], ""
    for line in lines:
        # Not one expression for the whole line: a value full of blanks would take it seconds.
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None or b"\r" in value or b"\n" in value:
            problem = "a header line that is none"
            continue
        found.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    return tuple(found), problem


def _body(fields: tuple[tuple[str, str], ...], rest: bytes, status: int, *, ended: bool) -> tuple[bytes, str]:
    lengths = [value for name, value in fields if name == "content-length"]
    codings = [value for name, value in fields if name == "transfer-encoding"]
    if status in (204, 304):
        return b"", "a body where none can be" if rest else ""
    if codings:
        whole = _unchunked(rest)
        if lengths or whole is None:
            return rest, "both Content-Length and Transfer-Encoding" if lengths else "chunks that do not end"
        return whole, ""
    if not lengths:
        return rest, "" if ended else ENDLESS
    if len(lengths) > 1 or not lengths[0].isdecimal():
        return rest, "no single Content-Length"
    length = int(lengths[0][:9])
    if len(rest) != length:
        return rest, f"Content-Length says {length}, {len(rest)} bytes came"
    return rest, ""


def _unchunked(rest: bytes) -> bytes | None:
    body = b""
    while (chunk := _CHUNK.match(rest)) is not None:
        size = int(chunk[1], 16)
        start = chunk.end()
        if size == 0:
            return body if b"\r\n" in rest[start:] else None
        if rest[start + size : start + size + 2] != b"\r\n":
            return None
        body += rest[start : start + size]
        rest = rest[start + size + 2 :]
    return None
