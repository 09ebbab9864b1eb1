"""What is asked of servers, what is never asked, and how often a push user may be refused."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from harness.preflight.pace import Pace
from harness.preflight.push_user import check_push_user
from harness.preflight.servers import ask_server, look_up, may_be_asked

PASSWORD = "p&ss wörd"


def _pace() -> Pace:
    return Pace(per_s=1000, at_once=8)


@asynccontextmanager
async def server(answer: Callable[[str], str]) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers by target; its base URL, and what it was asked."""
    asked: list[str] = []

    async def one(stream: trio.SocketStream) -> None:
        async with stream:
            target = (await stream.receive_some(4096)).decode().split(" ")[1]
            asked.append(target)
            body = answer(target)
            head = body if body.startswith("HTTP") else f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            await stream.send_all(head.encode())

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(one, 0, host="127.0.0.1", task_status=task_status)
        )
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", asked
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("ERROR", "answers"),
        ("HTTP/1.1 302 Found\r\nLocation: http://10.1.1.1/\r\nContent-Length: 0\r\n\r\n", "answers"),
        ("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "answers"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "no-such-page"),
        ("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "no-answer"),
        ("HTTP nothing of the kind", "no-answer"),
    ],
)
async def test_a_server_is_asked_without_what_its_url_holds(answer: str, state: str) -> None:
    async with server(lambda _: answer) as (base, asked):
        found = await ask_server(f"{base}/auth?UserID=a&Password=b", _pace())
    assert (found.state, asked) == (state, ["/auth"])


async def test_nobody_listens() -> None:
    found = await ask_server("http://127.0.0.1:1/", _pace())
    assert (found.state, found.why) == ("no-answer", "connection refused")


@pytest.mark.parametrize(
    ("number", "unknown"), [(socket.EAI_NONAME, True), (socket.EAI_AGAIN, False), (socket.EAI_FAIL, False)]
)
async def test_a_name_that_nobody_could_be_asked_about_is_not_unknown(
    number: int, *, unknown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "x")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    place = await look_up("paging.example", 80)
    assert (place.address, place.unknown) == ("", unknown)
    found = await ask_server("http://paging.example/auth", _pace())
    assert (found.name, found.state) == (("unknown", "no-answer") if unknown else ("not-asked", "not-asked"))


def test_which_urls_of_phones_are_asked() -> None:
    assert may_be_asked("http://10.1.1.1/auth")
    assert may_be_asked("http://ccm.example/auth")
    assert not may_be_asked("http://169.254.169.254/latest/meta-data")
    assert not may_be_asked("http://127.0.0.1:8080/auth")
    assert not may_be_asked("http://[::1]/auth")
    assert not may_be_asked("http://224.0.0.1/auth")
    assert not may_be_asked("ftp://10.1.1.1/auth")


def _device(target: str) -> str:
    query = parse_qs(urlsplit(target).query, encoding="utf-8")
    assert query["Password"] == [PASSWORD]
    assert list(query) == ["UserID", "Password", "devicename"]
    return query["devicename"][0]


async def _dry(allowed: set[str], devices: list[str], refusal: str = "UN-AUTHORIZED") -> tuple[list[str], list[str]]:
    """Results as `check cause subject`, and which devices were asked about."""
    async with server(lambda target: "AUTHORIZED" if _device(target) in allowed else refusal) as (base, asked):
        results, authorised = await check_push_user([f"{base}/a.asp"], "agpush", PASSWORD, devices, _pace())
    assert authorised == {f"{base}/a.asp": allowed & set(devices)}
    shown = [f"{r.check} {r.cause or r.word} {r.subject}".replace(base, "") for r in results]
    return shown, [_device(target) for target in asked]


async def test_everybody_is_authorised() -> None:
    shown, _ = await _dry({"A", "B"}, ["A", "B"])
    assert shown == ["push-user ok /a.asp", "association ok A", "association ok B"]


async def test_a_refused_user_is_asked_about_twice_and_no_more() -> None:
    shown, asked = await _dry(set(), ["A", "B", "C", "D"])
    assert asked == ["A", "B"]
    assert shown[0] == "push-user refused /a.asp"
    assert shown[1:] == [f"association not-checked {name}" for name in "ABCD"]


async def test_between_refusals_comes_a_yes() -> None:
    shown, asked = await _dry({"A"}, ["A", "B", "C", "D", "E"])
    assert asked == ["A", "B", "C", "A", "D", "E"]
    assert [line for line in shown if "not-associated" in line] == [
        f"association not-associated {name}" for name in "BCDE"
    ]


async def test_a_redirect_is_a_refusal_and_is_not_followed() -> None:
    found = "HTTP/1.1 302 Found\r\nLocation: http://10.1.1.1/\r\nContent-Length: 0\r\n\r\n"
    shown, _ = await _dry(set(), ["A"], found)
    assert shown[0] == "push-user refused /a.asp"


async def test_an_answer_that_is_neither() -> None:
    shown, _ = await _dry(set(), ["A"], "AUTHORIZED\n")
    assert shown == ["push-user error /a.asp", "association not-checked A"]


async def test_nobody_to_ask_about_the_user() -> None:
    results, _ = await check_push_user(["http://127.0.0.1:1/a"], "agpush", PASSWORD, ["A"], _pace())
    assert {(r.check, r.word, r.needed) for r in results} == {
        ("push-user", "not-checked", True), ("association", "not-checked", True),
    }  # fmt: skip


async def _dry_at(paths: list[str], allowed: dict[str, str], devices: str) -> tuple[list[str], list[str]]:
    """Results of the push user, and what was asked, as `path device`; `allowed` by path."""

    def answer(target: str) -> str:
        return "AUTHORIZED" if _device(target) in allowed.get(urlsplit(target).path, "") else "UN-AUTHORIZED"

    async with server(answer) as (base, asked):
        results, _ = await check_push_user([base + path for path in paths], "agpush", PASSWORD, list(devices), _pace())
    shown = [f"{r.subject} {r.cause or r.why}".replace(base, "") for r in results if r.check == "push-user"]
    return shown, [f"{urlsplit(target).path} {_device(target)}" for target in asked]


async def test_refusals_count_over_all_urls_because_they_may_lead_to_one_account() -> None:
    shown, asked = await _dry_at(["/a", "/b", "/c"], {}, "ABC")
    assert asked == ["/a A", "/b A"]
    assert shown == ["/a refused", "/b refused", "/c not asked after 2 refusals: one more could lock the account"]


async def test_a_url_that_knows_nobody_does_not_use_up_the_questions_of_the_others() -> None:
    shown, asked = await _dry_at(["/a", "/b"], {"/b": "AB"}, "ABCDE")
    assert asked == ["/a A", "/b A", "/b B", "/b C", "/b D", "/b A", "/b E"]
    assert shown == ["/a refused", "/b agpush is authorised"]
