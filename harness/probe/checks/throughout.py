"""What was watched from the first check to the last."""

from typing import Final

from harness.probe.finding import Finding, ProbeCheck, failed, not_applicable, passed, undecided
from harness.probe.prober import Prober

GROUP: Final = "throughout"


async def right_to_the_end(prober: Prober) -> Finding:
    """A server that dies, hangs or turns its phones away while it is asked is not there for the next page."""
    if prober.locked:
        return not_applicable("the account is locked: see lockout")
    if not prober.losses:
        await prober.ask_right()
        if prober.lost:
            prober.losses.append(f"at the end right credentials got: {prober.lost}")
    if prober.losses:
        return failed("; ".join(prober.losses), len(prober.losses))
    return passed(f"{len(prober.right_ms):,} right questions were answered AUTHORIZED", len(prober.right_ms))


async def password_not_told(prober: Prober) -> Finding:
    """B14, from outside: whoever has not sent the password must not get it."""
    if prober.told_password:
        return failed(f"the right password came back to somebody who had not sent it, in {prober.told_password}")
    if not prober.looked:
        return undecided("no answer was looked at")
    return passed(f"in none of {prober.looked:,} answers to questions without it", prober.looked)


CHECKS: Final = (
    ProbeCheck(
        name="right-to-the-end",
        group=GROUP,
        sends="the right question of every other check, and one at the end",
        must="AUTHORIZED each time; else the check is named with which that began, and those behind it are "
        "inconclusive",
        source="faults B9; faults.md, alive",
        finds="a server that dies, hangs or shuts its phones out while it is probed",
        run=right_to_the_end,
    ),
    ProbeCheck(
        name="password-not-told",
        group=GROUP,
        sends="nothing more: all answers to questions without the right password are searched for it",
        must="it is nowhere, neither as it is nor escaped, in hex or in base64",
        source="faults B14; CWE-200",
        finds="a password that is told to whoever asks",
        needs_right=False,
        run=password_not_told,
    ),
)
