"""The credential policy: when accounts are locked, by hand-counted minutes."""

from emulator.callmanager.policy import NS_PER_MINUTE, CredentialPolicy, Locks

A, B = b"first", b"second"


def locks(**settings: float) -> Locks:
    return Locks(CredentialPolicy(**settings))  # type: ignore[arg-type]


def test_three_failures_lock_for_thirty_minutes():
    policy = locks()
    for minute in range(3):
        assert not policy.locked("a", A, minute * NS_PER_MINUTE)
        policy.failed("a", A, minute * NS_PER_MINUTE)
    assert policy.locked("a", A, 2 * NS_PER_MINUTE)
    assert policy.locked("a", A, 32 * NS_PER_MINUTE - 1)
    assert not policy.locked("a", A, 32 * NS_PER_MINUTE)
    assert not policy.locked("b", A, 2 * NS_PER_MINUTE)
    assert policy.locked_count == 1


def test_after_the_lock_it_takes_three_again():
    policy = locks()
    for _ in range(3):
        policy.failed("a", A, 0)
    later = 30 * NS_PER_MINUTE
    policy.failed("a", A, later)
    policy.failed("a", A, later)
    assert not policy.locked("a", A, later)
    policy.failed("a", A, later)
    assert policy.locked("a", A, later)
    assert policy.locked_count == 2


def test_a_right_password_and_time_forget_failures():
    policy = locks()
    policy.failed("a", A, 0)
    policy.failed("a", A, 0)
    policy.succeeded("a")
    policy.failed("a", A, 1)
    policy.failed("a", A, 1)
    assert not policy.locked("a", A, 1)
    policy.failed("a", A, 1 + 30 * NS_PER_MINUTE)
    assert not policy.locked("a", A, 1 + 30 * NS_PER_MINUTE)


def test_a_new_password_is_not_locked():
    policy = locks()
    for _ in range(3):
        policy.failed("a", A, 0)
    assert not policy.locked("a", B, 0)
    policy.failed("a", B, 0)
    assert not policy.locked("a", B, 0)


def test_no_failures_allowed_is_no_policy():
    policy = locks(failures=0)
    for _ in range(1000):
        policy.failed("a", A, 0)
    assert not policy.locked("a", A, 0)
