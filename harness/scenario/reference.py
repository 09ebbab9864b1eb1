"""The tables of docs/reference/scenario.md, from the table of keys; a test holds them equal."""

import json
from collections.abc import Iterator, Mapping

from harness.scenario.keys import REQUIRED, Key, Table
from harness.scenario.schema import INTEGRITY, SCHEMA


def key_tables() -> str:
    """One Markdown table per table of the file."""
    return "\n".join(_tables(SCHEMA, ()))


def _tables(table: Table, path: tuple[str, ...]) -> Iterator[str]:
    name = ".".join(path)
    if path:
        yield f"### `[[{name}]]`" if table.repeated else f"### `[{name}]`"
    else:
        yield "### At the top"
    yield ""
    if table.later:
        yield f"Not available yet: {table.later}."
        yield ""
    else:
        yield "| key | default | meaning |"
        yield "|---|---|---|"
        for key, entry in table.keys.items():
            yield f"| `{key}` | {_default(entry)} | {entry.meaning} |"
        yield ""
    for inner, entries in table.tables.items():
        yield from _tables(entries, (*path, inner))
    if not path:
        yield "### `[integrity]`"
        yield ""
        yield "| metric | default |"
        yield "|---|---|"
        for metric, expression in INTEGRITY.items():
            yield f'| `"{metric}"` | `"{expression}"` |'
        yield ""


def _default(key: Key) -> str:
    if key.default is REQUIRED:
        return "required"
    if key.default is None:
        return "\N{EN DASH}"
    return f"`{_toml(key.default)}`" + (" (a)" if key.assumed else "")


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k) if '-' in k else k} = {v}" for k, v in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value)
