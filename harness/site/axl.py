"""AXL: the saved answer to listPhone. Names, models, device pools and locations as configured, no addresses.

`listPhoneResponse/return/phone` with the tags that were asked for (AXL schema; GOAXL). A name element may carry a
`uuid`. Beside it an answer of RisPort is needed, because AXL knows nothing of addresses and registration.
"""

from __future__ import annotations

from typing import Final

from harness.site import models
from harness.site.answer import Device, Form, Found, read_answer
from harness.site.listed import Export, Listed, Other
from harness.site.phone import DEVICE_NAME, NUMBER

FORM: Final = Form(
    kind="AXL listPhone",
    request="listPhone",
    roots=frozenset({"listPhoneResponse", "getPhoneResponse"}),
    device=("return", "phone"),
    fields=frozenset({"name", "model", "product", "devicePoolName", "locationName", "authenticationUrl"}),
    repeats=lambda path: path[-2:] == ["dirn", "pattern"],
)


def read_axl(file: str, body: bytes) -> Export:
    """Read a saved answer of listPhone, or of getPhone.

    Raises:
        SiteError: with every error; a fault of CallManager among them.
    """
    return read_answer(file, body, FORM, _add)


def _add(device: Device, found: Found) -> None:
    values, place = device.values, device.place
    name = values.get("name", "").upper()
    kind = values.get("model", "") or values.get("product", "")
    if not name:
        found.errors.append(f"{place}: phone without a name: ask for <name/> in returnedTags")
    elif not DEVICE_NAME.fullmatch(name):
        found.others.append(Other(place=place, name=values["name"], what=kind))
    else:
        # getPhone lists the lines, the first one first.
        number = next(iter(device.repeated), "").replace("\\", "")
        found.phones.append(
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
