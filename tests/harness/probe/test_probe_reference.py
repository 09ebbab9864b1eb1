import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from rich.console import Console

from gateway.authentication.endpoint import status_response
from harness.probe import CHECKS
from harness.probe.command import OWN_AUTHORIZED, OWN_MISMATCH, OWN_REJECTION
from harness.probe.finding import Result, failed, undecided
from harness.probe.outcome import judgement, write_folder
from harness.probe.reference import check_tables
from harness.probe.terminal import print_verdict
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


def test_a_failed_check_is_told_with_what_was_sent_expected_and_came(tmp_path: Path) -> None:
    by_name = {check.name: check for check in CHECKS}
    results = [
        Result(check=by_name["right-prefix"], finding=failed("AUTHORIZED for geheim-geheim"), seconds=0.1),
        Result(check=by_name["trace"], finding=undecided("nobody there"), seconds=0.1),
        Result(check=by_name["h2-query"], finding=undecided("nobody there"), seconds=0.1),
    ]
    judged = judgement(results, "geheim-geheim")
    url = "http://10.1.1.5/<x>"
    folder = write_folder(judged, tmp_path, datetime(2026, 1, 1, tzinfo=UTC), url=url, command="pushlab probe")
    shown = StringIO()
    print_verdict(judged, url, folder, Console(file=shown, width=200))
    text = shown.getvalue()
    assert re.search(r"sent +the right beginning and a wrong rest", text)
    assert re.search(r"expected +anything but AUTHORIZED", text)
    assert re.search(r"came +AUTHORIZED for \(password\)", text)
    assert text.count("nobody there") == 1  # one reason, once, with the checks that it is the reason of
    assert "trace, h2-query" in text
    report = (folder.path / "report.html").read_text(encoding="utf-8")
    assert "Sent: the right beginning" in report
    assert "http://10.1.1.5/&lt;x&gt;" in report
    assert "0 phones" not in report
    assert "geheim" not in text + report
