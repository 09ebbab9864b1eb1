"""How often: in a time that is only numbers."""

from emulator.callmanager.finding.rate import NS_PER_S, OneAtATime, RequestsPerMinute


def test_fifteen_a_minute_and_the_counter_is_set_back():
    rate = RequestsPerMinute(15)
    start = 1234 * NS_PER_S
    assert [rate.passes(start + second * NS_PER_S) for second in range(17)] == [True] * 15 + [False] * 2
    assert not rate.passes(start + 60 * NS_PER_S - 1)
    assert [rate.passes(start + 60 * NS_PER_S) for _ in range(16)] == [True] * 15 + [False]
    assert rate.passes(start + 1000 * NS_PER_S)


def test_the_minutes_keep_their_grid():
    rate = RequestsPerMinute(1)
    assert rate.passes(0)
    assert rate.passes(100 * NS_PER_S)  # in the second minute
    assert not rate.passes(119 * NS_PER_S)
    assert rate.passes(120 * NS_PER_S)


def test_no_rate_lets_everything_pass():
    rate = RequestsPerMinute(0)
    assert all(rate.passes(0) for _ in range(1000))


def test_one_at_a_time_and_the_next_a_minute_later():
    service = OneAtATime(60)
    assert service.begin(0) == 0
    assert service.begin(1) == 1001
    service.end(2 * NS_PER_S)
    assert service.begin(62 * NS_PER_S - 1) == 1002
    assert service.begin(62 * NS_PER_S) == 0
    service.give_up()
    assert service.begin(62 * NS_PER_S) == 0  # what was never given does not count


def test_without_an_interval_the_next_may_come_at_once():
    service = OneAtATime(0)
    assert service.begin(5) == 0
    service.end(5)
    assert service.begin(5) == 0
