"""A run's result as JUnit XML: one case for each check.

A check that fails is a `<failure>`. One that is inconclusive or in error is an `<error>`: it could not be carried out,
and `<skipped>` would let a build turn green on it. The file says the same as `verdict.json`: the checks that a scenario
expects to fail are failures here as well; whether the run went as expected is its property `as_expected` and pushlab's
exit code.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, zip_longest
from typing import Final

from harness.report import figures
from harness.report.result import PAGE, Check, Result, first_of_each
from harness.report.story import Story
from harness.run_folder import EXCERPTS, JUNIT, LEDGER

_ELEMENTS: Final = {"fail": "failure", "inconclusive": "error", "error": "error", "none": "skipped"}

NAMED_PHONES: Final = 1000
"""Phones named in each failure: build servers keep and show the whole text, 100 kB of it is bearable."""
TOLD_PHONES: Final = 5
"""Phones whose story stands in each failure; about 2 kB each, the others have a file of their own."""


def write_junit(result: Result, stories: Mapping[str, Story]) -> None:
    """Write `junit.xml` of a judged run."""
    tree = ET.ElementTree(junit_of(result, stories))
    ET.indent(tree)
    tree.write(result.folder / JUNIT, encoding="utf-8", xml_declaration=True)


def junit_of(result: Result, stories: Mapping[str, Story]) -> ET.Element:
    """The `<testsuites>` element of a result."""
    phones = list(phones_told(result, stories))
    cases = [_case(result, check, phones) for check in result.checks]
    if (not result.as_expected and result.verdict in {"none", "pass"}) or not cases:
        cases.append(_expectation(result))
    totals = {
        "tests": str(len(cases)),
        "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
    }
    root = ET.Element("testsuites", {"name": "pushlab", **totals})
    # Jenkins' schema (junit-10.xsd) knows `skipped` of a suite alone.
    suite = ET.SubElement(root, "testsuite", {"name": result.scenario, **totals, "skipped": _count(cases, "skipped")})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(result):
        ET.SubElement(properties, "property", {"name": figures.clean(name), "value": value})
    suite.extend(cases)
    return root


def _properties(result: Result) -> Iterable[tuple[str, str]]:
    yield "verdict", result.verdict
    yield "as_expected", "true" if result.as_expected else "false"
    yield "phones", str(result.phones)
    if result.several:
        yield "deliveries", str(result.deliveries)
    yield "seed", str(result.seed)
    yield "ground", result.ground
    yield "command", result.command
    for state, count in result.outcomes.items():
        yield f"outcomes.{state}", f"{count:,}"
    for metric in result.metrics:
        yield metric, result.show(metric)


def phones_told(result: Result, stories: Mapping[str, Story]) -> Iterable[str]:
    """Lines that name the phones that missed it, and tell the stories of some."""
    if not result.missed:
        return
    yield f"{result.missed_title}:"
    for row in result.missed[:NAMED_PHONES]:
        told = (row.get("phone"), row.get(PAGE), row.get("address"), row.get("state"), row.get("why"))
        yield " ".join(filter(None, told))
    if len(result.missed) > NAMED_PHONES:
        yield f"and {len(result.missed) - NAMED_PHONES:,} more in {LEDGER}"
    for story in _few(result, stories):
        yield ""
        yield f"{story.phone}, milliseconds after {result.send}:"
        yield from story.lines
    if len(stories) > TOLD_PHONES:
        yield ""
        yield f"and {len(stories) - TOLD_PHONES:,} more stories in {EXCERPTS}/"


def _few(result: Result, stories: Mapping[str, Story]) -> Sequence[Story]:
    """Stories of phones in as many different end states as there are, up to `TOLD_PHONES`."""
    by_state: dict[str, list[Story]] = {}
    for row in first_of_each(result.missed):
        if row.get("phone") in stories:
            by_state.setdefault(row.get("state", ""), []).append(stories[row["phone"]])
    turns = (story for turn in zip_longest(*by_state.values()) for story in turn if story is not None)
    return tuple(islice(turns, TOLD_PHONES))


def _case(result: Result, check: Check, phones: Sequence[str]) -> ET.Element:
    case = ET.Element("testcase", {"classname": f"{result.scenario}.{check.kind}", "name": check.name})
    if check.verdict == "pass":
        return case
    lines = [check.why] if check.why else []
    lines.append(f"observed: {check.observed}")
    if check.expected:
        lines.append(f"expected: {check.expected}")
    if check.witnesses:
        lines.append(f"witnesses: {', '.join(check.witnesses)}")
    if result.as_expected:
        lines.append("the scenario expects this verdict")
    if check.verdict == "fail":
        lines += phones
    if check.verdict != "fail":
        lines += [f"blind: {sentence}" for sentence in result.blind]
    message = check.why or f"observed {check.observed}"
    told = ET.SubElement(case, _ELEMENTS[check.verdict], {"message": message, "type": check.verdict})
    told.text = "\n".join(lines)
    return case


def _expectation(result: Result) -> ET.Element:
    """What no check says: nothing was judged, or all is well although the scenario expects otherwise."""
    case = ET.Element("testcase", {"classname": f"{result.scenario}.expectation", "name": "verdict is as expected"})
    if not result.checks:
        ET.SubElement(case, "error", {"message": "nothing was judged", "type": result.verdict})
    else:
        message = f"the verdict is {result.verdict}, which is not what the scenario expects"
        told = ET.SubElement(case, "failure", {"message": message, "type": result.verdict})
        told.text = "\n".join(result.unexpected)
    return case


def _count(cases: list[ET.Element], element: str) -> str:
    return str(sum(1 for case in cases if case.find(element) is not None))
