"""What a search of RisPort70 asks for, and which phones it finds. No I/O."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from emulator.callmanager.finding.models import UNKNOWN_NUMBER, model_of
from emulator.callmanager.finding.pattern import Pattern
from emulator.callmanager.finding.soap import Element, Fault
from emulator.callmanager.registry import Device, Registration, Registry

OPERATIONS: Final = frozenset({"selectCmDevice", "selectCmDeviceExt", "SelectCmDevice"})
CLASSES: Final = (
    "Any", "Phone", "Gateway", "H323", "Cti", "VoiceMail", "MediaResources", "SIPTrunk", "HuntList", "Unknown",
)  # fmt: skip
STATUSES: Final = ("Any", "Registered", "UnRegistered", "Rejected", "PartiallyRegistered", "Unknown")
SELECT_BY: Final = ("Name", "IPV4Address", "IPV6Address", "DirNumber", "Description", "SIPStatus")
_OLD_SELECT_BY: Final = {"ipaddress": "ipv4address"}
PROTOCOLS: Final = ("Any", "SCCP", "SIP", "Unknown")
DOWNLOADS: Final = ("Any", "Upgrading", "Successful", "Failed", "Unknown")
DOWNLOAD: Final = "Unknown"
"""As captured from a phone that downloads nothing (CHECKENDPOINTS)."""
ITEMS_MAX: Final = 2000
"""Patterns in one request; more than the most devices of one answer makes no sense."""
WILDCARDS_MAX: Final = 100
"""Of those items with a wildcard: each is compared with every phone, which takes 50 ms with 30,000 phones."""
_COMPARISONS_A_PIECE: Final = 500
STATUS_OF: Final = {Registration.REGISTERED: "Registered", Registration.UNREGISTERED: "UnRegistered"}
"""A phone that was never seen is in no answer: RIS knows what registers, not the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What is asked for; values in lower case where they are words."""

    most: int
    """Devices in the answer."""
    model: int
    """`UNKNOWN_NUMBER`: any."""
    device_class: str
    status: str
    protocol: str
    download: str
    node: str
    """Empty: all."""
    select_by: str
    items: tuple[Pattern, ...]
    """None: all devices."""


def read_criteria(operation: Element, *, devices_max: int) -> Criteria:
    """Read the criteria of one of `OPERATIONS`.

    An element that is missing or empty means any (assumed). `MaxReturnedDevices` above `devices_max` counts as that,
    and so does 0 (assumed).

    Raises:
        Fault: an element has a value that it cannot have; or another operation.
    """
    if operation.name not in OPERATIONS:
        known = ", ".join(sorted(OPERATIONS))
        raise Fault("soapenv:Client", f"unknown operation {operation.name[:40]!r}; known are {known}")
    asked = operation.child("CmSelectionCriteria")
    if asked is None:
        raise Fault("soapenv:Client", f"{operation.name}: CmSelectionCriteria is needed")
    most = _number(asked, "MaxReturnedDevices")
    select_by = asked.value("SelectBy").casefold() or "name"
    select_by = _OLD_SELECT_BY.get(select_by, select_by)
    if select_by not in {word.casefold() for word in SELECT_BY}:
        raise Fault("soapenv:Client", f"SelectBy: one of {', '.join(SELECT_BY)} is needed")
    node = asked.value("NodeName")
    return Criteria(
        most=min(most, devices_max) if most else devices_max,
        model=_number(asked, "Model") or UNKNOWN_NUMBER,
        device_class=_word(asked, CLASSES, "DeviceClass", "Class"),
        status=_word(asked, STATUSES, "Status"),
        protocol=_word(asked, PROTOCOLS, "Protocol"),
        download=_word(asked, DOWNLOADS, "DownloadStatus"),
        node="" if node.casefold() == "any" else node,
        select_by=select_by,
        items=_items(asked, wildcard="" if operation.name == "selectCmDeviceExt" else "*"),
    )


def _items(asked: Element, *, wildcard: str) -> tuple[Pattern, ...]:
    items = asked.child("SelectItems")
    if items is None:
        return ()
    # One item may hold several, with commas between (UWPHONES).
    texts = [text.strip() for item in items.every("Item") for text in item.text.split(",")]
    texts = list(dict.fromkeys(text for text in texts if text))
    if len(texts) > ITEMS_MAX:
        raise Fault("soapenv:Client", f"SelectItems: at most {ITEMS_MAX} items, got {len(texts)}")
    try:
        patterns = tuple(Pattern(text, any_run=wildcard) for text in texts)
    except ValueError as error:
        raise Fault("soapenv:Client", f"SelectItems: {error}") from None
    if sum(not pattern.literal for pattern in patterns) > WILDCARDS_MAX:
        raise Fault("soapenv:Client", f"SelectItems: at most {WILDCARDS_MAX} items with wildcards")
    return patterns


def _number(asked: Element, name: str) -> int:
    text = asked.value(name)
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise Fault("soapenv:Client", f"{name}: a whole number is needed")
    return int(text)


def _word(asked: Element, words: tuple[str, ...], *names: str) -> str:
    text = asked.value(*names).casefold() or "any"
    if text not in {word.casefold() for word in words}:
        raise Fault("soapenv:Client", f"{names[0]}: one of {', '.join(words)} is needed")
    return text


def select(registry: Registry, criteria: Criteria) -> Generator[None, None, list[Device]]:
    """The devices that are asked for, at most `criteria.most`. Breathes."""
    if criteria.device_class not in {"any", "phone"} or criteria.download not in {"any", DOWNLOAD.casefold()}:
        return []
    literal = all(item.literal for item in criteria.items)
    if criteria.select_by == "name" and criteria.items and literal:
        candidates = [registry.get(item.text.upper()) for item in criteria.items]
        found = [device for device in candidates if device is not None and _fits(device, criteria)]
        return found[: criteria.most]
    texts = frozenset(item.text for item in criteria.items if item.literal)
    patterns = [item for item in criteria.items if not item.literal]
    found = []
    comparisons = 0
    for device in registry.all():
        comparisons += 1 + len(patterns)
        if comparisons >= _COMPARISONS_A_PIECE:
            comparisons = 0
            yield
        if not _fits(device, criteria):
            continue
        value = _value(device, criteria.select_by)
        if not criteria.items or value.casefold() in texts or any(pattern.matches(value) for pattern in patterns):
            found.append(device)
            if len(found) >= criteria.most:
                break
    return found


def _fits(device: Device, criteria: Criteria) -> bool:
    status = STATUS_OF.get(device.registration)
    if status is None or criteria.status not in {"any", status.casefold()}:
        return False
    model = model_of(device.model)
    return criteria.model in {UNKNOWN_NUMBER, model.number} and criteria.protocol in {"any", model.protocol.casefold()}


def _value(device: Device, select_by: str) -> str:
    match select_by:
        case "name":
            return device.name
        case "ipv4address":
            return device.address
        case "dirnumber":
            return device.directory_number
        case "description":
            return device.description
        case _:  # nothing here has an IPv6 address or a SIP status
            return ""
