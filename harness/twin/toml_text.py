"""A scenario's parsed TOML as text again, so that what was run can be read and run again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(table: Mapping[str, Any]) -> str:
    """Tables of values, tables and lists of tables; anything else stands inline."""
    return "\n".join(_lines(table, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterable[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict) and not _is_inline(path, key)}
    lists = {key: value for key, value in table.items() if _is_tables(value)}
    for key, value in table.items():
        if key not in inner and key not in lists:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        where = (*path, key)
        yield ""
        yield f"[{'.'.join(map(_key, where))}]"
        yield from _lines(value, where)
    for key, entries in lists.items():
        where = (*path, key)
        for entry in entries:
            yield ""
            yield f"[[{'.'.join(map(_key, where))}]]"
            yield from _lines(entry, where)


def _is_inline(path: tuple[str, ...], key: str) -> bool:
    """Values that are tables themselves: `service_ms`, `models`."""
    return (path, key) in {(("callmanager",), "service_ms"), (("fleet",), "models")}


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Mapping():
            return "{ " + ", ".join(f"{_key(str(key))} = {_value(each)}" for key, each in value.items()) + " }"
        case list() | tuple():
            return f"[{', '.join(_value(each) for each in value)}]"
        case str():
            return _text(value)
        case _:
            return str(value)
