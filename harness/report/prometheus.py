"""A run's metrics in Prometheus' text format: `metrics.prom`, and the file of `pushlab run --prometheus`.

Names follow docs/reference/metrics.md in Prometheus' manner: `pushlab_` in front, base units last (seconds, ratio), and
what tells one figure from another of its kind as a label: `statistic`, `state`, `part`. Everything is a gauge: a figure
of one finished run, which the next run replaces.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.report.result import VERDICTS, Result
from harness.scenario.metrics import CATALOGUE, STATISTICS, metric_of

PREFIX: Final = "pushlab_"
_UNITS: Final = (
    # ending of our name, of Prometheus' name, factor
    ("_ms", "_seconds", 0.001),
    ("_per_s", "_per_second", 1.0),
    ("_s", "_seconds", 1.0),
    ("_fraction", "_ratio", 1.0),
)
_STATES: Final = "phones."
_LAGS: Final = "loop.lag_ms."
_COUNT: Final = "count"
_RUN: Final[Mapping[str, str]] = {
    "run_info": "seed and ground of the latest run of a scenario",
    "run_judged": "1: the run has a verdict; 0: it could not be run or judged, and has no other figures",
    "run_as_expected": "1: the run ended as its scenario expects",
    "run_verdict": "1 at the verdict of the run, 0 at the others",
    "run_phones": "phones of the fleet",
    "run_checks": "checks of the run by their verdict",
    "run_blind": "witnesses that were blind",
}


@dataclass(slots=True, kw_only=True)
class _Family:
    """Samples of one name."""

    name: str
    help: str
    samples: dict[str, float] = field(default_factory=dict)
    """labels as written → value"""


def exposition(runs: Mapping[str, Result | None]) -> str:
    """The text: one family after the other, each with all runs.

    Args:
        runs: the result of each scenario by its name; None where there is none.
    """
    families: dict[str, _Family] = {}

    def put(name: str, text: str, value: float, **labels: str) -> None:
        family = families.setdefault(name, _Family(name=name, help=text))
        family.samples[",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())] = value

    def tell(name: str, value: float, **labels: str) -> None:
        put(f"{PREFIX}{name}", _RUN[name], value, **labels)

    for scenario, result in runs.items():
        tell("run_judged", float(result is not None), scenario=scenario)
        tell("run_as_expected", float(result is not None and result.as_expected), scenario=scenario)
        if result is None:
            continue
        tell("run_info", 1.0, scenario=scenario, seed=str(result.seed), ground=result.ground)
        for verdict in VERDICTS:
            tell("run_verdict", float(verdict == result.verdict), scenario=scenario, verdict=verdict)
            count = sum(check.verdict == verdict for check in result.checks)
            tell("run_checks", count, scenario=scenario, verdict=verdict)
        tell("run_phones", result.phones, scenario=scenario)
        tell("run_blind", len(result.blind), scenario=scenario)
        for metric, value in result.metrics.items():
            if (written := _written(metric)) is not None:
                name, labels, factor = written
                put(name, metric_of(metric).meaning, value * factor, scenario=scenario, **labels)
    return "".join(line for name in sorted(families) for line in _lines(families[name]))


def names() -> Sequence[tuple[str, str]]:
    """Every metric of ours that has a place here, and how it is written, for the documents and their test."""
    found = []
    for metric in CATALOGUE.values():
        for name in [f"{metric.name}.{each}" for each in STATISTICS] if metric.distribution else [metric.name]:
            written = _written(name)
            assert written is not None
            told = ",".join(f'{key}="{label}"' for key, label in written[1].items())
            found.append((name, f"{written[0]}{{{told}}}" if told else written[0]))
    return found


def write_atomically(file: Path, text: str) -> None:
    """Put a file in the place of the old one at once: whoever reads meanwhile has one or the other, whole.

    Its name until then does not end in `.prom`, so that no collector takes it up.

    Raises:
        OSError: it cannot be written.
    """
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _written(metric: str) -> tuple[str, Mapping[str, str], float] | None:
    """Name, labels and factor of a metric; None of one that the catalogue does not have."""
    try:
        entry = metric_of(metric)
    except KeyError:
        return None
    labels: dict[str, str] = {}
    base, factor = entry.name, 1.0
    if base.startswith(_STATES):
        state = base.removeprefix(_STATES)
        share = state.endswith("_fraction")
        return f"{PREFIX}phones{'_ratio' if share else ''}", {"state": state.removesuffix("_fraction")}, 1.0
    if base.startswith(_LAGS):
        labels["part"] = base.removeprefix(_LAGS)
        base = _LAGS.removesuffix(".")
    statistic = metric.removeprefix(f"{entry.name}.") if entry.distribution else ""
    name = base.replace(".", "_")
    ending, unit, scale = next((each for each in _UNITS if name.endswith(each[0])), ("", "", 1.0))
    stem = name.removesuffix(ending)
    if statistic == _COUNT:
        # How many there were is no statistic of how long they took: a name and a unit of its own.
        return f"{PREFIX}{stem}_observations", labels, 1.0
    factor = scale
    if statistic:
        labels["statistic"] = statistic
    return f"{PREFIX}{stem}{unit}", labels, factor


def _lines(family: _Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.replace(chr(92), chr(92) * 2)}\n"
    yield f"# TYPE {family.name} gauge\n"
    for labels, value in family.samples.items():
        # Nine digits: more of a measurement than anybody took, and no 0.30000000000000004.
        yield f"{family.name}{{{labels}}} {value:.9g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
