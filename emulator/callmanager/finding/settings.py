"""What can be told about DeviceListX, RisPort70 and AXL: `[finding]` of the configuration file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingSettings:
    """The limits of the three services."""

    device_list_interval_s: float = 60.0
    """Between two answers of DeviceListX (OL20949 ch. 10); 0: none."""
    ris_requests_per_minute: int = 15
    """"Allowed Device Queries Per Minute": 15, at most 18 in life (RISLIM), 20 in older releases (RISOLD); 0: any."""
    ris_devices_max: int = 1000
    """Devices in one answer: 1000, 2000 in newer releases (RISDOC), 200 before 9.0."""
    node: str = ""
    """This CallManager's name in RisPort70's answers; empty: the address that the client connected to."""
