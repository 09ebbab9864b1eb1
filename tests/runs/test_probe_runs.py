"""The probe inside a run: our gateway passes, a wrong one is failed by the probe, and nothing else notices it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.probe import CHECKS

if TYPE_CHECKING:
    from tests.runs.conftest import Pushlab

pytestmark = pytest.mark.real

NAMES = {check.name for check in CHECKS}
NOT_APPLICABLE = {"blank-as-plus", "beyond-ascii"}
NOISE = {"timing"}
"""Inconclusive where the machine is too busy to tell."""


@pytest.mark.usefixtures("netns")
class TestInTheLab:
    @pytest.mark.slow
    def test_our_gateway_passes_and_no_figure_shows_the_probe(self, pushlab: Pushlab) -> None:
        ended = pushlab.run("probe", "--set", "thresholds.authentication.gateway=== 20", phones=10)
        assert ended.checks("fail") == set(), ended.stdout
        assert ended.checks("inconclusive") <= NOISE, ended.stdout
        assert ended.checks("none") == NOT_APPLICABLE
        assert ended.checks("pass") | ended.checks("none") | NOISE >= NAMES
        assert ended.metric("authentication.gateway") == 20
        assert ended.metric("callmanager.authentications") == 0
        source = next(check for check in ended.verdict["checks"] if check["name"] == "source-limits")
        assert source["why"].startswith("refused (403)")

    @pytest.mark.slow
    def test_after_the_page_with_refuse(self, pushlab: Pushlab) -> None:
        ended = pushlab.run(
            "probe", "--set", "thresholds.authentication.gateway=== 20", "--set", "probe.when=after",
            "--set", "gateway.own_user_mismatch=refuse", phones=10,
        )  # fmt: skip
        assert ended.checks("fail") == set(), ended.stdout
        assert "own-user-mismatch" in ended.checks("pass")

    @pytest.mark.slow
    def test_m01_pages_well_and_is_failed_by_the_probe_alone(self, pushlab: Pushlab) -> None:
        ended = pushlab.variant("any-password", "--set", "probe.when=before")
        assert ended.code == 1
        assert {"wrong-password", "right-prefix", "password-case"} <= ended.checks("fail") <= NAMES

    @pytest.mark.slow
    def test_a_foreign_gateway_that_is_right_passes(self, pushlab: Pushlab) -> None:
        ended = pushlab.variant("clean", "--set", "probe.when=before")
        assert ended.checks("fail") == set(), ended.stdout
        assert ended.checks("inconclusive") <= NOISE, ended.stdout

    def test_a_foreign_gateway_that_does_not_stay_is_inconclusive(self, pushlab: Pushlab) -> None:
        ended = pushlab.run(
            "burst-offload", "--set", "probe.when=before", "--set", "gateway.kind=command",
            "--set", 'gateway.command=["/bin/true"]', phones=2,
        )  # fmt: skip
        assert ended.checks("fail") & NAMES == set()
        assert ended.checks("inconclusive") >= NAMES


@pytest.mark.slow
def test_on_loopback(pushlab: Pushlab, own_loopback: tuple[str, ...]) -> None:
    ended = pushlab.run(
        "probe",
        "--ground",
        "loopback",
        "--set",
        "thresholds.authentication.gateway=== 20",
        phones=10,
        before=own_loopback,
    )
    assert {check["name"] for check in ended.verdict["checks"] if check["kind"] == "probe"} == NAMES
    assert ended.checks("fail") & NAMES == set(), ended.stdout


def test_a_misspelt_check_is_told_with_the_nearest(pushlab: Pushlab) -> None:
    ended = pushlab.run("probe", "--set", 'probe.leave_out=["lock-out"]')
    assert ended.code == 4
    assert "did you mean 'lockout'?" in ended.stderr
