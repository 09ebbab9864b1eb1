"""Find and list devices: filter, order and pages, as Device > Phone and Device Association offer them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from emulator.callmanager.registry import Device

FIELDS: Final = {"name": "Device Name", "description": "Description", "directory_number": "Directory Number"}
"""What can be searched in, with CallManager's words."""
COLUMNS: Final = {**FIELDS, "model": "Model", "web_access": "Web Access", "registration": "Status"}
"""What a list can be sorted by."""
PER_PAGE: Final = (25, 50, 100, 250)
"""Above that a page gets slow in a browser, and its check boxes outgrow a form."""
PER_PAGE_DEFAULT: Final = 50
TEXT_CHARACTERS_MAX: Final = 128
"""As long as a description can be."""


class SearchError(ValueError):
    """What was asked for is no search; says which key, what is expected and what came."""


class Match(Enum):
    """How a field is compared, case aside; the values are CallManager's words."""

    BEGINS = "begins with"
    CONTAINS = "contains"
    ENDS = "ends with"
    EXACT = "is exactly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; an empty text finds every device."""

    field: str = "name"
    match: Match = Match.BEGINS
    text: str = ""
    sort: str = ""
    """A key of `COLUMNS`; empty: as they were added."""
    descending: bool = False
    page: int = 1
    per_page: int = PER_PAGE_DEFAULT

    def query(self, **changed: object) -> dict[str, str]:
        """As the query of an address, with some keys changed, defaults left out."""
        default = Search()
        other = replace(self, **changed)  # type: ignore[arg-type] # from templates, by the names above
        shown = {
            "field": other.field,
            "match": other.match.value,
            "text": other.text,
            "sort": other.sort,
            "descending": "1" if other.descending else "",
            "page": str(other.page),
            "per_page": str(other.per_page),
        }
        count = str(default.per_page)
        left_out = {"field": default.field, "match": default.match.value, "page": "1", "per_page": count}
        return {key: value for key, value in shown.items() if value and value != left_out.get(key)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of what a search found."""

    search: Search
    """With the page that is really shown."""
    devices: list[Device]
    total: int
    pages: int
    """At least 1."""

    @property
    def first(self) -> int:
        """Position of the first device of the page, counted from 1; 0 where there is none."""
        return (self.search.page - 1) * self.search.per_page + 1 if self.devices else 0


SEARCH_KEYS: Final = frozenset({"field", "match", "text", "sort", "descending", "page", "per_page"})


def search_of(given: Mapping[str, str]) -> Search:
    """Read a search from an address's query or a form; other keys are ignored.

    Raises:
        SearchError: a value cannot be.
    """
    text = given.get("text", "").strip()
    if len(text) > TEXT_CHARACTERS_MAX:
        raise SearchError(f"text: at most {TEXT_CHARACTERS_MAX} characters, got {len(text)}")
    return Search(
        field=_one_of("field", given.get("field") or "name", FIELDS),
        match=Match(_one_of("match", given.get("match") or Match.BEGINS.value, [match.value for match in Match])),
        text=text,
        sort=_one_of("sort", given.get("sort", ""), ["", *COLUMNS]),
        descending=_one_of("descending", given.get("descending", ""), ["", "1"]) == "1",
        page=_whole("page", given.get("page") or "1"),
        per_page=int(
            _one_of("per_page", given.get("per_page") or str(PER_PAGE_DEFAULT), [str(count) for count in PER_PAGE])
        ),
    )


def matching(devices: Iterable[Device], search: Search) -> list[Device]:
    """All devices that a search finds, in the order of the registry."""
    wanted = search.text.casefold()
    if not wanted:
        return list(devices)
    field = search.field
    if search.match is Match.BEGINS:
        return [device for device in devices if getattr(device, field).casefold().startswith(wanted)]
    if search.match is Match.ENDS:
        return [device for device in devices if getattr(device, field).casefold().endswith(wanted)]
    if search.match is Match.CONTAINS:
        return [device for device in devices if wanted in getattr(device, field).casefold()]
    return [device for device in devices if getattr(device, field).casefold() == wanted]


def find(devices: Iterable[Device], search: Search) -> Found:
    """One page of what a search finds, in its order; a page beyond the last is the last."""
    found = matching(devices, search)
    if search.sort == "registration":
        found.sort(key=lambda device: device.registration.value, reverse=search.descending)
    elif search.sort == "web_access":
        found.sort(key=lambda device: device.web_access, reverse=search.descending)
    elif search.sort:
        found.sort(key=lambda device: getattr(device, search.sort).casefold(), reverse=search.descending)
    pages = max(1, -(-len(found) // search.per_page))
    page = min(search.page, pages)
    start = (page - 1) * search.per_page
    shown = found[start : start + search.per_page]
    return Found(search=replace(search, page=page), devices=shown, total=len(found), pages=pages)


def _one_of(key: str, value: str, known: Iterable[str]) -> str:
    if value not in known:
        raise SearchError(f"{key}: one of {', '.join(filter(None, known))} is needed, got {value[:40]!r}")
    return value


def _whole(key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 6 and int(value)):
        raise SearchError(f"{key}: a number from 1 to 999999 is needed, got {value[:40]!r}")
    return int(value)
