"""CallManager 3 and 4: the DeviceListX report. No I/O.

`GET /CCMAdmin/reports/devicelistx.asp` with the administrator's credentials, once a minute at most. Attributes: `n`
name, `d` description, `i` last known address, `s` 1 registered, 2 found and not registered (CUAE HttpDlxReader).
"""

from __future__ import annotations

from typing import Final

from gateway.inventory.entry import DEVICE_NAME, Listed, is_phone_address
from gateway.inventory.sources.report import read_report
from gateway.inventory.sources.source import SourceError

PATH: Final = "/CCMAdmin/reports/devicelistx.asp"
_TOO_OFTEN: Final = {"1001", "1002"}


def read_devices(body: bytes) -> list[Listed]:
    """The phones of a report; devices of other kinds (gateways, software) are left out.

    Raises:
        SourceError: it is no report, or CallManager was asked too often.
    """
    found: list[Listed] = []
    names: list[str] = []
    errors: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        names.append(name)
        if name == "Device" and DEVICE_NAME.fullmatch(attributes.get("n", "")):
            address = attributes.get("i", "")
            found.append(
                Listed(
                    device_name=attributes["n"],
                    address=address if is_phone_address(address) else "",
                    description=attributes.get("d", "")[:128],
                    registered=attributes.get("s") == "1",
                )
            )
        errors.extend(value for key, value in attributes.items() if key.lower() in {"number", "code"})

    read_report(body, on_start=start)
    if names[0] == "DeviceList" and "Error" not in names:
        return found
    if _TOO_OFTEN.intersection(errors):
        raise SourceError("CallManager was asked for the list too often: it allows one request a minute")
    raise SourceError("the answer is no list of devices")
