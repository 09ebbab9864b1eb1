"""What commands print: tables for people, with `--json` the interface's documents for programs; errors on stderr."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def running(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what every command needs that asks a running gateway."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the running gateway's")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a token; the configuration's if absent")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    return parser


def rows_of(answer: Mapping[str, object], name: str) -> list[dict[str, Any]]:
    """A list of objects in an answer; empty where it is none."""
    found = answer.get(name)
    return found if isinstance(found, list) else []


def counts_of(answer: Mapping[str, object]) -> dict[str, int]:
    """The outcomes in an answer."""
    outcomes = answer.get("outcomes")
    return outcomes if isinstance(outcomes, dict) else {}


def show_table(
    answer: object, columns: Sequence[str], rows: Sequence[Sequence[object]], arguments: argparse.Namespace
) -> None:
    """Rows under their columns' names, or with `--json` the whole answer."""
    if arguments.json:
        tell(answer, arguments)
        return
    shown = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in shown) for at in range(len(columns))]
    for row in shown:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201  the result


def _cell(value: object) -> str:
    """For a terminal: nothing that a phone says about itself can steer it."""
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(value or ""))
    return text or "-"


def print_counts(head: str, counts: Mapping[str, int], total: object = None) -> None:
    """Outcomes, the most frequent first, and how many phones there are."""
    rows = sorted(counts.items(), key=lambda row: -row[1])
    print_table(head, dict([*rows, ("phones", sum(counts.values()) if total is None else total)]))


def print_table(head: str, values: object) -> None:
    """Names and numbers under a head."""
    rows = values if isinstance(values, Mapping) else {}
    width = max([len(str(name)) for name in rows], default=0)
    print("\n".join([head, *(f"  {name:<{width}}  {count!s:>6}" for name, count in rows.items())]))  # noqa: T201  the result


def moment(seconds: float) -> str:
    """Seconds since 1970 as a person reads them, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def tell(answer: object, arguments: argparse.Namespace) -> None:
    """One line: JSON where that is wished."""
    print(json.dumps(answer, ensure_ascii=False) if arguments.json else answer)  # noqa: T201  the result


def fail(code: int, *lines: str) -> int:
    """Say what is wrong; returns the exit code."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201  errors, one a line
    return code
