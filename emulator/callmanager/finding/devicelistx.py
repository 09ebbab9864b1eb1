"""DeviceListX of CallManager 3 and 4: every phone in one document. No I/O.

`GET /CCMAdmin/reports/devicelistx.asp` with the administrator's credentials (CUAE HttpDlxReader, CUIPP); Unified CM 5.0
has it no longer. One request a minute (OL20949 ch. 10).

`t` is a number of CallManager's table of models, as RisPort70's Model. That is assumed: the one public sample has 35,
which is in none of the public tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from emulator.callmanager.finding.models import model_of
from emulator.callmanager.finding.soap import xml_text
from emulator.callmanager.registry import Device

PATH: Final = "/ccmadmin/reports/devicelistx.asp"
"""In lower case: IIS does not care."""
DEVICE_POOL: Final = "Default"
"""What CallManager is installed with; device pools are not modelled."""
ERRORS: Final = {
    1001: "Too many simultaneous requests for Device List. Please wait at least 60 seconds and try again.",
    1002: "Too many consecutive requests for Device List. Please wait at least 60 seconds and try again.",
}
"""CUAE HttpDlxReader, which quotes CallManager's documentation."""
_HEAD: Final = '<?xml version="1.0" encoding="iso-8859-1"?>\r\n<DeviceList>\r\n'
_TAIL: Final = b"</DeviceList>\r\n"
_DEVICES_A_PIECE: Final = 100


def device_list(devices: Sequence[Device]) -> Iterator[bytes]:
    """Write the list, in pieces of about a quarter of a millisecond."""
    yield _HEAD.encode("ascii")
    for start in range(0, len(devices), _DEVICES_A_PIECE):
        lines = "".join(map(_line, devices[start : start + _DEVICES_A_PIECE]))
        yield lines.encode("iso-8859-1", "xmlcharrefreplace")
    yield _TAIL


def error_document(number: int) -> bytes:
    """Write the answer to a request that came too soon: an element Error in the list (CUAE, CUIPP)."""
    return f'{_HEAD}<Error number="{number}">{ERRORS[number]}</Error>\r\n'.encode("ascii") + _TAIL


def _line(device: Device) -> str:
    return (
        f'<Device t="{model_of(device.model).number}" n="{device.name}" d="{xml_text(device.description)}" c=""'
        f' p="{DEVICE_POOL}" i="{device.address}" s="{device.registration.value}"/>\r\n'
    )
