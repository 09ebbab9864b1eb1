"""The web pages of a phone: HTML and X forms of its information pages, and the password-protected ones' bodies.

What a page shows comes in as a `View`; which fields it has, in which order and under which label is the model's data.
No I/O: path and query in, a `Page` out. The form of the HTML (title, heading, a row's cells) is that of a CP-8845 (OPS)
and of the fingerprints of TENABLE; the layout around it is our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape as escape_html
from typing import Final
from xml.sax.saxutils import escape

from emulator.phone.model import Elements, Model
from emulator.phone.picture import bmp, draw, image_object, png

QUERY_CHARACTERS: Final = 128
"""The longest query that means anything has 43."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """What the phone hears now, in numbers."""

    remote: str
    """`address/port`; the port is 0 while nothing has come."""
    local: str
    start: str
    packets: int
    lost: int
    jitter_ms: float
    most_jitter_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """What the phone sends now, in numbers."""

    remote: str
    """`address/port`."""
    local: str
    start: str
    packets: int


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What pages show of a phone at one moment."""

    name: str
    mac: str
    dn: str
    address: str
    authentication_url: str = field(repr=False)
    """The URL in force; it may hold parameters that are secret. Empty: none."""
    services_url: str = field(default="", repr=False)
    time: str
    date: str
    log: tuple[str, ...] = ()
    """Status messages, oldest first."""
    hearing: Hearing | None = None
    sending: Sending | None = None
    state: str = "idle"
    """Of the line: idle, ringing, in-call, on-hold."""
    shown: tuple[str, ...] = ()
    """Lines on the screen under the title bar."""


@dataclass(frozen=True, slots=True)
class Page:
    """A body and its Content-Type; empty where it is the model's XML."""

    body: bytes
    kind: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    root: str
    title: str
    numbered: str = ""
    """The model's count of it, or empty."""
    first: int = 1


_PAGES: Final = {
    "DeviceInformation": _Kind("DeviceInformation", "Device information"),
    "NetworkConfiguration": _Kind("NetworkConfiguration", "Network setup"),
    "EthernetInformation": _Kind("EthernetInformation", "Ethernet information"),
    "PortInformation": _Kind("PortInformation", "Port information", "ports"),
    "DeviceLog": _Kind("DeviceLog", "Status messages", "logs", 0),
    "StreamingStatistics": _Kind("StreamingStatistics", "Streaming statistics", "streams"),
}
_ADAPTERS: Final = {
    "device.statistics.device": ("DeviceInformation", 0),
    "device.statistics.configuration": ("NetworkConfiguration", 0),
    "device.statistics.ethernet": ("EthernetInformation", 0),
    "device.statistics.port.access": ("PortInformation", 2),
    "device.statistics.port.network": ("PortInformation", 1),
    "device.settings.status.messages": ("DeviceLog", 1),
}
"""POIP and OPS (CP-8845). Which number an adapter's port has on the other path is assumed."""
_ADAPTER: Final = re.compile(r"adapter(X?)=(.*)")
_STREAM: Final = re.compile(r"device\.statistics\.streaming\.(\d)")
_NUMBER: Final = re.compile(r"n?(\d)")
"""XSI-6 writes `?n`; one client sends the letter as well (PHONE-READERS)."""
_STATES: Final = {"idle": "ONHOOK", "ringing": "RINGIN", "in-call": "CONNECTED", "on-hold": "HOLD"}
"""ONHOOK and CONNECTED: 88ADM; the other two are assumed."""
PROTECTED: Final = frozenset({
    "/CGI/Screenshot", "/CGI/CallInfo", "/CGI/LineInfo", "/CGI/ModeInfo", "/CGI/SettingsInfo",
    "/CGI/Java/CallInfo", "/CGI/Java/LineInfo", "/CGI/Java/ModeInfo", "/CGI/Java/SettingsInfo",
})  # fmt: skip
"""Paths that are asked about like a push (XSI-6: Screenshot; UCM-CMD: the others; 88ADM: those under Java)."""


def is_protected(model: Model, path: str) -> bool:
    """Whether the model has this page and gives it only to whom the authentication URL knows."""
    return path in PROTECTED and (model.java_pages or not path.startswith("/CGI/Java/"))


def page(model: Model, path: str, query: str, view: View) -> Page | None:
    """The open page of a path; None where the phone has none."""
    if len(query) > QUERY_CHARACTERS:
        return None
    if path == "/":
        return _information(model, "DeviceInformation", 0, view, x=False)
    if path == "/CGI/Java/Serviceability" and model.java_pages:
        match = _ADAPTER.fullmatch(query)
        return _adapter(model, match.group(2), view, x=bool(match.group(1))) if match else None
    name, x = path[1:].removesuffix("X"), path.endswith("X")
    kind = _PAGES.get(name)
    if kind is None or not path.startswith("/"):
        return None
    number = kind.first
    if kind.numbered and query:
        match = _NUMBER.fullmatch(query)
        if match is None:
            return _beyond(model, kind, view, x=x)
        number = int(match.group(1))
    return _information(model, name, number, view, x=x)


def _adapter(model: Model, adapter: str, view: View, *, x: bool) -> Page | None:
    stream = _STREAM.fullmatch(adapter)
    if stream is not None:
        return _information(model, "StreamingStatistics", int(stream.group(1)) + 1, view, x=x)
    known = _ADAPTERS.get(adapter)
    return _information(model, *known, view, x=x) if known is not None else None


def _information(model: Model, name: str, number: int, view: View, *, x: bool) -> Page | None:
    kind = _PAGES[name]
    if kind.numbered:
        count = {"ports": model.ports, "logs": model.logs, "streams": model.streams}[kind.numbered]
        if not kind.first <= number < kind.first + count:
            return _beyond(model, kind, view, x=x)
    if name == "DeviceLog":
        return _log(model, number, view, x=x)
    elements: Elements = {
        "DeviceInformation": model.device_information,
        "NetworkConfiguration": model.network_configuration,
        "EthernetInformation": model.ethernet_information,
        "PortInformation": model.port_information,
        "StreamingStatistics": model.streaming_statistics,
    }[name]
    values = _values(model, view, *(view.hearing, view.sending) if number == 1 else (None, None))
    filled = [(element, label, text.format(**values)) for element, label, text in elements]
    title = f"{kind.title} {number}" if kind.numbered else kind.title
    return _x(model, kind.root, filled) if x else _html(model, title, view, filled)


def _values(model: Model, view: View, hearing: Hearing | None, sending: Sending | None) -> dict[str, object]:
    firmware = model.firmware
    stream = hearing or sending  # one row for both directions: whose it is where they differ is assumed
    return {
        "mac": view.mac,
        "name": view.name,
        "dn": view.dn,
        "serial": f"{firmware.serial}{int(view.mac[-6:], 16):08d}",
        "model": model.model,
        "load": firmware.load,
        "boot": firmware.boot,
        "version": firmware.version,
        "hardware": firmware.hardware,
        "udi_name": firmware.udi_name,
        "udi_version": firmware.udi_version,
        "address": view.address,
        "authentication_url": view.authentication_url,
        "services_url": view.services_url,
        "time": view.time,
        "date": view.date,
        "number": 1,
        "remote": stream.remote if stream else "0.0.0.0/0",
        "local": stream.local if stream else "0.0.0.0/0",
        "start": stream.start if stream else "00:00:00",
        "status": "Active" if stream else "Not Ready",
        "sent_packets": sending.packets if sending else 0,
        "sent_octets": sending.packets * 160 if sending else 0,
        "sent_codec": "G.711u" if sending else "None",
        "sent_size": "20 ms" if sending else "0 ms",
        "packets": hearing.packets if hearing else 0,
        "octets": hearing.packets * 160 if hearing else 0,  # payload octets (RFC 3550, 6.4.1), G.711 of 20 ms
        "codec": "G.711u" if hearing else "None",
        "lost": hearing.lost if hearing else 0,
        "jitter": round(hearing.jitter_ms) if hearing else 0,
        "max_jitter": round(hearing.most_jitter_ms) if hearing else 0,
    }


def _x(model: Model, root: str, filled: list[tuple[str, str, str]]) -> Page:
    """The X form: elements in the model's order; the line layout is ours."""
    lines = [model.declaration, f"<{root}>"]
    for element, _, text in filled:
        if not element:
            continue
        if not text and model.empty_elements == "single":
            lines.append(f"<{element}/>")
        else:
            lines.append(f"<{element}>{escape(text)}</{element}>")
    encoding = "utf-8" if "utf-8" in model.declaration.lower() else "latin-1"
    return Page("\r\n".join([*lines, f"</{root}>\r\n"]).encode(encoding, "xmlcharrefreplace"))


def _cell(model: Model, text: str) -> str:
    if model.html_escape == "plain":
        return escape_html(text)
    # Java phones write all but letters, digits, blanks and few signs as references (OPS).
    return "".join(sign if sign.isalnum() or sign in " .,:_" else f"&#x{ord(sign):X};" for sign in text)


def _html(model: Model, title: str, view: View, filled: list[tuple[str, str, str]]) -> Page:
    rows = []
    for _, label, text in filled:
        if not label:
            continue
        for index, line in enumerate(text.rstrip("\n").split("\n")):
            name = label if index == 0 else ""
            rows.append(
                f"<TR><TD><B> {_cell(model, name)}</B></TD><td width=20></TD><TD><B>{_cell(model, line)}</B></TD></TR>"
            )
    links = [(kind.title, f"/{name}") for name, kind in _PAGES.items() if not kind.numbered]
    links += [(f"Port {n}", f"/PortInformation?{n}") for n in range(1, model.ports + 1)]
    links += [(f"Status messages {n}", f"/DeviceLog?{n}") for n in range(model.logs)]
    links += [(f"Stream {n}", f"/StreamingStatistics?{n}") for n in range(1, model.streams + 1)]
    if model.java_pages:
        java = "/CGI/Java/Serviceability?adapter="
        links = [
            (_PAGES[name].title + (f" {n}" if n else ""), java + adapter) for adapter, (name, n) in _ADAPTERS.items()
        ]
        links += [(f"Stream {n + 1}", f"{java}device.statistics.streaming.{n}") for n in range(model.streams)]
    menu = "".join(f'<TR><TD><a href="{path}">{name}</A></TD></TR>\n' for name, path in links)
    text = (
        '<HTML>\n<HEAD><META http-equiv="Content-Type" content="text/html; charset=utf-8">'
        "<TITLE>Cisco Systems, Inc.</TITLE>\n</HEAD>\n"
        f'<BODY><TABLE BORDER="1" WIDTH="100%"><TR><TD COLSPAN="2" bgcolor="#003031" ALIGN=center>'
        f'<B><font color="#FFFFFF" size="6">{title}</FONT></B><BR>'
        f'<B><font color="#FFFFFF" size="4">{model.title} ( {view.name} )</FONT></B></TD></TR>\n'
        f'<TR><TD VALIGN=top><TABLE>{menu}</TABLE></TD>\n<TD VALIGN=top><TABLE BORDER="0">\n'
        + "\n".join(rows)
        + "\n</TABLE></TD></TR></TABLE></BODY></HTML>\n"
    )
    return Page(text.encode("utf-8"), model.html_type)


def _log(model: Model, number: int, view: View, *, x: bool) -> Page:
    # Which number holds what is assumed: 1 the status messages, the others empty.
    messages = view.log if number == 1 else ()
    if not x:
        return _html(model, f"Status messages {number}", view, [("", str(n), m) for n, m in enumerate(messages, 1)])
    if model.java_pages:  # one `status` (RANTS)
        return _x(model, "DeviceLog", [("status", "", "\n".join(messages))])
    # Old phones repeat the declaration within (UCM-CMD); that it precedes each message is assumed.
    inner = "".join(f"{model.declaration}<status>{escape(message)}</status>\r\n" for message in messages)
    return Page(f"{model.declaration}\r\n<DeviceLog>\r\n{inner}</DeviceLog>\r\n".encode("latin-1", "xmlcharrefreplace"))


def _beyond(model: Model, kind: _Kind, view: View, *, x: bool) -> Page | None:
    if model.beyond == "404":
        return None
    element = {"ports": "port", "streams": "Name"}.get(kind.numbered, "status")
    row = [(element, kind.title, "Invalid Argument")]
    return _x(model, kind.root, row) if x else _html(model, kind.title, view, row)


def protected(model: Model, path: str, view: View) -> Page:
    """The body of a page that is given only to whom the authentication URL knows; see `is_protected`."""
    name = path.rpartition("/")[2]
    if name == "Screenshot":
        picture = draw(model.display, view.dn, view.name, view.shown)
        if model.screenshot == "xml":
            return Page(image_object(picture, view.name))
        return Page(bmp(picture), "image/bmp") if model.screenshot == "bmp" else Page(png(picture), "image/png")
    if name == "CallInfo":
        return _plain("CiscoIPPhoneCallLineInfo", [
            ("Prompt", ""), ("Notify", ""), ("Status", ""), ("LineDirNum", view.dn),
            ("LineState", _STATES.get(view.state, "ONHOOK")),
        ])  # fmt: skip
    if name == "LineInfo":
        line = _elements([
            ("LineType", "9"), ("lineDirNum", view.dn), ("MessageWaiting", "NO"), ("RingerName", "Chirp1"),
            ("LineLabel", ""), ("LineIconState", _STATES.get(view.state, "ONHOOK")),
        ])  # fmt: skip
        return _plain(
            "CiscoIPPhoneLineInfo",
            [("Prompt", ""), ("Notify", ""), ("Status", "")],
            f"<CiscoIPPhoneLines>\n{line}</CiscoIPPhoneLines>\n",
        )
    if name == "ModeInfo":
        fields = "".join(
            "<CiscoIPPhoneFields>\n"
            + _elements(
                [
                    ("FieldType", "0"),
                    ("FieldAttr", ""),
                    ("fieldHelpIndex", "0"),
                    ("FieldName", text),
                    ("FieldValue", ""),
                ]
            )
            + "</CiscoIPPhoneFields>\n"
            for text in view.shown
        )
        head = [
            ("PlaneTitle", view.dn), ("PlaneFieldCount", str(len(view.shown))), ("PlaneSoftKeyIndex", "0"),
            ("PlaneSoftKeyMask", "0"), ("Prompt", ""), ("Notify", ""), ("Status", ""),
        ]  # fmt: skip
        return Page(_plain("CiscoIPPhoneModeInfo", head, fields).body, model.mode_info_type)
    return _plain("CiscoIPPhoneSettingsInfo", [("HostName", view.name), ("PhoneDN", view.dn)])


def _elements(rows: list[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>\n" for name, text in rows)


def _plain(root: str, rows: list[tuple[str, str]], inner: str = "") -> Page:
    """Names, order and nesting of CallInfo, LineInfo and ModeInfo: 88ADM. Those of SettingsInfo are assumed."""
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<{root}>\n{_elements(rows)}{inner}</{root}>\n'
    return Page(text.encode())
