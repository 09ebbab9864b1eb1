"""Tiny expressions over one figure: `== 0`, `< 2000`, `>= 0.99`.

No conditions, no arithmetic: what must hold is readable at a glance, and a figure either satisfies it or does not.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_EXPRESSION: Final = re.compile(r"(==|!=|<=|>=|<|>)\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)")
EXPECTED: Final = "a comparison with a number such as '== 0', '< 2000' or '>= 0.99'"


class ThresholdSyntaxError(ValueError):
    """The text is no threshold. Not: a threshold that does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What one metric must satisfy."""

    metric: str
    """Name out of the catalogue, with its statistic: `push.answer_ms.p99`."""
    relation: str
    """One of `==`, `!=`, `<`, `<=`, `>`, `>=`."""
    bound: float
    """In the metric's unit."""

    @classmethod
    def parse(cls, metric: str, text: str) -> "Threshold":
        """Read an expression.

        Raises:
            ThresholdSyntaxError: with what would be right.
        """
        match = _EXPRESSION.fullmatch(text.strip())
        if match is None:
            raise ThresholdSyntaxError(f"expected {EXPECTED}, got {text!r}")
        return cls(metric=metric, relation=match[1], bound=float(match[2]))

    @property
    def expression(self) -> str:
        """The expression in its one spelling: `< 2000`."""
        return f"{self.relation} {self.bound:.12g}"

    @property
    def name(self) -> str:
        """The check's name in verdict.json: `push.answer_ms.p99 < 2000`."""
        return f"{self.metric} {self.expression}"

    def holds(self, observed: float) -> bool:
        """Whether the figure satisfies the expression."""
        return _OPERATORS[self.relation](observed, self.bound)
