"""Several pages and alerts, and loads, in real runs."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.runs.conftest import Pushlab

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.usefixtures("netns")]

PATIENT = ("--set", "thresholds.push.answer_ms.p99=< 30000", "--set", "integrity.lateness.load_ms.p99=<= 1000")
"""What is shown here is not speed."""


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "ledger.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_two_pages_at_once_and_an_emergency_that_takes_one_of_them(pushlab: Pushlab) -> None:
    # The bundled announcement: an emergency after two seconds has to find the others playing.
    late = ("--set", "page.late_after_ms=30000", "--set", "integrity.lateness.pacer_ms.p99=<= 1000")
    ended = pushlab("run", "ci/two-pages-at-once", *late, *PATIENT[:2])
    assert ended.code == 0, ended.stdout + ended.stderr
    verdict = ended.verdict
    assert (verdict["phones"], verdict["deliveries"]) == (20, 24)
    assert verdict["outcomes"] == {"preempted": 8, "delivered": 16}
    states = Counter((row["page"], row["state"]) for row in rows(ended.folder))
    assert states == {("page 1", "delivered"): 8, ("page 2", "preempted"): 8, ("page 3", "delivered"): 8}
    assert "Deliveries in time" in ended.stdout
    assert "page 2  10.20." in ended.stdout


def test_busy_rules_recordings_and_an_alert_in_one_run(pushlab: Pushlab, tmp_path: Path) -> None:
    """A queued page follows the first one, a polite one leaves its phones alone, an alert is shown beside them."""
    path = tmp_path / "rules.toml"
    path.write_text(
        f'name = "rules"\npurpose = "Busy rules."\n[[page]]\naudio = "{pushlab.audio}"\n'
        '[[page]]\nat_s = 0.8\nbusy = "queue"\n[[page]]\nat_s = 0.8\nphones = 0.5\n'
        "[[alert]]\nat_s = 0.5\nphones = 0.5\nacknowledge = 0.25\n"
    )
    late = ("--set", "page.late_after_ms=30000", "--set", "integrity.lateness.pacer_ms.p99=<= 1000")
    ended = pushlab("run", str(path), "--phones", "8", *late)
    assert ended.code == 0, ended.stdout + ended.stderr
    states = Counter((row["page"], row["state"]) for row in rows(ended.folder))
    assert states == {
        ("page 1", "delivered"): 8,
        ("page 2", "delivered"): 8,
        ("page 3", "refused_busy"): 4,
        ("alert 1", "displayed"): 3,
        ("alert 1", "acknowledged"): 1,
    }
    assert (ended.folder / "audio-2.wav").is_file()
    again = pushlab("judge", str(ended.folder))
    assert again.code == 0, again.stdout + again.stderr


@pytest.mark.parametrize(
    ("scenario", "settings", "pages"),
    [
        ("load/pages-at-rate", ("load.duration_s=4", "load.pages_per_s=1"), 4),
        ("load/pages-overlap", (), 8),
    ],
)
def test_loads(pushlab: Pushlab, scenario: str, settings: tuple[str, ...], pages: int) -> None:
    options = [word for setting in settings for word in ("--set", setting)]
    ended = pushlab.run(scenario, *options, *PATIENT, phones=40)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert ended.metric("load.pages_planned") == ended.metric("load.pages_started") == pages
    assert ended.metric("load.pages_dropped") == 0
    assert ended.metric("phones.delivered") == ended.verdict["deliveries"]
    assert ended.metric("lateness.load_ms.count") == pages
