"""System > Enterprise Parameters, as far as phones go: the URLs that their configuration files carry. No I/O.

Names are those of CallManager 4 and Unified CM's pages ("Phone URL Parameters", "Secured Phone URL Parameters"). A
change reaches a phone at its next reset and not before (application-gateway row 10).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from emulator.callmanager.registry import Device, DeviceError, require_url

IDLE_S_MAX: Final = 604_800
"""A week, of URL Idle Time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterpriseParameters:
    """The parameters in force; every field is a URL (empty: none) but `url_idle_time_s`."""

    url_authentication: str = ""
    url_directories: str = ""
    url_idle: str = ""
    url_idle_time_s: int = 0
    url_information: str = ""
    url_messages: str = ""
    url_services: str = ""
    ip_phone_proxy_address: str = ""
    secured_authentication_url: str = ""
    secured_directory_url: str = ""
    secured_idle_url: str = ""
    secured_information_url: str = ""
    secured_messages_url: str = ""
    secured_services_url: str = ""


LABELS: Final = {
    "url_authentication": "URL Authentication",
    "url_directories": "URL Directories",
    "url_idle": "URL Idle",
    "url_idle_time_s": "URL Idle Time",
    "url_information": "URL Information",
    "url_messages": "URL Messages",
    "url_services": "URL Services",
    "ip_phone_proxy_address": "IP Phone Proxy Address",
    "secured_authentication_url": "Secured Authentication URL",
    "secured_directory_url": "Secured Directory URL",
    "secured_idle_url": "Secured Idle URL",
    "secured_information_url": "Secured Information URL",
    "secured_messages_url": "Secured Messages URL",
    "secured_services_url": "Secured Services URL",
}
"""Field to the name on CallManager's page."""
URLS: Final = frozenset(LABELS) - {"url_idle_time_s", "ip_phone_proxy_address"}


class Enterprise:
    """Holds the parameters in force, so that all doors change the same ones."""

    def __init__(self, parameters: EnterpriseParameters = EnterpriseParameters()) -> None:
        """Begin with these.

        Raises:
            DeviceError: a URL cannot be.
        """
        self.parameters = _checked(parameters)

    def change(self, **values: str | int) -> EnterpriseParameters:
        """Change what is given.

        Raises:
            DeviceError: a value cannot be. Then nothing is changed.
        """
        self.parameters = _checked(replace(self.parameters, **values))  # type: ignore[arg-type] # checked by its fields
        return self.parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSettings:
    """What the configuration file of one phone says, the phone's own values before the enterprise's."""

    authentication_url: str
    secured_authentication_url: str
    services_url: str
    secured_services_url: str
    web_access: bool


def settings_of(device: Device, parameters: EnterpriseParameters) -> PhoneSettings:
    """What holds for one phone: a value of its own goes before the enterprise parameter (UPLINX).

    A phone with a URL of its own and no secured one of its own has no secured one at all: phone-level settings go
    before enterprise ones of either kind (UPLINX: phone secured, phone, enterprise secured, enterprise).
    """
    own = bool(device.authentication_url or device.secured_authentication_url)
    return PhoneSettings(
        authentication_url=device.authentication_url if own else parameters.url_authentication,
        secured_authentication_url=device.secured_authentication_url if own else parameters.secured_authentication_url,
        services_url=device.services_url or parameters.url_services,
        secured_services_url="" if device.services_url else parameters.secured_services_url,
        web_access=device.web_access,
    )


def _checked(parameters: EnterpriseParameters) -> EnterpriseParameters:
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        if field.name in URLS:
            require_url(field.name, value)
    if not 0 <= parameters.url_idle_time_s <= IDLE_S_MAX:
        raise DeviceError(f"url_idle_time_s: 0 to {IDLE_S_MAX} seconds")
    proxy = parameters.ip_phone_proxy_address
    require_url("ip_phone_proxy_address", f"http://{proxy}" if proxy else "")
    return parameters
