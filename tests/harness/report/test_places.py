"""Outcomes by zone and subnet, worst places first."""

import csv
from collections.abc import Callable
from pathlib import Path

from harness.conclusion import write_reports
from harness.report.markdown import summary_markdown
from harness.report.places import Place, places
from harness.report.result import read_result
from harness.run_folder import RunFolder

MakeRun = Callable[..., Path]


def _placed(folder: Path) -> Path:
    """The same run, its phones in a zone for each model and a subnet for each last digit of their number."""
    path = folder / "ledger.csv"
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    for row in rows:
        row["zone"] = "" if row["model"] == "CP-7970G" else f"Ward <{row['model'][3:]}>"
        row["subnet"] = f"10.30.{row['directory_number'][-1]}.0/24"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_every_phone_is_in_one_place_and_the_worst_come_first(make_run: MakeRun) -> None:
    result = read_result(_placed(make_run("failing")))
    for kind in ("zone", "subnet"):
        found = places(result, kind)
        assert sum(place.phones for place in found) == 1000
        assert sum(place.worked for place in found) == 988
        assert sum(sum(place.missed.values()) for place in found) == 12
        lost = [place.phones - place.worked for place in found]
        assert lost == sorted(lost, reverse=True)
    assert {place.name for place in places(result, "zone")} == {"(none)", "Ward <7960G>", "Ward <7961G>"}


def test_in_page_and_markdown(make_run: MakeRun) -> None:
    folder = _placed(make_run("failing"))
    write_reports(RunFolder(path=folder))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h2>Where</h2>" in page
    assert '<th scope="row">Ward &lt;7961G&gt;</th>' in page
    text = summary_markdown(read_result(folder))
    assert "| Zone | Phones | Got it | Missed it |" in text
    assert "| Subnet | Phones | Got it | Missed it |" in text


def test_a_run_without_places_has_no_such_section(make_run: MakeRun) -> None:
    folder = make_run("failing", phones=9)
    write_reports(RunFolder(path=folder))
    assert "<h2>Where</h2>" not in (folder / "report.html").read_text(encoding="utf-8")
    assert "| Zone |" not in summary_markdown(read_result(folder))


def test_what_is_said_of_a_place() -> None:
    place = Place(name="Ward A", phones=5, worked=2, missed={"unreachable": 2, "no_audio": 1})
    assert place.missed_text == "2 unreachable · 1 no_audio"
