"""RisPort70 and its forerunner RisPort: the saved answer to selectCmDevice, with addresses and registration.

Two shapes (RISWSDL; VOCAT, UWPHONES): document/literal has `IPAddress/item/IP`, rpc/encoded has `IpAddress`; both list
devices as `CmDevices/item` under each node of the cluster. A phone may be known to several nodes. Status: Registered,
UnRegistered, Rejected, PartiallyRegistered, Unknown. PartiallyRegistered (some of its lines) counts as registered, as
public inventory programs have it (PHPRIS).

An answer has at most 1,000 devices (2,000 in newer releases) and does not say that it was cut (RISDOC): a full one is
told of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from harness.site import models
from harness.site.document import walk
from harness.site.errors import SiteError
from harness.site.listed import Export, Listed, Other
from harness.site.phone import DEVICE_NAME, NUMBER, ipv4

ROOTS: Final = frozenset({"selectCmDeviceResponse", "SelectCmDeviceResponse"})
FULL: Final = frozenset({1000, 2000})
"""Devices in an answer that was perhaps cut."""
_REGISTERED: Final = frozenset({"Registered", "PartiallyRegistered"})
_FIELDS: Final = frozenset({"Name", "DirNumber", "Model", "Httpd", "Status", "IpAddress"})


@dataclass(slots=True)
class _Device:
    line: int
    values: dict[str, str] = field(default_factory=dict)
    address: str = ""
    other_addresses: list[str] = field(default_factory=list)


def read_risport(file: str, body: bytes) -> Export:
    """Read a saved answer.

    Raises:
        SiteError: with every error; a fault of CallManager among them.
    """
    reader = _Reader(file)
    walk(file, body, on_start=reader.start, on_end=reader.end)
    if not reader.answered and not reader.errors:
        reader.errors.append(f"{file}: expected an answer of selectCmDevice")
    if reader.errors:
        raise SiteError(reader.errors)
    return Export(file=file, kind="RisPort", phones=reader.phones, others=reader.others)


def perhaps_cut(export: Export) -> bool:
    """Whether an answer has as many devices as it can have."""
    return export.kind == "RisPort" and len(export.phones) + len(export.others) in FULL


class _Reader:
    def __init__(self, file: str) -> None:
        self.errors: list[str] = []
        self.phones: list[Listed] = []
        self.others: list[Other] = []
        self.answered = False
        self._file = file
        self._device: _Device | None = None

    def start(self, path: list[str], _attributes: dict[str, str], line: int) -> None:
        self.answered = self.answered or path[-1] in ROOTS
        if path[-2:] == ["CmDevices", "item"]:
            self._device = _Device(line)

    def end(self, path: list[str], text: str, line: int) -> None:
        name, device = path[-1], self._device
        if name == "faultstring":
            self.errors.append(f"{self._file}:{line}: CallManager answered with a fault: {text[:200]}")
        if device is None:
            return
        if path[-2:] == ["CmDevices", "item"]:
            self._add(device)
            self._device = None
        elif path[-3:-1] == ["CmDevices", "item"] and name in _FIELDS:
            device.values[name] = text
        elif name == "IP" and "IPAddress" in path:
            # Dual-stack phones have two; the first IPv4 address is taken.
            if not device.address and ipv4(text) is not None:
                device.address = text
            else:
                device.other_addresses.append(text)

    def _add(self, device: _Device) -> None:
        values, place = device.values, f"{self._file}:{device.line}"
        told = values.get("Name", "")
        name = told.upper()
        if not name:
            self.errors.append(f"{place}: device without a Name")
            return
        if not DEVICE_NAME.fullmatch(name):
            self.others.append(Other(place=place, name=told, what=models.shown(values.get("Model", ""))))
            return
        status = values.get("Status", "")
        address = device.address or values.get("IpAddress", "")
        if not status:
            self.errors.append(f"{place}: {name}: no Status")
        if status in _REGISTERED and ipv4(address) is None:
            shown = (address or ", ".join(device.other_addresses))[:60]
            self.errors.append(f"{place}: {name}: registered from {shown!r}: an IPv4 address is needed")
        self.phones.append(
            Listed(
                place=place,
                device_name=name,
                directory_number=_first_number(values.get("DirNumber", "")),
                model=models.of_number(values.get("Model", "")),
                address=address if ipv4(address) is not None else "",
                registered=status in _REGISTERED,
                status=status,
                web_access={"Yes": True, "No": False}.get(values.get("Httpd", "")),
            )
        )


def _first_number(text: str) -> str:
    """`4401-Registered,4402-Registered` lists the lines, each with its status: the first line is the phone's."""
    number = text.partition(",")[0].partition("-")[0].strip()
    return number if NUMBER.fullmatch(number) else ""
