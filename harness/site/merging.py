"""One list of phones out of several exports, and what was left out, by reason.

Files are merged by device name. What a file does not say is taken from the next one that does; where two disagree the
one named first counts, and it is told. Of several lines of one phone in one file (several nodes of a cluster) the one
where it is registered counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal

from harness.site import models
from harness.site.errors import SiteError
from harness.site.listed import Export, Listed
from harness.site.phone import ZONE_CHARACTERS_MAX, Phone, subnet_of
from harness.site.risport import perhaps_cut

ZoneFrom = Literal["device-pool", "location", "subnet", "none"]
ZONES_FROM: Final[tuple[ZoneFrom, ...]] = ("device-pool", "location", "subnet", "none")
PHONES_MAX: Final = 100_000
"""Above any fleet that one CallManager serves (30,000 phones)."""
_MERGED: Final = (
    "directory_number", "model", "address", "registered", "status", "web_access", "authentication_url", "device_pool",
    "location", "zone", "subnet",
)  # fmt: skip
_COMPARED: Final = ("directory_number", "model", "address", "zone", "subnet")
"""What two files may not say differently without being told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A device that is not on the list.

    Attributes:
        reason: the same words for all of the same kind, so that they can be counted.
        detail: what this one is, where it was found.
    """

    name: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What was read.

    Attributes:
        phones: those that can be pushed to, by address.
        left_out: the other devices, in the files' order.
        notes: disagreements, assumptions and models without a known name; one line each.
        files: file → what it was taken for.
        subnets_assumed: whether any subnet is a guess by the mask that is assumed.
    """

    phones: tuple[Phone, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    subnets_assumed: bool = False

    def counted(self, attribute: Literal["model", "subnet", "zone"]) -> dict[str, int]:
        """Phones by model, subnet or zone; the most first, then by name."""
        counts = Counter(getattr(phone, attribute) for phone in self.phones)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def left_out_by_reason(self) -> dict[str, list[LeftOut]]:
        """The others, by reason."""
        found: dict[str, list[LeftOut]] = {}
        for one in self.left_out:
            found.setdefault(one.reason, []).append(one)
        return found


def merge(
    exports: Sequence[Export], *, zone_from: ZoneFrom = "device-pool", subnets: Sequence[IPv4Network] = ()
) -> Site:
    """Merge exports into a site.

    Args:
        exports: in the order of precedence.
        zone_from: what a phone's zone is taken from where no file gives one.
        subnets: networks that are known; a phone in none of them has an assumed one.

    Raises:
        SiteError: no phone can be pushed to, two have one address, or more phones than a site can have.
    """
    notes: list[str] = []
    for export in exports:
        if perhaps_cut(export):
            count = len(export.phones) + len(export.others)
            notes.append(
                f"{export.file}: exactly {count:,} devices, the most that one answer of RisPort may have: it was "
                "perhaps cut; ask in parts (SEP0*, SEP1* and so on) and name all files"
            )
    merged = merge_by_name(exports, notes)
    if len(merged) > PHONES_MAX:
        raise SiteError([f"{len(merged):,} phones; a site has at most {PHONES_MAX:,}"])
    left = [
        LeftOut(name=other.name, reason="no desk phone", detail=f"{other.what} ({other.place})")
        for export in exports
        for other in export.others
    ]
    left = list({one.name: one for one in reversed(left)}.values())[::-1]
    taken: list[Listed] = []
    for one in merged.values():
        if one.registered is False:
            left.append(LeftOut(name=one.device_name, reason="not registered", detail=_why(one)))
        elif not one.address:
            left.append(LeftOut(name=one.device_name, reason="no address known", detail=_without_address(one, exports)))
        else:
            taken.append(one)
    _check_addresses(taken)
    _model_notes(taken, notes)
    if not taken:
        told = ", ".join(f"{count} {reason}" for reason, count in Counter(one.reason for one in left).items())
        hint = "" if any(one.address for one in merged.values()) else "; name an answer of RisPort beside it"
        raise SiteError([f"no phone with an address, so none to push to ({told or 'the files are empty'}){hint}"])
    closest = sorted(subnets, key=lambda network: -network.prefixlen)
    taken = [one if one.subnet else replace(one, subnet=_known_subnet(one.address, closest)) for one in taken]
    taken.sort(key=lambda one: tuple(int(part) for part in one.address.split(".")))
    return Site(
        phones=tuple(_phone(one, zone_from) for one in taken),
        left_out=tuple(left),
        notes=tuple(notes),
        files={export.file: export.kind for export in exports},
        subnets_assumed=any(not one.subnet for one in taken),
    )


def merge_by_name(exports: Iterable[Export], notes: list[str]) -> dict[str, Listed]:
    """Every phone of the exports by device name, none left out; what they disagree on is added to the notes."""
    found: dict[str, Listed] = {}
    for export in exports:
        within: dict[str, Listed] = {}
        for listed in export.phones:
            before = within.get(listed.device_name)
            if before is None or (listed.registered and not before.registered):
                within[listed.device_name] = listed
        for name, listed in within.items():
            before = found.get(name)
            found[name] = listed if before is None else _both(before, listed, notes)
    return found


def _both(first: Listed, second: Listed, notes: list[str]) -> Listed:
    if models.is_number(first.model) and second.model:
        # A name says more than a number that no table has.
        first = replace(first, model=second.model)
    for attribute in _COMPARED:
        one, other = getattr(first, attribute), getattr(second, attribute)
        if one and other and one != other and not (attribute == "model" and models.is_number(other)):
            notes.append(
                f"{first.device_name}: {attribute.replace('_', ' ')} {one} ({first.place}), but {other} "
                f"({second.place}); the first counts"
            )
    changes = {
        attribute: getattr(second, attribute)
        for attribute in _MERGED
        if getattr(first, attribute) in {"", None} and getattr(second, attribute) not in {"", None}
    }
    if "address" in changes or "registered" in changes:
        # Who asks where the phone was found means its whereabouts.
        changes["place"] = second.place
    return replace(first, **changes)


def _why(one: Listed) -> str:
    return f"{one.status or 'not registered'} ({one.place})"


def _without_address(one: Listed, exports: Sequence[Export]) -> str:
    if one.registered is None and any(export.kind in {"RisPort", "DeviceListX"} for export in exports):
        return f"in no list of registered phones ({one.place})"
    return one.place


def _check_addresses(taken: Sequence[Listed]) -> None:
    first: dict[str, Listed] = {}
    errors = []
    for one in taken:
        before = first.setdefault(one.address, one)
        if before is not one:
            errors.append(
                f"{one.place}: address {one.address} of {one.device_name} is that of {before.device_name} "
                f"({before.place}) already"
            )
    if errors:
        raise SiteError(errors)


def _model_notes(taken: Sequence[Listed], notes: list[str]) -> None:
    for told, count in Counter(one.model for one in taken).items():
        if told and models.find(told) is not None:
            continue
        near = models.nearest(told) if told else None
        hint = f"; the nearest known one is {near.model}" if near else ""
        phones = "1 phone" if count == 1 else f"{count:,} phones"
        notes.append(f"{told or 'no model'}: {phones} of a model that is not known{hint}")


def _known_subnet(address: str, closest: Sequence[IPv4Network]) -> str:
    return next((str(network) for network in closest if IPv4Address(address) in network), "")


def _phone(one: Listed, zone_from: ZoneFrom) -> Phone:
    subnet = one.subnet or subnet_of(one.address)
    zone = one.zone or {
        "device-pool": one.device_pool, "location": one.location, "subnet": subnet, "none": ""
    }[zone_from]  # fmt: skip
    return Phone(
        device_name=one.device_name,
        directory_number=one.directory_number,
        mac=one.device_name[3:],
        model=one.model or "unknown",
        address=one.address,
        authentication_url=one.authentication_url,
        web_access=one.web_access is not False,
        zone="".join(character for character in zone if character.isprintable())[:ZONE_CHARACTERS_MAX],
        subnet=subnet,
    )
