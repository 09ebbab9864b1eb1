"""The reference page has every check, with its causes and what to do."""

from pathlib import Path

from harness.preflight.reference import check_tables

ROOT = Path(__file__).parents[3]


def test_the_reference_page_has_every_check() -> None:
    assert check_tables().rstrip("\n") in (ROOT / "docs" / "reference" / "preflight.md").read_text(encoding="utf-8")
