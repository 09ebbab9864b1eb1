"""The phones of a CallManager from a roster (docs/design/parts.md): the same file that the fleet reads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from emulator.callmanager.registry import DEVICES_MAX, Device, DeviceError, Registration, Registry
from emulator.server import ConfigurationError

COLUMNS: Final = (
    "device_name", "directory_number", "mac", "model", "address", "authentication_url", "web_access", "zone", "subnet",
)  # fmt: skip
"""Zone and subnet are for others: phones do not know theirs."""
FILE_BYTES_MAX: Final = 1 << 25
"""100,000 lines have 8 MB."""
PROBLEMS_MAX: Final = 100
"""More of them help nobody."""


def read_device_list(path: Path) -> list[Device]:
    """The devices of a CSV file; who has an address there is registered from it.

    Raises:
        ConfigurationError: all that is wrong with the file, with line numbers.
    """
    problems: list[str] = []
    registry = Registry()
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigurationError([f"{path}: larger than {FILE_BYTES_MAX} bytes"])
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval=None)
            header = [name.strip() for name in reader.fieldnames or ()]
            unknown = [name for name in header if name not in COLUMNS]
            if unknown or "device_name" not in header or len(set(header)) != len(header):
                raise ConfigurationError(
                    [f"{path}:1: expected columns of {', '.join(COLUMNS)}, each once, with device_name; got {header}"]
                )
            reader.fieldnames = header
            for row in reader:
                if len(problems) >= PROBLEMS_MAX or len(registry) >= DEVICES_MAX:
                    problems.append(f"{path}:{reader.line_num}: the rest was not read")
                    break
                if "" in row or None in row.values():
                    problems.append(f"{path}:{reader.line_num}: expected {len(header)} fields")
                    continue
                try:
                    registry.add(_device({name: value.strip() for name, value in row.items()}))
                except DeviceError as error:
                    problems.append(f"{path}:{reader.line_num}: {error}")
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError([f"{path}: {error}"]) from error
    if problems:
        raise ConfigurationError(problems)
    return registry.all()


def _device(row: dict[str, str]) -> Device:
    web_access = row.get("web_access", "").lower() or "true"
    if web_access not in {"true", "false"}:
        raise DeviceError(f"web_access {web_access!r}: expected true or false")
    number, address = row.get("directory_number", ""), row.get("address", "")
    return Device(
        name=row["device_name"].upper(),
        description=f"Auto {number}" if number else "",  # as auto-registration names phones (CUAE HttpDlxReader)
        directory_number=number,
        model=row.get("model", "") or "CP-7960G",
        web_access=web_access == "true",
        authentication_url=row.get("authentication_url", ""),
        address=address,
        registration=Registration.REGISTERED if address else Registration.UNKNOWN,
    )
