"""What a list of phones, and what phones say of themselves, mean for the inventory. No I/O.

* A phone that is listed for the first time is added.
* A phone that is listed elsewhere has moved: what it said at the old place is kept, its state of being read is not.
* A phone that its source no longer lists is marked and kept.
* One address belongs to one phone: the one that answers there, else the one listed as registered, else the one listed
  last. The others keep their place in the inventory and lose the address, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.cisco import DeviceInformation
from gateway.inventory.entry import DEVICE_NAME, Entry, Listed, Listing, ReadOutcome


@dataclass(kw_only=True, slots=True)
class Changes:
    """What has changed, by device name."""

    entries: dict[str, Entry] = field(default_factory=dict)
    """The entries as they are now, only those that changed."""
    added: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """No longer listed."""
    ousted: list[str] = field(default_factory=list)
    """Another phone has their address."""

    def counts(self) -> dict[str, int]:
        """For people: how many of each."""
        return {
            "added": len(self.added),
            "moved": len(self.moved),
            "missing": len(self.missing),
            "without_address": len(self.ousted),
        }


def merge(entries: Mapping[str, Entry], listing: Listing) -> Changes:
    """Take a list into the inventory.

    Args:
        entries: The inventory before, by device name.
        listing: Device names in it are checked; a name that comes twice counts once, the registered line first.
    """
    changes = Changes()
    lines: dict[str, Listed] = {}
    for line in listing.phones:
        before = lines.get(line.device_name)
        if before is None or (line.registered and not before.registered):
            lines[line.device_name] = line
    holders = {entry.address: name for name, entry in entries.items() if entry.address}
    # Registered ones last: of two with one address the later takes it.
    for line in sorted(lines.values(), key=lambda line: line.registered):
        entry = entries.get(line.device_name)
        changed = _listed(entry, line, listing.source)
        if entry is None:
            changes.added.append(line.device_name)
        elif changed.address != entry.address:
            changes.moved.append(line.device_name)
        if changed.address:
            holder = holders.get(changed.address)
            if holder is not None and holder != line.device_name:
                _oust(entries, changes, holder, line.device_name)
            holders[changed.address] = line.device_name
        if changed != entry:
            changes.entries[line.device_name] = changed
    if listing.complete:
        for name, entry in entries.items():
            if entry.source == listing.source and entry.listed and name not in lines:
                changes.entries[name] = replace(changes.entries.get(name, entry), listed=False)
                changes.missing.append(name)
    return changes


def _listed(entry: Entry | None, line: Listed, source: str) -> Entry:
    if entry is None:
        return Entry(
            device_name=line.device_name, address=line.address, description=line.description, source=source
        )
    changed = replace(
        entry, description=line.description or entry.description, source=source, listed=True
    )
    if line.address and line.address != entry.address:
        changed = replace(changed, address=line.address, outcome=None, detail=None, answer_ms=None)
    return changed


def _oust(entries: Mapping[str, Entry], changes: Changes, loser: str, winner: str) -> None:
    entry = changes.entries.get(loser) or entries[loser]
    detail = f"{entry.address} is now {winner}"
    changes.entries[loser] = replace(entry, address="", outcome=None, detail=detail, answer_ms=None)
    changes.ousted.append(loser)


def answered(
    entries: Mapping[str, Entry],
    asked: str,
    *,
    outcome: ReadOutcome,
    information: DeviceInformation | None = None,
    authentication_url: str | None = None,
    detail: str | None = None,
    answer_ms: float | None = None,
    seen_s: float,
) -> Changes:
    """Take what came of reading the phone `asked` into the inventory.

    A known phone that answers at the address of another one has moved there.
    """
    changes = Changes()
    entry = entries[asked]
    if information is None:
        changes.entries[asked] = replace(entry, outcome=outcome, detail=detail, answer_ms=answer_ms)
        return changes
    said = information.device_name if DEVICE_NAME.fullmatch(information.device_name) else ""
    who = asked if information.mac == asked[3:] else said or f"SEP{information.mac}"
    if who != asked and who not in entries:
        changes.entries[asked] = replace(
            entry, outcome="another", detail=f"{who} answers at this address, and no list has it", answer_ms=answer_ms
        )
        return changes
    if who != asked:
        _oust(entries, changes, asked, who)
        if entries[who].address != entry.address:
            changes.moved.append(who)
    changes.entries[who] = replace(
        entries[who],
        address=entry.address,
        outcome=outcome,
        directory_number=information.directory_number,
        mac=information.mac,
        model=information.model or entries[who].model,
        authentication_url=authentication_url,
        detail=detail,
        answer_ms=answer_ms,
        seen_s=seen_s,
    )
    return changes
