"""What a check found, and the check itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.probe.prober import Prober

Word = Literal["pass", "fail", "inconclusive", "none"]
Value = int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one check ended."""

    verdict: Word
    """`none`: the question does not arise at this endpoint."""
    why: str
    """One sentence. Never anything of the credentials."""
    observed: Value = None


def passed(why: str, observed: Value = None) -> Finding:
    """It holds."""
    return Finding(verdict="pass", why=why, observed=observed)


def failed(why: str, observed: Value = None) -> Finding:
    """It does not hold."""
    return Finding(verdict="fail", why=why, observed=observed)


def undecided(why: str, observed: Value = None) -> Finding:
    """It cannot be told."""
    return Finding(verdict="inconclusive", why=why, observed=observed)


def not_applicable(why: str, observed: Value = None) -> Finding:
    """It does not arise here."""
    return Finding(verdict="none", why=why, observed=observed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeCheck:
    """One named check: a row of docs/reference/probe.md."""

    name: str
    group: str
    sends: str
    """What is sent."""
    must: str
    """What must come."""
    source: str
    """Where that is from."""
    finds: str
    """The defect that it finds."""
    wrong_passwords: bool = False
    """Whether it sends wrong passwords in the name of the real user: an account may be locked by that."""
    needs_right: bool = True
    """Whether it can be decided only where right credentials are accepted."""
    run: "Callable[[Prober], Awaitable[Finding]]"


def plain(text: str) -> str:
    """A text of the table without its Markdown."""
    return text.replace("`", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A check and its finding."""

    check: ProbeCheck
    finding: Finding
    seconds: float
