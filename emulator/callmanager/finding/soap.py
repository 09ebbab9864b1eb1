"""SOAP 1.1 as CallManager's services speak it: read an envelope safely, write answers and faults. No I/O.

Everything that takes longer for more phones is a generator that breathes: it yields where a caller may let others run,
because one request of two megabytes must not hold up the authentications of the same event loop.

Only element names count, never prefixes, so requests of every client library are read. No document that is sent here
has a DTD; without one there are no entities to expand or to fetch.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
"""SOAP 1.1, section 3."""
DEPTH_MAX: Final = 32
"""The deepest request known has 8 levels (rpc/encoded, SelectItems in CmSelectionCriteria)."""
ELEMENTS_MAX: Final = 100_000
"""A user with 30,000 associated phones has 30,010."""
_PIECE_BYTES: Final = 8192
"""Parsed between two breaths: about half a millisecond."""


class Fault(Exception):  # noqa: N818 - SOAP's word for it (section 4.4)
    """The request cannot be carried out; answered with its code, its text and its detail. Quotes no secret.

    It is not for refused credentials, which are HTTP's 401.
    """

    def __init__(self, code: str, text: str, *, detail: str = "", namespace: str = "") -> None:
        """Take what the answer shows.

        Args:
            code: as SOAP has it, with prefix: `soapenv:Client`.
            text: the faultstring.
            detail: XML, already escaped; empty: no detail.
            namespace: of the prefix `ns1` in the code, where it has that one.
        """
        super().__init__(text)
        self.code = code
        self.text = text
        self.detail = detail
        self.namespace = namespace


@dataclass(slots=True, eq=False, repr=False)
class Element:
    """One element of a request, by its local name. It has no repr that shows what is in it: a password, perhaps."""

    name: str
    namespace: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""
    """Its own character data, without that of its children."""

    def child(self, *names: str) -> Element | None:
        """The first child of one of these names."""
        return next((child for child in self.children if child.name in names), None)

    def value(self, *names: str) -> str:
        """The text of the first child of one of these names, without blanks around; empty where there is none."""
        found = self.child(*names)
        return "" if found is None else found.text.strip()

    def every(self, name: str) -> Iterator[Element]:
        """All descendants of this name, in the order of the document."""
        for child in self.children:
            if child.name == name:
                yield child
            else:
                yield from child.every(name)


def read_operation(body: bytes) -> Generator[None, None, Element]:
    """The one element in an envelope's body, with rpc/encoded references followed. Breathes.

    Raises:
        Fault: it is no XML, goes over a limit, or is no SOAP 1.1 envelope with an operation.
    """
    root = yield from _read(body)
    if root.name != "Envelope" or root.namespace != ENVELOPE:
        raise Fault("soapenv:VersionMismatch", f"expected a SOAP 1.1 Envelope of {ENVELOPE}, got {_shown(root.name)}")
    content = root.child("Body")
    if content is None or not content.children:
        raise Fault("soapenv:Client", "expected one operation in the Body of the Envelope, got none")
    operation, *others = content.children
    references = {other.attributes["id"]: other for other in others if "id" in other.attributes}
    if references:
        _follow(operation, references)
    return operation


def _follow(element: Element, references: dict[str, Element]) -> None:
    """Put what `href="#id"` means in its place (SOAP 1.1, 5.4; Axis 1 writes its requests so), each at most once."""
    for child in element.children:
        href = child.attributes.get("href", "")
        if href.startswith("#"):
            meant = references.pop(href[1:], None)
            if meant is None:
                raise Fault("soapenv:Client", f"expected one element with the id {_shown(href[1:])} for one reference")
            child.attributes, child.children, child.text = meant.attributes, meant.children, meant.text
        _follow(child, references)


class _RefusedError(Exception):
    """Raised in parser callbacks; its text says what was expected and found."""


class _Builder:
    """expat's callbacks: builds elements, and holds the limits while they come."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX:
            raise _RefusedError(f"expected at most {ELEMENTS_MAX} elements")
        if len(self._open) >= DEPTH_MAX:
            raise _RefusedError(f"expected at most {DEPTH_MAX} levels of elements")
        namespace, _, local = name.rpartition(" ")
        element = Element(local, namespace, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.append([])

    def end(self, _name: str) -> None:
        self._open.pop().text = "".join(self._text.pop())

    def characters(self, data: str) -> None:
        self._text[-1].append(data)

    def doctype(self, *_: object) -> None:
        raise _RefusedError("expected no DTD")


def _read(body: bytes) -> Generator[None, None, Element]:
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        for start in range(0, len(body), _PIECE_BYTES):
            parser.Parse(body[start : start + _PIECE_BYTES], False)
            yield
        parser.Parse(b"", True)
    except _RefusedError as error:
        raise Fault("soapenv:Client", f"line {parser.CurrentLineNumber}: {error}") from None
    except expat.ExpatError as error:
        reason = expat.errors.messages.get(error.code, "not well-formed")
        raise Fault("soapenv:Client", f"line {error.lineno}: no XML: {reason}") from None
    except (ValueError, LookupError):  # an encoding that Python's codecs do not have, or not in this way
        raise Fault("soapenv:Client", "no XML: unknown encoding") from None
    assert builder.root is not None, "expat would have complained"
    return builder.root


def _shown(text: str) -> str:
    """A name from a request for an error's text: short, and without what terminals act on."""
    return repr(text[:40])


def envelope_start() -> str:
    """Write the beginning of every answer (as captured from Unified CM)."""
    return f"<?xml version='1.0' encoding='UTF-8'?><soapenv:Envelope xmlns:soapenv=\"{ENVELOPE}\"><soapenv:Body>"


ENVELOPE_END: Final = "</soapenv:Body></soapenv:Envelope>"


def fault_document(fault: Fault) -> bytes:
    """Write a fault (SOAP 1.1, section 4.4); HTTP's status with it is 500 (section 6.2)."""
    namespace = f' xmlns:ns1="{fault.namespace}"' if fault.namespace else ""
    detail = f"<detail>{fault.detail}</detail>" if fault.detail else ""
    document = (
        f"{envelope_start()}<soapenv:Fault><faultcode{namespace}>{fault.code}</faultcode>"
        f"<faultstring>{xml_text(fault.text)}</faultstring>{detail}</soapenv:Fault>{ENVELOPE_END}"
    )
    return document.encode("utf-8")


def xml_text(text: str) -> str:
    """Text as XML's character data or as an attribute between double quotes; what XML cannot hold becomes `?`."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "?" for character in text)
    return escape(text, {'"': "&quot;"})
