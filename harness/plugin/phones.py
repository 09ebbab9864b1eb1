"""Emulated phones beside a test."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from harness.plugin.servers import Record, Server

NETWORK: Final = "127.20.0.0/17"
CONTROL: Final = "127.20.128.30"
"""On no phone's address: the phones' network ends below."""
_ANSWER_S: Final = 10.0
_PAGE: Final = 1000
_COLUMNS: Final = ("device_name", "directory_number", "mac", "model", "address", "authentication_url", "web_access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """One emulated phone."""

    device_name: str
    """`SEP` and twelve hexadecimal digits"""
    directory_number: str
    model: str
    address: str
    port: int
    web_access: bool

    @property
    def url(self) -> str:
        """Of its web server, where `/CGI/Execute` is."""
        return f"http://{self.address}:{self.port}"


class Phones(Server):
    """A fleet of emulated phones at 127.20.0.1 and up, on ports that were free.

    Attributes:
        phones: all of them, in the order of their addresses.
        port: of their web servers.
        rtp_port: where they hear; a push may name another port, as in life.
        authentication_url: whom they ask; empty: nobody, they accept every push.
    """

    def __init__(
        self,
        folder: Path,
        *,
        count: int,
        authentication_url: str = "",
        models: str | Mapping[str, float] = "",
        misbehaviour: Sequence[str] = (),
        seed: int = 1,
    ) -> None:
        """Start them.

        Args:
            folder: for log, records and recordings; must exist.
            count: how many.
            authentication_url: whom they ask whether a push is genuine; empty: nobody.
            models: a model's name, or shares of several; default: as in `pushlab phones`.
            misbehaviour: shares that misbehave, such as `hang=0.1` (docs/reference/phones.md).
            seed: which phone is of which model, and which misbehave.

        Raises:
            ServerError: they cannot be started; it says why.
        """
        self._recordings = folder / "heard"
        shares = models if isinstance(models, str) else ",".join(f"{name}={share}" for name, share in models.items())
        arguments = ["--count", str(count), "--network", NETWORK, "--seed", str(seed)]
        arguments += ["--port", "0", "--rtp-port", "0", "--control", f"{CONTROL}:0", "--record", str(self._recordings)]
        arguments += ["--auth-url", authentication_url] if authentication_url else []
        arguments += ["--model", shares] if shares else []
        for share in misbehaviour:
            arguments += ["--misbehaviour", share]
        super().__init__("phones", arguments, folder)
        self.authentication_url = authentication_url
        self.port = int(self.urls["phones"].rpartition(":")[2])
        self.rtp_port = int(self.urls["rtp"].rpartition(":")[2])
        try:
            self.phones = tuple(self._listed())
            self.csv = self._write_csv(folder / "phones.csv")
        except BaseException:
            self.stop()
            raise

    def __repr__(self) -> str:
        return f"<{len(self.phones)} emulated phones from {self.address}:{self.port}>"

    @property
    def address(self) -> str:
        """Of the first phone."""
        return self.phones[0].address

    @property
    def environment(self) -> dict[str, str]:
        """Where everything is, by the names of docs/reference/exec.md: for a program under test."""
        return {
            "PUSHLAB_PHONE": self.address,
            "PUSHLAB_PHONE_PORT": str(self.port),
            "PUSHLAB_PHONES": str(len(self.phones)),
            "PUSHLAB_PHONES_CSV": str(self.csv),
            "PUSHLAB_RTP_PORT": str(self.rtp_port),
            "PUSHLAB_AUTHENTICATION_URL": self.authentication_url,
        }

    def diary(self, phone: "Phone | str") -> list[Record]:
        """Everything that one phone recorded: pushes, questions, answers, streams (docs/reference/events.md)."""
        return self.records(phone=_name(phone))

    def heard(self, phone: "Phone | str | None" = None) -> list[Record]:
        """What phones heard: one `stream.heard` for each source of each listening period that has ended."""
        return self.records("stream.heard", phone=None if phone is None else _name(phone))

    def recordings(self, phone: "Phone | str") -> list[Path]:
        """WAV files of what one phone heard, one for each listening period that has ended."""
        return sorted(self._recordings.glob(f"{_name(phone)}-*.wav"))

    def state(self, phone: "Phone | str") -> dict[str, Any]:
        """What one phone does now: `state`, `listening`, `sending`, `screen` (docs/reference/phones.md, Control)."""
        return self._ask("GET", f"/phones/{_name(phone)}")

    def control(self, phone: "Phone | str", what: str) -> dict[str, Any]:
        """Let something happen to a phone: `ring`, `call`, `hold`, `resume`, `hang-up`, `reset`; its state then.

        Raises:
            ValueError: the phone cannot do that now; with what it says.
        """
        return self._ask("POST", f"/phones/{_name(phone)}/{quote(what, safe='')}")

    def press(self, phone: "Phone | str", key: str) -> dict[str, Any]:
        """Press a soft key of the object that the phone shows; its state then.

        Raises:
            ValueError: there is no such key.
        """
        return self._ask("POST", f"/phones/{_name(phone)}/softkey?name={quote(key)}")

    def _ask(self, method: str, target: str) -> dict[str, Any]:
        place = urlsplit(self.urls["control"])
        connection = HTTPConnection(str(place.hostname), place.port, timeout=_ANSWER_S)
        try:
            connection.request(method, target)
            answer = connection.getresponse()
            document: dict[str, Any] = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{method} {target}: {document.get('error', answer.status)}")
        return document

    def _listed(self) -> list[Phone]:
        found: list[Phone] = []
        first: int | None = 0
        while first is not None:
            page = self._ask("GET", f"/phones?first={first}&count={_PAGE}")
            found += [
                Phone(
                    device_name=each["device_name"],
                    directory_number=each["directory_number"],
                    model=each["model"],
                    address=each["address"],
                    port=self.port,
                    web_access=each["web_access"],
                )
                for each in page["phones"]
            ]
            first = page["next"]
        return found

    def _write_csv(self, file: Path) -> Path:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(_COLUMNS)
            for phone in self.phones:
                mac, web = phone.device_name.removeprefix("SEP"), str(phone.web_access).lower()
                writer.writerow((phone.device_name, phone.directory_number, mac, phone.model, phone.address, "", web))
        return file


def _name(phone: Phone | str) -> str:
    return phone if isinstance(phone, str) else phone.device_name
