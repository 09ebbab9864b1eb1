"""What a check is, what can be wrong with it, and what came of it for one phone. No I/O."""

from dataclasses import dataclass
from typing import Literal

About = Literal["phone", "subnet", "site"]
Word = Literal["ok", "fault", "remark", "not-checked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One way in which a check fails: a line of the list of what to do.

    In `do` and `fix` a name in braces stands for a value of the finding (`Result.values`); `{these}` is "this phone" or
    "these 12 phones".
    """

    name: str
    means: str
    """What it means for a page."""
    do: str
    """What to do, in a few words: the heading of the line."""
    fix: str
    """The same step by step, where it is CallManager's matter in the words of its administration pages."""
    stops: bool = True
    """Whether a rollout must not begin with it; else it is a remark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One named check: a row of docs/reference/preflight.md."""

    name: str
    about: About
    holds: str
    """What must hold."""
    asks: str
    """What is sent to find out."""
    source: str
    """Where that is from."""
    causes: tuple[Cause, ...]

    def cause(self, name: str) -> Cause:
        """The cause of that name."""
        return next(cause for cause in self.causes if cause.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one check for one phone, subnet or URL. Nothing in it is secret."""

    check: str
    subject: str
    """Device name; for `subnet` the network, for `site` the URL."""
    address: str = ""
    word: Word
    cause: str = ""
    """Of a fault or a remark."""
    why: str = ""
    """One sentence; of `not-checked` the reason."""
    observed: str = ""
    wanted: str = ""
    needed: bool = False
    """Of `not-checked`: whether no go can be said without it."""
    values: tuple[tuple[str, str], ...] = ()
    """For the braces in `do` and `fix`; findings that differ here are different lines of the list."""


def ok(check: str, subject: str, *, address: str = "", observed: str = "", wanted: str = "", why: str = "") -> Result:
    """It holds."""
    return Result(
        check=check, subject=subject, address=address, word="ok", observed=observed, wanted=wanted, why=why
    )


def not_checked(check: str, subject: str, why: str, *, address: str = "", needed: bool = True) -> Result:
    """It was not found out; never the same as `ok`."""
    return Result(check=check, subject=subject, address=address, word="not-checked", why=why, needed=needed)
