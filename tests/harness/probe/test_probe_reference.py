from pathlib import Path

from harness.probe import CHECKS
from harness.probe.command import OWN_ANSWER
from harness.probe.reference import check_tables
from harness.scenario.probe_checks import PROBE_CHECKS

ROOT = Path(__file__).parents[3]


def test_the_reference_page_has_every_check() -> None:
    assert check_tables().rstrip("\n") in (ROOT / "docs" / "reference" / "probe.md").read_text(encoding="utf-8")


def test_scenarios_know_every_check_by_its_name() -> None:
    assert tuple(check.name for check in CHECKS) == PROBE_CHECKS
    assert len(set(PROBE_CHECKS)) == len(PROBE_CHECKS)


def test_our_own_gateway_is_known_by_its_golden_answer() -> None:
    assert (ROOT / "tests" / "golden" / "gateway" / "authorized.http").read_bytes() == OWN_ANSWER
