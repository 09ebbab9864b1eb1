from pathlib import Path

from gateway.authentication.endpoint import status_response
from harness.probe import CHECKS
from harness.probe.command import OWN_AUTHORIZED, OWN_MISMATCH, OWN_REJECTION
from harness.probe.reference import check_tables
from harness.scenario.probe_checks import PROBE_CHECKS

ROOT = Path(__file__).parents[3]


def test_the_reference_page_has_every_check() -> None:
    assert check_tables().rstrip("\n") in (ROOT / "docs" / "reference" / "probe.md").read_text(encoding="utf-8")


def test_scenarios_know_every_check_by_its_name() -> None:
    assert tuple(check.name for check in CHECKS) == PROBE_CHECKS
    assert len(set(PROBE_CHECKS)) == len(PROBE_CHECKS)


def test_our_own_gateway_is_known_by_its_golden_answers() -> None:
    def golden(name: str) -> bytes:
        return (ROOT / "tests" / "golden" / "gateway" / name).read_bytes()

    assert OWN_AUTHORIZED.fullmatch(golden("authorized.http"))
    assert OWN_MISMATCH.fullmatch(golden("redirect.http"))
    assert OWN_MISMATCH.fullmatch(golden("unauthorized.http"))
    assert OWN_REJECTION.fullmatch(status_response(400))
    assert not OWN_REJECTION.fullmatch(golden("authorized.http"))
