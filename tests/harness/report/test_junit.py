import json
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.report.excerpts import stories_of
from harness.report.junit import NAMED_PHONES, TOLD_PHONES, write_junit
from harness.report.result import read_result


def written(folder: Path) -> ET.Element:
    result = read_result(folder)
    write_junit(result, stories_of(result))
    return ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - our own output


def properties(root: ET.Element) -> dict[str, str]:
    return {each.attrib["name"]: each.attrib["value"] for each in root.iter("property")}


def test_one_case_for_each_check(make_run: Callable[..., Path]) -> None:
    root = written(make_run("offload", phones=50))
    cases = list(root.iter("testcase"))
    assert len(cases) == 16
    assert root.attrib == {"name": "pushlab", "tests": "16", "failures": "0", "errors": "0"}
    assert {case.attrib["classname"].rpartition(".")[2] for case in cases} == {"law", "control", "threshold"}
    assert all(len(case) == 0 for case in cases)


def test_failure_names_the_phones(make_run: Callable[..., Path]) -> None:
    root = written(make_run("failing", phones=200))
    (failure,) = root.iter("failure")
    assert failure.attrib["message"] == "2 of 200 phones are not delivered"
    assert failure.text is not None
    assert "observed: 99 %\nexpected: == 100 %\nwitnesses: gateway, phones\n" in failure.text
    assert "SEP001BD4000050 10.20.0.80 no_audio listened on 32674" in failure.text
    assert root.attrib["failures"] == "1"


def test_inconclusive_is_an_error_and_tells_what_was_blind(make_run: Callable[..., Path]) -> None:
    root = written(make_run("blind", phones=50))
    errors = list(root.iter("error"))
    assert [each.attrib["type"] for each in errors] == ["inconclusive", "inconclusive"]
    assert errors[0].text is not None
    assert "blind: wire: capture.dropped is 41" in errors[0].text
    assert list(root.iter("failure")) == []


def test_expected_failure_stays_a_failure_and_is_told(make_run: Callable[..., Path]) -> None:
    root = written(make_run("direct"))
    failures = list(root.iter("failure"))
    assert len(failures) == 2
    assert all("the scenario expects this verdict" in (failure.text or "") for failure in failures)
    assert properties(root)["as_expected"] == "true"


def test_pass_where_a_failure_was_expected_is_red(make_run: Callable[..., Path]) -> None:
    root = written(make_run(phones=5, as_expected=False))
    (failure,) = root.iter("failure")
    assert failure.attrib["message"] == "the verdict is pass, which is not what the scenario expects"


def test_nothing_judged_is_an_error(make_run: Callable[..., Path]) -> None:
    root = written(make_run(phones=5, checks=[], verdict="none", as_expected=False))
    assert [each.attrib["message"] for each in root.iter("error")] == ["nothing was judged"]


def test_figures_read_as_in_the_other_reports(make_run: Callable[..., Path]) -> None:
    found = properties(written(make_run("offload")))
    assert found["push.per_s"] == "1,955/s"
    assert found["outcomes.delivered"] == "1,000"
    assert found["phones.delivered_fraction"] == "100 %"


def test_stories_of_some_phones_stand_in_the_failure(make_run: Callable[..., Path]) -> None:
    text = next(written(make_run("failing", phones=800)).iter("failure")).text or ""
    assert text.count("milliseconds after Send:") == TOLD_PHONES
    assert "gateway      sent the start push, attempt 1, from 10.20.128.10:20080" in text
    assert "and 5 more stories in evidence/" in text


ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id",
                  "package", "file", "log", "url"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
}  # fmt: skip
CHILDREN = {"testsuites": {"testsuite"}, "testsuite": {"properties", "testcase"}, "properties": {"property"},
            "testcase": {"failure", "error", "skipped"}}  # fmt: skip


@pytest.mark.parametrize("kind", ["offload", "direct", "failing", "blind"])
def test_elements_and_attributes_are_those_of_jenkins(make_run: Callable[..., Path], kind: str) -> None:
    """Jenkins' xunit-plugin, junit-10.xsd: what each element may have, and that these are there."""
    for element in written(make_run(kind, phones=100)).iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        required = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
        assert required.get(element.tag, set()) <= set(element.attrib)


def test_names_stay_whatever_was_observed(make_run: Callable[..., Path]) -> None:
    def names(folder: Path) -> list[tuple[str, str]]:
        return [(each.attrib["classname"], each.attrib["name"]) for each in written(folder).iter("testcase")]

    found = names(make_run("failing", phones=100))
    assert found == names(make_run("blind", phones=300, seed=2))
    assert len(set(found)) == len(found)


def test_ten_thousand_cases_are_written_in_bulk(make_run: Callable[..., Path]) -> None:
    """An element appended one by one to a text would make this a matter of minutes."""
    check = {"kind": "probe", "verdict": "fail", "observed": 1, "witnesses": ["wire"], "why": "why"}
    checks = [{**check, "name": f"probe {n}"} for n in range(10_000)]
    folder = make_run(phones=10, checks=checks, verdict="fail", as_expected=False)
    began = time.perf_counter()
    root = written(folder)
    assert time.perf_counter() - began < 10  # 0.4 s on an idle machine
    assert (len(list(root.iter("testcase"))), root.attrib["failures"]) == (10_000, "10000")


def test_naming_phones_has_an_end(make_run: Callable[..., Path]) -> None:
    root = written(make_run("direct", phones=NAMED_PHONES + 400))
    text = next(root.iter("failure")).text or ""
    assert len(re.findall("^SEP001BD4[0-9A-F]{6} ", text, re.MULTILINE)) == NAMED_PHONES
    assert "more in ledger.csv" in text


hostile = st.text(
    st.characters(codec="utf-8", categories=("Cc", "Cf", "L", "N", "P", "S", "Z", "Co", "Cn")), max_size=30
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=hostile, why=hostile, observed=hostile, blind=hostile)
def test_always_valid_xml(
    tmp_path_factory: pytest.TempPathFactory, name: str, why: str, observed: str, blind: str
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    check = {"name": name, "kind": why, "verdict": "error", "observed": observed, "witnesses": [blind], "why": why}
    (folder / "verdict.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "verdict": "error",
                "as_expected": False,
                "scenario": name,
                "seed": 1,
                "phones": 1,
                "ground": why,
                "outcomes": {name: 1},
                "metrics": {name: 1.0},
                "checks": [check],
                "blind": [blind],
            }
        )
    )
    assert len(list(written(folder).iter("error"))) == 1
