"""Metrics in Prometheus' text format, version 0.0.4 (prometheus.io, exposition formats).

Every figure is read at the moment that it is asked for from where it is counted anyway, so there is nothing for a
client library to collect; the format itself is these few lines.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "pushlab_gateway_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric with its samples."""

    name: str
    kind: Literal["counter", "gauge"]
    text: str
    """What it is, for people."""
    samples: Iterable[tuple[Mapping[str, str], float]]
    """Labels and value."""


def single(name: str, kind: Literal["counter", "gauge"], text: str, value: float) -> Family:
    """A metric without labels."""
    return Family(name=name, kind=kind, text=text, samples=[({}, value)])


def process_families() -> list[Family]:
    """What every process has, under the names that Prometheus' own libraries give."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    families = [
        single("process_cpu_seconds_total", "counter", "CPU time used, user and system.", time.process_time()),
        single(
            "process_max_resident_memory_bytes", "gauge", "Most memory that was resident.", usage.ru_maxrss * 1024.0
        ),
    ]
    with suppress(OSError):
        open_now = float(len(os.listdir("/proc/self/fd")))  # noqa: PTH208  a count of names, nothing to do with paths
        families.append(single("process_open_fds", "gauge", "Open file descriptors.", open_now))
        limit = float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        families.append(single("process_max_fds", "gauge", "Most file descriptors that may be open.", limit))
    return families


def exposition(families: Iterable[Family]) -> str:
    """The text. Own names get the prefix; those of the process have theirs already."""
    lines = []
    for family in families:
        name = family.name if family.name.startswith("process_") else PREFIX + family.name
        lines += [f"# HELP {name} {_escaped(family.text, quotes=False)}", f"# TYPE {name} {family.kind}"]
        for labels, value in family.samples:
            shown = ",".join(f'{key}="{_escaped(text, quotes=True)}"' for key, text in labels.items())
            lines.append(f"{name}{{{shown}}} {value:.15g}" if shown else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
