"""CallManager's curve against the configured one, overload, and what impatient clients make of it: in virtual time."""

import functools
import importlib.util
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.callmanager.capacity import NS_PER_MS, Plan, ServiceTime
from emulator.callmanager.load import NS_PER_S

# The benches hold the model against the same formulas: they are loaded by their path, once.
_PATH = Path(__file__).parents[3] / "bench" / "reference" / "queueing.py"
_SPEC = importlib.util.spec_from_file_location("bench_queueing", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
queueing = importlib.util.module_from_spec(_SPEC)
sys.modules["bench_queueing"] = queueing
_SPEC.loader.exec_module(queueing)

SEEDS = range(1, 6)
COUNT = 20_000
CAPACITY_PER_S = 8 / (ServiceTime(p50_ms=60, p99_ms=300, seed=1).mean_ms / 1000)
"""104.9."""


@functools.cache
def open_load(load: float, seed: int) -> list[Plan]:
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=seed)
    times = queueing.poisson_ns(COUNT, load * CAPACITY_PER_S, seed)
    plans: list[Plan] = queueing.open_load(service, times, workers=8, queue=500)
    return plans


def p99_ms(plans: list[Plan]) -> float:
    answers = sorted(plan.ends_ns - plan.arrived_ns for plan in plans if plan.admitted)
    return answers[len(answers) * 99 // 100] / NS_PER_MS


@pytest.mark.parametrize("load", [0.3, 0.8, 1.0, 1.2, 2.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_throughput_is_the_offered_load_up_to_the_configured_capacity(load: float, seed: int):
    served = [plan for plan in open_load(load, seed) if plan.admitted]
    per_s = len(served) / (max(plan.ends_ns for plan in served) / NS_PER_S)
    assert per_s == pytest.approx(min(load, 1) * CAPACITY_PER_S, rel=0.05)


@pytest.mark.parametrize("load", [0.7, 0.8, 0.9])
def test_waits_of_eight_workers_agree_with_the_approximation_of_lee_and_longton(load: float):
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=1)
    waits = [statistics.fmean(plan.wait_ns for plan in open_load(load, seed)) / NS_PER_S for seed in SEEDS]
    expected = queueing.mean_wait_s(8, load * CAPACITY_PER_S, service)
    assert statistics.fmean(waits) == pytest.approx(expected, rel=0.15)


def test_that_approximation_is_exact_for_one_worker():
    """Pollaczek and Khinchine: arrival rate x E[service squared] / (2 x (1 - load))."""
    service = ServiceTime(p50_ms=60, p99_ms=300, seed=1)
    per_s = 0.6 / (service.mean_ms / 1000)
    squared_s2 = (service.mean_ms / 1000) ** 2 * 2.718281828459045 ** (service.sigma**2)
    assert queueing.mean_wait_s(1, per_s, service) == pytest.approx(per_s * squared_s2 / (2 * 0.4))


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7, 0.8])
def test_the_99th_percentile_does_not_hang_on_the_seed(load: float):
    measured = [p99_ms(open_load(load, seed)) for seed in SEEDS]
    middle = statistics.median(measured)
    assert all(value == pytest.approx(middle, rel=0.10) for value in measured), measured


def test_a_quiet_callmanager_answers_with_the_configured_percentiles():
    plans = open_load(0.3, 1)
    answers = sorted(plan.ends_ns - plan.arrived_ns for plan in plans)
    assert answers[len(answers) // 2] / NS_PER_MS == pytest.approx(60, rel=0.05)
    assert p99_ms(plans) == pytest.approx(300, rel=0.10)


def test_overload_fills_the_queue_and_turns_the_rest_away():
    plans = open_load(1.2, 1)
    rejected = sum(not plan.admitted for plan in plans) / len(plans)
    assert rejected == pytest.approx(1 - 1 / 1.2, abs=0.02)
    # In the end everybody who is let in waits for a whole queue: 500 / 105 a second.
    late = [plan.wait_ns / NS_PER_S for plan in plans[-5_000:] if plan.admitted]
    assert statistics.fmean(late) == pytest.approx(500 / CAPACITY_PER_S, rel=0.05)


class TestImpatience:
    """A burst of 1,000 upon a base load, clients that give up after 3 s; the assumed CallManager, 105 a second.

    A queue of 500 is 4.8 s long: whoever comes to its end gives up before his answer, and his request is worked on all
    the same. Where he asks again, the queue stays full of requests that nobody waits for any more.
    """

    def played(self, per_s: float, *, tries: int, queue: int = 500, seed: int = 1):
        clients = queueing.Clients(per_s=per_s, burst=1000, tries=tries, seed=seed)
        service = ServiceTime(p50_ms=60, p99_ms=300, seed=seed)
        asked = queueing.played(clients, service, workers=8, queue=queue)
        return clients, asked, queueing.recovery_s(clients, asked)

    def answered(self, clients: object, asked: list, *, last_s: float) -> float:
        """Share of the base load that is answered in time, of those who ask in the last seconds."""
        base = asked[: len(asked) - clients.burst]
        late = [one for one in base if one.at_s > clients.until_s - last_s]
        return sum(one.answered_s is not None for one in late) / len(late)

    @pytest.mark.parametrize("per_s", [10, 20, 40, 60, 80])
    def test_without_retries_the_backlog_is_worked_off_at_the_capacity_that_is_left(self, per_s: float):
        clients, asked, recovery_s = self.played(per_s, tries=1)
        # Over when nine of ten are answered within a second: the wait is then 0.85 s, or 89 of the 508 that were let
        # in. It is noticed in windows of 2 s, and the last waits of a busy queue wander.
        expected_s = (508 - 89) / (CAPACITY_PER_S - per_s)
        assert expected_s - 1 <= recovery_s <= expected_s + 4
        assert self.answered(clients, asked, last_s=60) > 0.99

    @pytest.mark.parametrize("per_s", [10, 20])
    def test_with_retries_the_recovery_is_slow(self, per_s: float):
        once, thrice = (self.played(per_s, tries=tries)[2] for tries in (1, 4))
        assert thrice >= 2.5 * once

    @pytest.mark.parametrize(("per_s", "tries"), [(40, 4), (60, 2), (80, 2), (80, 4)])
    def test_where_all_tries_together_are_more_than_it_can_do_it_never_recovers(self, per_s: float, tries: int):
        """The base load alone is 38 to 76 % of the capacity, and the burst was 190 s ago."""
        assert per_s < CAPACITY_PER_S < per_s * tries
        clients, asked, recovery_s = self.played(per_s, tries=tries)
        assert recovery_s is None
        assert self.answered(clients, asked, last_s=60) < 0.15
        assert self.played(per_s, tries=1)[2] < 30

    @pytest.mark.parametrize("per_s", [40, 60, 80])
    def test_a_queue_that_is_shorter_than_patience_recovers_with_retries_too(self, per_s: float):
        clients, asked, recovery_s = self.played(per_s, tries=4, queue=200)
        assert recovery_s <= 16
        assert self.answered(clients, asked, last_s=60) > 0.99

    def test_retries_do_not_even_help_the_burst(self):
        def share(tries: int) -> float:
            clients, asked, _ = self.played(40, tries=tries)
            return sum(one.answered_s is not None for one in asked[-clients.burst :]) / clients.burst

        assert share(4) <= share(1) + 0.02 < 0.4

    @pytest.mark.parametrize("seed", SEEDS)
    def test_it_is_so_for_every_seed_and_the_same_for_the_same(self, seed: int):
        assert self.played(60, tries=1, seed=seed)[2] == pytest.approx(10, abs=4)
        assert self.played(60, tries=4, seed=seed)[2] is None
        one, other = (self.played(20, tries=4, seed=seed) for _ in range(2))
        assert one[1] == other[1]

    def test_nobody_who_is_patient_enough_asks_twice(self):
        clients = replace(queueing.Clients(per_s=20, burst=500, tries=4), timeout_s=60.0)
        service = ServiceTime(p50_ms=60, p99_ms=300, seed=1)
        asked = queueing.played(clients, service, workers=8, queue=10_000)
        assert {one.attempts for one in asked} == {1}
        assert all(one.answered_s is not None for one in asked)
