"""Read a phone's HTML pages, for phones that have no X form or answer it with something else.

The pages are tables of a label and a value. Labels are in the phone's language, so what a value looks like goes before
what it is called: a MAC address, a device name and a model are known by their form.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from gateway.cisco.device_information import MAX_VALUE, DeviceInformation
from gateway.cisco.xml_elements import MAX_BYTES, XmlDefectError, read_elements

MAX_ROWS = 500
"""A real page has about 60."""
MAX_URL = 1024
"""Characters of a URL on a page; phones take 255."""

_MAC = re.compile(r"[0-9A-F]{12}")
_HOST_NAME = re.compile(r"[A-Z]{3}[0-9A-F]{12}")
_MODEL = re.compile(r"CP-[0-9A-Z-]{3,20}")
_NUMBER = re.compile(r"[0-9*#+]{1,24}")
_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_NUMBER_LABELS = ("phone dn", "directory number", "extension")
_URL_LABELS = ("authentication url",)


class _Rows(HTMLParser):
    """Collects (label, value) of each table row, also of tables within tables."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[tuple[str, str]] = []
        self._open: list[list[list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "tr":
            self._open.append([])
        elif tag in {"td", "th"} and self._open:
            self._open[-1].append([])

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and self._open:
            cells = [" ".join("".join(parts).split()) for parts in self._open.pop()]
            if len(cells) > 1 and cells[0] and len(self.rows) < MAX_ROWS:
                self.rows.append((cells[0].lower(), cells[-1]))

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1]:
            self._open[-1][-1].append(data)


def _rows(body: bytes) -> list[tuple[str, str]]:
    if len(body) > MAX_BYTES:
        raise XmlDefectError(f"more than {MAX_BYTES} bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    reader = _Rows()
    reader.feed(text)
    reader.close()
    return reader.rows


def parse_device_information_page(body: bytes) -> DeviceInformation:
    """Read the HTML form of /DeviceInformation.

    Raises:
        XmlDefectError: there is no MAC address on it.
    """
    rows = _rows(body)
    values = [value for _, value in rows]

    def first(form: re.Pattern[str]) -> str:
        return next((value for value in values if form.fullmatch(value)), "")[:MAX_VALUE]

    mac, name = first(_MAC), first(_HOST_NAME)
    if not mac and not name:
        raise XmlDefectError("no MAC address on the page")
    number = next((value for label, value in rows if label in _NUMBER_LABELS and _NUMBER.fullmatch(value)), None)
    if number is None and name:
        # In another language: the number is the row after the host name, where the row is a number at all.
        after = values[values.index(name) + 1 : values.index(name) + 2]
        number = after[0] if after and _NUMBER.fullmatch(after[0]) else ""
    return DeviceInformation(
        device_name=name, mac=mac or name[3:], directory_number=(number or "")[:MAX_VALUE], model=first(_MODEL)
    )


def parse_authentication_url(body: bytes) -> str | None:
    """The authentication URL in force, out of either form of /NetworkConfiguration.

    Returns:
        None where the page does not say; an empty text where the phone has none, and accepts every push.

    Raises:
        XmlDefectError: it is no such page.
    """
    try:
        elements = read_elements(body)
    except XmlDefectError:
        elements = []
    if elements and elements[0].name == "NetworkConfiguration":
        values = [e.text.strip() for e in elements if e.depth == 1 and e.name.lower() == "authenticationurl"]
        return values[0][:MAX_URL] if values else None
    rows = _rows(body)
    if not rows:
        raise XmlDefectError("not a NetworkConfiguration page")
    for label, value in rows:
        if label in _URL_LABELS:
            return value[:MAX_URL] if _URL.fullmatch(value) or not value else None
    return None
