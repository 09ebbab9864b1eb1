"""From readings to results, from results to go or no go, and what the files say of it."""

import csv
import io
import json
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from rich.console import Console

from harness.preflight.active import Active, subnet_of, why_not
from harness.preflight.addresses import same_url, told
from harness.preflight.checks import CHECKS, fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.listing import unlisted
from harness.preflight.outcome import conclude
from harness.preflight.page import page_of
from harness.preflight.pages import Information, Network
from harness.preflight.phone_checks import Server, Wanted, check_fleet, check_list, check_phone, same_model
from harness.preflight.reading import Reading
from harness.preflight.tables import to_csv, to_json
from harness.preflight.terminal import print_outcome
from harness.site.listed import Listed

URL = "http://10.1.1.5/cisco_auth/authenticate.html"
WANTED = Wanted(authentication_url=URL, callmanager_url="http://10.1.1.1/CCMCIP/authenticate.asp")
NOW = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
LISTED = Listed(
    place="site.csv:2", device_name="SEP001BD4000001", address="10.20.0.1", directory_number="2001", model="Cisco 7960"
)


def _reading(url: str | None = URL, *, servers: tuple[str, ...] | None = (), **changes: str) -> Reading:
    values = {
        "device_name": "SEP001BD4000001",
        "mac": "001BD4000001",
        "directory_number": "2001",
        "model": "CP-7960G",
        "firmware": "P00308000500",
    } | changes
    return Reading(
        reach="answered",
        information=Information(**values),
        network=Network(authentication_url=url, subnet_mask="255.255.255.0", name_servers=servers),
    )


def _found(listed: Listed, reading: Reading, servers: dict[str, Server] | None = None) -> set[tuple[str, str]]:
    results = check_phone(listed, reading, WANTED, {URL: Server()} | (servers or {}))
    return {(result.check, result.cause or result.word) for result in results if result.word != "ok"}


def test_a_sound_phone() -> None:
    assert _found(LISTED, _reading()) == set()
    assert _found(LISTED, _reading("HTTP://10.1.1.5:80/cisco_auth/authenticate.html")) >= set()


@pytest.mark.parametrize(
    ("reading", "found"),
    [
        (Reading(reach="refused"), ("web-access", "refused")),
        (Reading(reach="timed-out", pinged=True), ("web-access", "silent")),
        (Reading(reach="timed-out", pinged=False), ("reachable", "absent")),
        (Reading(reach="timed-out", pinged=None), ("reachable", "absent")),
        (Reading(reach="no-route"), ("reachable", "no-route")),
        (Reading(reach="lost"), ("web-access", "no-phone")),
        (Reading(reach="no-answer"), ("web-access", "no-phone")),
        (Reading(reach="answered", why="status 404"), ("web-access", "no-phone")),
        (Reading(reach="answered", secured_only=True), ("web-access", "secured-only")),
    ],
)
def test_phones_that_cannot_be_read_are_told_apart(reading: Reading, found: tuple[str, str]) -> None:
    results = check_phone(LISTED, reading, WANTED, {})
    assert {(r.check, r.cause) for r in results if r.word == "fault"} == {found}
    assert not any(result.needed for result in results)
    assert all(r.word != "ok" or r.check == "reachable" for r in results)


def test_what_the_page_does_not_say_is_not_ok() -> None:
    assert _found(LISTED, _reading(None)) == {
        ("authentication-url", "not-checked"),
        ("authentication-name", "not-checked"),
        ("authentication-server", "not-checked"),
    }
    (result,) = (r for r in check_phone(LISTED, _reading(None), WANTED, {}) if r.check == "authentication-url")
    assert result.needed


@pytest.mark.parametrize(
    ("server", "name_servers", "found"),
    [
        (Server(), ("10.0.0.53",), set()),
        (Server(), (), {("authentication-name", "no-name-server")}),
        (Server(name="unknown", state="no-answer"), None, {
            ("authentication-name", "unknown-name"), ("authentication-server", "no-answer"),
        }),
        (Server(name="not-asked", state="not-asked", why="no name server answers here"), None, {
            ("authentication-name", "not-checked"), ("authentication-server", "not-checked"),
        }),
        (Server(state="no-such-page"), None, {("authentication-server", "no-such-page")}),
    ],
)  # fmt: skip
def test_names_and_servers(
    server: Server, name_servers: tuple[str, ...] | None, found: set[tuple[str, str]]
) -> None:
    url = "http://paging.example/auth"
    seen = _found(LISTED, _reading(url, servers=name_servers), {url: server})
    assert seen == found | {("authentication-url", "stale")}


def test_the_secured_url_is_as_good_as_the_plain_one() -> None:
    wanted = Wanted(authentication_url=URL, secured_url="https://10.1.1.5/a")
    results = check_phone(LISTED, _reading("https://10.1.1.5/a"), wanted, {})
    assert {r.word for r in results if r.check == "authentication-url"} == {"ok"}


def test_the_server_that_was_named_is_spoken_of_once() -> None:
    results = check_phone(LISTED, _reading(), WANTED, {URL: Server(state="no-answer")})
    (result,) = (r for r in results if r.check == "authentication-server")
    assert (result.word, result.needed) == ("not-checked", False)


def test_the_list_alone() -> None:
    other = Listed(place="", device_name="SEP001BD4000002", address="10.20.0.1", registered=True)
    gone = Listed(place="", device_name="SEP001BD4000003", address="10.20.0.3", registered=False, status="UnRegistered")
    nowhere = Listed(place="", device_name="SEP001BD4000004")
    results = check_list([LISTED, other, gone, nowhere])
    assert [(r.check, r.cause, r.subject[-1]) for r in results if r.word == "fault"] == [
        ("listed-once", "address-twice", "1"),
        ("listed-once", "address-twice", "2"),
        ("registered", "not-registered", "3"),
        ("registered", "no-address", "4"),
    ]


def test_firmware_is_compared_within_a_model() -> None:
    phones = [
        (unlisted(f"10.20.0.{n}", f"SEP{n}"), _reading(model=model, firmware=firmware, directory_number=str(n)))
        for n, (model, firmware) in enumerate(
            [("CP-7960G", "A"), ("CP-7960G", "A"), ("CP-7960G", "B"), ("CP-8851", "C"), ("CP-8851", "")]
        )
    ]
    assert [(r.word, r.subject) for r in check_fleet(phones)] == [
        ("ok", "SEP0"), ("ok", "SEP1"), ("remark", "SEP2"), ("ok", "SEP3"), ("not-checked", "SEP4"),
    ]  # fmt: skip


def test_names_of_models() -> None:
    assert same_model("Cisco 7960", "CP-7960G")
    assert same_model("7960", "CP-7960")
    assert not same_model("CP-7961G", "CP-7961G-GE")
    assert not same_model("CP-7960G", "CP-7940G")
    assert same_model("CP-9999", "cp-9999")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://A/x", "http://a:80/x", True),
        ("http://a", "http://a/", True),
        ("http://a/x", "http://a/X", False),
        ("http://a/x", "https://a/x", False),
        ("http://a/x?b", "http://a/x", False),
        ("http://a:99999/", "http://a:99999/", False),
    ],
)
def test_urls_are_compared_as_phones_see_them(one: str, other: str, *, same: bool) -> None:
    assert same_url(one, other) is same


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    assert told("http://10.1.1.1/auth?UserID=a&Password=b") == "http://10.1.1.1/auth?…"
    assert told("http://a:b@10.1.1.1/auth") == "http://…@10.1.1.1/auth"
    assert "\x1b" not in told("http://10.1.1.1/\x1b[31m")


def test_whom_a_push_may_go_to() -> None:
    def why(reading: Reading, authorised: dict[str, frozenset[str]] | None = None) -> str:
        said = {URL: frozenset({LISTED.device_name})} if authorised is None else authorised
        active = Active(devices=(), group="", user="agpush", password="secret", wanted=WANTED, authorised=said)
        return why_not(LISTED, reading, active)

    assert why(_reading()) == ""
    assert why(_reading("")) == ""
    assert why(Reading(reach="refused")) == "its web server does not answer"
    assert why(_reading(mac="001BD4000002")) == "another phone is at its address"
    assert why(_reading(None)) == "its authentication URL is not known"
    assert "told the password" in why(_reading("http://10.9.9.9/auth"))
    assert why(_reading(), {URL: frozenset()}) == "the push user is not authorised for it"
    assert why(_reading(), {}) == "the push user was not asked about at its URL"
    assert "secret" not in repr(Active(
        devices=(), group="", user="agpush", password="secret", wanted=WANTED, authorised={}
    ))  # fmt: skip


def test_subnets() -> None:
    assert subnet_of("10.20.5.9", "255.255.254.0") == "10.20.4.0/23"
    assert subnet_of("10.20.5.9", "") == subnet_of("10.20.5.9", "nonsense") == "10.20.5.0/24"


def _many() -> list[Result]:
    results = [ok("web-access", f"SEP{n}", address=f"10.0.0.{n}") for n in range(30)]
    results += [
        fault("authentication-url", "stale", f"SEP{n}", address=f"10.0.0.{n}", observed="http://old/", wanted=URL)
        for n in range(12)
    ]
    results.append(fault("model", "other-model", "SEP<b>", address="10.0.0.99", why="it is a <script>x</script>"))
    results.append(fault("callmanager-url", "no-answer", "http://10.1.1.1/a", url="http://10.1.1.1/a"))
    results.append(not_checked("audio", "(not named)", "no phone was named with --active", needed=False))
    return results


def test_go_and_no_go() -> None:
    results = [ok("web-access", "SEP1")]
    assert (conclude(results, 1).decision, conclude(results, 1).exit_code) == ("go", 0)
    remark = fault("model", "other-model", "SEP1")
    assert conclude([*results, remark], 1).decision == "go"
    needed = not_checked("authentication-url", "SEP1", "its page does not say")
    assert (conclude([*results, needed], 1).decision, conclude([needed], 1).exit_code) == ("inconclusive", 3)
    assert conclude([needed, fault("web-access", "refused", "SEP1")], 1).exit_code == 1
    assert conclude([], 0).decision == "inconclusive"


def test_what_to_do_is_in_order() -> None:
    outcome = conclude(_many(), 30)
    assert [(task.do, task.stops, len(task.results)) for task in outcome.tasks] == [
        ("Bring http://10.1.1.1/a up", True, 1),
        ("Reset these 12 phones", True, 12),
        ("Correct the model of this phone in the list", False, 1),
    ]
    assert "{" not in "".join(task.do + task.fix + task.means for task in outcome.tasks)


def test_the_files() -> None:
    outcome = conclude([*_many(), fault("directory-number", "other-number", "SEP1", observed="=cmd()")], 30)
    rows = list(csv.DictReader(io.StringIO(to_csv(outcome))))
    assert len(rows) == len(outcome.results)
    assert rows[30] | {"address": ""} == {
        "subject": "SEP0", "address": "", "check": "authentication-url", "result": "fault", "cause": "stale",
        "observed": "http://old/", "wanted": URL, "what_to_do": "Reset this phone",
        "why": "the phone still asks another URL: its questions miss the gateway",
    }  # fmt: skip
    assert rows[-1]["observed"] == "'=cmd()"
    document = json.loads(json.dumps(to_json(outcome, now=NOW, command="pushlab preflight")))
    assert (document["decision"], document["counts"]["fault"], document["at"]) == ("no-go", 14, "2026-06-01T09:30:00Z")


def test_the_page_has_one_row_a_phone_and_no_markup_of_others() -> None:
    class Reader(HTMLParser):
        rows = 0
        scripts = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.rows += "data-result" in dict(attrs)
            self.scripts += tag == "script"

    reader = Reader()
    page = page_of(conclude(_many(), 30), now=NOW, command="pushlab preflight --csv <x>")
    reader.feed(page)
    assert (reader.rows, reader.scripts) == (31, 1)
    assert page.index("NO-GO".lower()) < page.index("Reset these 12 phones") < page.index("All checks")
    assert 'src="' not in page
    assert "<link" not in page


def test_the_summary_names_ten_phones_and_says_where_the_others_are() -> None:
    text = io.StringIO()
    print_outcome(conclude(_many(), 30), [], Console(file=text, width=80))
    said = text.getvalue()
    assert said.splitlines()[1] == "NO-GO  30 phones"
    assert "and 2 more, all in preflight.csv" in said
    assert said.count("http://old/ instead of") == 1  # it is the same of all twelve
    assert max(len(line) for line in said.splitlines()) <= 80


def test_every_cause_says_what_to_do() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    for check in CHECKS:
        assert len({cause.name for cause in check.causes}) == len(check.causes)
        for cause in check.causes:
            assert cause.fix.endswith((".", "?")), (check.name, cause.name)
            assert check.about != "phone" or "{these}" in cause.do, (check.name, cause.name)
