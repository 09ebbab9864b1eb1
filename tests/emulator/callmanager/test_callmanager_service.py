"""The service in virtual time: when it answers, what it records, how it counts."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from emulator.callmanager.configuration import Configuration
from emulator.callmanager.directory import DirectoryError, DirectorySettings, Verdict
from emulator.callmanager.policy import CredentialPolicy
from emulator.callmanager.service import Service, address_text, connection_limits
from emulator.callmanager.users import Devices, Users
from emulator.engine import Answer, Request
from emulator.records import Records

SECRET = "Geheim-77"
PHONE = "SEP001BD4000001"


def virtual_ns() -> int:
    return round(trio.current_time() * 1e9)


def asked(query: bytes, *, method: str = "GET", path: str = "/CCMCIP/authenticate.asp", body: bytes = b"") -> Request:
    return Request(
        method=method,
        target=b"",
        path=path,
        query=query,
        headers={},
        body=body,
        http_version="1.1",
        keep_alive=True,
        peer=("10.20.0.5", 51234),
        local=("10.20.128.20", 80),
        connection_ordinal=1,
    )


def question(user: str = "agpush", password: str = SECRET, device: str = PHONE) -> bytes:
    return f"UserID={user}&Password={password}&devicename={device}".encode()


class Asked:
    """A directory of two persons that takes so many seconds to answer."""

    def __init__(self, seconds: float = 0.05) -> None:
        self._seconds = seconds
        self.names: list[str] = []
        self.failing: str | None = None
        self.most = self._now = 0

    async def authenticate(self, name: str, password: str) -> Verdict:
        self.names.append(name)
        self._now += 1
        self.most = max(self.most, self._now)
        await trio.sleep(self._seconds)
        self._now -= 1
        if self.failing:
            raise DirectoryError(self.failing)
        person = {"person": "person", "person@lab": "person", "stranger": "stranger", "off": "off"}.get(name)
        if person == "off":
            return Verdict(name=person, reason="disabled")
        if person is None:
            return Verdict(reason="user")
        return Verdict(name=person, reason=None if password == SECRET else "password")


class Played:
    """A service with fixed service times of 100 ms, its records, and the engine's part of the conversation."""

    def __init__(
        self, folder: Path, directory: "Asked | None" = None, **settings: Any  # noqa: ANN401 - of the configuration
    ) -> None:
        users = Users()
        users.associate(name="Person", cti=True, devices=Devices.of([PHONE]))
        users.add(name="agpush", password=SECRET, cti=True, devices=Devices(everything=True))
        users.add(name="few", password=SECRET, cti=True, devices=Devices.of([PHONE]))
        users.add(name="no-cti", password=SECRET, cti=False, devices=Devices(everything=True))
        settings = {"service_p50_ms": 100, "service_p99_ms": 100, "workers": 1, "queue": 2, **settings}
        self._path = folder / "events.jsonl"
        self._records = Records(self._path, witness="callmanager", clock=virtual_ns)
        self.service = Service(
            Configuration(**settings),
            users,
            self._records,
            clock_ns=virtual_ns,
            unix_s=lambda: 1653653459.0,
            directory=directory,
        )

    async def ask(self, request: Request, *, there: bool = True, send_s: float = 0) -> Answer:
        answer = await self.service.handle(request)
        await trio.sleep(send_s)
        if answer.on_sent is not None:
            answer.on_sent(there)
        return answer

    def records(self) -> list[dict[str, Any]]:
        self._records.close()
        text = self._path.read_text()
        assert SECRET not in text
        return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("path", ["/CCMCIP/authenticate.asp", "/ccmcip/authenticate.jsp"])
async def test_answer_comes_when_the_model_says(tmp_path: Path, autojump_clock: trio.testing.MockClock, path: str):
    played = Played(tmp_path)
    began = trio.current_time()
    answer = await played.ask(asked(question(), path=path))
    assert answer.close
    assert answer.data.endswith(b"\r\n\r\nAUTHORIZED")
    assert trio.current_time() - began == pytest.approx(0.1)
    [record] = played.records()
    assert record.items() >= {
        "witness": "callmanager",
        "kind": "authentication.answered",
        "phone": PHONE,
        "connection": "10.20.0.5:51234",
        "user": "agpush",
        "answer": "authorized",
        "queue_on_arrival": 0,
        "busy_on_arrival": 0,
        "wait_ms": 0.0,
        "service_ms": 100.0,
        "answer_ms": 100.0,
        "late_ms": 0.0,
        "late_fraction": 0.0,
    }.items()
    assert record["t_ns"] - record["arrived_ns"] == 100_000_000
    assert "reason" not in record


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (question(password="wrong"), (b"UN-AUTHORIZED", "unauthorized", "password", "agpush")),
        (question(user="absent"), (b"UN-AUTHORIZED", "unauthorized", "user", None)),
        (question(user="no-cti"), (b"UN-AUTHORIZED", "unauthorized", "cti", "no-cti")),
        (question(user="few", device="SEP00"), (b"UN-AUTHORIZED", "unauthorized", "association", "few")),
        (question(user="few"), (b"AUTHORIZED", "authorized", None, "few")),
        (question() + b"&UserID=agpush", (b"ERROR", "error", "parameters", None)),
        (b"", (b"ERROR", "error", "parameters", None)),
    ],
)
async def test_refusals_and_their_reasons(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, query: bytes, expected: tuple[object, ...]
):
    played = Played(tmp_path)
    answer = await played.ask(asked(query))
    [record] = played.records()
    word = answer.data.partition(b"\r\n\r\n")[2]
    assert (word, record["answer"], record.get("reason"), record.get("user")) == expected


async def test_post_takes_the_form_and_get_ignores_a_body(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    form = await played.ask(asked(b"", method="POST", body=question()))
    in_query = await played.ask(asked(question(), method="POST"))
    ignored = await played.ask(asked(b"", body=question()))
    assert [answer.data.rpartition(b"\n")[2] for answer in (form, in_query, ignored)] == [
        b"AUTHORIZED",
        b"AUTHORIZED",
        b"ERROR",
    ]


async def test_other_paths_and_methods_are_no_authentications(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    assert b" 404 " in (await played.ask(asked(question(), path="/"))).data[:20]
    assert b" 405 " in (await played.ask(asked(question(), method="HEAD"))).data[:20]
    assert played.service.status()["authentications"] == 0
    assert played.records() == []


async def test_a_burst_is_served_in_order_and_the_rest_is_rejected(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(played.ask, asked(question()))
        await trio.testing.wait_all_tasks_blocked()
        assert played.service.status() == {"authentications": 5, "busy": 1, "queue": 2, "rejected": 2}
    assert played.service.status() == {"authentications": 5, "busy": 0, "queue": 0, "rejected": 2}
    played.service.write_summary()
    *answered, lateness, ended = played.records()
    assert [(r["answer"], r.get("reason"), r["answer_ms"], r.get("late_ms")) for r in answered] == [
        ("rejected", "queue", 0.0, None),
        ("rejected", "queue", 0.0, None),
        ("authorized", None, 100.0, 0.0),
        ("authorized", None, 200.0, 0.0),
        ("authorized", None, 300.0, 0.0),
    ]
    assert [r["user"] for r in answered] == ["agpush"] * 5
    assert (lateness["kind"], lateness["schedule"], lateness["count"], lateness["max"]) == (
        "schedule.lateness",
        "callmanager_model",
        3,
        0.0,
    )
    assert ended["kind"] == "callmanager.ended"
    assert (ended["authentications"], ended["rejected"], ended["concurrent_max"], ended["queue_max"]) == (5, 2, 3, 2)
    assert (ended["busy_s"], ended["authentications_peak_per_s"]) == (0.3, 5)


async def test_lateness_is_what_the_server_added_to_the_plan(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    await played.ask(asked(question()), send_s=0.025)
    played.service.write_summary()
    record, lateness, _ = played.records()
    assert (record["answer_ms"], record["late_ms"], record["late_fraction"]) == (125.0, 25.0, 0.25)
    assert lateness["p99"] == 0.25


async def test_lateness_is_a_share_of_waiting_and_service_together(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    """What counts is how far the answer time is off: 25 ms matter little to a phone that waited a long time."""
    played = Played(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: played.ask(asked(question())))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(lambda: played.ask(asked(question()), send_s=0.025))
    _, second = played.records()
    assert (second["wait_ms"], second["service_ms"], second["late_ms"]) == (100.0, 100.0, 25.0)
    assert second["late_fraction"] == 0.125


async def test_an_answer_that_is_already_overdue_is_given_at_once(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    """Service times below the time that one request takes: the plan is past before anybody can wait for it."""
    played = Played(tmp_path, service_p50_ms=0.001, service_p99_ms=0.001)
    times = iter(range(0, 10**9, 10**6))
    played.service._clock_ns = lambda: next(times)
    assert (await played.ask(asked(question()))).data.endswith(b"AUTHORIZED")
    [record] = played.records()
    assert record["late_ms"] > 0.9


async def test_a_client_that_has_gone_is_recorded_and_still_takes_its_worker(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: played.ask(asked(question(password="wrong")), there=False))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(played.ask, asked(question()))
    first, second = played.records()
    assert (first["answer"], first.get("reason")) == ("abandoned", None)
    assert (second["answer"], second["wait_ms"]) == ("authorized", 100.0)


async def test_requests_inside_when_the_server_stops_are_recorded(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    with trio.move_on_after(0.05):
        await played.ask(asked(question()))
    [record] = played.records()
    assert (record["answer"], record["detail"], record["answer_ms"]) == ("abandoned", "stopped", 50.0)


async def test_cache_hits_cost_no_worker(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path, credential_cache_s=10)
    await played.ask(asked(question(user="few")))
    await played.ask(asked(question(user="few")))
    await played.ask(asked(question(user="few", device="SEP00")))
    await played.ask(asked(question(user="few", password="wrong")))
    await trio.sleep(10)
    await played.ask(asked(question(user="few")))
    assert [(r["answer"], r.get("reason"), r["service_ms"]) for r in played.records()] == [
        ("authorized", None, 100.0),
        ("authorized", None, 0.0),
        ("unauthorized", "association", 0.0),
        ("unauthorized", "password", 100.0),
        ("authorized", None, 100.0),
    ]


async def test_a_user_changed_while_the_request_waits_is_judged_as_changed_and_not_cached(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path, credential_cache_s=10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(played.ask, asked(question()))
        await trio.testing.wait_all_tasks_blocked()
        played.service.users.change("agpush", cti=False)
    await played.ask(asked(question()))
    assert [(r["reason"], r["service_ms"]) for r in played.records()] == [("cti", 100.0), ("cti", 100.0)]


async def test_what_is_no_device_name_is_not_recorded(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    await played.ask(asked(question(device="%0aFAKE")))
    assert "phone" not in played.records()[0]


async def test_same_seed_same_answers(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    async def run(seed: int) -> list[tuple[bytes, float]]:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        played = Played(folder, seed=seed, service_p99_ms=500)
        request = asked(question(), path="/ccmcip/authenticate.jsp")
        answers = [(await played.ask(request)).data for _ in range(3)]
        return [(data, r["service_ms"]) for data, r in zip(answers, played.records(), strict=True)]

    first = await run(1)
    assert len(set(first)) == 3
    assert await run(1) == first
    assert await run(2) != first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (question(user="person"), ("authorized", None, "Person")),
        (question(user="person@lab"), ("authorized", None, "Person")),
        (question(user="person", device="SEP00"), ("unauthorized", "association", "Person")),
        (question(user="person", password="wrong"), ("unauthorized", "password", "person")),
        (question(user="stranger"), ("unauthorized", "cti", "stranger")),
        (question(user="off"), ("unauthorized", "disabled", "off")),
        (question(user="absent"), ("unauthorized", "user", None)),
    ],
)
async def test_the_directory_knows_passwords_and_callmanager_the_rest(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, query: bytes, expected: tuple[object, ...]
):
    played = Played(tmp_path, Asked())
    await played.ask(asked(query))
    [record] = played.records()
    assert (record["answer"], record.get("reason"), record.get("user")) == expected
    assert (record["service_ms"], record["directory_ms"], record["answer_ms"]) == (100.0, 50.0, 150.0)
    assert record["late_ms"] == 0


async def test_own_users_and_bad_questions_never_reach_the_directory(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    directory = Asked()
    played = Played(tmp_path, directory)
    for query in (question(), question(password="wrong"), b"", question(password=""), question(user="n" * 129)):
        await played.ask(asked(query))
    await played.ask(asked(question(user="person", password="p" * 257)))
    assert directory.names == []
    assert [(r["answer"], r.get("reason")) for r in played.records()] == [
        ("authorized", None),
        ("unauthorized", "password"),
        ("error", "parameters"),
        ("error", "parameters"),
        ("unauthorized", "user"),
        ("unauthorized", "password"),
    ]


async def test_a_user_of_the_directory_is_nobody_without_one(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path)
    await played.ask(asked(question(user="Person")))
    assert played.records()[0]["reason"] == "password"


async def test_a_directory_that_cannot_say_is_an_error_that_names_why(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    directory = Asked()
    directory.failing = "timed_out"
    played = Played(tmp_path, directory)
    assert (await played.ask(asked(question(user="person")))).data.endswith(b"\r\n\r\nERROR")
    played.service.write_summary()
    record, _, ended = played.records()
    assert (record["answer"], record["reason"], record["detail"]) == ("error", "directory", "timed_out")
    assert (ended["directory_asked"], ended["directory_failed"]) == (1, 1)


async def test_workers_are_held_while_the_directory_is_asked(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    directory = Asked(0.4)
    played = Played(tmp_path, directory, workers=2, queue=4)
    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(played.ask, asked(question(user="person")))
        await trio.testing.wait_all_tasks_blocked()
        assert played.service.status() == {"authentications": 8, "busy": 2, "queue": 4, "rejected": 2}
    assert directory.most == 2
    records = [r for r in played.records() if r["answer"] != "rejected"]
    assert [(r["wait_ms"], r["answer_ms"], r["late_ms"]) for r in records] == [
        (0.0, 500.0, 0.0),
        (0.0, 500.0, 0.0),
        (500.0, 1000.0, 0.0),
        (500.0, 1000.0, 0.0),
        (1000.0, 1500.0, 0.0),
        (1000.0, 1500.0, 0.0),
    ]


async def test_who_waits_for_a_held_worker_when_the_server_stops_is_recorded(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path, Asked(1))
    with trio.move_on_after(0.5):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(played.ask, asked(question(user="person")))
    assert [(r["answer"], r["detail"]) for r in played.records()] == [("abandoned", "stopped")] * 3
    assert played.service.status()["busy"] == played.service.status()["queue"] == 0


async def test_what_a_directory_says_is_never_cached(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    directory = Asked()
    played = Played(tmp_path, directory, credential_cache_s=120)
    for name in ("person", "person", "Person", "agpush", "agpush"):
        await played.ask(asked(question(user=name)))
    assert directory.names == ["person", "person", "Person"]
    assert [r["service_ms"] for r in played.records()] == [100.0, 100.0, 100.0, 100.0, 0.0]


async def test_three_wrong_passwords_lock_and_only_a_right_name_counts(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path)
    for _ in range(4):
        await played.ask(asked(question(user="absent", password="wrong")))
        await played.ask(asked(question(password="wrong")))
    locked = await played.ask(asked(question()))
    assert locked.data.endswith(b"\r\n\r\nUN-AUTHORIZED")
    await played.ask(asked(question(user="few")))
    await trio.sleep(30 * 60)
    await played.ask(asked(question()))
    played.service.write_summary()
    *records, _, ended = played.records()
    assert [r.get("reason") for r in records if r.get("user")] == [
        "password", "password", "password", "locked", "locked", None, None
    ]  # fmt: skip
    assert (ended["locked"], ended["accounts_locked"]) == (2, 1)


async def test_a_lock_holds_against_the_cache_and_a_new_password_ends_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path, credential_cache_s=120, credential_policy=CredentialPolicy(failures=1))
    await played.ask(asked(question()))
    await played.ask(asked(question(password="wrong")))
    await played.ask(asked(question()))
    played.service.users.change("agpush", password="new")
    await played.ask(asked(question(password="new")))
    assert [(r.get("reason"), r["service_ms"]) for r in played.records()] == [
        (None, 100.0), ("password", 100.0), ("locked", 100.0), (None, 100.0)
    ]  # fmt: skip


async def test_without_failures_in_the_policy_nothing_is_locked(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    played = Played(tmp_path, credential_policy=CredentialPolicy(failures=0))
    for _ in range(5):
        await played.ask(asked(question(password="wrong")))
    await played.ask(asked(question()))
    assert [r.get("reason") for r in played.records()] == ["password"] * 5 + [None]


async def test_the_directory_counts_its_own_failures(tmp_path: Path, autojump_clock: trio.testing.MockClock):
    played = Played(tmp_path, Asked())
    for _ in range(5):
        await played.ask(asked(question(user="person", password="wrong")))
    await played.ask(asked(question(user="person")))
    assert [r.get("reason") for r in played.records()] == ["password"] * 5 + [None]


def test_connections_outlast_the_directory_too():
    settings = DirectorySettings(server=("a", 1), base_dn="b", manager_dn="c", manager_password="d", total_s=5)
    assert connection_limits(Configuration(workers=1, queue=100, directory=settings)).total_s > 100 * 5.3


def test_connections_outlast_the_longest_planned_wait():
    limits = connection_limits(Configuration(workers=1, queue=1000))
    assert limits.total_s > 1000 * 0.3
    assert connection_limits(Configuration(queue=10_000)).connections > 20_000


def test_addresses_as_in_all_records():
    assert address_text(("10.20.0.5", 51234)) == "10.20.0.5:51234"
    assert address_text(("::1", 80)) == "[::1]:80"
