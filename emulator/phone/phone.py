"""One phone: what it is, and what a push that may be executed does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from emulator.phone.answer import BUSY_ERROR, INVALID_URI, PARSE_ERROR, SUCCESS, URI_NOT_FOUND, Item
from emulator.phone.authentication import Server
from emulator.phone.execute import Invalid, Press, Push, Receive, StopReceiving, read_uri
from emulator.phone.model import Model
from emulator.phone.stream import Period

Action = Literal["RTPRx", "RTPRx:Stop", "Key"]
RTP_PORT: Final = 32674
"""Where the modelled gateway sends to, and what a phone chooses that is not told a port (assumed)."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the phone did: began a listening period, ended one (None: it had none to end), or pressed a key (None)."""

    action: Action
    period: Period | None


@dataclass(frozen=True, slots=True)
class Executed:
    """The result of a push: an error number, or items; and what changed on the way, also before an error."""

    error: int | None
    items: list[Item]
    changes: list[Change]


class Phone:
    """State of one phone. Ten thousand of these exist at once: slots, and nothing that an idle phone does not need."""

    __slots__ = ("address", "device_name", "directory_number", "mac", "model", "period", "server", "web_access")

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
        self.web_access = web_access
        self.period: Period | None = None

    def execute(self, push: Push, *, identity: str, now_ns: int, rtp_port: int = RTP_PORT) -> Executed:
        """Carry out a push that is authorised.

        Args:
            push: As read from the request.
            identity: The push's name in the records.
            now_ns: CLOCK_MONOTONIC.
            rtp_port: What the phone chooses where `RTPRx` names no port.

        Items are carried out in order until one is refused; the refusal is the answer to all (assumed).
        """
        if not push.well_formed:
            return Executed(PARSE_ERROR, [], [])
        items: list[Item] = []
        changes: list[Change] = []
        for url in push.urls:
            uri = read_uri(url)
            result = SUCCESS
            if isinstance(uri, Receive):
                if self.period is not None:
                    return Executed(BUSY_ERROR, [], changes)  # XSI-5: "Tx/Rx is already active"
                port = rtp_port if uri.port is None else uri.port
                self.period = Period(push=identity, source=uri.source, port=port, since_ns=now_ns)
                changes.append(Change("RTPRx", self.period))
                if uri.port is None:
                    result = (0, str(port))  # returned in the response (XSI-5); that Data holds it is assumed
            elif isinstance(uri, StopReceiving):
                changes.append(Change("RTPRx:Stop", self.period))
                self.period = None
            elif isinstance(uri, Press):
                changes.append(Change("Key", None))
            else:
                result = INVALID_URI if isinstance(uri, Invalid) else URI_NOT_FOUND
            items.append(Item(url, *result))
        return Executed(None, items, changes)

    def end(self) -> Period | None:
        """The run ends: the listening period that was still open."""
        period, self.period = self.period, None
        return period
