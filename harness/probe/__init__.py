"""Conformance and security checks of an authentication endpoint, ours or anybody's: `pushlab probe` and `[probe]`.

Theory of operation: `checks` holds one table of named checks; each is a coroutine that is handed a `Prober`, asks its
questions through it, and returns a `Finding`. The prober owns everything that all checks share: the exact bytes of a
question (`question`), what an answer is worth to a phone (`answer`), connections and deadlines (`exchange`), and the
care that is taken of accounts which can be locked (`prober`). `running` runs the table; the command and the bed only
turn its results into a verdict.
"""

from harness.probe.checks import CHECKS
from harness.probe.finding import Finding, Result
from harness.probe.plan import ProbePlan
from harness.probe.running import probe
from harness.probe.target import Target, TargetError

__all__ = ["CHECKS", "Finding", "ProbePlan", "Result", "Target", "TargetError", "probe"]
