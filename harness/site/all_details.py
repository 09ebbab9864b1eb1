"""All Phone Details: the CSV of Bulk Administration > Phones > Export Phones. As configured, no addresses.

The first line names 150 to 200 columns, more for more lines; of those are read `Device Name`, `Device Type` (`Cisco
7961`), `Device Pool`, `Location`, `Authentication Server` and the first `Directory Number` (BAT; BATSEEN, where it is
`Directory Number 1`). Other columns are left alone: releases differ in them. One export holds phones of one type or of
several.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Final

from harness.site import models
from harness.site.errors import SiteError
from harness.site.listed import Export, Listed, Other
from harness.site.phone import DEVICE_NAME, NUMBER

EXPORT_BYTES_MAX: Final = 128 * 2**20
"""A phone with two lines takes 2 kB; 30,000 phones 60 MB."""
REQUIRED: Final = ("Device Name", "Device Type")


def is_header(line: str) -> bool:
    """Whether a file's first line is that of such an export."""
    names = {name.strip().strip('"').casefold() for name in line.split(",")}
    return all(name.casefold() in names for name in REQUIRED)


def read_all_details(file: str, text: str) -> Export:
    """Read an export.

    Raises:
        SiteError: with every error, by line.
    """
    errors: list[str] = []
    phones: list[Listed] = []
    others: list[Other] = []
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        wrong = [f"{file}:1: no column {name}" for name in REQUIRED if name.casefold() not in header]
        if wrong:
            raise SiteError(wrong)
        for row in reader:
            if not any(value.strip() for value in row):
                continue
            place = f"{file}:{reader.line_num}"
            if len(row) > len(header):
                errors.append(f"{place}: {len(row)} values for {len(header)} columns")
                continue
            # Rows end early where a phone has fewer lines than others (assumed; a spreadsheet cuts them off as well).
            values = dict.fromkeys(header, "")
            for name, value in zip(header, row, strict=False):
                values[name] = values[name] or value.strip()
            _read(place, values, phones, others, errors)
    except csv.Error as error:
        errors.append(f"{file}:{reader.line_num}: not CSV: {error}")
    if errors:
        raise SiteError(errors)
    return Export(file=file, kind="All Phone Details", phones=phones, others=others)


def _read(
    place: str, values: dict[str, str], phones: list[Listed], others: list[Other], errors: list[str]
) -> None:
    name, told = values["device name"].upper(), values["device type"]
    if not name:
        errors.append(f"{place}: no Device Name")
        return
    if not DEVICE_NAME.fullmatch(name):
        others.append(Other(place=place, name=values["device name"], what=told))
        return
    number = _number(values, ("directory number 1", "directory number"))
    if number is None:
        errors.append(f"{place}: {name}: the first Directory Number: digits, * # + only")
    if not told:
        errors.append(f"{place}: {name}: no Device Type")
    phones.append(
        Listed(
            place=place,
            device_name=name,
            directory_number=number or "",
            model=models.of_name(told),
            device_pool=values.get("device pool", ""),
            location=values.get("location", ""),
            authentication_url=values.get("authentication server", ""),
        )
    )


def _number(values: dict[str, str], columns: Sequence[str]) -> str | None:
    """The first line's number; a leading + is escaped with a backslash in CallManager's patterns."""
    number = next((values[name] for name in columns if values.get(name)), "").replace("\\", "")
    return number if NUMBER.fullmatch(number) else None
