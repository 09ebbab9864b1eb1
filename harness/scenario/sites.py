"""A fleet that is a real site's: `[fleet] csv` names the list, and says how many phones of which models there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.scenario.findings import ASSUMED, DEFAULT, Findings
from harness.scenario.keys import MAX_PHONES
from harness.scenario.lines import Path as KeyPath
from harness.site import Phone, SiteError, models, read_phone_list

SITE: Final = "site.csv"
"""The list in a run's folder, beside its scenario: the site's phones that the fleet is a twin of."""
_CSV: Final = ("fleet", "csv")
_INSTEAD: Final = ("phones", "models")
"""What the list says as well."""


def prefer(raw: dict[str, Any], given: Mapping[KeyPath, str]) -> None:
    """A list named on the command line stands for what the file says of size and models."""
    fleet = raw.get("fleet")
    if _CSV in given and isinstance(fleet, dict):
        for name in _INSTEAD:
            if ("fleet", name) not in given:
                fleet.pop(name, None)


def read(values: dict[str, Any], path: Path, findings: Findings, *, files: bool) -> tuple[Phone, ...]:
    """Read the list of a scenario that names one, and set size and models of its fleet; no phone where there is none.

    Errors of the list, and keys that contradict it, are noted in the findings.

    Args:
        values: the checked file.
        path: the scenario's; a list that it names itself is looked for beside it.
        findings: where errors and origins go.
        files: whether the list must be there; else a list that is not is none.
    """
    fleet = values["fleet"]
    if not isinstance(fleet["csv"], str):
        return ()
    for name in _INSTEAD:
        if findings.origins.get(f"fleet.{name}", DEFAULT) not in {DEFAULT, ASSUMED}:
            findings.wrong(("fleet", name), f"the list {fleet['csv']} says it already: leave out {name}, or csv")
    file = place(fleet["csv"], path, findings)
    if not files and not file.exists():
        return ()
    try:
        phones = read_phone_list(file)
    except SiteError as error:
        for line in error.errors:
            findings.wrong(_CSV, line)
        return ()
    if len(phones) > MAX_PHONES:
        findings.wrong(_CSV, f"{len(phones)} phones; a fleet has at most {MAX_PHONES}")
        return ()
    fleet["phones"] = len(phones)
    counts = Counter(models.emulated_as(phone.model) for phone in phones)
    fleet["models"] = {model: count / len(phones) for model, count in counts.most_common()}
    for name in _INSTEAD:
        findings.origins.pop(f"fleet.{name}", None)
    return phones


def place(name: str, path: Path, findings: Findings) -> Path:
    """Where the list lies: of the command line from the present folder, of a scenario's file beside it."""
    return Path(name) if _CSV in findings.given else path.parent / name
