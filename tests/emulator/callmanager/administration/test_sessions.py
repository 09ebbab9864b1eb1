from emulator.callmanager.administration.sessions import IDLE_S, SESSION_S, SESSIONS_MAX, Sessions


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
