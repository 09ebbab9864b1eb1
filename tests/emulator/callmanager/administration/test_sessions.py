from emulator.callmanager.administration.sessions import (
    ADDRESSES_MAX,
    FAILURES_FREE,
    FORGOTTEN_S,
    IDLE_S,
    PACE_S,
    SESSION_S,
    SESSIONS_MAX,
    WAIT_S_MAX,
    Attempts,
    Sessions,
)


class TestSessions:
    def test_a_session_ends_when_nobody_uses_it(self):
        sessions = Sessions()
        identity = sessions.begin(0.0)
        assert sessions.uses(identity, IDLE_S - 1)
        assert sessions.uses(identity, 2 * IDLE_S - 2)
        assert not sessions.uses(identity, 3 * IDLE_S)
        assert not sessions.uses(identity, 0.0)

    def test_a_session_ends_however_busy_it_is(self):
        sessions = Sessions()
        identity = sessions.begin(0.0)
        now_s = 0.0
        while now_s < SESSION_S - IDLE_S / 2:
            now_s += IDLE_S / 2
            alive = sessions.uses(identity, now_s)
        assert now_s == SESSION_S - IDLE_S / 2 or not alive
        assert not sessions.uses(identity, SESSION_S)

    def test_nobody_brings_an_identity_of_his_own(self):
        sessions = Sessions()
        assert not sessions.uses(sessions.new_identity(), 0.0)
        assert sessions.begin(0.0) != sessions.begin(0.0)

    def test_the_one_that_was_quiet_longest_makes_room(self):
        sessions = Sessions()
        identities = [sessions.begin(float(number)) for number in range(SESSIONS_MAX)]
        assert sessions.uses(identities[0], 100.0)
        sessions.begin(101.0)
        assert sessions.uses(identities[0], 102.0)
        assert not sessions.uses(identities[1], 102.0)

    def test_a_token_is_made_for_one_identity(self):
        sessions = Sessions()
        token = sessions.token("one")
        assert sessions.is_token("one", token)
        assert not sessions.is_token("two", token)
        assert not sessions.is_token("one", "")
        assert not sessions.is_token("one", "\ud800")
        assert not Sessions().is_token("one", token)

    def test_logging_out_ends_it(self):
        sessions = Sessions()
        identity = sessions.begin(0.0)
        sessions.end(identity)
        sessions.end("nobody's")
        assert not sessions.uses(identity, 0.0)


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
