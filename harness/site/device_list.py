"""DeviceListX, the report of CallManager 3 and 4 (`/CCMAdmin/reports/devicelistx.asp`): every device in one document.

`<Device t n d c p i s/>`: type, name, description, calling search space, device pool, last known address, status, where
1 is registered and 2 found and not registered (CUAE HttpDlxReader; CUIPP). `t` is taken for a number of CallManager's
table of models: assumed, the one public sample has a number that no public table knows.
"""

from __future__ import annotations

from typing import Final

from harness.site import models
from harness.site.document import walk
from harness.site.errors import SiteError
from harness.site.listed import Export, Listed, Other
from harness.site.phone import DEVICE_NAME, ipv4

ROOT: Final = "DeviceList"
_STATUS: Final = {"1": "", "2": "found, not registered", "": "never seen"}
_ERRORS: Final = {
    "1001": "CallManager was asked for the list too often: save it again a minute later",
    "1002": "CallManager was asked for the list too often: save it again a minute later",
}
"""An error is an element of the list, under status 200 (CUAE HttpDlxReader)."""


def read_device_list(file: str, body: bytes) -> Export:
    """Read a saved report.

    Raises:
        SiteError: with every error.
    """
    errors: list[str] = []
    phones: list[Listed] = []
    others: list[Other] = []

    def start(path: list[str], attributes: dict[str, str], line: int) -> None:
        place = f"{file}:{line}"
        if len(path) == 1 and path[0] != ROOT:
            raise SiteError([f"{place}: expected the element {ROOT}, got {path[0][:40]}"])
        if path[-1] == "Error":
            number = attributes.get("number", attributes.get("code", ""))
            errors.append(f"{place}: {_ERRORS.get(number, f'the report is an error, number {number[:10]!r}')}")
        if path != [ROOT, "Device"]:
            return
        told = attributes.get("n", "").strip()
        name = told.upper()
        if not name:
            errors.append(f"{place}: Device without a name (attribute n)")
        elif not DEVICE_NAME.fullmatch(name):
            others.append(Other(place=place, name=told, what=models.shown(attributes.get("t", ""))))
        else:
            phones.append(_phone(place, name, attributes, errors))

    walk(file, body, on_start=start)
    if errors:
        raise SiteError(errors)
    return Export(file=file, kind="DeviceListX", phones=phones, others=others)


def _phone(place: str, name: str, attributes: dict[str, str], errors: list[str]) -> Listed:
    address, status = attributes.get("i", "").strip(), attributes.get("s", "").strip()
    if address and ipv4(address) is None:
        errors.append(f"{place}: {name}: address {address[:40]!r} (attribute i): an IPv4 address is needed")
    return Listed(
        place=place,
        device_name=name,
        model=models.of_number(attributes.get("t", "")),
        address=address,
        registered=status == "1",
        status=_STATUS.get(status, f"status {status[:10]}"),
        device_pool=attributes.get("p", "").strip(),
    )
