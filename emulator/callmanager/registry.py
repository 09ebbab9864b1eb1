"""The phones that CallManager knows: what stands under Device > Phone, and where each was seen last. No I/O.

What is changed here changes nothing in a phone: it reads its configuration file when it boots and when it is reset
(application-gateway rows 2 and 10; `emulator.callmanager.configuration_file`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from emulator.callmanager.users import is_device_name

DEVICES_MAX: Final = 100_000
"""Above any fleet that one CallManager serves (30,000 phones)."""
DESCRIPTION_CHARACTERS_MAX: Final = 128
"""CallManager's own limit for a description is 128 characters."""
URL_CHARACTERS_MAX: Final = 255
"""Of a phone's URLs (UCM-DOC sepmac-cnf-xml)."""
_NUMBER: Final = re.compile(r"[0-9*#+]{0,24}")
_MODEL: Final = re.compile(r"[A-Za-z0-9 ._-]{0,50}")
_ADDRESS: Final = re.compile(r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


class DeviceError(ValueError):
    """What was asked of the registry cannot be: a bad value, a duplicate, an unknown device. Quotes no secret."""


class Registration(Enum):
    """What CallManager knows of a phone's whereabouts; the values are DeviceListX's `s` (CUAE HttpDlxReader)."""

    UNKNOWN = ""
    REGISTERED = "1"
    UNREGISTERED = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One phone as CallManager's database has it."""

    name: str
    """`SEP` and 12 hexadecimal digits, upper case."""
    description: str = ""
    directory_number: str = ""
    model: str = "CP-7960G"
    """Cisco's spelling."""
    web_access: bool = True
    """Product Specific Configuration: Web Access."""
    authentication_url: str = ""
    """Of this phone alone, under External Data Locations; empty: the enterprise parameter's."""
    secured_authentication_url: str = ""
    services_url: str = ""
    address: str = ""
    """IPv4 it was last seen at; empty: never."""
    registration: Registration = Registration.UNKNOWN
    registration_s: int = 0
    """When it registered or was lost, seconds since 1970; 0: it stands so since CallManager's start."""


CHANGEABLE: Final = frozenset({
    "description", "directory_number", "model", "web_access", "authentication_url", "secured_authentication_url",
    "services_url",
})  # fmt: skip
"""What an administrator may change of a device; address and registration are what CallManager sees."""


class Registry:
    """All devices, by name, in the order in which they were added."""

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        """Take devices.

        Raises:
            DeviceError: one cannot be, or is there twice.
        """
        self._devices: dict[str, Device] = {}
        for device in devices:
            self.add(device)

    def __len__(self) -> int:
        return len(self._devices)

    def all(self) -> list[Device]:
        """Every device."""
        return list(self._devices.values())

    def get(self, name: str) -> Device | None:
        """The device of this exact name."""
        return self._devices.get(name)

    def add(self, device: Device) -> None:
        """Add one.

        Raises:
            DeviceError: it cannot be, is there already, or there are too many.
        """
        _check(device)
        if device.name in self._devices:
            raise DeviceError(f"name: there is a device {device.name} already")
        if len(self._devices) >= DEVICES_MAX:
            raise DeviceError(f"no more than {DEVICES_MAX} devices")
        self._devices[device.name] = device

    def change(self, name: str, **values: Any) -> Device:  # noqa: ANN401 - checked by the device itself
        """Change what is given, of the fields named in `CHANGEABLE`; the phone learns of it at its next reset.

        Raises:
            KeyError: no such device.
            DeviceError: a value cannot be.
        """
        assert values.keys() <= CHANGEABLE, values.keys()
        changed = replace(self._devices[name], **values)
        _check(changed)
        self._devices[name] = changed
        return changed

    def remove(self, name: str) -> None:
        """Remove one; KeyError if there is none of this name."""
        del self._devices[name]

    def seen(self, name: str, address: str, now_s: int = 0) -> None:
        """A phone came for its configuration: it is registered from that address. An unknown name is ignored.

        In life it registers by SCCP or SIP after that; neither is spoken here (assumed to follow). `now_s` is the time
        in seconds since 1970.
        """
        device = self._devices.get(name)
        if device is not None:
            self._devices[name] = replace(
                device, address=address, registration=Registration.REGISTERED, registration_s=now_s
            )

    def lost(self, name: str, now_s: int = 0) -> None:
        """A registered phone is known not to be there any longer; its last address is kept. Others stay as they are."""
        device = self._devices.get(name)
        if device is not None and device.registration is Registration.REGISTERED:
            self._devices[name] = replace(device, registration=Registration.UNREGISTERED, registration_s=now_s)


def require_url(field: str, url: str) -> str:
    """The URL, if a phone's configuration can hold it (empty: none); else DeviceError."""
    if len(url) > URL_CHARACTERS_MAX or not all("!" <= character <= "~" for character in url):
        raise DeviceError(f"{field}: a URL of at most {URL_CHARACTERS_MAX} printable ASCII characters is needed")
    if url and not url.lower().startswith(("http://", "https://")):
        raise DeviceError(f"{field}: http:// or https:// is needed")
    return url


def _check(device: Device) -> None:
    if not is_device_name(device.name):
        raise DeviceError(f"name: {device.name!r} is no device name (as SEP001BD4000001)")
    if len(device.description) > DESCRIPTION_CHARACTERS_MAX or not device.description.isprintable():
        raise DeviceError(f"description: at most {DESCRIPTION_CHARACTERS_MAX} printable characters")
    if _NUMBER.fullmatch(device.directory_number) is None:
        raise DeviceError("directory_number: at most 24 digits, *, # or +")
    if _MODEL.fullmatch(device.model) is None:
        raise DeviceError("model: letters, digits and '-', as CP-7960G")
    if _ADDRESS.fullmatch(device.address) is None:
        raise DeviceError("address: an IPv4 address is needed")
    require_url("authentication_url", device.authentication_url)
    require_url("secured_authentication_url", device.secured_authentication_url)
    require_url("services_url", device.services_url)
