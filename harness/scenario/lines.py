"""Where each key of a TOML file stands: the standard library's reader does not say.

Only for messages: a place that is not found costs the line number in a message, nothing else.
"""

import re
from collections.abc import Mapping
from typing import Final

_PART: Final = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_KEY: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_KEY})\s*\]\]?")
_ASSIGNMENT: Final = re.compile(rf"\s*({_KEY})\s*=")

Path = tuple[str, ...]


def parts_of(dotted: str) -> Path:
    """The parts of a dotted key, quotes taken off: `thresholds."push.per_s"` → `("thresholds", "push.per_s")`."""
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def key_lines(text: str) -> Mapping[Path, int]:
    """Line number of every table and key, by path; repeated tables count from 0: `("page", "0", "audio")`."""
    lines: dict[Path, int] = {}
    repeated: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        assignment = _ASSIGNMENT.match(line)
        if header is not None:
            path = _inside(parts_of(header[2]), repeated, last=header[1] == "[")
            if header[1] == "[[":
                ordinal = repeated.get(path, -1) + 1
                repeated[path] = ordinal
                path = (*path, str(ordinal))
            table = path
            lines.setdefault(path, number)
        elif assignment is not None:
            lines.setdefault((*table, *parts_of(assignment[1])), number)
    return lines


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of a key, or of the nearest thing around it."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _inside(parts: Path, repeated: Mapping[Path, int], *, last: bool) -> Path:
    """Add the ordinals of the repeated tables that a header stands in."""
    path: Path = ()
    for index, part in enumerate(parts):
        path = (*path, part)
        if path in repeated and (last or index < len(parts) - 1):
            path = (*path, str(repeated[path]))
    return path
