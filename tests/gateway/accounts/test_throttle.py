"""G1, G2: guessing gets slower and slower, and holds up nobody who has a session, a token or a known address."""

from __future__ import annotations

from gateway.accounts.throttle import FORGET_S, LONGEST_WAIT_S, MAX_COUNTS, Throttle, network_of

A, B = "10.0.0.1", "10.0.0.2"


def guess(throttle: Throttle, account: str, address: str, now: float, *, known: bool = False) -> bool:
    """Whether a wrong guess was looked at."""
    if throttle.wait_s(account, address, known=known, now=now) > 0:
        return False
    throttle.begin(account, address, known=known, now=now)
    return True


def test_g1_the_delay_grows() -> None:
    throttle, waits = Throttle(), []
    now = 0.0
    for _ in range(14):
        assert guess(throttle, "ada", A, now)
        waits.append(throttle.wait_s("ada", A, known=False, now=now))
        now += waits[-1]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_g1_fewer_than_100_failures_an_hour_from_any_number_of_addresses() -> None:
    throttle = Throttle()
    looked_at = sum(guess(throttle, "ada", f"10.0.{t % 200}.{t // 200 % 250}", t / 2) for t in range(7200))
    assert 50 < looked_at < 100


def test_g1_one_address_gets_slow_over_many_accounts() -> None:
    throttle = Throttle()
    assert sum(guess(throttle, f"user{n}", A, n / 100) for n in range(1000)) < 20


def test_g2_guesses_from_elsewhere_do_not_hold_up_a_known_address() -> None:
    throttle = Throttle()
    for n in range(200):
        guess(throttle, "ada", B, n * 0.1)
    assert throttle.wait_s("ada", "10.0.0.3", known=False, now=20.0) > 0
    assert throttle.wait_s("ada", A, known=True, now=20.0) == 0


def test_many_at_once_gain_nothing() -> None:
    throttle = Throttle()
    assert sum(guess(throttle, "ada", A, 5.0) for _ in range(100)) == 5


def test_success_forgets_the_accounts_failures_and_not_the_addresss() -> None:
    throttle = Throttle()
    for n in range(4):
        guess(throttle, "ada", A, float(n))
    throttle.begin("ada", A, known=False, now=5.0)
    throttle.succeeded("ada", A, known=False)
    for n in range(4):
        assert guess(throttle, "ada", A, 6.0 + n)
    for n in range(10):
        guess(throttle, f"u{n}", A, 10.0)
    assert throttle.wait_s("otto", A, known=False, now=10.0) > 0


def test_counts_are_forgotten_after_an_hour_and_bounded() -> None:
    throttle = Throttle()
    for n in range(20):
        guess(throttle, "ada", A, n * LONGEST_WAIT_S)
    assert throttle.wait_s("ada", A, known=False, now=20 * LONGEST_WAIT_S + FORGET_S + 1) == 0
    for n in range(3 * MAX_COUNTS):
        throttle.begin(f"u{n}", f"h{n}", known=False, now=0.0)
    assert len(throttle._accounts._counts) == len(throttle._addresses._counts) == MAX_COUNTS


def test_a_whole_network_of_ipv6_is_one_guesser() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of(A) == A
    assert network_of("fe80::1%eth0") == "fe80::/64"
