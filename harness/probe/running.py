"""Runs the table of checks against one endpoint, in order, within one limit of time."""

from collections.abc import Callable, Sequence
from typing import Final

import trio

from harness.probe.checks import BEFORE, WITH_CARE
from harness.probe.checks.endurance import SlowClients, slow_client_check
from harness.probe.finding import Finding, ProbeCheck, Result, undecided
from harness.probe.finding import not_applicable as none
from harness.probe.plan import ProbePlan
from harness.probe.prober import NotAskedError, Prober

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
    checks = (*BEFORE, *WITH_CARE, slow_client_check(clients))
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
            finding = await _one(prober, check, ends)
            add(Result(check=check, finding=finding, seconds=trio.current_time() - begun))
            if check.name == FIRST:
                prober.accepts = finding.verdict == "pass"
                if prober.accepts:
                    nursery.start_soon(clients.run, prober)
                elif finding.verdict != "fail":
                    # Nobody is there: to go on would be to wait for nobody forty times.
                    for result in not_asked(checks[done + 1 :], finding.why):
                        add(result)
                    break
        nursery.cancel_scope.cancel()
    return tuple(results)


async def _one(prober: Prober, check: ProbeCheck, ends: float) -> Finding:
    if check.name in prober.plan.leave_out:
        return none("left out as wanted")
    if check.needs_right and not prober.accepts:
        return undecided("right credentials are not accepted, so nothing can be told by them")
    if check.wrong_passwords and not prober.plan.consent:
        return undecided("wrong passwords were not sent: --yes-send-wrong-passwords allows it")
    with trio.move_on_at(ends):
        try:
            return await check.run(prober)
        except NotAskedError as error:
            return undecided(str(error))
    return undecided(f"not reached within {prober.plan.total_s:g} s: --most-s allows more")


def not_asked(checks: Sequence[ProbeCheck], why: str) -> list[Result]:
    """Results of checks that were not come to."""
    return [Result(check=check, finding=undecided(f"not asked: {why}"), seconds=0.0) for check in checks]
