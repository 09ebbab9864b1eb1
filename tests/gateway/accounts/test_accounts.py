"""Accounts, sessions and tokens of a running gateway, on a real database and clocks of the test's own."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import trio
from argon2 import PasswordHasher

from gateway.accounts import AccountError, Accounts, BusyError, LoginRefusedError, Passwords, Role, directory
from gateway.accounts import passwords as passwords_module
from gateway.accounts.directory import ABSOLUTE_S, IDLE_S
from gateway.accounts.passwords import password_defect
from gateway.accounts.tables import accounts, set_password, set_up_digest
from gateway.store import Database, StoreError

PASSWORD = "correct horse battery"
HOST = "10.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.unix_s = 1_700_000_000.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.unix_s += seconds


def quick() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def open_accounts(database: Database, clock: Clock, **more: str) -> Accounts:
    return Accounts(
        database, passwords=quick(), clock=lambda: clock.unix_s, monotonic=lambda: clock.now, **more
    )  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def with_ada(database: Database, clock: Clock) -> Accounts:
    unit = open_accounts(database, clock)
    await unit.add("ada", Role.ADMINISTRATOR, PASSWORD)
    return unit


async def test_g6_there_is_no_account_before_the_set_up_token_made_one(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = open_accounts(database, clock)
        assert unit.nobody_yet
        for name in ("admin", "administrator", "agpush", ""):
            for password in ("", "admin", "password", "changeme"):
                with pytest.raises(LoginRefusedError):
                    await unit.log_in(name, password, f"10.1.{len(name)}.{len(password)}")
        token = await unit.new_set_up_token()
        for wrong in ("", "AAAA-AAAA-AAAA-AAAA-AAAA", token[:-1]):
            with pytest.raises(AccountError, match="not the set-up token"):
                await unit.set_up(wrong, "ada", PASSWORD, HOST)
        secret = await unit.set_up(token.lower().replace("-", " "), "Ada", PASSWORD, HOST)
        who = unit.by_session(secret)
        assert who is not None
        assert (who.name, who.role) == ("ada", Role.ADMINISTRATOR)
        with pytest.raises(AccountError, match="not the set-up token"):
            await unit.set_up(token, "eve", PASSWORD, HOST)


async def test_g6_a_set_up_token_ends_after_an_hour_and_with_the_next_one(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = open_accounts(database, clock)
        first = await unit.new_set_up_token()
        second = await unit.new_set_up_token()
        with pytest.raises(AccountError):
            await unit.set_up(first, "ada", PASSWORD, HOST)
        clock.pass_(3601)
        with pytest.raises(AccountError):
            await unit.set_up(second, "ada", PASSWORD, HOST)


async def test_g6_two_who_use_the_set_up_token_at_once(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = open_accounts(database, clock)
        token = await unit.new_set_up_token()
        outcomes = []

        async def race(name: str) -> None:
            try:
                outcomes.append(await unit.set_up(token, name, PASSWORD, HOST))
            except AccountError:
                outcomes.append("")

        async with trio.open_nursery() as nursery:
            for name in ("ada", "eve", "mal"):
                nursery.start_soon(race, name)
        assert sorted(map(bool, outcomes)) == [False, False, True]
        assert len(unit.accounts()) == 1


async def test_g4_a_session_ends_on_the_server(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        first, second = await unit.log_in("ada", PASSWORD, HOST), await unit.log_in("ada", PASSWORD, HOST)
        assert first != second
        who = unit.by_session(first)
        assert who is not None
        await unit.log_out(who)
        assert unit.by_session(first) is None
        assert unit.by_session(second) is not None
        assert len(unit.sessions()) == 1


async def test_g4_sessions_end_when_they_are_idle_and_after_a_shift(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        secret = await unit.log_in("ada", PASSWORD, HOST)
        for _ in range(int(ABSOLUTE_S / (IDLE_S - 1))):
            clock.pass_(IDLE_S - 1)
            assert unit.by_session(secret) is not None
        clock.pass_(IDLE_S - 1)
        assert unit.by_session(secret) is None  # the shift is over
        idle = await unit.log_in("ada", PASSWORD, HOST)
        clock.pass_(IDLE_S - 1)
        assert unit.by_session(idle, touch=False) is not None  # a page that refreshes itself
        clock.pass_(2)
        assert unit.by_session(idle) is None


@pytest.mark.parametrize("step_s", [3600.0, -3600.0, -1.0])
async def test_p10_a_clock_that_is_set_ends_no_session(clock: Clock, step_s: float) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        secret = await unit.log_in("ada", PASSWORD, HOST)
        clock.unix_s += step_s
        assert unit.by_session(secret) is not None
        clock.pass_(IDLE_S + 1)
        assert unit.by_session(secret) is None


async def test_sessions_and_tokens_outlive_a_restart(clock: Clock, tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        unit = await with_ada(database, clock)
        secret = await unit.log_in("ada", PASSWORD, HOST)
        token = await unit.add_token("monitor", Role.VIEWER, 3600, "ada")
        stored = (tmp_path / "gateway.sqlite").read_bytes() + (tmp_path / "gateway.sqlite-wal").read_bytes()
        for text in (secret, token, PASSWORD):
            assert text.encode() not in stored
    clock.pass_(60)
    clock.now = 5.0  # another boot: the other clock began anew
    with Database.open(tmp_path) as database:
        unit = open_accounts(database, clock)
        assert unit.by_session(secret) is not None
        who = unit.by_token(token)
        assert who is not None
        assert who.role is Role.VIEWER
        clock.pass_(3600)
        assert unit.by_session(secret) is None
        assert unit.by_token(token) is None


async def test_g2_a_store_that_fails_ends_no_session(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        token = await unit.add_token("pager", Role.OPERATOR, None, "ada")
        secret = await unit.log_in("ada", PASSWORD, HOST)

        async def full(work: object) -> None:
            raise StoreError("database or disk is full")

        monkeypatch.setattr(database, "write", full)
        monkeypatch.setattr(database, "read", full)
        assert unit.by_session(secret) is not None
        assert unit.by_token(token) is not None
        another = await unit.log_in("ada", PASSWORD, HOST)  # logging in works too
        who = unit.by_session(another)
        assert who is not None
        await unit.log_out(who)
        assert unit.by_session(another) is None
        with pytest.raises(StoreError):
            await unit.add("otto", Role.OPERATOR, PASSWORD)
        assert [each.name for each in unit.accounts()] == ["ada"]


async def test_what_the_console_writes_is_heard_of(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "RELOAD_S", 0.02)
    with Database.open(tmp_path) as database:
        unit = await with_ada(database, clock)
        secret = await unit.log_in("ada", PASSWORD, HOST)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(unit.keep_up)
            console = sqlite3.connect(tmp_path / "gateway.sqlite")
            with console:
                set_password(console, "ada", quick().hash_now("another long password"), 0)
            console.close()
            with trio.fail_after(10):
                while unit.by_session(secret) is not None:
                    await trio.sleep(0.01)
            assert await unit.log_in("ada", "another long password", HOST)
            nursery.cancel_scope.cancel()


async def test_there_is_always_an_administrator(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        await unit.add("otto", Role.OPERATOR, PASSWORD)
        with pytest.raises(AccountError, match="must be an administrator"):
            await unit.remove("ada")
        with pytest.raises(AccountError, match="must be an administrator"):
            await unit.set_role("ada", Role.VIEWER)
        await unit.set_role("otto", Role.ADMINISTRATOR)
        await unit.remove("ada")
        assert [each.name for each in unit.accounts()] == ["otto"]


async def test_a_new_role_holds_in_open_sessions(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        await unit.add("otto", Role.OPERATOR, PASSWORD)
        secret = await unit.log_in("otto", PASSWORD, HOST)
        await unit.set_role("otto", Role.VIEWER)
        who = unit.by_session(secret)
        assert who is not None
        assert who.role is Role.VIEWER
        await unit.remove("otto")
        assert unit.by_session(secret) is None


async def test_g1_logins_are_slowed_and_the_owner_of_a_known_address_is_not(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        session = await unit.log_in("ada", PASSWORD, HOST)
        waits = []
        for _ in range(8):
            with pytest.raises(LoginRefusedError) as caught:
                await unit.log_in("ada", "wrong", "10.9.9.9")
            waits.append(caught.value.wait_s)
            clock.pass_(waits[-1])
        assert waits == sorted(waits)
        assert waits[-1] >= 8
        clock.pass_(-waits[-1])
        with pytest.raises(LoginRefusedError):
            await unit.log_in("ada", PASSWORD, "10.9.9.9")  # not even looked at
        assert await unit.log_in("ada", PASSWORD, HOST)
        assert unit.by_session(session) is not None


async def test_g1_unknown_names_are_verified_as_well(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        verified = []
        real = PasswordHasher.verify

        def verify(self: PasswordHasher, hashed: str, password: str) -> bool:
            verified.append(hashed.split("$")[:4])
            return real(self, hashed, password)

        monkeypatch.setattr(PasswordHasher, "verify", verify)
        texts = set()
        for name in ("ada", "nobody"):
            with pytest.raises(LoginRefusedError) as caught:
                await unit.log_in(name, "wrong password", HOST)
            texts.add(str(caught.value))
        assert len(texts) == 1
        assert len(verified) == 2
        assert verified[0] == verified[1]  # of the same cost


async def test_p14_only_few_wait_for_their_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords_module, "MAX_WAITING", 2)
    unit = Passwords()
    outcomes = []

    async def ask() -> None:
        try:
            outcomes.append(await unit.verify(None, "x"))
        except BusyError:
            outcomes.append("busy")

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(ask)
    assert outcomes.count("busy") == 5
    assert outcomes.count(False) == 3


def test_hashes_are_argon2id_of_the_recommended_cost() -> None:
    assert Passwords().hash_now(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 12"),
        ("aaaaaaaaaaaaaaaa", "repeat"),
        ("ada-ada-ada1", "account's name"),
        ("x" * 100 + "abcd" * 50, "at most 256"),
        ("twelve\ncharacters", "printable"),
    ],
)
def test_passwords_that_are_refused(password: str, why: str) -> None:
    assert why in str(password_defect(password, "ada"))
    assert password not in str(password_defect(password, "ada"))


def test_passwords_that_are_taken() -> None:
    for password in (PASSWORD, "0123456789ab", "ünïcödé-längé-wörter"):
        assert password_defect(password, "ada") is None


async def test_names_that_are_refused(clock: Clock) -> None:
    with Database.open(None) as database:
        unit = await with_ada(database, clock)
        for name in ("", "a b", "ada", "ADA", "<b>", "x" * 65, "a\n"):
            with pytest.raises(AccountError):
                await unit.add(name if name != "a\n" else "a\nb", Role.VIEWER, PASSWORD)
        with pytest.raises(AccountError):
            await unit.add_token("<b>", Role.VIEWER, None, "ada")
        await unit.add_token("t", Role.VIEWER, None, "ada")
        with pytest.raises(AccountError, match="already"):
            await unit.add_token("t", Role.VIEWER, None, "ada")
        assert set(database.write_now(accounts)) == {"ada"}


def test_set_up_tokens_are_read_as_people_type_them() -> None:
    assert set_up_digest("ABCD-EFGH") == set_up_digest(" abcd efgh ") != set_up_digest("ABCD-EFGI")
