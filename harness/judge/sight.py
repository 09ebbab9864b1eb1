"""What is known of the witnesses' sight: who is blind, for what, and what a check may rest on all the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from harness.judge.verdict import Blindness, Check

TIMES: Final = "times"
"""Scope: its durations and moments are not its own doing; what it counted stands."""
AUDIO: Final = "audio"
"""Scope: the audio was sent late or with holes by a machine that could not keep pace, whoever looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What is known of the witnesses' sight."""

    blind: tuple[Blindness, ...]
    checks: tuple[Check, ...]
    present: frozenset[str]
    """Witnesses that the scenario has."""

    def why_blind(self, witnesses: Iterable[str], scopes: Iterable[str] = ()) -> str:
        """Why a check that needs these witnesses, for these scopes, cannot be decided; empty where it can.

        Args:
            witnesses: who has to have seen; absent ones are left out, but not all of them may be absent.
            scopes: clauses, `times` and `audio`, as far as the check rests on them.
        """
        needed = tuple(witnesses)
        there = [witness for witness in needed if witness in self.present]
        if needed and not there:
            return f"the scenario has no witness {' or '.join(needed)}"
        asked = set(scopes)
        matters = [
            b for b in self.blind if (b.witness in there or b.scope == AUDIO) and (not b.scope or b.scope in asked)
        ]
        # Of a witness that saw nothing at all, the rest follows from that.
        wholly = {b.witness for b in matters if not b.scope}
        return "; ".join(f"{b.witness} is blind: {b.why}" for b in matters if not b.scope or b.witness not in wholly)
