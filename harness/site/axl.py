"""AXL: the saved answer to listPhone. Names, models, device pools and locations as configured, no addresses.

`listPhoneResponse/return/phone` with the tags that were asked for (AXL schema; GOAXL). A name element may carry a
`uuid`. Beside it an answer of RisPort is needed, because AXL knows nothing of addresses and registration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from harness.site import models
from harness.site.document import walk
from harness.site.errors import SiteError
from harness.site.listed import Export, Listed, Other
from harness.site.phone import DEVICE_NAME, NUMBER

ROOTS: Final = frozenset({"listPhoneResponse", "getPhoneResponse"})
_FIELDS: Final = frozenset({"name", "model", "product", "devicePoolName", "locationName", "authenticationUrl"})


@dataclass(slots=True)
class _Device:
    line: int
    values: dict[str, str] = field(default_factory=dict)


def read_axl(file: str, body: bytes) -> Export:
    """Read a saved answer of listPhone, or of getPhone.

    Raises:
        SiteError: with every error; a fault of CallManager among them.
    """
    reader = _Reader(file)
    walk(file, body, on_start=reader.start, on_end=reader.end)
    if not reader.answered and not reader.errors:
        reader.errors.append(f"{file}: expected an answer of listPhone")
    if reader.errors:
        raise SiteError(reader.errors)
    return Export(file=file, kind="AXL listPhone", phones=reader.phones, others=reader.others)


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
        if path[-2:] == ["return", "phone"]:
            self._device = _Device(line)

    def end(self, path: list[str], text: str, line: int) -> None:
        name, device = path[-1], self._device
        if name == "faultstring":
            self.errors.append(f"{self._file}:{line}: CallManager answered with a fault: {text[:200]}")
        if device is None:
            return
        if path[-2:] == ["return", "phone"]:
            self._add(device)
            self._device = None
        elif path[-3:-1] == ["return", "phone"] and name in _FIELDS:
            device.values[name] = text
        elif path[-2:] == ["dirn", "pattern"]:
            # getPhone lists the lines, the first one first.
            device.values.setdefault("pattern", text)

    def _add(self, device: _Device) -> None:
        values, place = device.values, f"{self._file}:{device.line}"
        name = values.get("name", "").upper()
        kind = values.get("model", "") or values.get("product", "")
        if not name:
            self.errors.append(f"{place}: phone without a name: ask for <name/> in returnedTags")
        elif not DEVICE_NAME.fullmatch(name):
            self.others.append(Other(place=place, name=values["name"], what=kind))
        else:
            number = values.get("pattern", "").replace("\\", "")
            self.phones.append(
                Listed(
                    place=place,
                    device_name=name,
                    directory_number=number if NUMBER.fullmatch(number) else "",
                    model=models.of_name(kind),
                    device_pool=values.get("devicePoolName", ""),
                    location=values.get("locationName", ""),
                    authentication_url=values.get("authenticationUrl", ""),
                )
            )
