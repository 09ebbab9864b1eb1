import base64
import hashlib
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import ledger_html
from harness.report.excerpts import stories_of
from harness.report.html import page_of, script_json
from harness.report.result import read_result

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
    result = read_result(folder)
    return page_of(result, stories_of(result))


def ledger_of(page: str) -> list[dict[str, str]]:
    """The rows that travel in the page, as `csv.DictReader` gives them."""
    found = re.search(r'<script type="application/json" id="ledger-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    cells = [cell.get("values") or [cell["known"][place] for place in cell["rows"]] for cell in data["cells"]]
    return [dict(zip(data["columns"], row, strict=True)) for row in zip(*cells, strict=True)]


@pytest.mark.parametrize("kind", ["offload", "direct", "failing", "blind"])
def test_one_small_file_for_a_thousand_phones(make_run: Callable[..., Path], kind: str) -> None:
    page = written(make_run(kind))
    assert len(page.encode()) < 1_000_000
    outline = Outline(page)
    for tag, attributes in outline.elements:
        assert "src" not in attributes, tag
        assert "style" not in attributes, tag
        assert tag != "link"
        beside = r"[a-z_.]+$|evidence/SEP[0-9A-F]{12}\.(txt|pcap)$"
        assert re.match(beside, attributes.get("href") or "verdict.json"), "links lead to files beside the report"
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
    rows = ledger_of(written(make_run("failing", phones=200)))
    assert len(rows) == 200
    assert [row["state"] for row in rows[:3]] == ["no_audio", "no_audio", "delivered"]


def test_without_script_the_missed_are_there(make_run: Callable[..., Path]) -> None:
    page = re.sub(r"<script.*?</script>", "", written(make_run("failing")), flags=re.DOTALL)
    for phone in range(80, 1000, 80):
        name = f"SEP001BD4{phone:06X}"
        assert f'<th scope="row" class="once mono">{name}</th>' in page
        assert f"{name}</span> <span class=\"verdict fail\">no_audio</span>" in page
    assert "50 of 1,000 phones, those that missed it first; 950 more in <a href=ledger.csv>" in page


def test_a_failing_phones_story_is_told(make_run: Callable[..., Path]) -> None:
    page = written(make_run("failing", phones=100))
    story = page[page.index('id="story-SEP001BD4000050"') :].partition("</details>")[0]
    assert "gateway      sent the start push, attempt 1, from 10.20.128.10:20080" in story
    assert "listens on port 32674" in story


def test_ten_thousand_phones_stay_a_page_that_opens(make_run: Callable[..., Path]) -> None:
    size = len(written(make_run("failing", phones=10_000)).encode())
    assert 1_000_000 < size < 3_000_000, "docs/reference/report.md names the size"


def test_states_and_columns_of_later_versions_go_by_their_names(make_run: Callable[..., Path]) -> None:
    folder = make_run(phones=20, outcomes={"teleported": 20})
    file = folder / "ledger.csv"
    file.write_text(file.read_text().replace(",delivered,", ",teleported,").replace("gap_ms", "smell_ms"))
    page = written(folder)
    Outline(page)
    assert "teleported (20)" in page
    assert {row["state"] for row in ledger_of(page)} == {"teleported"}
    assert "smell_ms" in ledger_of(page)[0]


def test_faults_and_who_had_them(make_run: Callable[..., Path], add_events: Callable[..., None]) -> None:
    folder = make_run("failing", phones=100)
    names = [f"SEP001BD4{n:06X}" for n in range(1, 13)]
    add_events(folder, {"t_ns": 1, "witness": "harness", "kind": "fault.applied", "fault": "port-blocked",
                        "phones": names, "detail": "UDP 32674 is dropped"})  # fmt: skip
    page = written(folder)
    assert "Faults in force: port-blocked at 12 phones" in page[: page.index("What happened when")]
    assert '<td class=number data-label="phones">12</td><td class=text>UDP 32674 is dropped</td>' in page
    assert f"{names[9]} and 2 more" in page


def test_versions_machine_and_assumed_values(make_run: Callable[..., Path]) -> None:
    folder = make_run(phones=5)
    (folder / "scenario.toml").write_text(
        """
        name = "burst-offload"
        purpose = "A page costs CallManager <nothing>."
        [callmanager]
        workers = 8
        [resolved.versions]
        pushlab = "0.1.0"
        [resolved.machine]
        cores = 2
        memory_bytes = 25276510208
        [resolved.origins]
        "callmanager.workers" = "assumed (a)"
        "callmanager.queue" = "assumed (a)"
        seed = "scenario"
        """
    )
    page = written(folder)
    for text in (
        "Asked: A page costs CallManager &lt;nothing&gt;.",
        '<tr><th scope="row">pushlab</th><td>0.1.0</td></tr>',
        '<tr><th scope="row">memory</th><td>23.5 GiB</td></tr>',
        '<tr><th scope="row">callmanager.workers</th><td>8</td></tr>',
    ):
        assert text in page


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1, definition of the same name)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_is_enough_by_day_by_night_and_on_paper() -> None:
    """4.5 to 1 for text (WCAG 2.1, success criterion 1.4.3)."""
    style = resources.files("harness.report").joinpath("page.css").read_text(encoding="utf-8")
    palettes = [
        {name: colour if len(colour) == 7 else "#" + "".join(2 * c for c in colour[1:]) for name, colour in found}
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
        if (found := re.findall(r"--(\w+): (#[0-9a-f]+)", block))
    ]
    assert len(palettes) == 3
    for palette in palettes:
        for ground in ("paper", "panel"):
            for name in set(palette) - {"paper", "panel", "line"}:
                light, dark = sorted((_luminance(palette[name]), _luminance(palette[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, ground)


def test_nothing_from_outside_becomes_markup(make_run: Callable[..., Path]) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    check = {"name": evil, "kind": evil, "verdict": "fail", "observed": evil, "witnesses": [evil], "why": evil}
    folder = make_run(phones=3, scenario=evil, ground=evil, checks=[check], verdict="fail", blind=[evil],
                      metrics={evil: 1}, outcomes={evil: 3})  # fmt: skip
    ledger = (folder / "ledger.csv").read_text().replace("delivered", '"' + evil + '"')
    (folder / "ledger.csv").write_text(ledger)
    page = written(folder)
    outline = Outline(page)
    assert [tag for tag, _ in outline.elements].count("script") == 3
    assert "img" not in [tag for tag, _ in outline.elements]
    assert "<script>alert" not in page
    assert ledger_of(page)[0]["state"] == evil


@given(st.text())
def test_json_in_a_script_comes_back_whole_and_never_ends_it(text: str) -> None:
    written = script_json([text])
    assert json.loads(written) == [text]
    assert not set(written) & set("<>&\u2028\u2029")


def test_tables_and_figures_are_semantic(make_run: Callable[..., Path]) -> None:
    outline = Outline(written(make_run("failing", phones=50)))
    tags = [tag for tag, _ in outline.elements]
    assert tags.count("h1") == 1
    charts = [attributes for tag, attributes in outline.elements if tag == "svg" and attributes["class"] == "chart"]
    assert len(charts) == 7
    assert tags.count("figcaption") == 9, "two have nothing to draw and say so in words"
    assert all(attributes["aria-label"] for attributes in charts)
    assert all("scope" in attributes for tag, attributes in outline.elements if tag == "th")
    assert ("html", {"lang": "en"}) in outline.elements


def test_on_paper_nothing_hides_behind_a_scrollbar(make_run: Callable[..., Path]) -> None:
    _, _, on_paper = written(make_run("failing")).partition("@media print")
    assert ".wide { overflow: visible; }" in on_paper


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


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("listening_ms", "2018.58", "2018.6"),
        ("listening_ms", "", ""),
        ("listening_ms", "<i>", "<i>"),
        ("packets_heard", "288", "288"),
    ],
)
def test_times_of_the_ledgers_table_stand_below_each_other(name: str, value: str, told: str) -> None:
    assert ledger_html._told(name, value) == told
