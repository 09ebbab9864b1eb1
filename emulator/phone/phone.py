"""One phone: what it is, and what a push that may be executed, or a call, does to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from emulator.phone.answer import BUSY_ERROR, INVALID_URI, PARSE_ERROR, SUCCESS, URI_NOT_FOUND, Item
from emulator.phone.authentication import Server
from emulator.phone.execute import Push
from emulator.phone.media import Medium
from emulator.phone.model import Model
from emulator.phone.screen import Screen
from emulator.phone.stream import Period
from emulator.phone.uri import (
    Application,
    Device,
    Dial,
    Display,
    EditDial,
    Fetch,
    Init,
    Invalid,
    Play,
    Press,
    Receive,
    SendDigits,
    StopReceiving,
    StopTransmitting,
    Transmit,
    Uri,
    read_uri,
)

Action = Literal[
    "RTPRx", "RTPMRx", "RTPRx:Stop", "RTPTx", "RTPMTx", "RTPTx:Stop", "Key", "Play", "Play:Stop", "Dial", "EditDial",
    "SendDigits", "App", "Device", "Init", "Display", "Fetch", "Fetch:Waiting", "Fetch:Dropped", "Show", "Notify",
]  # fmt: skip
State = Literal["idle", "ringing", "in-call", "on-hold"]
Reason = Literal["push", "call", "reset"]
Event = Literal["ring", "call", "hold", "resume", "hang-up", "reset"]

RTP_PORT: Final = 32674
"""Where the modelled gateway sends to, and what a phone chooses that is not told a port (assumed)."""
CALL_ERROR: Final = 4
"""`RTPTx` during a call: 4, to tell it from busy (XSI-5)."""
PLAY_SAMPLES: Final = range(240, 16081, 240)
"""Samples of a ring tone's file at 8 kHz (XSI-5, Play)."""
FAILURE: Final = (6, "<Failure>")
NO_CALL: Final = (6, "No Active Call")
NOT_ITS_CALL: Final = (6, "No Active Call for Application")
UNKNOWN_APPLICATION: Final = (6, "Unknown Application ID")
NOT_ACTIVE: Final = (6, "Application is not Active")
"""Status and Data (OL20949 p.5-15 and 5-20)."""
_NAMES: Final[dict[type, str]] = {SendDigits: "SendDigits", Application: "App", Device: "Device"}
"""URIs that not every model has."""
_SAMPLES_OF_NAME: Final = re.compile(r"\d{3,5}")
_TONE_RATE: Final = 8000

TRANSITIONS: Final[dict[Event, dict[State, State]]] = {
    "ring": {"idle": "ringing"},
    "call": {"idle": "in-call", "ringing": "in-call", "on-hold": "in-call"},
    "hold": {"in-call": "on-hold"},
    "resume": {"on-hold": "in-call"},
    "hang-up": {"ringing": "idle", "in-call": "idle", "on-hold": "idle"},
    "reset": {"idle": "idle", "ringing": "idle", "in-call": "idle", "on-hold": "idle"},
}
"""A phone has one line here. What is not in the table is not possible."""
_KEYS: Final[dict[str, dict[State, Event]]] = {
    "Hold": {"in-call": "hold", "on-hold": "resume"},
    "FixedFeature3": {"in-call": "hold", "on-hold": "resume"},
    "Release": {"ringing": "hang-up", "in-call": "hang-up", "on-hold": "hang-up"},
    "Speaker": {"ringing": "call"},
    "Headset": {"ringing": "call"},
}
"""Keys that move a call; what Speaker and Headset do beside answering is not modelled (assumed)."""


@dataclass(slots=True)
class Transmission:
    """A stream that the phone sends; the counters are the sender's."""

    push: str
    destination: str
    port: int
    multicast: bool
    since_ns: int
    packets: int = 0
    ssrc: int = 0
    local_port: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What the phone did, and the stream that it began or ended by it (None: there was none to end)."""

    action: Action
    period: Period | None = None
    transmission: Transmission | None = None
    url: str | None = None
    """To be fetched."""
    medium: Medium | None = None
    """Whose end is to be told to its `onStopped`."""
    reason: Reason = "push"
    """What brought it about: the push itself, or what happened to the line."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is neither items nor an error number: that of `startMedia` and `stopMedia`."""

    status: int
    """Of HTTP."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Executed:
    """The result of a push: an error number, items, or a reply; and what changed on the way, also before an error."""

    error: int | None
    items: list[Item]
    changes: list[Change]
    play_s: float = 0.0
    """How long the answer is withheld: `Play:` is synchronous (XSI-5)."""
    reply: Reply | None = None


@dataclass(slots=True)
class Extra:
    """What only a phone has that was more than paged: an idle phone pays nothing for it."""

    state: State = "idle"
    screen: Screen | None = None
    display: str = "Default"
    waiting: str | None = None
    """http URL of priority 1, until the phone is idle; a newer one replaces it (assumed)."""
    transmission: Transmission | None = None
    dialled: str | None = None
    application: str = ""
    """Of the call that is active (Dial's third field)."""
    closed: str = ""
    """The application that `App:Close` closed last."""
    media: tuple[Medium, ...] = ()
    """Streams that `startMedia` began."""
    media_begun: int = 0


class Phone:
    """State of one phone. Ten thousand of these exist at once: slots, and nothing that an idle phone does not need."""

    __slots__ = (
        "address", "device_name", "directory_number", "extra", "mac", "model", "period", "server", "services_url",
        "web_access",
    )  # fmt: skip

    def __init__(
        self,
        *,
        device_name: str,
        directory_number: str,
        mac: str,
        model: Model,
        address: str,
        server: Server | None,
        web_access: bool = True,
    ) -> None:
        self.device_name = device_name
        self.directory_number = directory_number
        self.mac = mac
        self.model = model
        self.address = address
        self.server = server
        """Who is asked about a push; None accepts all (UCM-DOC: an empty authenticationURL)."""
        self.services_url = ""
        """In force; kept and shown, and not opened."""
        self.web_access = web_access
        self.period: Period | None = None
        self.extra: Extra | None = None

    @property
    def state(self) -> State:
        """Of its line."""
        return "idle" if self.extra is None else self.extra.state

    @property
    def screen(self) -> Screen | None:
        """The object that it shows."""
        return None if self.extra is None else self.extra.screen

    @property
    def transmission(self) -> Transmission | None:
        """The stream that it sends."""
        return None if self.extra is None else self.extra.transmission

    def more(self) -> Extra:
        """The state beyond paging, made when it is first needed."""
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    def execute(
        self,
        push: Push,
        *,
        identity: str,
        now_ns: int,
        rtp_port: int = RTP_PORT,
        new_period: Callable[..., Period] = Period,
    ) -> Executed:
        """Carry out a push that is authorised.

        Args:
            push: As read from the request.
            identity: The push's name in the records.
            now_ns: CLOCK_MONOTONIC.
            rtp_port: What the phone chooses where `RTPRx` names no port.
            new_period: Makes a listening period; another class may keep the audio.

        Items are carried out in order until one is refused; the refusal is the answer to all (assumed).
        """
        if not push.well_formed:
            return Executed(PARSE_ERROR, [], [])
        if push.shown is not None:
            self.show(push.shown)
            return Executed(None, [Item("", *SUCCESS)], [Change("Show")])
        items: list[Item] = []
        changes: list[Change] = []
        play_s = 0.0
        for url, priority in zip(push.urls, push.priorities, strict=True):
            uri = read_uri(url)
            result = SUCCESS
            if isinstance(uri, Receive):
                if self.period is not None:
                    return Executed(BUSY_ERROR, [], changes)  # XSI-5: "Tx/Rx is already active"
                port = rtp_port if uri.port is None else uri.port
                mixed = self.state == "in-call"
                self.period = new_period(
                    push=identity,
                    source=uri.source,
                    port=port,
                    since_ns=now_ns,
                    volume=None if mixed else uri.volume,  # XSI-5: ignored while it is mixed into a call
                    multicast=uri.multicast,
                    mixed=mixed,
                )
                changes.append(Change("RTPMRx" if uri.multicast else "RTPRx", self.period))
                if uri.port is None:
                    result = (0, str(port))  # returned in the response (XSI-5); that Data holds it is assumed
            elif isinstance(uri, StopReceiving):
                changes.append(Change("RTPRx:Stop", self.period))
                self.period = None
                if self.extra is not None and self.extra.media:
                    changes += self.end_media("receives")
            elif isinstance(uri, Transmit):
                if self.state == "in-call":
                    return Executed(CALL_ERROR, [], changes)
                if self.transmission is not None:
                    return Executed(BUSY_ERROR, [], changes)
                sent = Transmission(identity, uri.destination, uri.port, uri.multicast, now_ns)
                self.more().transmission = sent
                changes.append(Change("RTPMTx" if uri.multicast else "RTPTx", transmission=sent))
            elif isinstance(uri, Play) and uri.file is not None:
                play_s = max(play_s, play_seconds(uri.file))
                changes.append(Change("Play"))
            else:
                result = self._other(uri, priority, changes)
            items.append(Item(url, *result))
        return Executed(None, items, changes, play_s)

    def _other(self, uri: Uri, priority: int, changes: list[Change]) -> tuple[int, str]:
        """What is not on the path of every page."""
        match uri:
            case StopTransmitting():
                changes.append(Change("RTPTx:Stop", transmission=self.end_transmission()))
                changes += self.end_media("sends")
            case Press(key):
                changes.append(Change("Key"))
                event = _KEYS.get(key, {}).get(self.state)
                if event is not None:
                    changes += self.move(event)
            case Play():
                changes.append(Change("Play:Stop"))
            case Dial(number, application):
                if self.state == "in-call":
                    return FAILURE  # one line, and it is taken (assumed)
                self.more().dialled = number
                self.more().application = application
                changes.append(Change("Dial"))
                changes += self.move("call")
            case EditDial(number):
                self.more().dialled = number
                changes.append(Change("EditDial"))
            case SendDigits() | Application() | Device() if _NAMES[type(uri)] not in self.model.uris:
                return URI_NOT_FOUND
            case SendDigits(_, application):
                if self.state != "in-call":
                    return NO_CALL
                if application and application != self.more().application:
                    return NOT_ITS_CALL
                changes.append(Change("SendDigits"))
            case Application(action, application):
                return self._apply(action, application, changes)
            case Device():
                changes.append(Change("Device"))
            case Init(feature):
                if feature == "AppStatus" and self.screen is not None and self.screen.kind == "CiscoIPPhoneStatus":
                    self.show(None)
                changes.append(Change("Init"))
            case Display() if "Display" not in self.model.uris:
                return URI_NOT_FOUND
            case Display(mode):
                self.more().display = mode
                changes.append(Change("Display"))
            case Fetch(url):
                changes.append(self._fetch(url, priority))
            case _:
                return INVALID_URI if isinstance(uri, Invalid) else URI_NOT_FOUND
        return SUCCESS

    def _apply(self, action: str, name: str, changes: list[Change]) -> tuple[int, str]:
        """`App:`. The application of the object on the screen is the one that is active (one at a time, assumed)."""
        extra = self.more()
        if self.screen is None or self.screen.application != name:
            return NOT_ACTIVE if name == extra.closed else UNKNOWN_APPLICATION
        if action == "Close":
            extra.screen, extra.closed = None, name
        changes.append(Change("App"))
        return SUCCESS

    def _fetch(self, url: str, priority: int) -> Change:
        if priority == 0 or self.state == "idle":
            return Change("Fetch", url=url)
        if priority == 1:
            self.more().waiting = url
            return Change("Fetch:Waiting")
        return Change("Fetch:Dropped")

    def show(self, screen: Screen | None) -> None:
        """Show an object, or nothing."""
        if screen is not None or self.extra is not None:
            self.more().screen = screen

    def possible(self, event: Event) -> bool:
        """Whether that can happen to the phone's line now."""
        return self.state in TRANSITIONS[event]

    def move(self, event: Event) -> list[Change]:
        """Something happens to the phone's line; returns what that ended or began.

        Pushed streams end when a new call begins and when a held one resumes (XSI-5); that a call begins when it is
        answered or dialled, not when it rings, is assumed. A reset ends everything.
        """
        extra = self.more()
        extra.state = TRANSITIONS[event][extra.state]
        reason: Literal["call", "reset"] = "reset" if event == "reset" else "call"
        changes: list[Change] = []
        if extra.state == "in-call" or event == "reset":
            if self.period is not None:
                changes.append(Change("RTPRx:Stop", self.period, reason=reason))
                self.period = None
            if extra.transmission is not None:
                changes.append(Change("RTPTx:Stop", transmission=self.end_transmission(), reason=reason))
            changes += self.end_media(None, reason)
        if event == "reset":
            self.extra = None
        elif extra.state == "idle" and extra.waiting is not None:
            changes.append(Change("Fetch", url=extra.waiting, reason=reason))
            extra.waiting = None
        return changes

    def end_transmission(self) -> Transmission | None:
        """The stream that the phone sends ends; returns it."""
        transmission = self.transmission
        if self.extra is not None:
            self.extra.transmission = None
        return transmission

    def end_media(self, direction: Literal["receives", "sends"] | None, reason: Reason = "push") -> list[Change]:
        """Streams of `startMedia` in that direction (None: in any) end altogether, the other direction too (XSI-4)."""
        extra = self.extra
        if extra is None or not extra.media:
            return []
        ended = [medium for medium in extra.media if direction is None or getattr(medium, direction)]
        extra.media = tuple(medium for medium in extra.media if medium not in ended)
        changes: list[Change] = []
        for medium in ended:
            if medium.receives and self.period is not None:
                changes.append(Change("RTPRx:Stop", self.period, reason=reason))
                self.period = None
            if medium.sends and extra.transmission is not None:
                changes.append(Change("RTPTx:Stop", transmission=self.end_transmission(), reason=reason))
            if medium.on_stopped is not None:
                changes.append(Change("Notify", medium=medium, reason=reason))
        return changes

    def end(self) -> Period | None:
        """The run ends: the listening period that was still open."""
        period, self.period = self.period, None
        return period


def play_seconds(file: str) -> float:
    """How long a ring tone plays.

    The file itself is on a TFTP server that is not asked. A name with a valid number of samples in it
    (`Chime-8160.raw`) plays as long; any other plays as long as the longest allowed file, 2 s. Both are assumed.
    """
    samples = next((n for n in map(int, _SAMPLES_OF_NAME.findall(file)) if n in PLAY_SAMPLES), PLAY_SAMPLES[-1])
    return samples / _TONE_RATE
