"""The verdict: a lattice that only rises, the checks that made it, and `verdict.json`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

SCHEMA: Final = 1
Value = bool | int | float | str | None

_AS_EXPECTED: Final = 0
_NOT_AS_EXPECTED: Final = 1
_INCONCLUSIVE: Final = 3
_ERROR: Final = 6


class Verdict(IntEnum):
    """`none < pass < inconclusive < fail < error`: merging takes the maximum, so nothing ever lowers a verdict."""

    NONE = 0
    PASS = 1
    INCONCLUSIVE = 2
    FAIL = 3
    ERROR = 4

    @property
    def text(self) -> str:
        """The word in verdict.json."""
        return self.name.lower()

    @classmethod
    def of(cls, text: str) -> "Verdict":
        """The verdict of a word.

        Raises:
            KeyError: no verdict.
        """
        return cls[text.upper()]


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; `none` of nothing."""
    return max(verdicts, default=Verdict.NONE)


class Kind(StrEnum):
    """What a check is."""

    LAW = "law"
    THRESHOLD = "threshold"
    PROBE = "probe"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was held against the evidence."""

    name: str
    kind: Kind
    verdict: Verdict
    observed: Value = None
    witnesses: tuple[str, ...] = ()
    """Who had to see for it to be decided."""
    why: str = ""
    sent: str = ""
    """What was asked, for a check of the probe."""
    expected: str = ""
    """What had to come; empty where the name says it all, as for laws and thresholds."""
    excused: tuple[str, ...] = ()
    """Phones left out because a fault breaks this law by nature."""

    def to_json(self) -> dict[str, object]:
        """The entry in `checks`."""
        entry: dict[str, object] = {
            "name": self.name,
            "kind": self.kind.value,
            "verdict": self.verdict.text,
            "observed": self.observed,
            "witnesses": list(self.witnesses),
            "why": self.why,
        }
        entry |= {key: text for key, text in (("sent", self.sent), ("expected", self.expected)) if text}
        return entry | ({"excused": list(self.excused)} if self.excused else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Blindness:
    """A witness that did not see, or did not provably see."""

    witness: str
    """`gateway`, `phones`, `callmanager` or `wire`."""
    why: str
    scope: str = ""
    """What alone it did not see, such as `authentication-gateway`; empty: anything."""

    def to_json(self) -> dict[str, str]:
        """The entry in `blind`."""
        scope = {"scope": self.scope} if self.scope else {}
        return {"witness": self.witness, **scope, "why": self.why}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The result of a run: everything in verdict.json, and the ledger's rows for ledger.csv."""

    verdict: Verdict
    expected: Verdict
    unexpected: tuple[str, ...]
    """Checks that did not end as `[expect]` says, with how; empty where all did."""
    scenario: str
    seed: int
    phones: int
    """Of the fleet."""
    deliveries: int
    """Rows of the ledger: phones of each page and alert that was asked for; of one page to all, as many as phones."""
    ground: str
    outcomes: Mapping[str, int]
    metrics: Mapping[str, float | int]
    checks: tuple[Check, ...]
    blind: tuple[Blindness, ...]
    ledger: tuple[Mapping[str, str | int | float | None], ...]
    """One row per phone and page, keys are `ledger.COLUMNS`; `ledger_csv` writes it."""

    @property
    def as_expected(self) -> bool:
        """Whether the run ended as its scenario says, by exactly the checks that it names."""
        return self.verdict is self.expected and not self.unexpected

    @property
    def exit_code(self) -> int:
        """The run's exit code (docs/reference/exit-codes.md)."""
        if self.as_expected:
            return _AS_EXPECTED
        if self.verdict is Verdict.ERROR or self.verdict is Verdict.NONE:
            return _ERROR
        return _INCONCLUSIVE if self.verdict is Verdict.INCONCLUSIVE else _NOT_AS_EXPECTED

    def to_json(self) -> dict[str, object]:
        """The content of verdict.json, schema 1 (docs/reference/verdict.md)."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.text,
            "as_expected": self.as_expected,
            "expected": self.expected.text,
            "unexpected": list(self.unexpected),
            "scenario": self.scenario,
            "seed": self.seed,
            "phones": self.phones,
            "deliveries": self.deliveries,
            "ground": self.ground,
            "outcomes": dict(self.outcomes),
            "metrics": dict(self.metrics),
            "checks": [check.to_json() for check in self.checks],
            "blind": [blindness.to_json() for blindness in self.blind],
        }
