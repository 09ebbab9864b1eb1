"""Runs the table of checks against one endpoint, in order, within one limit of time."""

from collections.abc import Callable, Sequence
from typing import Final

import trio

from harness.probe.checks import BEFORE, THROUGHOUT, WITH_CARE
from harness.probe.checks.endurance import SlowClients, slow_client_check
from harness.probe.finding import Finding, ProbeCheck, Result, undecided
from harness.probe.finding import not_applicable as none
from harness.probe.plan import ProbePlan
from harness.probe.prober import NotAskedError, Prober

RETRY_S: Final = 3.0
RETRIES: Final = 2
"""How often an endpoint that does not accept right credentials any more is asked again, by later checks: to accounts
that somebody else has locked each question is one more failed logon."""
FIRST: Final = "right-credentials"
Progress = Callable[[ProbeCheck, int, int], None]
"""Told before each check: which, how many are done, how many there are."""
Observer = Callable[[Result], None]
"""Told of each result as it comes."""


async def probe(
    plan: ProbePlan, progress: Progress | None = None, observe: Observer | None = None
) -> tuple[Result, ...]:
    """Probe one endpoint.

    Args:
        plan: what, with what, how gently.
        progress: told how far it is.
        observe: told of each result.

    Returns:
        A result for each check of the table, in its order. Nothing is raised for what the endpoint does.
    """
    prober = Prober(plan)
    clients = SlowClients()
    checks = (*BEFORE, *WITH_CARE, *THROUGHOUT, slow_client_check(clients))
    results: list[Result] = []

    def add(result: Result) -> None:
        results.append(result)
        if observe is not None:
            observe(result)

    ends = trio.current_time() + plan.total_s
    async with trio.open_nursery() as nursery:
        for done, check in enumerate(checks):
            if progress is not None:
                progress(check, done, len(checks))
            begun = trio.current_time()
            finding = await _one(prober, check, ends, checks[done - 1].name)
            add(Result(check=check, finding=finding, seconds=trio.current_time() - begun))
            if check.name == FIRST:
                prober.accepts = finding.verdict == "pass"
                if prober.accepts:
                    nursery.start_soon(clients.run, prober)
                elif not prober.answered:
                    # Nobody is there, or nobody answers: to go on would be to wait for nobody fifty times.
                    why = finding.why if finding.verdict == "inconclusive" else f"no answer came: {finding.why}"
                    for result in not_asked(checks[done + 1 :], why):
                        add(result)
                    break
        nursery.cancel_scope.cancel()
    return tuple(results)


async def _one(prober: Prober, check: ProbeCheck, ends: float, before: str) -> Finding:
    """Ask one check; `before` is the one asked before it."""
    if check.name in prober.plan.leave_out:
        return none("left out as wanted")
    if check.needs_right and not prober.accepts:
        return undecided("right credentials are not accepted, so nothing can be told by them")
    if check.wrong_passwords and not prober.plan.consent:
        return undecided("wrong passwords were not sent: --yes-send-wrong-passwords allows it")
    with trio.move_on_at(ends):
        try:
            if check in THROUGHOUT:
                return await check.run(prober)
            await _again(prober)
            return await _watched(prober, check, before)
        except NotAskedError as error:
            return undecided(str(error))
    return undecided(f"not reached within {prober.plan.total_s:g} s: --most-s allows more")


async def _again(prober: Prober) -> None:
    """Where right credentials were not accepted last, see whether they are again.

    Raises:
        NotAskedError: they are not: whatever a check finds now, it is not what the check is about.
    """
    if not prober.lost or prober.locked:
        return
    if prober.retries < RETRIES:
        prober.retries += 1
        await prober.ask_right(answer_s=RETRY_S)
    if prober.lost:
        raise NotAskedError(f"{prober.losses[-1] if prober.losses else prober.lost}: nothing can be told since then")


async def _watched(prober: Prober, check: ProbeCheck, before: str) -> Finding:
    """Ask a check, and note whether right credentials were lost by it, or already after the one before it."""
    connected, held = prober.connected, not prober.lost
    finding = undecided("it was not asked")
    try:
        finding = await check.run(prober)
        reached = prober.connected > connected
        if prober.accepts and finding.verdict in {"fail", "inconclusive"} and not prober.lost and not prober.locked:
            # By what was asked, or because nobody answers any more?
            await prober.ask_right(answer_s=RETRY_S)
    finally:
        if held and prober.lost and not prober.locked:
            since = check.name if prober.connected > connected else before
            prober.losses.append(f"since {since} a right question gets: {prober.lost}")
    if prober.lost and not prober.locked and not reached:
        return undecided(f"{prober.losses[-1]}: nothing can be told since then")
    return finding


def not_asked(checks: Sequence[ProbeCheck], why: str) -> list[Result]:
    """Results of checks that were not come to."""
    return [Result(check=check, finding=undecided(f"not asked: {why}"), seconds=0.0) for check in checks]
