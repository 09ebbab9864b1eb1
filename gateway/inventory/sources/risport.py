"""Unified CM: the RisPort70 service's selectCmDevice. No I/O.

An answer has at most 1,000 devices (older releases) and does not say that it was cut, so a full one is asked again in
sixteen parts, by the next digit of the name. 15 requests a minute are allowed by default (RISLIM), so the parts wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from gateway.inventory.entry import DEVICE_NAME, Listed, is_phone_address
from gateway.inventory.sources.report import read_report
from gateway.inventory.sources.source import SourceError

PATH: Final = "/realtimeservice2/services/RISService70"
MAX_DEVICES: Final = 1000
"""Devices in one answer (RISDOC: 1000 in older releases, 2000 in newer)."""
MAX_NAME: Final = 15
"""Characters of SEP and 12 digits: a longer beginning cannot be divided further."""
_SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"


class RateLimitError(SourceError):
    """Asked more often than CallManager allows: to be asked again after a while."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer: the phones in it, and how many devices matched."""

    phones: list[Listed]
    devices: int


def request(beginning: str) -> bytes:
    """The SOAP document that asks for all phones whose names begin so."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns:soap="{_NAMESPACE}">'
        "<soapenv:Header/><soapenv:Body><soap:selectCmDevice><soap:StateInfo></soap:StateInfo>"
        f"<soap:CmSelectionCriteria><soap:MaxReturnedDevices>{MAX_DEVICES}</soap:MaxReturnedDevices>"
        "<soap:DeviceClass>Phone</soap:DeviceClass><soap:Model>255</soap:Model><soap:Status>Any</soap:Status>"
        "<soap:NodeName></soap:NodeName><soap:SelectBy>Name</soap:SelectBy><soap:SelectItems><soap:item>"
        f"<soap:Item>{escape(beginning)}*</soap:Item></soap:item></soap:SelectItems><soap:Protocol>Any</soap:Protocol>"
        "<soap:DownloadStatus>Any</soap:DownloadStatus></soap:CmSelectionCriteria></soap:selectCmDevice>"
        "</soapenv:Body></soapenv:Envelope>"
    ).encode()


def divided(beginning: str) -> list[str]:
    """The sixteen beginnings that together mean the same; empty where there is nothing to divide."""
    longer = beginning or "SEP"
    return [f"{longer}{digit:X}" for digit in range(16)] if len(longer) < MAX_NAME else []


def read_answer(body: bytes) -> Answer:
    """Read an answer.

    Raises:
        RateLimitError: it was asked too often.
        SourceError: a fault, or no such answer.
    """
    path: list[str] = []
    device: dict[str, str] = {}
    phones: dict[str, Listed] = {}
    devices = 0
    fault = ""
    answered = False

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal answered
        path.append(name)
        answered = answered or name == "selectCmDeviceResponse"
        if path[-2:] == ["CmDevices", "item"]:
            device.clear()

    def end(name: str, text: str) -> None:
        nonlocal devices, fault
        path.pop()
        if name == "faultstring":
            fault = text
        elif path[-2:] == ["CmDevices", "item"] and name in {"Name", "Description", "Status"}:
            device[name] = text
        elif name == "IP" and "IPAddress" in path and "IP" not in device and is_phone_address(text):
            device["IP"] = text
        elif path[-1:] == ["CmDevices"] and name == "item":
            devices += 1
            line = Listed(
                device_name=device.get("Name", ""),
                address=device.get("IP", ""),
                description=device.get("Description", "")[:128],
                registered=device.get("Status") == "Registered",
            )
            before = phones.get(line.device_name)
            # A phone may be known to several nodes; the one where it is registered counts.
            if DEVICE_NAME.fullmatch(line.device_name) and (before is None or line.registered):
                phones[line.device_name] = line

    read_report(body, on_start=start, on_end=end)
    if "Exceeded allowed rate" in fault:
        raise RateLimitError("CallManager allows no more requests this minute")
    if fault:
        raise SourceError(f"CallManager answers: {fault[:200]}")
    if not answered:
        raise SourceError("the answer is not one of RisPort70")
    return Answer(phones=list(phones.values()), devices=devices)
