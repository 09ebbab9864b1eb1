"""A phone's web pages, read: who it is, how its network is set up, what it hears. Bytes in, values out.

This is the test bed's own reading, apart from the gateway's: a mistake in one of them shows as a disagreement. Every
page
that matters is flat, so that no XML parser is needed: elements are looked for by name in a bounded text, and a
document type
or a thousand levels of nesting are only text like any other. The HTML forms of models without X pages are
tables of a label and a value; labels may be in the phone's language, so values with a form of their own are known by
that.
"""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Final

PAGE_BYTES: Final = 64 * 1024
"""A real page has about 4 kB."""
VALUE_CHARACTERS: Final = 64
"""Kept of a value; real ones have at most 32."""
URL_CHARACTERS: Final = 1024
"""Kept of a URL; phones take 255."""

_ELEMENT: Final = re.compile(r"<([A-Za-z][A-Za-z0-9_]{0,40})(?:\s[^<>]{0,200})?>([^<]*)</\1>|<([A-Za-z]\w{0,40})\s?/>")
_ROW: Final = re.compile(r"<tr\b[^>]{0,200}>", re.IGNORECASE)
_CELL: Final = re.compile(r"<t[dh]\b[^>]{0,200}>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]{0,400}>")
_NAME: Final = re.compile(r"SEP[0-9A-F]{12}")
_MAC: Final = re.compile(r"[0-9A-F]{12}")
_MODEL: Final = re.compile(r"CP-[0-9A-Z-]{3,20}")
_URL: Final = re.compile(r"https?://[!-~]*", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9*#+]{1,24}")
_ERROR: Final = re.compile(r'<CiscoIPPhoneError\b[^>]{0,200}\bNumber="(\d{1,5})"')
_ITEM: Final = re.compile(r'<ResponseItem\b[^>]{0,1000}\bStatus="(-?\d{1,5})"')


class PageError(Exception):
    """The bytes are no such page. Not: the phone has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """Who a phone says it is; what the page leaves out is empty."""

    device_name: str
    mac: str
    directory_number: str
    model: str
    firmware: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How a phone's network is set up."""

    authentication_url: str | None = field(repr=False)
    """In force; empty: it has none, and believes every push. None: the page does not say."""
    subnet_mask: str
    name_servers: tuple[str, ...] | None
    """None: the page does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What stream 1 of a phone says."""

    status: str
    """As the phone writes it, such as `Active` or `Not Ready`; empty: it does not say."""
    received: int | None
    """Packets; None: it does not say."""

    @property
    def active(self) -> bool:
        """Whether something is heard or sent now."""
        return self.status.lower() == "active"


def read_information(body: bytes) -> Information:
    """DeviceInformation, of any form.

    Raises:
        PageError: neither device name nor MAC address is on it.
    """
    text = _text(body)
    values = _elements(text)
    if "DeviceInformation" not in text or "MACAddress" not in values:
        return _information_of_html(text)
    mac = values["MACAddress"].replace(":", "").upper()
    name = values.get("HostName", "").upper()
    if not _MAC.fullmatch(mac):
        raise PageError("its MAC address is none")
    return Information(
        device_name=name or f"SEP{mac}",
        mac=mac,
        directory_number=_kept(values.get("phoneDN", "")),
        model=_kept(values.get("modelNumber", "")),
        firmware=_kept(values.get("appLoadID", "")),
    )


def _information_of_html(text: str) -> Information:
    rows = _rows(text)
    values = [value for _, value in rows]
    name = next((value for value in values if _NAME.fullmatch(value)), "")
    mac = next((value for value in values if _MAC.fullmatch(value)), "") or name[3:]
    if not mac:
        raise PageError("there is no MAC address on it")
    number = next((value for label, value in rows if label in {"phone dn", "directory number"}), "")
    if not number and name:
        # In another language: the row after the host name, where it is a number at all (as on real pages of 79xx).
        after = values[values.index(name) + 1 : values.index(name) + 2]
        number = after[0] if after and _NUMBER.fullmatch(after[0]) else ""
    return Information(
        device_name=name or f"SEP{mac}",
        mac=mac,
        directory_number=_kept(number),
        model=_kept(next((value for value in values if _MODEL.fullmatch(value)), "")),
        firmware=_kept(next((value for label, value in rows if label == "app load id"), "")),
    )


def read_network(body: bytes) -> Network:
    """NetworkConfiguration, of any form.

    Raises:
        PageError: it is no such page.
    """
    text = _text(body)
    values = {name.lower(): value for name, value in _elements(text).items()}
    if "NetworkConfiguration" in text and "ipaddress" in values:
        url = values.get("authenticationurl")
        servers = [values[name] for n in range(1, 6) if (name := f"dnsserver{n}") in values]
        mask = values.get("subnetmask", "")
    else:
        rows = dict(reversed(_rows(text)))
        if not any(label in rows for label in ("ip address", "mac address", "authentication url")):
            raise PageError("there is no network set-up on it")
        url = rows.get("authentication url")
        if url and not _URL.fullmatch(url):
            url = None
        servers = [rows[label] for n in range(1, 6) if (label := f"dns server {n}") in rows]
        mask = rows.get("subnet mask", "")
    return Network(
        authentication_url=None if url is None else url[:URL_CHARACTERS],
        subnet_mask=_kept(mask),
        name_servers=tuple(server for server in servers if server and server != "0.0.0.0") if servers else None,
    )


def read_statistics(body: bytes) -> Statistics:
    """StreamingStatistics, of any form.

    Raises:
        PageError: it is no such page.
    """
    text = _text(body)
    values = _elements(text)
    status = values.get("StreamStatus") or values.get("RowStatus", "")  # the latter on 7905, 7940 and 7960
    packets = values.get("RcvrPackets", "")
    if not status and not packets:
        rows = dict(reversed(_rows(text)))
        status, packets = rows.get("stream status") or rows.get("row status", ""), rows.get("rcvr packets", "")
        if not status and not packets:
            raise PageError("there are no streaming statistics on it")
    return Statistics(
        status=_kept(status),
        received=int(packets) if packets.isdecimal() and len(packets) < 12 else None,
    )


def read_line_state(body: bytes) -> str:
    """What /CGI/CallInfo says of the line, such as ONHOOK or CONNECTED; empty where it says nothing."""
    return _kept(_elements(_text(body)).get("LineState", "")).upper()


def read_push_answer(body: bytes) -> int | None:
    """What a phone answers to a push: 0, its error, or the first status that is not 0; None: no such answer."""
    text = _text(body)
    error = _ERROR.search(text)
    if error is not None:
        return int(error[1])
    statuses = [int(status) for status in _ITEM.findall(text)]
    return next((status for status in statuses if status), 0) if statuses else None


def _text(body: bytes) -> str:
    if len(body) > PAGE_BYTES:
        raise PageError(f"more than {PAGE_BYTES} bytes")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _elements(text: str) -> dict[str, str]:
    """Flat elements by name, the first of each."""
    values: dict[str, str] = {}
    for name, value, empty in _ELEMENT.findall(text):
        values.setdefault(name or empty, unescape(value).strip())
    return values


def _rows(text: str) -> list[tuple[str, str]]:
    """Label in lower case and value of each table row with two cells or more; tables within tables are cut apart."""
    rows = []
    for row in _ROW.split(text)[1:]:
        cells = [" ".join(unescape(_TAG.sub("", cell)).split()) for cell in _CELL.split(row)[1:]]
        if len(cells) > 1 and cells[0]:
            rows.append((cells[0].rstrip(":").lower(), cells[-1]))
    return rows


def _kept(value: str) -> str:
    """One line of a bounded length, whatever the phone sent."""
    value = " ".join(value.split())
    return value[:VALUE_CHARACTERS] if value.isprintable() else ascii(value)[1:-1][:VALUE_CHARACTERS]
