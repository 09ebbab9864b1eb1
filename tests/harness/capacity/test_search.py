import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capacity.search import Answer, Range, Search


def searched(search: Search, holds_up_to: int, *, bed_up_to: int = 10**9, runs: int = 200) -> list[int]:
    """Ask until it is over: values up to `holds_up_to` hold, beyond `bed_up_to` nothing is known."""
    asked: list[int] = []
    while (value := search.next()) is not None:
        asked.append(value)
        assert len(asked) <= runs
        if value > bed_up_to:
            search.tell(value, Answer.UNKNOWN)
        else:
            search.tell(value, Answer.HOLDS if value <= holds_up_to else Answer.BREAKS)
    return asked


def a_range(*, high: int = 32_000, start: int = 50, confirm: int = 1, resolution: float = 0.1) -> Range:
    return Range(low=1, high=high, start=start, resolution=resolution, confirm=confirm)


def test_it_doubles_and_then_halves_the_distance() -> None:
    search = Search(a_range())
    assert searched(search, 730) == [50, 100, 200, 400, 800, 600, 700, 750]
    assert (search.largest, search.breaks_at, search.unknown_from) == (700, 750, None)


def test_the_largest_is_run_again() -> None:
    search = Search(a_range(confirm=3))
    assert searched(search, 730)[-2:] == [700, 700]
    assert search.is_confirmed


def test_one_that_held_by_luck_is_given_up() -> None:
    search = Search(a_range(confirm=2))
    for answer in ["hold", "hold", "break", "hold"]:  # 50, 100, 200, 150
        value = search.next()
        assert value is not None
        search.tell(value, Answer.HOLDS if answer == "hold" else Answer.BREAKS)
    assert search.largest == 150
    while (value := search.next()) is not None:
        search.tell(value, Answer.BREAKS if value >= 150 else Answer.HOLDS)
    assert search.largest is not None
    assert search.largest < 150
    assert search.breaks_at == 150


def test_nothing_holds() -> None:
    search = Search(a_range())
    assert searched(search, 0)[-1] == 1
    assert (search.largest, search.breaks_at, search.is_confirmed) == (None, 1, False)


def test_everything_holds() -> None:
    search = Search(a_range(high=300, confirm=2))
    assert searched(search, 10**9) == [50, 100, 200, 300, 300]
    assert (search.largest, search.breaks_at) == (300, None)


def test_where_the_bed_ends_is_told_apart_from_where_it_breaks() -> None:
    search = Search(a_range())
    asked = searched(search, 10**9, bed_up_to=500)
    assert asked.count(800) == 2, "asked again: a machine stopped once is not stopped twice"
    assert search.breaks_at is None
    assert search.unknown_from is not None
    assert search.largest is not None
    assert search.largest <= 500 < search.unknown_from


def test_one_inconclusive_run_changes_nothing() -> None:
    search = Search(a_range())
    search.tell(50, Answer.UNKNOWN)
    assert search.next() == 50
    search.tell(50, Answer.HOLDS)
    assert (search.next(), search.unknown_from) == (100, None)


@given(
    limit=st.integers(0, 40_000),
    bed=st.integers(1, 40_000),
    start=st.integers(1, 32_000),
    resolution=st.floats(0.01, 1),
    confirm=st.integers(1, 4),
)
def test_it_ends_and_is_right_to_its_resolution(
    limit: int, bed: int, start: int, resolution: float, confirm: int
) -> None:
    search = Search(a_range(start=start, resolution=resolution, confirm=confirm))
    searched(search, limit, bed_up_to=bed, runs=80)
    end = min(limit, bed, 32_000)
    if search.largest is None:
        assert end < 1
        return
    assert search.largest <= end
    assert search.is_confirmed
    beyond = search.breaks_at if search.unknown_from is None else search.unknown_from
    if beyond is None:
        assert search.largest == 32_000
    else:
        assert beyond > end
        assert beyond - search.largest <= max(1, int(search.largest * resolution))


@pytest.mark.parametrize("wrong", [{"start": 0}, {"start": 40_000}, {"confirm": 0}, {"resolution": 0.0}])
def test_a_range_that_is_none(wrong: dict[str, float]) -> None:
    with pytest.raises(AssertionError):
        a_range(**wrong)  # type: ignore[arg-type]
