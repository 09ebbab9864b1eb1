"""Each check against a real small endpoint that is wrong in exactly one way, and all of them against a right one.

M01 and the like are rows of the list of wrong gateways.
"""

import base64
import re
import time
from dataclasses import replace
from urllib.parse import parse_qs, quote, quote_plus, unquote_to_bytes

import pytest
from probe_endpoint import CALLMANAGER, GENTLE, PASSWORD, PATH, Wrong, plan_for, running

from harness.probe import CHECKS, Result, probe
from harness.probe.answer import read_answer
from harness.probe.checks import acceptance, endurance, protocol, timing
from harness.probe.exchange import Exchange
from harness.probe.prober import NotAskedError, Prober
from harness.probe.question import Credentials

NAMES = [check.name for check in CHECKS]
SLOW = {"timing", "lockout", "failures-slowed", "right-not-slowed", "slow-client-closed"}
"""Seconds each: left out where a defect has nothing to do with them."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """This endpoint forgets failures at a right answer: nothing has to be waited for between samples."""
    monkeypatch.setattr(timing, "PAUSE_S", 0.0)
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    monkeypatch.setattr(acceptance, "LINGER_S", 0.03)
    monkeypatch.setattr(protocol, "BEHIND_S", 0.0)


def by_verdict(results: tuple[Result, ...], verdict: str) -> set[str]:
    return {result.check.name for result in results if result.finding.verdict == verdict}


def why(results: tuple[Result, ...], name: str) -> str:
    return next(result.finding.why for result in results if result.check.name == name)


async def test_a_right_endpoint_passes_all() -> None:
    async with running(Wrong(slow_failures=True)) as (_, url):
        results = await probe(plan_for(url))
    assert [result.check.name for result in results] == NAMES
    assert {r.check.name: r.finding.why for r in results if r.finding.verdict in {"fail", "inconclusive"}} == {}
    assert by_verdict(results, "none") == {"beyond-ascii"}
    assert all(PASSWORD not in result.finding.why for result in results)


def nul_ends(given: bytes, stored: bytes) -> bool:
    return given.partition(b"\0")[0] == stored


WRONG: dict[str, tuple[Wrong, set[str]]] = {
    # What is wrong: the endpoint, the checks that fail.
    "M01 any password": (
        Wrong(compare=lambda *_: True),
        {
            "wrong-password", "right-prefix", "password-case", "blanks-and-trailing", "null-byte", "decoded-twice",
            "plus-is-a-blank", "own-user-mismatch", "injected-query",
        },
    ),
    "the last 8 characters": (
        Wrong(compare=lambda given, stored: given[-8:] == stored[-8:]),
        {"right-prefix", "blanks-and-trailing"},
    ),
    "any order": (Wrong(compare=lambda given, stored: sorted(given) == sorted(stored)), {"right-prefix"}),
    "a user that begins so": (
        Wrong(says_yes_to=lambda query, _: b"UserID=agpush-" in query and quote_plus(PASSWORD).encode() in query),
        {"other-user"},
    ),
    "a user that ends at a null byte": (
        Wrong(says_yes_to=lambda query, _: b"UserID=agpush%00" in query),
        {"other-user"},
    ),
    "a directory's wildcard": (Wrong(compare=lambda given, stored: given in {stored, b"*"}), {"injected-query"}),
    "a database's quotes": (
        Wrong(compare=lambda given, stored: given == stored or b"' OR " in given),
        {"injected-query"},
    ),
    "a password that is a list": (Wrong(says_yes_to=lambda query, _: b"Password%5B" in query), {"injected-query"}),
    "a GET's body counts": (Wrong(believes_bodies_of_get=True), {"conflicting-parameters"}),
    "answers what came second": (
        Wrong(says_yes_to=lambda query, body: body.startswith(b"GET ") and b"nobody" in query),
        {"pipelined-questions"},
    ),
    "answers a body of a GET as well": (
        Wrong(changed=lambda answer: answer * 2 if answer.endswith(b"ERROR") else answer),
        {"pipelined-questions"},
    ),
    "a redirect of a wrong length": (
        Wrong(changed=lambda answer: answer + b" " if answer.startswith(b"HTTP/1.1 302") else answer),
        set(),  # nobody reads a redirect's body; above all it is no header that was injected
    ),
    "breaks at long questions": (Wrong(broken_by=b"x" * 60_000), {"overlong-request"}),
    "a refusal that begins like a yes": (
        Wrong(own_user="refuse", changed=lambda answer: answer.replace(b"\r\n\r\nUN-AUTHO", b"\r\n\r\nAUTHORIZED: no")),
        {
            "wrong-password", "right-prefix", "password-case", "blanks-and-trailing", "null-byte", "decoded-twice",
            "plus-is-a-blank", "own-user-mismatch", "injected-query",
        },
    ),
    "a byte-order mark": (Wrong(body=b"\xef\xbb\xbfAUTHORIZED"), {"answer-body"}),
    "words behind it": (Wrong(body=b"AUTHORIZED agpush"), {"answer-body"}),
    "a line's end in a packet of its own": (Wrong(late=b"\n"), {"answer-framing"}),
    "tells the stored password": (
        Wrong(changed=lambda answer: answer.replace(
            b"\r\nContent-Length: 0", f"&stored={quote(PASSWORD)}\r\nContent-Length: 0".encode()
        )),
        {"password-not-told"},
    ),
    "tells it in base64": (
        Wrong(body=b"AUTHORIZED", changed=lambda answer: answer.replace(
            b"302 Found", b"302 " + base64.b64encode(PASSWORD.encode())
        )),
        {"password-not-told"},
    ),
    "M06 security headers on redirects": (
        Wrong(changed=lambda answer: answer.replace(b"\r\nLocation", b"\r\nX-Frame-Options: DENY\r\nLocation")),
        {"answer-headers-69xx"},
    ),
    "a relative redirect": (Wrong(location=lambda *_: b"/CCMCIP/authenticate.asp"), {"redirect-target"}),
    "a redirect without its question": (
        Wrong(changed=lambda answer: re.sub(rb"(Location: [^?\r\n]*)[^\r\n]*", rb"\1", answer)),
        {"redirect-parameters"},
    ),
    "a redirect of the password twice": (
        Wrong(changed=lambda answer: answer.replace(b"&devicename=", b"&Password=x&devicename=", 1)),
        {"redirect-parameters"},
    ),
    "any user": (Wrong(any_user=True), {"other-user"}),
    "M03 the first 8 characters": (
        Wrong(compare=lambda given, stored: given[:8] == stored[:8]),
        {"right-prefix", "blanks-and-trailing", "null-byte", "plus-is-a-blank"},
    ),
    "a prefix is enough": (Wrong(compare=lambda given, stored: stored.startswith(given)), {"right-prefix"}),
    "caseless": (Wrong(compare=lambda given, stored: given.lower() == stored.lower()), {"password-case"}),
    "trimmed": (Wrong(compare=lambda given, stored: given.strip() == stored), {"blanks-and-trailing"}),
    "ends at a null byte": (Wrong(compare=nul_ends), {"null-byte"}),
    "decodes twice": (
        Wrong(compare=lambda given, stored: stored in {given, unquote_to_bytes(given)}),
        {"decoded-twice"},
    ),
    "no form decoding of +": (
        Wrong(decode=unquote_to_bytes),
        {"right-credentials"},
    ),
    "M05 a line's end": (Wrong(body=b"AUTHORIZED\n"), {"answer-body"}),
    "M05 another case": (Wrong(body=b"Authorized"), {"answer-body"}),
    "M06 security headers": (Wrong(fields=b"X-Frame-Options: DENY\r\n"), {"answer-headers-69xx"}),
    "M06 a cookie": (Wrong(fields=b"Set-Cookie: a=b\r\n"), {"answer-headers-69xx"}),
    "a wrong length": (
        Wrong(fields=b"Content-Length: 11\r\n"),
        {"answer-framing"},
    ),
    "only GET": (Wrong(methods=frozenset({b"GET"})), {"right-by-post", "phone-requests"}),
    "only HTTP/1.1": (Wrong(versions=frozenset({"1.1"})), {"phone-requests", "http-1.0-without-host"}),
    "no Host needed": (Wrong(needs_host=False), {"missing-host"}),
    "TRACE": (Wrong(methods=frozenset({b"GET", b"POST", b"TRACE"})), {"trace"}),
    "M09 the redirect's host is Host": (
        Wrong(location=lambda headers, _: b"http://" + headers.get(b"host", b"") + b"/CCMCIP/authenticate.asp"),
        {"redirect-target", "redirect-host-header"},
    ),
    "the redirect's host is X-Forwarded-Host": (
        Wrong(
            location=lambda headers, _: CALLMANAGER.encode().replace(
                b"10.20.128.20", headers.get(b"x-forwarded-host", b"10.20.128.20")
            )
        ),
        {"redirect-forwarded-host"},
    ),
    "an open redirect": (
        Wrong(location=lambda _, query: parse_qs(query.decode("latin-1")).get("url", [CALLMANAGER])[0].encode()),
        {"redirect-parameter"},
    ),
    "another server": (Wrong(location=lambda *_: b"http://10.20.128.21/CCMCIP/authenticate.asp"), {"redirect-target"}),
    "a Location without escaping": (
        Wrong(escape=lambda value: value.decode("latin-1").encode("ascii", "replace").decode("ascii")),
        {"redirect-parameters", "header-injection"},
    ),
    "a Location with lost bytes": (
        Wrong(escape=lambda value: quote(value.decode("utf-8", "ignore").encode("ascii", "ignore"))),
        {"redirect-parameters"},
    ),
    "M11 relays although refuse is set": (Wrong(own_user="redirect"), {"own-user-mismatch"}),
    "the first of repeated parameters": (
        Wrong(first_of_repeated=True),
        {"repeated-parameter", "conflicting-parameters"},
    ),
    "a default device": (Wrong(defaults={b"devicename": b"SEP0"}), {"missing-parameter", "empty-parameter"}),
    "M37 dies of a bad h2c header": (Wrong(dies_of=b"h2c"), {"h2c-upgrade"}),
    "dies of an HTTP/2 preface": (Wrong(dies_of=b"PRI * HTTP/2"), {"h2-preface"}),
    "dies of a WebSocket upgrade": (Wrong(dies_of=b"websocket"), {"websocket-upgrade"}),
    "upgrades": (Wrong(upgrades=True), {"h2c-upgrade", "websocket-upgrade"}),
    "believes X-Forwarded-For": (Wrong(trusts_forwarded=True), {"source-limits"}),
    "serves few at a time": (Wrong(serves=5), {"slow-headers", "slow-body", "idle-connections"}),
    "breaks at bytes that are no UTF-8": (Wrong(broken_by=b"%ff"), {"strange-encodings"}),
}  # fmt: skip
CASCADES = {"h2c-upgrade", "h2-preface", "websocket-upgrade", "right-credentials"}
"""Checks after whose failure nothing works any more: what comes behind them is not looked at."""


@pytest.mark.parametrize("name", WRONG)
async def test_an_endpoint_that_is_wrong_in_one_way_fails_by_its_checks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong, expected = WRONG[name]
    if wrong.late:
        monkeypatch.setattr(acceptance, "LINGER_S", 2.0)  # until the connection ends, however busy the machine is
    changes: dict[str, object] = {"leave_out": frozenset(SLOW)}
    if name.startswith("M11"):
        changes["own_user_mismatch"] = "refuse"
    async with running(wrong) as (_, url):
        results = await probe(plan_for(url, **changes))
    found = by_verdict(results, "fail")
    if expected & CASCADES and not wrong.upgrades:
        first = next(result.check.name for result in results if result.finding.verdict == "fail")
        assert {first} == expected
    else:
        assert found == expected, {r.check.name: r.finding.why for r in results if r.finding.verdict == "fail"}


async def test_an_endpoint_that_answers_anything() -> None:
    async with running(Wrong(lax=True)) as (_, url):
        results = await probe(plan_for(url, leave_out=frozenset(SLOW)))
    assert by_verdict(results, "fail") >= {
        "length-and-chunks", "two-lengths", "unknown-transfer-coding", "missing-host", "http-0.9", "http-3.7", "trace",
        "blank-before-colon", "missing-parameter", "empty-parameter", "strange-encodings", "other-user",
        "wrong-password",
    }  # fmt: skip
    assert by_verdict(results, "pass") >= {"right-credentials", "answer-body", "h2c-upgrade", "reset-storm"}


@pytest.mark.parametrize("resets", [True, False])
async def test_m12_a_lock_after_five_failures(*, resets: bool) -> None:
    async with running(Wrong(locks_after=5, lock_resets=resets, slow_failures=True)) as (endpoint, url):
        results = await probe(plan_for(url))
    assert by_verdict(results, "fail") == {"lockout"}
    if not resets:
        # The lock was noticed at the first right question behind it: nothing more was sent.
        assert len([given for given in endpoint.wrong_passwords if given != PASSWORD.encode()]) <= 6
        assert "locked" in why(results, "wrong-password")


async def test_m04_a_leak_of_a_millisecond_a_character() -> None:
    async with running(Wrong(leak_s=0.001)) as (_, url):
        results = await probe(plan_for(url, leave_out=frozenset(NAMES) - {"timing", "right-credentials"}))
    assert by_verdict(results, "fail") == {"timing"}
    each = next(r.finding.observed for r in results if r.check.name == "timing")
    assert isinstance(each, float)
    assert 0.8 < each < 1.5


async def test_noise_is_inconclusive_and_never_a_failure() -> None:
    async with running(Wrong(noise_s=0.03)) as (_, url):
        results = await probe(plan_for(url, leave_out=frozenset(NAMES) - {"timing", "right-credentials"}))
    assert by_verdict(results, "fail") == set()


async def test_failures_at_full_speed() -> None:
    async with running(Wrong()) as (_, url):
        results = await probe(
            plan_for(url, leave_out=frozenset(NAMES) - {"lockout", "failures-slowed", "right-credentials"})
        )
    assert by_verdict(results, "fail") == {"failures-slowed"}


async def test_right_answers_that_wait_behind_failures() -> None:
    async with running(Wrong(slows_right=True)) as (endpoint, url):
        endpoint.failures = 10
        left = frozenset(NAMES) - {"lockout", "right-credentials"}
        results = await probe(plan_for(url, leave_out=left))
    assert by_verdict(results, "fail") == {"lockout"}


async def test_a_slow_client_that_is_held_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endurance, "SLOW_S", 1.5)
    async with running(Wrong(request_s=30)) as (_, url):
        results = await probe(plan_for(url, leave_out=frozenset(SLOW) - {"slow-client-closed"}))
    assert by_verdict(results, "inconclusive") == {"slow-client-closed"}
    assert by_verdict(results, "fail") == set()


async def test_a_machine_that_is_held_up_is_no_evidence() -> None:
    def compare(given: bytes, stored: bytes) -> bool:
        time.sleep(1.2)  # the endpoint shares this loop
        return given == stored

    async with running(Wrong(compare=compare)) as (_, url):
        prober = Prober(plan_for(url))
        prober.right_ms = [1.0] * 10
        with pytest.raises(NotAskedError, match="this machine was held up"):
            await prober.trouble()


async def test_without_consent_no_wrong_password_is_sent() -> None:
    async with running(Wrong()) as (endpoint, url):
        results = await probe(plan_for(url, consent=False))
    assert endpoint.wrong_passwords == []
    expected = {check.name for check in CHECKS if check.wrong_passwords}
    assert by_verdict(results, "inconclusive") == expected
    assert by_verdict(results, "fail") == set()
    assert "--yes-send-wrong-passwords" in why(results, "wrong-password")


async def test_wrong_passwords_are_bounded() -> None:
    async with running(Wrong()) as (endpoint, url):
        results = await probe(
            plan_for(url, care=type(GENTLE)(per_s=0, wrong_passwords=7, lockout_failures=24, connections=1, resets=1))
        )
    assert len(endpoint.wrong_passwords) <= 7
    assert "limit of 7" in why(results, "lockout")
    assert by_verdict(results, "fail") == set()


async def test_nobody_there_ends_at_once() -> None:
    async with running(Wrong()) as (_, url):
        pass
    results = await probe(plan_for(url))
    assert [result.check.name for result in results] == NAMES
    assert by_verdict(results, "inconclusive") == set(NAMES)


@pytest.mark.parametrize("wrong", [Wrong(lives=12), Wrong(hangs_after=12, request_s=0.3)])
async def test_a_server_that_dies_or_hangs_is_failed_by_name_and_once(wrong: Wrong) -> None:
    async with running(wrong) as (_, url):
        results = await probe(plan_for(url))
    failed = by_verdict(results, "fail")
    assert "right-to-the-end" in failed
    assert len(failed) <= 2
    told = why(results, "right-to-the-end")
    assert re.search(r"since [a-z0-9-]+ a right question gets: ", told), told
    # What comes behind says so and finds nothing.
    assert "nothing can be told since then" in why(results, "trace")
    assert {"wrong-password", "lockout", "reset-storm"} <= by_verdict(results, "inconclusive")


async def test_a_server_that_turns_right_credentials_away_is_not_asked_fifty_times() -> None:
    async with running(Wrong()) as (endpoint, url):
        endpoint.wrong.compare = lambda given, stored: given == stored and endpoint.asked < 12
        results = await probe(plan_for(url, consent=False))
    assert "right-to-the-end" in by_verdict(results, "fail")
    assert len(endpoint.wrong_passwords) <= 6


async def test_a_server_that_answers_nothing_is_asked_once() -> None:
    async with running(Wrong(hangs_after=0, request_s=0.3)) as (endpoint, url):
        results = await probe(plan_for(url))
    assert by_verdict(results, "fail") == {"right-credentials"}
    assert by_verdict(results, "inconclusive") == set(NAMES) - {"right-credentials"}
    assert endpoint.asked == 1


async def test_an_answer_without_an_end_is_no_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(Wrong()) as (_, url):
        prober = Prober(plan_for(url))
        genuine = prober.send

        async def send(request: bytes, **options: object) -> Exchange:
            found = await genuine(request, **options)  # type: ignore[arg-type]
            answer = read_answer(b"HTTP/1.1 200 OK\r\n\r\nAUTHORIZED", ended=False)
            return replace(found, answer=answer, ended=False)

        monkeypatch.setattr(prober, "send", send)
        finding = await acceptance.right_credentials(prober)
    assert finding.verdict == "fail"
    assert "no length and no end" in finding.why


async def test_a_wrong_password_of_ones_own_is_sent_once_without_consent() -> None:
    """Nothing may lock the account of somebody who mistyped its password."""
    async with running(Wrong(own_user="refuse")) as (endpoint, url):
        credentials = Credentials(user="agpush", password="mistyped-9xYz")
        await probe(plan_for(url, credentials=credentials, consent=False))
    assert len(endpoint.wrong_passwords) == 1


async def test_unknown_credentials_fail_once_and_decide_little() -> None:
    async with running(Wrong()) as (_, url):
        results = await probe(
            plan_for(url, credentials=Credentials(user="agpush", password="another one"), consent=False)
        )
    assert by_verdict(results, "fail") == {"right-credentials"}
    assert "redirect-host-header" in by_verdict(results, "pass")
    assert "answer-body" in by_verdict(results, "inconclusive")


async def test_the_time_is_bounded() -> None:
    async with running(Wrong()) as (_, url):
        results = await probe(plan_for(url, total_s=0.0))
    assert set(by_verdict(results, "inconclusive")) == set(NAMES)


async def test_69xx_do_not_matter_where_there_is_none() -> None:
    async with running(Wrong(fields=b"X-Frame-Options: DENY\r\n")) as (_, url):
        left = frozenset(NAMES) - {"right-credentials", "answer-headers-69xx"}
        results = await probe(plan_for(url, models=frozenset({"CP-8841"}), leave_out=left))
    assert "answer-headers-69xx" in by_verdict(results, "none")
    assert PATH.decode() in url
