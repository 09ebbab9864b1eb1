"""What an ExecuteItem's URL asks a phone for: the internal URIs (XSI-5), and http URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

PORTS: Final = range(20480, 32769, 2)
"""RTP ports that a phone takes: even, 20480 to 32768 (XSI-5, RTPRx)."""
_READ: Final = 1024
"""A page sends the same few URLs to all phones: they are read once."""


@dataclass(frozen=True, slots=True)
class Receive:
    """`RTPRx:i:p[:v]` and `RTPMRx:i:p[:v]`: receive one stream."""

    source: str
    """The address that the stream comes from; of multicast the group."""
    port: int | None
    """The phone's own port; None lets the phone choose."""
    volume: int | None = None
    """Percent of the maximum; None keeps the volume."""
    multicast: bool = False


@dataclass(frozen=True, slots=True)
class Transmit:
    """`RTPTx:i:p` and `RTPMTx:i:p`: send one stream."""

    destination: str
    port: int
    multicast: bool = False


@dataclass(frozen=True, slots=True)
class StopReceiving:
    """`RTPRx:Stop`, unicast and multicast (XSI-5); `RTPMRx:Stop` as well (its like is seen in CAMELOT)."""


@dataclass(frozen=True, slots=True)
class StopTransmitting:
    """`RTPTx:Stop`, `RTPMTx:Stop`."""


@dataclass(frozen=True, slots=True)
class Press:
    """`Key:<name>`: as if somebody pressed that key. A key that the phone lacks is silently ignored (XSI-5)."""

    key: str


@dataclass(frozen=True, slots=True)
class Play:
    """`Play:<file>`: play a ring tone; None is `Play:Stop`."""

    file: str | None


@dataclass(frozen=True, slots=True)
class Dial:
    """`Dial:<digits>[:useAppUI[:application[:feedback]]]`: call a number."""

    number: str
    application: str = ""
    """Whose call it is; empty: nobody's."""


@dataclass(frozen=True, slots=True)
class EditDial:
    """`EditDial:<digits>`: put a number in front of the user, to be changed and called."""

    number: str


@dataclass(frozen=True, slots=True)
class SendDigits:
    """`SendDigits:<digits>[:feedback[::application]]`: tones into the call that is active."""

    digits: str
    application: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """`App:<action>:priority:idleTimer:application`: what happens to an application on the screen."""

    action: str
    application: str


@dataclass(frozen=True, slots=True)
class Device:
    """`Device:Unlock`."""


@dataclass(frozen=True, slots=True)
class Init:
    """`Init:<feature>`."""

    feature: str


@dataclass(frozen=True, slots=True)
class Display:
    """`Display:Off|On|Default[:minutes]`."""

    mode: str
    minutes: int | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """An http URL: the phone gets the object there and shows it."""

    url: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """A URI whose parameters are not valid, or that is not allowed in an Execute (`SoftKey:`, `Notify:`; XSI-5)."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A URI that phones do not know, or that this emulator does not carry out."""


Uri = (
    Receive | Transmit | StopReceiving | StopTransmitting | Press | Play | Dial | EditDial | SendDigits | Application
    | Device | Init | Display | Fetch | Invalid | Unknown
)  # fmt: skip

_STREAM: Final = re.compile(
    r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::(\d{0,5}))?(?::(\d{0,3}))?(?::([012]?))?", re.ASCII
)
_KEY: Final = re.compile(
    r"Line([1-9]|[1-9]\d|1[01]\d|120)|KeyPad(\d|Star|Pound)|Soft[1-5]|VolUp|VolDwn|Speaker|Headset|Mute|Info|Messages|"
    r"Services|Directories|Settings|Applications|Nav(Up|Dwn|Left|Right|Select)|Hold|FixedFeature3|Release|"
    r"Session[1-6]|Feature([1-9]|[1-9]\d|1[01]\d|120)|PTT",
    re.ASCII,
)
"""Names of keys (XSI-5, Key)."""
_FILE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_APPLICATION: Final = r"[^:\x00-\x1f]{0,64}"
"""An application's name: up to 64 characters without colons (OL20949 p.5-15, 5-20)."""
_DIGITS: Final = re.compile(rf"([0-9A-D*#+,]{{1,128}})(?::[01]?(?::({_APPLICATION})(?::[01]?)?)?)?", re.ASCII)
"""Digits, commas being pauses, then `useAppUI`, application and feedback (OL20949 p.5-13); `+` is assumed, and the
bound is ours."""
_TONES: Final = re.compile(rf"([0-9A-D*#,]{{1,128}})(?::[01]?(?:::?({_APPLICATION}))?)?", re.ASCII)
"""The format has two colons before the application, the example one (OL20949 p.5-15)."""
_ACTION: Final = re.compile(
    rf"(RequestFocus|ReleaseFocus|Minimize|Close):([012]?):(\d{{0,5}}):({_APPLICATION})", re.ASCII
)
_IDLE_S: Final = range(10, 86401)
"""App's idle timer (OL20949 p.5-20)."""
_FEATURES: Final = frozenset({"CallHistory", "Services", "Messages", "Directories", "AppStatus"})
_DISPLAY: Final = re.compile(r"(Off|On|Default)(?::(\d{1,4}))?", re.ASCII)
_STOPS: Final[dict[str, Uri]] = {
    "RTPRx:Stop": StopReceiving(),
    "RTPMRx:Stop": StopReceiving(),
    "RTPTx:Stop": StopTransmitting(),
    "RTPMTx:Stop": StopTransmitting(),
    "Play:Stop": Play(None),
}


@lru_cache(maxsize=_READ)
def read_uri(url: str) -> Uri:
    """What an item's URL asks for (XSI-5). Names of URIs are case-sensitive, the scheme of an http URL is not."""
    stop = _STOPS.get(url)
    if stop is not None:
        return stop
    name, _, rest = url.partition(":")
    match name:
        case "RTPRx" | "RTPMRx" | "RTPTx" | "RTPMTx":
            return _read_stream(name, rest)
        case "Key":
            return Press(rest) if _KEY.fullmatch(rest) else Invalid()
        case "Play":
            return Play(rest) if _FILE.fullmatch(rest) else Invalid()
        case "Dial":
            digits = _DIGITS.fullmatch(rest)
            return Dial(digits.group(1), digits.group(2) or "") if digits else Invalid()
        case "EditDial":
            digits = _DIGITS.fullmatch(rest)
            return EditDial(digits.group(1)) if digits else Invalid()
        case "SendDigits":
            tones = _TONES.fullmatch(rest)
            return SendDigits(tones.group(1), tones.group(2) or "") if tones else Invalid()
        case "App":
            return _read_application(rest)
        case "Device":
            return Device() if rest == "Unlock" else Invalid()
        case "Init":
            return Init(rest) if rest in _FEATURES else Invalid()
        case "Display":
            display = _DISPLAY.fullmatch(rest)
            if display is None or int(display.group(2) or 0) > 1440:
                return Invalid()
            return Display(display.group(1), None if display.group(2) is None else int(display.group(2)))
        case "SoftKey" | "Notify" | "QueryStringParam":
            # Not allowed in an Execute (XSI-5); that the last one, which belongs to keys and menus, is not is assumed.
            return Invalid()
        case _:
            return Fetch(url) if name.lower() in {"http", "https"} and rest.startswith("//") else Unknown()


def _read_application(rest: str) -> Uri:
    """In an Execute the application must be named (OL20949 p.5-20); one that is not is no valid URI (inferred)."""
    match = _ACTION.fullmatch(rest)
    if match is None or not match.group(4) or (match.group(3) and int(match.group(3)) not in _IDLE_S):
        return Invalid()
    return Application(match.group(1), match.group(4))


def _read_stream(name: str, rest: str) -> Uri:
    """The four stream URIs.

    A trailing colon without a volume is taken (seen in UCM-CMD), and so is the fifth field of later phones.
    """
    match = _STREAM.fullmatch(rest)
    if match is None:
        return Invalid()
    address, port_text, volume, _ = match.groups()
    octets = [int(octet) for octet in address.split(".")]
    multicast = name in {"RTPMRx", "RTPMTx"}
    if max(octets) > 255 or (volume and int(volume) > 100) or (multicast and not 224 <= octets[0] <= 239):
        return Invalid()
    address = ".".join(map(str, octets))
    port = int(port_text) if port_text else None
    if port is not None and port not in PORTS:
        return Invalid()
    if name.endswith("Tx"):
        return Transmit(address, port, multicast) if port is not None and volume is None else Invalid()
    if multicast and port is None:
        return Invalid()  # a group without a port is no stream
    return Receive(address, port, int(volume) if volume else None, multicast)
