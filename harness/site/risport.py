"""RisPort70 and its forerunner RisPort: the saved answer to selectCmDevice, with addresses and registration.

Two shapes (RISWSDL; VOCAT, UWPHONES): document/literal has `IPAddress/item/IP`, rpc/encoded has `IpAddress`; both list
devices as `CmDevices/item` under each node of the cluster. A phone may be known to several nodes. Status: Registered,
UnRegistered, Rejected, PartiallyRegistered, Unknown. PartiallyRegistered (some of its lines) counts as registered, as
public inventory programs have it (PHPRIS).

An answer has at most 1,000 devices (2,000 in newer releases) and does not say that it was cut (RISDOC): a full one is
told of.
"""

from __future__ import annotations

from typing import Final

from harness.site import models
from harness.site.answer import Device, Form, Found, read_answer
from harness.site.listed import Export, Listed, Other
from harness.site.phone import DEVICE_NAME, NUMBER, ipv4

FULL: Final = frozenset({1000, 2000})
"""Devices in an answer that was perhaps cut."""
_REGISTERED: Final = frozenset({"Registered", "PartiallyRegistered"})
FORM: Final = Form(
    kind="RisPort",
    request="selectCmDevice",
    roots=frozenset({"selectCmDeviceResponse", "SelectCmDeviceResponse"}),
    device=("CmDevices", "item"),
    fields=frozenset({"Name", "DirNumber", "Model", "Httpd", "Status", "IpAddress"}),
    repeats=lambda path: path[-1] == "IP" and "IPAddress" in path,
)


def read_risport(file: str, body: bytes) -> Export:
    """Read a saved answer.

    Raises:
        SiteError: with every error; a fault of CallManager among them.
    """
    return read_answer(file, body, FORM, _add)


def perhaps_cut(export: Export) -> bool:
    """Whether an answer has as many devices as it can have."""
    return export.kind == "RisPort" and len(export.phones) + len(export.others) in FULL


def _add(device: Device, found: Found) -> None:
    values, place = device.values, device.place
    told = values.get("Name", "")
    name = told.upper()
    if not name:
        found.errors.append(f"{place}: device without a Name")
        return
    if not DEVICE_NAME.fullmatch(name):
        found.others.append(Other(place=place, name=told, what=models.shown(values.get("Model", ""))))
        return
    status = values.get("Status", "")
    # Dual-stack phones have two; the first IPv4 address is taken.
    address = next((one for one in device.repeated if ipv4(one) is not None), "") or values.get("IpAddress", "")
    if not status:
        found.errors.append(f"{place}: {name}: no Status")
    if status in _REGISTERED and ipv4(address) is None:
        shown = (address or ", ".join(device.repeated))[:60]
        found.errors.append(f"{place}: {name}: registered from {shown!r}: an IPv4 address is needed")
    found.phones.append(
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
