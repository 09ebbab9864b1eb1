"""JSON, CSV, HTML, JUnit and terminal tell the same numbers."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from rich.console import Console

from harness.conclusion import write_reports
from harness.report import figures
from harness.report.markdown import summary_markdown
from harness.report.result import read_result
from harness.report.summary import key_figures
from harness.report.terminal import print_result
from harness.run_folder import RunFolder


@pytest.mark.parametrize("kind", ["offload", "direct", "failing", "blind"])
def test_same_numbers_everywhere(make_run: Callable[..., Path], kind: str) -> None:
    folder = make_run(kind, phones=300)
    write_reports(RunFolder(path=folder))
    out = io.StringIO()
    print_result(folder, Console(file=out, width=140))
    terminal = out.getvalue()
    verdict = json.loads((folder / "verdict.json").read_text())
    with (folder / "ledger.csv").open(newline="") as stream:
        ledger = list(csv.DictReader(stream))
    page = (folder / "report.html").read_text()
    suite = ET.parse(folder / "junit.xml").getroot()[0]  # noqa: S314 - our own output
    properties = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    result = read_result(folder)
    markdown = summary_markdown(result)

    for name, value in verdict["metrics"].items():
        text = figures.show(name, value)
        assert properties[name] == text
        assert f"<th scope=\"row\" class=mono>{name}</th><td class=number>{text.replace('>', '&gt;')}</td>" in page
    assert Counter(row["state"] for row in ledger) == verdict["outcomes"]
    for state, count in verdict["outcomes"].items():
        assert properties[f"outcomes.{state}"] == f"{count:,}"
        assert f"{state} ({count:,})" in page
    for figure in key_figures(result):
        assert figure.value in terminal
        assert f'<dd class="value">{figure.value}</dd>' in page
        assert f"**{figure.value}**" in markdown.replace("\\", "")
    assert verdict["verdict"].upper() in terminal.splitlines()[1]
    assert f'<span class="verdict {verdict["verdict"]}">' in page[: page.index("</h1>")]
    assert properties["verdict"] == verdict["verdict"]

    cases = {(case.attrib["name"], case[0].tag if len(case) else "pass") for case in suite.iter("testcase")}
    elements = {"pass": "pass", "fail": "failure", "inconclusive": "error"}
    assert cases == {(check["name"], elements[check["verdict"]]) for check in verdict["checks"]}
    rows = re.findall(r'<span class="verdict (\w+)">\w+</span></td><th scope="row" class=mono>([^<]*)</th>', page)
    assert {(unescape(name), word) for word, name in rows} == {
        (check["name"], check["verdict"]) for check in verdict["checks"]
    }
    data = json.loads(re.findall(r'id="ledger-data">(.*?)</script>', page, re.DOTALL)[0])
    cells = [cell.get("values") or [cell["known"][place] for place in cell["rows"]] for cell in data["cells"]]
    assert sorted(zip(*cells, strict=True)) == sorted(tuple(row.values()) for row in ledger)
