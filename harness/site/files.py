"""Reads files of any known kind from the disk, each within its limit, and says what each one was taken for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from harness.site import all_details, axl, device_list, phone_list, risport
from harness.site.document import DOCUMENT_BYTES_MAX
from harness.site.errors import SiteError
from harness.site.listed import Export, Listed
from harness.site.merging import Site, ZoneFrom, merge
from harness.site.phone import Phone

KINDS: Final = (
    "pushlab's phone list (CSV with device_name), All Phone Details (CSV with Device Name and Device Type), "
    "DeviceListX, an answer of RisPort, an answer of AXL listPhone (XML)"
)
_HEAD_BYTES: Final = 65_536
"""The first line of All Phone Details is up to 20 kB long; in XML the element that tells comes much earlier."""
_XML: Final[Sequence[tuple[frozenset[str], Callable[[str, bytes], Export]]]] = (
    (frozenset({device_list.ROOT}), device_list.read_device_list),
    (risport.FORM.roots, risport.read_risport),
    (axl.FORM.roots, axl.read_axl),
)
_ELEMENT: Final = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")


def read_exports(
    paths: Sequence[Path], *, zone_from: ZoneFrom = "device-pool", subnets: Sequence[IPv4Network] = ()
) -> Site:
    """Read files of any known kind and merge them, the first one first; `merge` has the other arguments.

    Raises:
        SiteError: with every error of every file.
    """
    exports: list[Export] = []
    errors: list[str] = []
    for path in paths:
        try:
            exports.append(read_export(path))
        except SiteError as error:
            errors += error.errors
    if errors:
        raise SiteError(errors)
    return merge(exports, zone_from=zone_from, subnets=subnets)


def read_export(path: Path, *, addresses_once: bool = True) -> Export:
    """Read one file; what it is, is seen from its beginning.

    Args:
        path: the file.
        addresses_once: whether our own list may not have an address twice; other lists may.

    Raises:
        SiteError: with every error of the file.
    """
    name = str(path)
    body = _bytes(path, max(DOCUMENT_BYTES_MAX, all_details.EXPORT_BYTES_MAX))
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SiteError([f"{name}: it is UTF-16; save it as UTF-8"])
    head = body[:_HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        elements = [found.decode("ascii", "replace") for found in _ELEMENT.findall(head)]
        for roots, read in _XML:
            if not roots.isdisjoint(elements):
                return read(name, body)
        if "Fault" in elements:
            return risport.read_risport(name, body)
        first = elements[0] if elements else "?"
        raise SiteError([f"{name}: XML of another kind, its first element is {first}; {_known()}"])
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    if all_details.is_header(first):
        return all_details.read_all_details(name, _text(name, body))
    if phone_list.is_header(first) or "," in first:
        text = _text(name, body, phone_list.LIST_BYTES_MAX)
        return _listed(name, phone_list.parse_phone_list(name, text, addresses_once=addresses_once))
    for mark, what in ((";", "semicolons"), ("\t", "tabs")):
        line = first.replace(mark, ",")
        if phone_list.is_header(line) or all_details.is_header(line):
            raise SiteError([f"{name}:1: columns separated by {what}, expected commas; save it as CSV with commas"])
    raise SiteError([f"{name}: {'empty' if not head else 'neither CSV nor XML'}; {_known()}"])


def read_phone_list(path: Path, *, network: str | None = None, reserved: Sequence[str] = ()) -> tuple[Phone, ...]:
    """Read the one CSV that the rest of pushlab takes.

    Args:
        path: UTF-8, with a line of column names.
        network: CIDR that every address must lie in.
        reserved: addresses that no phone may have.

    Raises:
        SiteError: with every error of the file, one line each, by line number.
    """
    text = _text(str(path), _bytes(path, phone_list.LIST_BYTES_MAX))
    return phone_list.parse_phone_list(str(path), text, network=network, reserved=reserved)


def _known() -> str:
    return f"known are: {KINDS}"


def _bytes(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(limit + 1)
    except OSError as error:
        raise SiteError([f"{path}: cannot be read: {error.strerror}"]) from None
    return _within(str(path), body, limit)


def _within(name: str, body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise SiteError([f"{name}: larger than {limit // 2**20} MiB, so no list of phones"])
    return body


def _text(name: str, body: bytes, limit: int = all_details.EXPORT_BYTES_MAX) -> str:
    try:
        return _within(name, body, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SiteError([f"{name}: not UTF-8 at byte {error.start}; save it as UTF-8"]) from None


def _listed(name: str, phones: Sequence[Phone]) -> Export:
    """Our own list as one source among others; it names phones that are there."""
    return Export(
        file=name,
        kind="phone list",
        phones=[
            Listed(
                place=name,
                device_name=phone.device_name,
                directory_number=phone.directory_number,
                model=phone.model,
                address=phone.address,
                web_access=phone.web_access,
                authentication_url=phone.authentication_url,
                zone=phone.zone,
                subnet=phone.subnet,
            )
            for phone in phones
        ],
    )
