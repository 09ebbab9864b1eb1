"""When pages are due and to whom they go: a pure function of scenario, fleet and seed."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import Scenario, ScenarioError, read_resolved, write_resolved
from harness.scenario.file import parse
from harness.scenario.model import Load, share_of
from harness.scenario.schedule import count, held_s, schedule, shortest_return_s, times_s

HEAD = 'name = "x"\npurpose = "y"\n[fleet]\nphones = {phones}\n'
NAMES = [f"SEP{number:012X}" for number in range(1, 2001)]
RATES = st.floats(0.01, 20)
DURATIONS = st.floats(0.5, 20)


def read(text: str, phones: int = 20, seed: int = 1, *, files: bool = False) -> Scenario:
    return parse(f"seed = {seed}\n" + HEAD.format(phones=phones) + text, Path("x.toml"), files=files)


def errors_of(text: str, phones: int = 20) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        read(text, phones, files=True)
    return caught.value.errors


def planned(text: str, phones: int = 20, seed: int = 1) -> list[tuple[str, float, tuple[str, ...]]]:
    return [(one.name, one.at_s, one.phones) for one in schedule(read(text, phones, seed), NAMES[:phones])]


# --- times


@given(st.builds(Load, shape=st.just("rate"), pages_per_s=RATES, duration_s=DURATIONS))
def test_a_rate_is_kept_to_the_page(load: Load) -> None:
    times = times_s(load)
    assert len(times) == count(load) == pytest.approx(load.pages_per_s * load.duration_s, abs=1)
    assert times[0] == 0
    assert times[-1] < load.duration_s
    for earlier, later in pairwise(times):
        assert later - earlier == pytest.approx(1 / load.pages_per_s)


@given(
    st.builds(
        Load, shape=st.just("ramp"), from_per_s=st.floats(0, 20), to_per_s=st.floats(0, 20), duration_s=DURATIONS
    ).filter(lambda load: load.from_per_s != load.to_per_s and load.from_per_s + load.to_per_s > 0.01)
)
def test_a_ramp_begins_page_n_when_the_integral_of_its_rate_is_n(load: Load) -> None:
    times = times_s(load)
    assert len(times) == count(load)
    bend = (load.to_per_s - load.from_per_s) / (2 * load.duration_s)
    for number, at_s in enumerate(times):
        assert 0 <= at_s <= load.duration_s
        assert load.from_per_s * at_s + bend * at_s * at_s == pytest.approx(number, abs=1e-6)
    assert list(times) == sorted(times)


def test_a_ramp_up_gets_closer_and_a_ramp_down_wider() -> None:
    up = times_s(Load(shape="ramp", from_per_s=0, to_per_s=2, duration_s=10))
    down = times_s(Load(shape="ramp", from_per_s=2, to_per_s=0, duration_s=10))
    assert len(up) == len(down) == 10
    assert up[:3] == pytest.approx((0, math.sqrt(10), math.sqrt(20)))
    narrower = [later - earlier for earlier, later in pairwise(up)]
    wider = [later - earlier for earlier, later in pairwise(down)]
    assert narrower == sorted(narrower, reverse=True)
    assert wider == sorted(wider)


@pytest.mark.parametrize(("every_s", "times"), [(0.0, (0, 0, 0)), (1.5, (0, 1.5, 3.0))])
def test_overlapping_pages(every_s: float, times: tuple[float, ...]) -> None:
    assert times_s(Load(shape="overlap", pages=3, every_s=every_s)) == times


def test_the_interval_is_that_of_the_highest_rate_and_five_percent_of_it_are_late() -> None:
    assert Load(shape="rate", pages_per_s=2).late_ms == 25
    assert Load(shape="ramp", from_per_s=0.5, to_per_s=4).interval_s == 0.25
    assert Load(shape="overlap", every_s=3).interval_s == 3
    assert Load(shape="overlap").late_ms == 50  # all at once: taken for a second
    limits = {limit.name for limit in read(RATE).integrity}
    assert "lateness.load_ms.p99 <= 250" in limits
    assert not any("load_ms" in limit.name for limit in read("").integrity)
    own = read(RATE + '[integrity]\n"lateness.load_ms.p99" = "<= 7"\n').integrity
    assert [limit.name for limit in own if "load_ms" in limit.name] == ["lateness.load_ms.p99 <= 7"]


# --- phones

RATE = '[[page]]\nphones = 0.2\n[load]\nshape = "rate"\npages_per_s = 0.2\nduration_s = 60\n'


@given(
    st.integers(1, 200),
    st.floats(0.01, 1),
    RATES,
    DURATIONS,
    st.integers(0, 99),
)
def test_no_phone_is_asked_again_sooner_than_told(
    phones: int, share: float, rate: float, duration_s: float, seed: int
) -> None:
    text = f'[[page]]\nphones = {share}\n[load]\nshape = "rate"\npages_per_s = {rate}\nduration_s = {duration_s}\n'
    scenario = read(text, phones, seed)
    size = share_of(phones, share)
    due_again = shortest_return_s(scenario.load, phones, size)
    last: dict[str, float] = {}
    for one in schedule(scenario, NAMES[:phones]):
        assert len(set(one.phones)) == len(one.phones) == size
        for name in one.phones:
            if name in last:
                assert one.at_s - last[name] >= due_again - 1e-9
            last[name] = one.at_s


def test_a_load_goes_round_the_whole_fleet() -> None:
    pages = planned(RATE)
    assert len(pages) == 12
    assert [name for name, _, _ in pages[:2]] == ["page 1", "page 2"]
    turn = [set(phones) for _, _, phones in pages[:5]]
    assert set().union(*turn) == set(NAMES[:20])
    assert sum(map(len, turn)) == 20
    assert pages[5][2] == pages[0][2]


@pytest.mark.parametrize("text", [RATE, "[[page]]\nphones = 0.4\n[[page]]\nphones = 0.4\n"])
def test_the_plan_is_the_seeds_alone(text: str) -> None:
    assert planned(text, seed=3) == planned(text, seed=3)
    assert planned(text, seed=3) != planned(text, seed=4)


def test_overlapping_pages_go_to_the_same_phones_or_to_none_in_common() -> None:
    text = '[[page]]\nphones = 0.3\n[load]\nshape = "overlap"\npages = 3\ngroups = "{}"\n'
    same = [set(phones) for _, _, phones in planned(text.format("same"))]
    assert same[0] == same[1] == same[2]
    disjoint = [set(phones) for _, _, phones in planned(text.format("disjoint"))]
    assert [len(each) for each in disjoint] == [6, 6, 6]
    assert len(set().union(*disjoint)) == 18


def test_groups_of_one_name_are_the_same_phones_and_of_two_names_have_none_in_common() -> None:
    pages = planned(
        '[[page]]\nphones = 0.5\ngroup = "a"\n[[page]]\nphones = 0.5\ngroup = "b"\n'
        '[[page]]\nphones = 0.5\ngroup = "a"\n[[page]]\n[[alert]]\nat_s = 2\nphones = 0.5\ngroup = "b"\n'
    )
    groups = {name: set(phones) for name, _, phones in pages}
    assert groups["page 1"] == groups["page 3"]
    assert groups["page 2"] == groups["alert 1"]
    assert groups["page 1"] | groups["page 2"] == groups["page 4"] == set(NAMES[:20])
    assert not groups["page 1"] & groups["page 2"]
    assert [name for name, _, _ in pages] == ["page 1", "page 2", "page 3", "page 4", "alert 1"]


def test_a_load_begins_at_its_pages_own_time_and_has_alerts_beside_it() -> None:
    pages = planned("[[alert]]\nat_s = 4\n" + RATE.replace("phones = 0.2", "phones = 0.2\nat_s = 1.5"))
    assert pages[0][1] == 1.5
    assert pages[-1][:2] == ("alert 1", 4.0)


# --- what cannot be

OVERLAP = '[[page]]\nphones = 0.5\n[load]\nshape = "overlap"\n'
RAMP = '[[page]]\nphones = 0.05\n[load]\nshape = "ramp"\nduration_s = 20\n'


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        (RAMP + "from_per_s = 2\nto_per_s = 2\n", "load.to_per_s", "a ramp that goes nowhere"),
        (RAMP, "load.to_per_s", "a ramp that goes nowhere"),
        (RAMP.replace("20", "0") + "to_per_s = 2\n", "load.duration_s", "above 0"),
        (RAMP.replace("20", "0.5") + "to_per_s = 2\n", "load.duration_s", "that is no ramp"),
        (RATE.replace("= 0.2\nd", "= 0\nd"), "load.pages_per_s", "a rate above 0"),
        (RATE.replace("60", "0"), "load.duration_s", "above 0"),
        (RATE.replace("60", "3601"), "load.duration_s", "to 3600"),
        (RATE.replace("= 0.2\nd", "= 9\nd"), "load", "at most 500 pages and alerts a run, got 540"),
        (RATE.replace("= 0.2\nd", "= 1\nd"), "load.pages_per_s", "groups cannot be free again"),
        (RAMP + "to_per_s = 4\n", "load.to_per_s", "at most 1.846 pages a second with groups of 1 in a fleet of 20"),
        (RAMP + "from_per_s = 4\n", "load.from_per_s", "groups cannot be free again"),
        (OVERLAP + "pages = 3\n", "load.groups", "3 disjoint groups of 10 phones in a fleet of 20"),
        (OVERLAP, "load.pages", "2 or more pages to overlap, got 0"),
        (OVERLAP + "pages = 2\npages_per_s = 1\n", "load.pages_per_s", "only with shape = rate"),
        (RATE + "every_s = 2\n", "load.every_s", "only with shape = overlap"),
        ("[load]\noverlapping = true\n", "load.overlapping", "only with shape = rate or ramp"),
        ("[[page]]\n" + RATE, "page.1", "a load has one [[page]]"),
        (RATE.replace("[load]", 'group = "a"\n[load]'), "page.0.group", "a load draws its groups itself"),
        (
            '[[page]]\nphones = 0.6\ngroup = "a"\n[[page]]\nphones = 0.6\ngroup = "b"\n',
            "page",
            "groups of 24 phones in a fleet of 20: a 12, b 12",
        ),
        (
            '[[page]]\nphones = 0.5\ngroup = "a"\n[[alert]]\nphones = 0.4\ngroup = "a"\n',
            "alert.0.phones",
            "group 'a' has 10 phones where it is first named, here 8",
        ),
        ("[[page]]\n" * 501, "page", "at most 500 pages and alerts a run, got 501"),
        ('[[page]]\nbusy = "wait"\n', "page.0.busy", "usual | now | queue | skip"),
        ("".join(f'[[page]]\naudio = "{n}.wav"\n' for n in range(17)), "page", "at most 16 different recordings"),
    ],
)
def test_contradictions_are_found_before_anything_runs(text: str, place: str, part: str) -> None:
    errors = errors_of(text)
    assert [error for error in errors if f": {place}: " in error and part in error], errors


def test_too_many_deliveries() -> None:
    text = '[[page]]\n[load]\nshape = "overlap"\npages = 7\ngroups = "same"\n'
    (error,) = errors_of(text, phones=32_000)
    assert "at most 200,000 deliveries (pages times phones) a run, got 224,000" in error


def test_a_rate_that_is_just_low_enough_is_allowed_and_so_is_any_that_may_overlap() -> None:
    page = read(RATE).pages[0]
    held = held_s(page, 5.84)
    assert held == pytest.approx(10.84)
    # Five groups go round: five pages in 10.84 s.
    read(RATE.replace("= 0.2\nd", "= 0.46\nd"), files=True)
    assert errors_of(RATE.replace("= 0.2\nd", "= 0.47\nd"))
    read(RATE.replace("= 0.2\nd", "= 1\nd") + "overlapping = true\n", files=True)


def test_a_load_survives_being_written(tmp_path: Path) -> None:
    scenario = read(RATE)
    write_resolved(scenario, tmp_path / "scenario.toml", {}, {})
    again = read_resolved(tmp_path / "scenario.toml")
    assert (again.load, again.pages[0].phones) == (scenario.load, 0.2)
    assert [limit.name for limit in again.integrity] == [limit.name for limit in scenario.integrity]
    assert schedule(again, NAMES[:20]) != ()
