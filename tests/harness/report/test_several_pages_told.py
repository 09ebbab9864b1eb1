"""Every report says which page a row is about where a run has several, and says nothing of it where it has one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.excerpts import stories_of, write_excerpts
from harness.report.html import page_of
from harness.report.junit import junit_of
from harness.report.markdown import summary_markdown
from harness.report.result import read_result
from harness.report.terminal import print_result


@pytest.fixture
def twice(make_run: Callable[..., Path], tmp_path: Path) -> Path:
    """A failing run of 80 phones as if it had been two pages: the second one reached everybody."""
    folder = make_run("failing", phones=80)
    with (folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first = [{"phone": row["phone"], "page": "page 1", **row} for row in rows]
    second = [row | {"page": "page 2", "state": "delivered", "why": ""} for row in first]
    with (folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(first[0]))
        writer.writeheader()
        writer.writerows([*first, *second])
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    verdict["outcomes"]["delivered"] += 80
    (folder / "verdict.json").write_text(json.dumps(verdict | {"deliveries": 160}), encoding="utf-8")
    return folder


def test_all_reports_name_the_page(twice: Path) -> None:
    result = read_result(twice)
    missed = result.missed[0]
    assert (result.deliveries, missed["page"]) == (160, "page 1")
    assert result.title == "burst-offload · 80 phones · 160 deliveries · seed 1 · netns"
    out = io.StringIO()
    print_result(twice, Console(file=out, width=100))
    told = f"{missed['phone']}  page 1  {missed['address']}"
    assert told in out.getvalue()
    assert "Deliveries in time" in out.getvalue()
    assert f"{missed['phone']} page 1 {missed['address']}" in summary_markdown(result)
    stories = stories_of(result)
    write_excerpts(result, stories)
    transcript = (twice / "evidence" / f"{missed['phone']}.txt").read_text(encoding="utf-8")
    assert f"page 1: {missed['state']}" in transcript
    assert "page 2: delivered\n" in transcript
    junit = junit_of(result, stories)
    properties = {each.get("name"): each.get("value") for each in junit.iter("property")}
    assert (properties["phones"], properties["deliveries"]) == ("80", "160")
    assert any(f"{missed['phone']} page 1 " in (each.text or "") for each in junit.iter("failure"))
    page = page_of(result, stories)
    assert '<th scope="col" data-column="page">Page</th>' in page
    assert "160 deliveries" in page
    assert page.count(f'id="story-{missed["phone"]}"') == 1


def test_a_run_of_one_page_is_told_as_ever(make_run: Callable[..., Path]) -> None:
    folder = make_run("failing", phones=80)
    result = read_result(folder)
    assert (result.deliveries, result.several) == (80, False)
    assert "deliver" not in result.title
    assert 'data-column="page"' not in page_of(result, {})
    assert "deliveries" not in {each.get("name") for each in junit_of(result, {}).iter("property")}


def test_end_states_that_are_not_the_deliveries_are_no_judgements(twice: Path) -> None:
    verdict = json.loads((twice / "verdict.json").read_text(encoding="utf-8"))
    (twice / "verdict.json").write_text(json.dumps(verdict | {"deliveries": 150}), encoding="utf-8")
    with pytest.raises(Exception, match="160 phones have an end state, deliveries are 150"):
        read_result(twice)
