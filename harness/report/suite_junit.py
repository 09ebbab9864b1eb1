"""Several scenarios as one JUnit file for a build: a suite for each, green exactly where it ended as it says.

In a run's own `junit.xml` a check that fails is a failure, expected or not. Here the question is another: whether the
build may go on. A check that failed because its scenario says so is a case that passes and tells it (`system-out`); one
that differs from what its scenario says is a `<failure>`, or an `<error>` where nothing is known.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.report.junit import phones_told
from harness.report.result import Check, Result
from harness.report.suite import Entry, Suite

_PROBLEMS: Final = ("failure", "error", "skipped")


def write_suite_junit(suite: Suite, file: Path) -> None:
    """Write the JUnit file of a suite; the folder must be there."""
    tree = ET.ElementTree(suite_junit(suite))
    ET.indent(tree)
    tree.write(file, encoding="utf-8", xml_declaration=True)


def suite_junit(suite: Suite) -> ET.Element:
    """The `<testsuites>` element."""
    suites = [_suite(entry) for entry in suite.entries]
    root = ET.Element(
        "testsuites",
        {
            "name": "pushlab",
            **{name: str(sum(int(each.attrib[name]) for each in suites)) for name in ("tests", "failures", "errors")},
            "time": f"{suite.seconds:.1f}",
        },
    )
    root.extend(suites)
    return root


def _suite(entry: Entry) -> ET.Element:
    cases = [_whole(entry)]
    if entry.result is not None and entry.verdict != "error":
        cases += [_check(entry.result, check) for check in entry.result.checks]
    count = {name: sum(case.find(name) is not None for case in cases) for name in _PROBLEMS}
    element = ET.Element(
        "testsuite",
        {
            "name": entry.scenario,
            "tests": str(len(cases)),
            "failures": str(count["failure"]),
            "errors": str(count["error"]),
            "skipped": str(count["skipped"]),
            "time": f"{entry.seconds:.1f}",
        },
    )
    properties = ET.SubElement(element, "properties")
    for name, value in (
        ("verdict", entry.verdict),
        ("expected", entry.expected),
        ("as_expected", "true" if entry.as_expected else "false"),
        ("purpose", entry.purpose),
        *((("command", entry.result.command),) if entry.result is not None else ()),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": value})
    element.extend(cases)
    return element


def _whole(entry: Entry) -> ET.Element:
    """The case that says whether the scenario ended as it says."""
    case = ET.Element(
        "testcase",
        {
            "classname": f"{entry.scenario}.scenario",
            "name": f"ends as expected: {entry.expected}",
            "time": f"{entry.seconds:.1f}",
        },
    )
    if entry.as_expected:
        ET.SubElement(case, "system-out").text = f"{entry.verdict}, as expected: {entry.why}"
    elif entry.verdict == "none":
        ET.SubElement(case, "skipped", {"message": entry.why})
    else:
        tag = "failure" if entry.counts_as == "fail" else "error"
        told = ET.SubElement(case, tag, {"message": f"{entry.verdict}, {entry.told}", "type": entry.verdict})
        told.text = "\n".join([entry.why, *(entry.result.blind if entry.result is not None else ())])
    return case


def _check(result: Result, check: Check) -> ET.Element:
    case = ET.Element("testcase", {"classname": f"{result.scenario}.{check.kind}", "name": check.name})
    if check.verdict == "none":
        ET.SubElement(case, "skipped", {"message": check.why or "the question does not arise in this run"})
        return case
    unexpected = [each for each in result.unexpected if each.startswith(f"{check.name}: {check.verdict}, expected ")]
    if not unexpected:
        if check.verdict != "pass":
            ET.SubElement(case, "system-out").text = f"{check.verdict}, as the scenario expects: {check.why}"
        return case
    tag = "failure" if check.verdict in {"fail", "pass"} else "error"
    told = ET.SubElement(case, tag, {"message": unexpected[0], "type": check.verdict})
    told.text = "\n".join(_told(result, check))
    return case


def _told(result: Result, check: Check) -> Sequence[str]:
    lines = [line for line in (check.why, f"observed: {check.observed}") if line]
    if check.expected:
        lines.append(f"expected: {check.expected}")
    if check.witnesses:
        lines.append(f"witnesses: {', '.join(check.witnesses)}")
    lines += phones_told(result, {}) if check.verdict == "fail" else [f"blind: {each}" for each in result.blind]
    return lines
