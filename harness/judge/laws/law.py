"""What a law is: a sentence that holds in every run, who must have seen for it to be decided, and who is excused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.judge.diaries import PhoneStory
from harness.judge.evidence import Evidence, Phone
from harness.judge.ledger import Row
from harness.judge.sendings import Sending
from harness.judge.sight import Integrity
from harness.judge.verdict import Check, Kind, Verdict
from harness.scenario.faults import FAULTS

EXAMPLES: Final = 3
"""Phones named in a check's `why`; the ledger has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a law looks at."""

    evidence: Evidence
    rows: Sequence[Row]
    """One for each page or alert and each phone that it goes to."""
    sendings: Sequence[Sending]
    stories: Mapping[str, PhoneStory]
    """All of each phone, whatever page it is about."""
    present: frozenset[str]
    """Witnesses that the scenario has."""

    def fleet(self) -> Iterator[tuple[Phone, PhoneStory]]:
        """Every phone with all of its story."""
        for name, phone in self.evidence.roster.items():
            yield phone, self.stories[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One place where the law does not hold."""

    text: str
    phone: str = ""


@dataclass(slots=True, kw_only=True)
class Finding:
    """What a law found."""

    looked_at: int = 0
    """Phones, streams, pushes or connections, as the law counts."""
    violations: list[Violation] = field(default_factory=list)
    undecided: str = ""
    """What it could not see to compare; makes the law inconclusive where nothing else breaks it."""

    def add(self, text: str, phone: str = "") -> None:
        """Note a violation."""
        self.violations.append(Violation(text=text, phone=phone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law."""

    name: str
    sentence: str
    witnesses: tuple[str, ...]
    """Whose blindness makes it inconclusive, as far as the scenario has them."""
    essential: tuple[str, ...]
    """Without one of these by the scenario's own word, the law is not asked."""
    either: tuple[str, ...] = ()
    """Without all of these by the scenario's own word, the law is not asked: one of them is enough."""
    scopes: tuple[str, ...] = ()
    """Scopes of blindness that matter to it: clauses of the capture, `times`, `audio`."""
    audio: bool = False
    """It is about pages' audio: a run with alerts alone is not asked."""
    find: Callable[[Case], Finding]

    @property
    def excused(self) -> frozenset[str]:
        """Kinds of fault that break it by nature."""
        return frozenset(kind.name for kind in FAULTS.values() if self.name in kind.breaks)


def decide(law: Law, case: Case, integrity: Integrity) -> Check:
    """Hold one law against a run. What a law raises is an error of the run: a judge that broke proves nothing."""
    absent = [witness for witness in law.essential if witness not in case.present]
    if absent or (law.either and not case.present & set(law.either)):
        return _check(law, Verdict.NONE, f"not asked: the scenario has no witness {' or '.join(absent or law.either)}")
    if law.audio and not case.evidence.scenario.pages:
        return _check(law, Verdict.NONE, "not asked: no page in this scenario")
    try:
        finding = law.find(case)
    except Exception as error:  # noqa: BLE001 - whatever a law raises, the verdict is error, never pass
        return _check(law, Verdict.ERROR, f"the law broke: {type(error).__name__}: {error}")
    faults, excuses = case.evidence.excused, law.excused
    excused = sorted({v.phone for v in finding.violations if faults.get(v.phone) in excuses})
    violations = [v for v in finding.violations if v.phone not in excused]
    blind = integrity.why_blind(law.witnesses, law.scopes)
    observed = len(violations)
    names = tuple(excused)
    if blind:
        return _check(law, Verdict.INCONCLUSIVE, blind, observed, names)
    if violations:
        return _check(law, Verdict.FAIL, _examples(violations), observed, names)
    if finding.undecided:
        return _check(law, Verdict.INCONCLUSIVE, finding.undecided, observed, names)
    return _check(law, Verdict.PASS, f"{law.sentence} Looked at {finding.looked_at}.", observed, names)


def _check(law: Law, verdict: Verdict, why: str, observed: int | None = None, excused: tuple[str, ...] = ()) -> Check:
    return Check(
        name=law.name,
        kind=Kind.LAW,
        verdict=verdict,
        observed=observed,
        witnesses=law.witnesses,
        why=why,
        excused=excused,
    )


def _examples(violations: list[Violation]) -> str:
    shown = [f"{v.phone}: {v.text}" if v.phone else v.text for v in violations[:EXAMPLES]]
    more = len(violations) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
