"""What to capture: the JSON file of `pushlab capture --config`, checked strictly, all errors at once."""

from __future__ import annotations

import difflib
import ipaddress
import itertools
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from harness.capture.clause import Clause

CLAUSES_MAX = 64
"""Each costs a socket and a ring; a run has three."""
RING_BYTES_MAX = 1 << 30
"""Kernel memory of one clause."""
LIMIT_BYTES = 8 * 1024**3
"""Default size limit: 22 million packets of RTP, a page of an hour to 120 phones."""
_PAGE_BYTES = 4096
_SYN_BLOCK_BYTES = 1 << 16


class ConfigurationError(Exception):
    """The configuration is wrong.

    Attributes:
        problems: all of them, a sentence each.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """One capture.

    Attributes:
        pcap: file to write, gzipped.
        description: file to write, JSON.
        clauses: what to take.
        limit_bytes: raw bytes to keep at most; later packets are only counted, and the description says `truncated`.
        canaries: IPv4 source addresses of canaries, listed apart in the description.
    """

    pcap: Path
    description: Path
    clauses: tuple[Clause, ...]
    limit_bytes: int = LIMIT_BYTES
    canaries: tuple[str, ...] = ()


def load(path: Path) -> Configuration:
    """Reads a configuration file.

    Raises:
        ConfigurationError: with all that is wrong in it.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigurationError([f"{path}: not JSON: {error}"]) from error
    return parse(content)


def parse(content: object) -> Configuration:
    """Checks a configuration: keys `out` (folder), `clauses`, and optionally `limit_bytes` and `canaries`.

    Raises:
        ConfigurationError: with all that is wrong in it.
    """
    if not isinstance(content, Mapping):
        raise ConfigurationError(["the configuration is not a JSON object"])
    problems = _unknown(content, {"out", "clauses", "limit_bytes", "canaries"}, "")
    out = content.get("out")
    if not isinstance(out, str) or not Path(out).is_dir():
        problems.append(f"out: {out!r} is not a folder")
    limit = content.get("limit_bytes", LIMIT_BYTES)
    if not _is_number(limit, 0, 1 << 50):
        problems.append(f"limit_bytes: {limit!r} is not a number of bytes")
    canaries = content.get("canaries", [])
    if not isinstance(canaries, list) or not all(_is_address(item) for item in canaries):
        problems.append(f"canaries: {canaries!r} is not a list of IPv4 addresses")
    listed = content.get("clauses")
    clauses: list[Clause] = []
    if not isinstance(listed, list) or not 0 < len(listed) <= CLAUSES_MAX:
        problems.append(f"clauses: expected a list of 1 to {CLAUSES_MAX} clauses")
    else:
        for number, item in enumerate(listed):
            clause = _clause(item, f"clauses[{number}]", problems)
            if clause:
                clauses.append(clause)
    problems += _confusions(clauses)
    if problems:
        raise ConfigurationError(problems)
    folder = Path(str(out))
    return Configuration(
        pcap=folder / "capture.pcap.gz",
        description=folder / "capture.json",
        clauses=tuple(clauses),
        limit_bytes=int(limit),
        canaries=tuple(canaries),
    )


def _clause(item: object, where: str, problems: list[str]) -> Clause | None:
    if not isinstance(item, Mapping):
        problems.append(f"{where}: not a JSON object")
        return None
    found = _unknown(item, {field.name for field in fields(Clause)}, f"{where}.")
    missing = [field.name for field in fields(Clause) if field.default is MISSING and field.name not in item]
    found += [f"{where}.{name}: missing" for name in missing]
    values = dict(item)
    if values.get("kind") == "syn":
        values.setdefault("block_bytes", _SYN_BLOCK_BYTES)
    checks: list[tuple[str, bool, str]] = [
        ("name", isinstance(values.get("name"), str) and bool(values["name"]), "a text"),
        ("kind", values.get("kind") in ("rtp", "syn"), "rtp or syn"),
        ("interface", isinstance(values.get("interface"), str) and bool(values["interface"]), "an interface's name"),
        ("port", _is_number(values.get("port"), 1, 65535), "a port"),
        ("address", values.get("address") is None or _is_address(values["address"]), "an IPv4 address"),
        ("namespace", _is_namespace(values.get("namespace")), "a path or the number of an open descriptor"),
        ("incoming_only", isinstance(values.get("incoming_only", True), bool), "true or false"),
        ("blocks", _is_number(values.get("blocks", 1), 1, 1 << 16), "a number of blocks"),
    ]
    size = values.get("block_bytes", _PAGE_BYTES)
    whole = _is_number(size, _PAGE_BYTES, RING_BYTES_MAX) and size & (size - 1) == 0
    checks.append(("block_bytes", whole, f"a power of two from {_PAGE_BYTES}"))
    found += [
        f"{where}.{name}: {values[name]!r} is not {what}" for name, good, what in checks if name in values and not good
    ]
    if not found:
        clause = Clause(**values)
        if clause.block_bytes * clause.blocks <= RING_BYTES_MAX:
            return clause
        found = [f"{where}: a ring of {clause.block_bytes * clause.blocks} bytes is more than {RING_BYTES_MAX}"]
    problems += found
    return None


def _confusions(clauses: list[Clause]) -> list[str]:
    """Clauses whose packets could not be told apart in the file: a pcap has no column for the tap."""
    problems = []
    for one, other in itertools.combinations(clauses, 2):
        if one.name == other.name:
            problems.append(f"clauses: the name {one.name} is used twice")
        if (one.kind, one.port) == (other.kind, other.port) and (
            one.address == other.address or None in {one.address, other.address}
        ):
            problems.append(
                f"clauses {one.name} and {other.name}: both take {one.kind} to port {one.port}, and their packets "
                "could not be told apart in the capture; give each its destination address"
            )
    return problems


def _unknown(content: Mapping[str, Any], known: set[str], prefix: str) -> list[str]:
    problems = []
    for key in content:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            problems.append(f"{prefix}{key}: unknown key" + (f"; did you mean {near[0]}?" if near else ""))
    return problems


def _is_number(value: object, lowest: int, highest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _is_namespace(value: object) -> bool:
    return value is None or (isinstance(value, str) and bool(value)) or _is_number(value, 0, 1 << 20)


def _is_address(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.IPv4Address(value))
    except ValueError:
        return False
