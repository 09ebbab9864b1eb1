"""By how much B may be worse than A: one share for all metrics, and another for some."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.scenario.metrics import known, nearest

_KEYS: Final = ("tolerance", "metrics")
_BYTES_MAX: Final = 2**20


class ToleranceError(ValueError):
    """Tolerances that cannot be used; its text has a line for each error. Not: a run that is worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """How much worse still counts as the same."""

    overall: float
    """share of A's figure, such as 0.1; what is a share itself is compared exactly"""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """metric → share of A's figure; of a metric that is a share itself, how far B's may be off. `inf`: never worse"""

    def __post_init__(self) -> None:
        """Refuse what is no share.

        Raises:
            ToleranceError: a negative tolerance, or none.
        """
        wrong = [f"{name}: {_expected(value)}" for name, value in self.metrics.items() if not value >= 0]
        if not self.overall >= 0:
            wrong.insert(0, f"tolerance: {_expected(self.overall)}")
        if wrong:
            raise ToleranceError("\n".join(wrong))


def read_tolerances(file: Path | None, named: Sequence[str], overall: float | None, default: float) -> Tolerances:
    """Tolerances from a file and the command line, which wins.

    Args:
        file: TOML: `tolerance = 0.1` and a table `[metrics]` of `"push.answer_ms.p99" = 0.2`.
        named: `METRIC=SHARE` each.
        overall: `--tolerance`.
        default: Where neither says an overall one.

    Raises:
        ToleranceError: with every error of both.
    """
    errors: list[str] = []
    given = _read(file, errors) if file else {}
    found = given.get("tolerance", default)
    metrics = given.get("metrics", {})
    if not isinstance(metrics, dict):
        errors.append(f"{file}: [metrics]: expected a table of metrics, got {type(metrics).__name__}")
        metrics = {}
    pairs: list[tuple[str, str, object]] = [(f"{file}: ", name, value) for name, value in metrics.items()]
    for text in named:
        name, sign, value = text.partition("=")
        if not sign:
            errors.append(f"--fail-on {text}: expected METRIC=SHARE, such as push.answer_ms.p99=0.2")
            continue
        pairs.append(("--fail-on ", name.strip(), _number(value)))
    shares: dict[str, float] = {}
    for where, metric, share in pairs:
        if not known(metric):
            near = nearest(metric)
            errors.append(f"{where}{metric}: no such metric" + (f"; did you mean {near}?" if near else ""))
        elif isinstance(share, bool) or not isinstance(share, int | float) or not share >= 0:
            errors.append(f"{where}{metric}: {_expected(share)}")
        else:
            shares[metric] = float(share)
    if isinstance(found, bool) or not isinstance(found, int | float) or not found >= 0:
        errors.append(f"{file}: tolerance: {_expected(found)}")
        found = default
    if overall is not None and not overall >= 0:
        errors.append(f"--tolerance: {_expected(overall)}")
    if errors:
        raise ToleranceError("\n".join(errors))
    return Tolerances(overall=float(found) if overall is None else overall, metrics=shares)


def _read(file: Path, errors: list[str]) -> Mapping[str, object]:
    try:
        with file.open("rb") as stream:
            text = stream.read(_BYTES_MAX + 1)
        if len(text) > _BYTES_MAX:
            raise ValueError(f"more than {_BYTES_MAX} bytes")
        given = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        errors.append(f"{file}: cannot be read: {error.strerror or error}")
        return {}
    except ValueError as error:
        errors.append(f"{file}: not TOML: {error}")
        return {}
    errors += [f"{file}: {key}: no such key; expected {' or '.join(_KEYS)}" for key in given if key not in _KEYS]
    return given


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _expected(value: object) -> str:
    return f"a tolerance is a share of 0 or more, such as 0.1, got {value}"
