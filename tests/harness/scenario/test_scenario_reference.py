from pathlib import Path

from harness.scenario.reference import key_tables

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "scenario.md"


def test_the_reference_page_has_every_key_with_its_default() -> None:
    assert key_tables() in PAGE.read_text(encoding="utf-8")
