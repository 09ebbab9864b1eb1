"""Several scenarios as one result: merged, and written four ways."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.suite import Entry, Suite, entry_of, not_begun
from harness.report.suite_junit import suite_junit
from harness.report.suite_page import suite_page
from harness.report.suite_text import print_suite, suite_markdown
from harness.suite import append_summary

MakeRun = Callable[..., Path]
STARTED = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def entry(folder: Path | None, expected: str = "pass", why: str = "", seconds: float = 7.25) -> Entry:
    name = "lost" if folder is None else folder.name
    return entry_of(
        scenario=name, purpose=f"What {name} <shows>.", expected=expected, seconds=seconds, folder=folder, why=why
    )


def suite_of(*entries: Entry) -> Suite:
    return Suite(entries=entries, started=STARTED)


@pytest.fixture
def good(make_run: MakeRun) -> Entry:
    return entry(make_run("offload", phones=20))


@pytest.fixture
def control(make_run: MakeRun) -> Entry:
    return entry(make_run("direct", phones=400), expected="fail")


@pytest.fixture
def failing(make_run: MakeRun) -> Entry:
    return entry(make_run("failing", phones=200, unexpected=["phones.delivered_fraction == 1: fail, expected pass"]))


@pytest.fixture
def blind(make_run: MakeRun) -> Entry:
    return entry(make_run("blind", phones=20))


@pytest.fixture
def lost() -> Entry:
    return entry(None, why="slapd is not installed", seconds=0.1)


def test_a_control_that_fails_as_it_should_counts_as_pass(good: Entry, control: Entry) -> None:
    suite = suite_of(good, control)
    assert control.verdict == "fail"
    assert (suite.verdict, suite.as_expected) == ("pass", True)
    assert suite.title == "2 scenarios, all as expected"


def test_the_worst_counts(good: Entry, control: Entry, failing: Entry, blind: Entry, lost: Entry) -> None:
    entries = [good, control]
    for another, verdict in ((blind, "inconclusive"), (failing, "fail"), (lost, "error")):
        entries.append(another)
        assert suite_of(*entries).verdict == suite_of(*reversed(entries)).verdict == verdict
    assert [each.scenario for each in suite_of(*entries).unexpected] == ["lost", failing.scenario, blind.scenario]


def test_a_control_that_passes_is_a_failure(make_run: MakeRun) -> None:
    passed = entry(make_run("offload", phones=20, as_expected=False, expected="fail"), expected="fail")
    assert passed.counts_as == "fail"
    assert suite_of(passed).verdict == "fail"


def test_nothing_is_not_as_expected() -> None:
    assert (suite_of().verdict, suite_of().as_expected) == ("none", False)


def test_an_interruption_after_the_verdict_is_an_error(make_run: MakeRun) -> None:
    assert entry(make_run("offload", phones=20), why="interrupted").verdict == "error"


def test_a_builds_summary_begins_with_the_table_and_what_is_there_stays(
    good: Entry, control: Entry, lost: Entry, tmp_path: Path
) -> None:
    file = tmp_path / "summary.md"
    append_summary(suite_of(good), file)
    append_summary(suite_of(lost), file)
    append_summary(suite_of(control, good, lost), file)
    heads = [line for line in file.read_text().splitlines() if line.startswith("### ")]
    assert [head.split()[1].rstrip(":") for head in heads] == ["PASS", "ERROR", "FAIL", "PASS"]
    assert "3 scenarios" in heads[1]


def test_verdict_json(good: Entry, failing: Entry, lost: Entry, tmp_path: Path) -> None:
    after = not_begun("later", "What later shows.", "fail")
    suite = suite_of(good, failing, lost, after)
    written = json.loads(json.dumps(suite.to_json(tmp_path / "suite" / "now")))
    assert {key: written[key] for key in ("schema", "kind", "verdict", "as_expected", "started")} == {
        "schema": 1,
        "kind": "suite",
        "verdict": "error",
        "as_expected": False,
        "started": "2026-11-26T03:00:00Z",
    }
    assert written["counts"] == {"scenarios": 4, "as_expected": 1, "none": 1, "inconclusive": 0, "fail": 1, "error": 1}
    assert [each["verdict"] for each in written["scenarios"]] == ["pass", "fail", "error", "none"]
    assert written["scenarios"][0]["folder"] == f"../../{good.scenario}"
    assert written["scenarios"][2] == {
        "scenario": "lost",
        "verdict": "error",
        "expected": "pass",
        "as_expected": False,
        "seconds": 0.1,
        "why": "slapd is not installed",
        "folder": None,
    }


class TestJUnit:
    def test_what_is_as_expected_is_green_and_says_so(self, good: Entry, control: Entry) -> None:
        root = suite_junit(suite_of(good, control))
        assert (root.attrib["failures"], root.attrib["errors"]) == ("0", "0")
        assert [suite.attrib["name"] for suite in root] == [good.scenario, control.scenario]
        told = [each.text or "" for each in root[1].iter("system-out")]
        assert told[0].startswith("fail, as expected: ")
        assert sum(text.startswith("fail, as the scenario expects: ") for text in told) == 2
        assert list(root.iter("failure")) == []

    def test_what_is_not_is_red_with_its_phones(self, good: Entry, failing: Entry, blind: Entry, lost: Entry) -> None:
        root = suite_junit(suite_of(good, failing, blind, lost, not_begun("later", "x", "pass")))
        failures = [each.attrib["message"] for each in root[1].iter("failure")]
        assert failures == ["fail, expected pass", "phones.delivered_fraction == 1: fail, expected pass"]
        assert "SEP001BD4000050" in (list(root[1].iter("failure"))[1].text or "")
        assert next(each.attrib["message"] for each in root[2].iter("error")) == "inconclusive, expected pass"
        (error,) = root[3].iter("error")
        assert error.text == "slapd is not installed"
        (skipped,) = root[4].iter("skipped")
        assert "interrupted" in skipped.attrib["message"]

    def test_counts_are_those_of_the_cases(self, failing: Entry, blind: Entry, lost: Entry) -> None:
        root = ET.fromstring(ET.tostring(suite_junit(suite_of(failing, blind, lost))))  # noqa: S314 - our own output
        for suite in root:
            cases = list(suite.iter("testcase"))
            assert int(suite.attrib["tests"]) == len(cases)
            for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                assert int(suite.attrib[attribute]) == sum(case.find(tag) is not None for case in cases)
        assert int(root.attrib["tests"]) == len(list(root.iter("testcase")))


class TestPage:
    def test_it_links_the_reports_and_needs_nothing_else(self, good: Entry, lost: Entry, tmp_path: Path) -> None:
        assert good.result is not None
        (good.result.folder / "report.html").touch()
        page = suite_page(suite_of(good, lost), tmp_path / "suite" / "now")
        assert f'<a href="../../{good.scenario}/report.html">{good.scenario}</a>' in page
        assert "What lost &lt;shows&gt;." in page
        links = re.findall(r'(?:href|src)="([^"]*)"', page)
        assert set(links) == {f"../../{good.scenario}/report.html", "verdict.json", "junit.xml", "summary.md"}
        assert "<script" not in page


class TestText:
    def test_a_line_a_scenario(self, good: Entry, control: Entry, lost: Entry) -> None:
        console = Console(width=200, record=True, file=StringIO())
        print_suite(suite_of(good, control, lost), Path("runs/suite/now"), console)
        lines = console.export_text().splitlines()
        assert "ERROR  3 scenarios, 1 not as expected, 15 s" in lines
        assert any(line.split()[:4] == [good.scenario, "pass", "pass", "7.2"] for line in lines)
        assert any(line.split()[:4] == [control.scenario, "fail", "fail", "7.2"] for line in lines)
        assert any(line.split()[:4] == ["lost", "error", "pass", "(!)"] for line in lines)
        assert "All of them  runs/suite/now/index.html" in lines

    def test_markdown(self, good: Entry, failing: Entry) -> None:
        text = suite_markdown(suite_of(good, failing))
        assert text.startswith("### FAIL: 2 scenarios, 1 not as expected\n")
        assert f"| {good.scenario} | pass | pass | 7.2 |" in text
        assert f"| {failing.scenario} | fail | **pass** | 7.2 |" in text
        assert "pushlab run" in text
