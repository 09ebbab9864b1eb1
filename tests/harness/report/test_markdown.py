from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.report.markdown import cell, summary_markdown
from harness.report.result import read_result

MakeRun = Callable[..., Path]


def test_a_failing_run(make_run: MakeRun) -> None:
    text = summary_markdown(read_result(make_run("failing")))
    assert text.startswith("### FAIL: burst-offload · 1,000 phones · seed 1 · netns\n")
    assert "| Phones that got it in time | **988 of 1,000** |" in text
    assert "| fail | phones.delivered\\_fraction == 1 | 98.8 % | 12 of 1,000 phones are not delivered |" in text
    assert "Phones that did not get it in time \\(12\\):\n\n- SEP001BD4000050 10.20.0.80 no\\_audio" in text
    assert "- and 2 more\n" in text
    assert text.endswith("```\npushlab run burst-offload --phones 1000 --seed 1 --ground netns\n```\n")


def test_blindness_is_told(make_run: MakeRun) -> None:
    assert "- wire: capture.dropped is 41, expected 0" in summary_markdown(read_result(make_run("blind", phones=9)))


def test_nothing_from_outside_becomes_markup() -> None:
    assert cell("a|b <img> [x](y) @team `c`\n# d") == (
        "a\\|b \\<img\\> \\[x\\]\\(y\\) @\N{ZERO WIDTH NON-JOINER}team \\`c\\` \\# d"
    )


@given(st.text())
def test_a_cell_never_ends_its_table(text: str) -> None:
    assert "\n" not in cell(text)
    assert "|" not in cell(text).replace("\\\\", "").replace("\\|", "")
