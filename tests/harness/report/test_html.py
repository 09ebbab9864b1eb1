import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.html import script_json, write_html

VOID = {"meta", "input", "br", "path"}


class Outline(HTMLParser):
    """Elements of a page with their attributes, and the text of some; fails where elements do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.setdefault(self._open[-1], []).append(data)


def written(folder: Path) -> str:
    write_html(folder)
    return (folder / "report.html").read_text()


def ledger_of(page: str) -> dict[str, list[list[str]]]:
    found = re.search(r'<script type="application/json" id="ledger-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, list[list[str]]] = json.loads(found[1])
    return data


@pytest.mark.parametrize("kind", ["offload", "direct", "failing", "blind"])
def test_one_small_file_for_a_thousand_phones(make_run: Callable[..., Path], kind: str) -> None:
    page = written(make_run(kind))
    assert len(page.encode()) < 1_000_000
    outline = Outline(page)
    for tag, attributes in outline.elements:
        assert "src" not in attributes, tag
        assert "style" not in attributes, tag
        assert tag != "link"
        assert re.match(r"[a-z_.]+$", attributes.get("href") or "verdict.json"), "links lead to files beside the report"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert "@import" not in page
    assert "url(" not in page


def test_first_screen_says_it_all(make_run: Callable[..., Path]) -> None:
    page = written(make_run("failing"))
    first = page[page.index("<header") : page.index("What happened when")]
    for text in (
        "fail</span> burst-offload",
        "12 of 1,000 phones are not delivered",
        "988 of 1,000",
        "1,947/s",
        "98.8 %",
    ):
        assert text in first


def test_policy_allows_exactly_our_style_and_script(make_run: Callable[..., Path]) -> None:
    page = written(make_run(phones=20))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} &#x27;sha256-{digest}&#x27;" in policy[1]
    assert policy[1].startswith("default-src &#x27;none&#x27;;")


def test_ledger_travels_whole_with_the_missed_first(make_run: Callable[..., Path]) -> None:
    data = ledger_of(written(make_run("failing", phones=200)))
    assert len(data["rows"]) == 200
    state = data["columns"].index("state")  # type: ignore[arg-type]
    assert [row[state] for row in data["rows"][:3]] == ["no_audio", "no_audio", "delivered"]


def test_nothing_from_outside_becomes_markup(make_run: Callable[..., Path]) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    check = {"name": evil, "kind": evil, "verdict": "fail", "observed": evil, "witnesses": [evil], "why": evil}
    folder = make_run(phones=3, scenario=evil, ground=evil, checks=[check], verdict="fail", blind=[evil],
                      metrics={evil: 1}, outcomes={evil: 3})  # fmt: skip
    ledger = (folder / "ledger.csv").read_text().replace("delivered", '"' + evil + '"')
    (folder / "ledger.csv").write_text(ledger)
    page = written(folder)
    outline = Outline(page)
    assert [tag for tag, _ in outline.elements].count("script") == 2
    assert "img" not in [tag for tag, _ in outline.elements]
    assert "<script>alert" not in page
    state = ledger_of(page)["columns"].index("state")  # type: ignore[arg-type]
    assert ledger_of(page)["rows"][0][state] == evil


@given(st.text())
def test_json_in_a_script_comes_back_whole_and_never_ends_it(text: str) -> None:
    written = script_json([text])
    assert json.loads(written) == [text]
    assert not set(written) & set("<>&\u2028\u2029")


def test_tables_and_figures_are_semantic(make_run: Callable[..., Path]) -> None:
    outline = Outline(written(make_run("failing", phones=50)))
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("h1") == 1
    assert tags.count("svg") == tags.count("figcaption") == 6
    assert all(attributes.get("aria-label") for tag, attributes in outline.elements if tag == "svg")
    assert all("scope" in attributes for tag, attributes in outline.elements if tag == "th")
    assert ("html", {"lang": "en"}) in outline.elements


def test_on_paper_nothing_hides_behind_a_scrollbar(make_run: Callable[..., Path]) -> None:
    _, _, on_paper = written(make_run("failing")).partition("@media print")
    assert ".wide { overflow: visible; }" in on_paper


def test_the_same_figures_as_on_the_terminal(make_run: Callable[..., Path]) -> None:
    import io

    from rich.console import Console

    from harness.report.result import read_result
    from harness.report.summary import key_figures
    from harness.report.terminal import print_result

    folder = make_run("direct")
    out = io.StringIO()
    print_result(folder, Console(file=out, width=120))
    page = written(folder)
    for figure in key_figures(read_result(folder)):
        assert figure.value in out.getvalue()
        assert f'<dd class="value">{figure.value}</dd>' in page


def test_run_without_ledger_and_records(make_run: Callable[..., Path]) -> None:
    folder = make_run(phones=3, verdict="error", checks=[], outcomes={}, metrics={}, as_expected=False)
    for name in ("ledger.csv", "events.jsonl.gz", "scenario.toml"):
        (folder / name).unlink()
    page = written(folder)
    Outline(page)
    assert "nothing was judged" in page
    assert "<figure>" not in page
    assert "<script" not in page


def test_blind_witnesses_and_the_command(make_run: Callable[..., Path]) -> None:
    page = written(make_run("blind", phones=10))
    assert "<li>wire: capture.dropped is 41, expected 0</li>" in page
    assert "pushlab run burst-offload --phones 10 --seed 1 --ground netns" in page
