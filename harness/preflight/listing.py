"""The phones that are to be paged, from whatever lists of the site there are (harness/site), none left out."""

from collections.abc import Sequence
from pathlib import Path

from harness.site.errors import SiteError
from harness.site.files import read_export
from harness.site.listed import Kind, Listed
from harness.site.merging import PHONES_MAX, merge_by_name


def read_lists(files: Sequence[tuple[Path, Kind | None]]) -> tuple[Listed, ...]:
    """Read lists and merge them by device name, the first one first.

    Args:
        files: each with what it has to be; None: whatever it is.

    Raises:
        SiteError: with every error of every file.
    """
    exports, errors = [], []
    for path, kind in files:
        try:
            export = read_export(path, addresses_once=False)
        except SiteError as error:
            errors += error.errors
            continue
        if kind is not None and export.kind != kind:
            errors.append(f"{path}: this is {export.kind}, expected {kind}")
        exports.append(export)
    phones = tuple(merge_by_name(exports, []).values())
    if not errors and not phones:
        errors.append(f"{', '.join(str(path) for path, _ in files)}: no phone in it; at least one is needed")
    if len(phones) > PHONES_MAX:
        errors.append(f"{len(phones):,} phones; a site has at most {PHONES_MAX:,}")
    if errors:
        raise SiteError(errors)
    return phones


def unlisted(address: str, device_name: str = "") -> Listed:
    """A phone that no list has, or an address of which no phone is known yet."""
    return Listed(place="", device_name=device_name, address=address)


def subject_of(listed: Listed) -> str:
    """How it is called in results."""
    return listed.device_name or listed.address
