"""Whether a wrong password takes longer the more of it is right (M04).

Two wrong passwords of one length, one wrong at its first character and one at its last, are asked in pairs, the order
within a pair alternating. Of the pairs' differences the median counts, with an interval that needs no assumption about
how noise is distributed (order statistics, binomial). Only an interval that lies wholly above the limit fails, in both
halves of the samples; one that lies wholly below passes; everything else is noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Final

import trio

from harness.probe.finding import Finding, ProbeCheck, failed, not_applicable, passed, undecided
from harness.probe.prober import Prober
from harness.probe.question import get

GROUP: Final = "timing"
PAIRS: Final = 16
LEAK_MS: Final = 0.2
"""A leak beyond this a character fails; a plain `==` leaks some nanoseconds, which no network shows."""
CONFIDENCE: Final = 0.99
SETTLE_S: Final = 1.2
PAUSE_S: Final = 0.11
"""Ten failures of a source are for nothing, then ten a second (faults B8): samples keep below, or measure that."""
FEWEST_CHARACTERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Median of paired differences and where it lies."""

    low: float
    middle: float
    high: float


def median_interval(differences: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The median with the narrowest symmetric interval of order statistics that has this coverage.

    Args:
        differences: at least 2.
        confidence: wanted coverage; with too few samples the interval is all of them.
    """
    ordered = sorted(differences)
    count = len(ordered)
    outside = 0.0
    skip = 0
    while skip < count // 2 - 1:
        outside += comb(count, skip) / 2**count
        # The interval without one more at each end covers with 1 - 2 P(Bin(count, 1/2) <= skip + 1).
        if 1 - 2 * (outside + comb(count, skip + 1) / 2**count) < confidence:
            break
        skip += 1
    return Interval(low=ordered[skip], middle=median(ordered), high=ordered[-1 - skip])


def judged(differences: Sequence[float], characters: int) -> Finding:
    """Decide by the differences, milliseconds, late minus early."""
    limit = LEAK_MS * characters
    whole = median_interval(differences)
    half = len(differences) // 2
    halves = median(differences[:half]), median(differences[half:])
    told = (
        f"median {whole.middle:+.2f} ms, between {whole.low:+.2f} and {whole.high:+.2f}, over {characters} characters"
    )
    each = round(whole.middle / characters, 4)
    if whole.low > limit and min(halves) > limit:
        return failed(f"a password that is right but for its end takes longer: {told}", each)
    if whole.high < limit:
        return passed(f"no leak of {LEAK_MS} ms a character or more: {told}", each)
    return undecided(f"too noisy for a leak of {LEAK_MS} ms a character: {told}", each)


async def timing(prober: Prober) -> Finding:
    """M04."""
    right = prober.right.password
    if len(right) < FEWEST_CHARACTERS:
        return not_applicable("the password is too short to tell")
    early = _changed(right[0]) + right[1:]
    late = right[:-1] + _changed(right[-1])
    requests = [_request(prober, password) for password in (early, late)]
    if prober.plan.consent:
        await trio.sleep(SETTLE_S)
    differences = []
    for index in range(PAIRS):
        took = [0.0, 0.0]
        for which in (0, 1) if index % 2 else (1, 0):
            found = await prober.ask_wrong(requests[which], guarded=False)
            if found.authorises:
                return undecided("a wrong password was AUTHORIZED: there is nothing to time")
            if found.answer is None:
                return undecided(f"no answer: {found.problem}")
            took[which] = found.answer_ms
            await trio.sleep(PAUSE_S)
        differences.append(took[1] - took[0])
        await prober.guard()
    return judged(differences, len(right) - 1)


def _request(prober: Prober, password: str) -> bytes:
    return get(prober.target, prober.question(password=password))


def _changed(character: str) -> str:
    """Another character that is as long when escaped."""
    if character.isalnum() and character.isascii():
        return "a" if character != "a" else "b"
    return "!" if character != "!" else "?"


CHECKS: Final = (
    ProbeCheck(
        name="timing",
        group=GROUP,
        sends=f"{PAIRS} pairs of wrong passwords, wrong at the first and at the last character",
        must=f"no difference of {LEAK_MS} ms a character (median, {CONFIDENCE:.0%} interval); in noise inconclusive",
        source="faults B10, M04",
        finds="M04: a comparison that ends early and takes its time",
        wrong_passwords=True,
        run=timing,
    ),
)
