"""Read ``/DeviceInformationX``: who the phone says it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.cisco.xml_elements import XmlDefectError, read_elements

MAX_VALUE = 64
"""Characters kept of one value; real ones have at most 16."""

_MAC = re.compile(r"[0-9A-F]{12}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceInformation:
    """What is used of the page. Values that the phone leaves out are empty."""

    device_name: str
    """``HostName``: SEP and the MAC address."""
    mac: str
    """``MACAddress``: 12 upper-case hex digits."""
    directory_number: str
    """``phoneDN``; empty for a phone without a line."""
    model: str
    """``modelNumber``, such as CP-7940."""


def parse_device_information(body: bytes) -> DeviceInformation:
    """Read the page; the real captures of a 7940, a 7905G and a 6941 have these elements, in any order among others.

    Raises:
        XmlDefectError: Not readable, another object, or no valid MAC address in it.
    """
    elements = read_elements(body)
    if elements[0].name != "DeviceInformation":
        raise XmlDefectError("not a DeviceInformation object")
    values: dict[str, str] = {}
    for element in elements[1:]:
        if element.depth == 1:
            values.setdefault(element.name, element.text.strip()[:MAX_VALUE])
    mac = values.get("MACAddress", "").upper()
    if not _MAC.fullmatch(mac):
        raise XmlDefectError("no MAC address of 12 hex digits")
    return DeviceInformation(
        device_name=values.get("HostName", ""),
        mac=mac,
        directory_number=values.get("phoneDN", ""),
        model=values.get("modelNumber", ""),
    )
