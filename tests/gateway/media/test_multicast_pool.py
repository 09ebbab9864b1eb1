from __future__ import annotations

import pytest

from gateway.media import MulticastPool, RangeError, read_range


def test_a_range_has_both_its_ends() -> None:
    assert [str(each) for each in read_range("239.0.1.1", "239.0.1.3")] == ["239.0.1.1", "239.0.1.2", "239.0.1.3"]
    assert len(read_range("239.0.1.1", "239.0.1.128")) == 128


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        ("239.0.1.1", "239.0.1.129", "129 addresses, at most 128 are used: the last one may be 239.0.1.128"),
        ("239.0.1.9", "239.0.1.1", "is above the last"),
        ("10.0.0.1", "239.0.1.1", "10.0.0.1 is no multicast address"),
        ("239.0.1.1", "somewhere", "one such as 239.0.1.1"),
        ("224.0.0.1", "224.0.0.9", "are the network's own"),
        ("", "", "first address must be"),
    ],
)
def test_a_range_that_cannot_be_says_why(first: str, last: str, why: str) -> None:
    with pytest.raises(RangeError, match=why):
        read_range(first, last)


def test_addresses_go_out_and_come_back_the_longest_unused_first() -> None:
    pool = MulticastPool(read_range("239.0.1.1", "239.0.1.2"))
    one, two = pool.check_out(), pool.check_out()
    assert (str(one), str(two), pool.check_out()) == ("239.0.1.1", "239.0.1.2", None)
    assert one is not None
    assert two is not None
    pool.check_in(two)
    pool.check_in(one)
    assert (pool.free, pool.size) == (2, 2)
    assert pool.check_out() == two


def test_another_range_while_pages_run() -> None:
    pool = MulticastPool(read_range("239.0.1.1", "239.0.1.3"))
    one, two = pool.check_out(), pool.check_out()
    assert one is not None
    assert two is not None
    pool.replace(read_range("239.0.1.2", "239.0.1.4"))
    assert (pool.free, pool.size) == (2, 3)
    pool.check_in(one)  # of the old range
    pool.check_in(two)
    assert [str(pool.check_out()) for _ in range(4)] == ["239.0.1.3", "239.0.1.4", "239.0.1.2", "None"]
