"""The table of checks, in the order in which they are asked.

What touches no account comes first; then wrong passwords, timing at their head, because a slow-down of failures would
blur it; what could lock an account comes last.
"""

from typing import Final

from harness.probe.checks import acceptance, endurance, parameters, protocol, redirects, refusal, throughout, timing
from harness.probe.finding import ProbeCheck

BEFORE: Final = (*acceptance.CHECKS, *parameters.HARMLESS, *redirects.CHECKS, *protocol.CHECKS, *endurance.CHECKS)
WITH_CARE: Final = (*timing.CHECKS, *refusal.CHECKS, *parameters.CHECKS, *refusal.LAST_CHECKS)
THROUGHOUT: Final = throughout.CHECKS
CHECKS: Final[tuple[ProbeCheck, ...]] = (
    *BEFORE,
    *WITH_CARE,
    *THROUGHOUT,
    endurance.slow_client_check(endurance.SlowClients()),
)
"""Every check; of the last one each probe makes its own."""
NAMES: Final = frozenset(check.name for check in CHECKS)
