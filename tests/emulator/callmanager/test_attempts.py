from emulator.callmanager.attempts import ADDRESSES_MAX, FAILURES_FREE, FORGOTTEN_S, PACE_S, WAIT_S_MAX, Attempts


class TestAttempts:
    def fail(self, attempts: Attempts, times: int, address: str = "a", now_s: float = 0.0) -> None:
        for _ in range(times):
            attempts.failed(address, now_s)

    def test_a_mistyped_password_costs_nothing(self):
        attempts = Attempts()
        assert attempts.wait_s("a", 0.0) == 0.0
        self.fail(attempts, FAILURES_FREE - 1)
        assert attempts.wait_s("a", 0.0) == 0.0

    def test_from_then_on_attempts_are_paced_also_those_at_the_same_time(self):
        attempts = Attempts()
        self.fail(attempts, FAILURES_FREE)
        assert [attempts.wait_s("a", 0.0) for _ in range(3)] == [PACE_S, 2 * PACE_S, 3 * PACE_S]

    def test_who_would_wait_too_long_is_refused(self):
        attempts = Attempts()
        self.fail(attempts, FAILURES_FREE)
        waits = [attempts.wait_s("a", 0.0) for _ in range(20)]
        assert waits.count(None) == 20 - WAIT_S_MAX / PACE_S
        assert attempts.wait_s("a", WAIT_S_MAX) is not None

    def test_other_addresses_do_not_wait(self):
        attempts = Attempts()
        self.fail(attempts, 100)
        assert attempts.wait_s("b", 0.0) == 0.0

    def test_right_credentials_and_time_make_good(self):
        attempts = Attempts()
        self.fail(attempts, FAILURES_FREE)
        assert attempts.wait_s("a", FORGOTTEN_S) == 0.0
        self.fail(attempts, FAILURES_FREE)
        attempts.succeeded("a")
        assert attempts.wait_s("a", 0.0) == 0.0

    def test_addresses_are_bounded(self):
        attempts = Attempts()
        for number in range(ADDRESSES_MAX + 1):
            self.fail(attempts, FAILURES_FREE, address=str(number))
        assert len(attempts._failures) == ADDRESSES_MAX
        assert attempts.wait_s("0", 0.0) == 0.0
        assert attempts.wait_s("1", 0.0) == PACE_S
