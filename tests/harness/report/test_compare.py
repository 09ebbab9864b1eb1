import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.compare import Comparison, times
from harness.report.compare import compare as compare_with
from harness.report.compare_text import comparison_markdown, print_comparison
from harness.report.figures import ABSENT
from harness.report.result import ReportError
from harness.report.tolerances import Tolerances

MakeRun = Callable[..., Path]


def compare(a: Path, b: Path, tolerance: float, **metrics: float) -> Comparison:
    own = {name.replace("__", "."): share for name, share in metrics.items()}
    return compare_with(a, b, Tolerances(overall=tolerance, metrics=own))


def printed(a: Path, b: Path, tolerance: float = 0.1) -> str:
    out = io.StringIO()
    print_comparison(compare(a, b, tolerance), Console(file=out, width=80))
    return out.getvalue()


def run_with(make_run: MakeRun, name: str, **metrics: float) -> Path:
    return make_run(phones=10, name=name, metrics={key.replace("__", "."): value for key, value in metrics.items()})


def test_demonstration_is_plain_at_a_glance(make_run: MakeRun) -> None:
    text = printed(make_run("direct"), make_run("offload"))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "burst-direct burst-offload B against A",
        "Phones delivered 203 1,000 4.9x more better",
        "Authentications, CallManager 2,000 0 2,000 less better",
        "CallManager, most at once 200 0 200 less better",
        "CallManager, longest queue 192 0 192 less better",
        "CallManager, all busy 18.3 s 0 s 18.3 s less better",
        f"CallManager answers, p99 1,973 ms {ABSENT}",
        "Phone listens, median 4,608 ms 258 ms 18x less better",
        "Push answered, p99 1,980 ms 23.5 ms 84x less better",
        "Pushes per second 111/s 1,955/s 18x more better",
    ):
        assert line in lines
    assert max(len(line) for line in text.splitlines()) <= 80
    reading = " ".join(text.split())
    assert "The gateway answered 2,000 authentications; CallManager saw 0 instead of 2,000." in reading
    assert "Phones listened 18 times sooner at the median." in reading
    assert "1,000 of 1,000 phones got the page in time, instead of 203 of 1,000." in reading


def test_offload_over_direct_is_no_worse(make_run: MakeRun) -> None:
    assert compare(make_run("direct"), make_run("offload"), 0.1).exit_code == 0


def test_the_other_way_round_is_worse(make_run: MakeRun) -> None:
    comparison = compare(make_run("offload"), make_run("direct"), 0.1)
    assert comparison.exit_code == 1
    assert {"phones.delivered", "callmanager.authentications", "page.listening_ms.p50"} <= set(comparison.worse)
    assert "18 times later" in comparison.reading


def test_run_equals_itself(make_run: MakeRun) -> None:
    folder = make_run("offload", phones=50)
    comparison = compare(folder, folder, 0.0)
    assert comparison.exit_code == 0
    assert {row.judgement for row in comparison.rows} == {"same", ""}
    assert "CallManager saw 0 in both." in comparison.reading


@pytest.mark.parametrize(
    ("b", "judgement"), [(91, "same"), (90, "same"), (89, "worse"), (111, "better"), (110, "same")]
)
def test_tolerance_is_a_share_of_a(make_run: MakeRun, b: float, judgement: str) -> None:
    one, other = run_with(make_run, "a", push__per_s=100), run_with(make_run, "b", push__per_s=b)
    comparison = compare(one, other, 0.1)
    assert [row.judgement for row in comparison.rows] == [judgement]
    assert comparison.exit_code == (judgement == "worse")


def test_a_millisecond_is_noise_a_lost_phone_is_not(make_run: MakeRun) -> None:
    one = run_with(make_run, "a", push__answer_ms__p99=2.0, phones__delivered=1000, rtp__lost_fraction=0)
    other = run_with(make_run, "b", push__answer_ms__p99=2.9, phones__delivered=1000, rtp__lost_fraction=0.0001)
    assert compare(one, other, 0.1).worse == ("rtp.lost_fraction",)


def test_one_request_more_than_none_is_worse(make_run: MakeRun) -> None:
    one = run_with(make_run, "a", callmanager__authentications=0)
    other = run_with(make_run, "b", callmanager__authentications=1)
    assert compare(one, other, 0.5).worse == ("callmanager.authentications",)


def test_absent_on_one_side_is_a_dash_and_no_judgement(make_run: MakeRun) -> None:
    one, other = run_with(make_run, "a", callmanager__busy_s=5), run_with(make_run, "b", push__per_s=5)
    comparison = compare(one, other, 0.1)
    assert {row.judgement for row in comparison.rows} == {""}
    assert comparison.reading == "Nothing that both runs measured tells them apart."
    assert f"CallManager, all busy 5 s {ABSENT}" in " ".join(printed(one, other).split())


def test_unexpected_verdict_is_worse(make_run: MakeRun) -> None:
    one, other = make_run("offload", phones=10), make_run("offload", phones=10, name="b", as_expected=False)
    assert compare(one, other, 0.1).worse == ("verdict",)
    told = " ".join(printed(one, other).split())
    assert "B is worse: its verdict is pass, which its scenario does not expect" in told


def test_a_worse_verdict_is_worse_where_neither_was_expected(make_run: MakeRun) -> None:
    a = make_run("blind", seed=1, as_expected=False, verdict="inconclusive")
    b = make_run("blind", seed=2, as_expected=False, verdict="error")
    assert "verdict" in compare(a, b, math.inf).worse
    assert "verdict" not in compare(b, a, math.inf).worse


def test_states_that_nobody_could_come_to_are_left_out(make_run: MakeRun) -> None:
    one = run_with(make_run, "a", phones__delivered=0, phones__displayed=9, phones__acknowledged=0)
    other = run_with(make_run, "b", phones__delivered=0, phones__displayed=0, phones__acknowledged=9)
    rows = [row.metric for row in compare(one, other, 0.1).rows]
    assert rows == ["phones.displayed", "phones.acknowledged"]
    nobody = run_with(make_run, "c", phones__delivered=0)
    assert [row.metric for row in compare(nobody, nobody, 0.1).rows] == ["phones.delivered"]


def test_folder_of_runs_is_its_median(make_run: MakeRun, tmp_path: Path) -> None:
    for number, rate in enumerate((100, 900, 300)):
        make_run(phones=10, name=f"runs/burst/{number}", metrics={"push.per_s": rate})
    (tmp_path / "runs" / "burst" / "latest").symlink_to("1")
    (tmp_path / "runs" / "burst" / "interrupted").mkdir()
    one = run_with(make_run, "one", push__per_s=300)
    comparison = compare(one, tmp_path / "runs", 0.1)
    assert (comparison.b.runs, comparison.b.metrics) == (3, {"push.per_s": 300})
    assert comparison.b.name == "burst-offload, median of 3"
    assert max(len(line) for line in printed(one, tmp_path / "runs").splitlines()) <= 80


def test_medians_of_what_all_runs_measured(make_run: MakeRun, tmp_path: Path) -> None:
    make_run(phones=10, name="runs/1", metrics={"push.per_s": 1, "callmanager.busy_s": 1})
    make_run(phones=10, name="runs/2", metrics={"push.per_s": 3})
    comparison = compare(tmp_path / "runs", tmp_path / "runs", 0.1)
    assert comparison.a.metrics == {"push.per_s": 2}


def test_mixed_folder_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("offload", phones=10, name="runs/1")
    make_run("direct", phones=10, name="runs/2")
    with pytest.raises(ReportError, match="burst-direct, burst-offload"):
        compare(tmp_path / "runs", tmp_path / "runs", 0.1)


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no judged run here or below"):
        compare(tmp_path, tmp_path, 0.1)


def test_negative_tolerance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="share of 0 or more"):
        compare(tmp_path, tmp_path, -0.1)


def test_fleets_of_different_size_compare_by_shares(make_run: MakeRun) -> None:
    comparison = compare(make_run("offload", phones=50), make_run("offload", phones=100, name="b"), 0.1)
    rows = {row.metric: row.judgement for row in comparison.rows}
    assert "phones.delivered" not in rows
    assert rows["phones.delivered_fraction"] == "same"
    assert rows["callmanager.authentications"] == ""


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.52, "1.5"), (2.0, "2"), (9.94, "9.9"), (9.96, "10"), (11.4, "11"), (1234, "1,234")]
)
def test_ratios_read_well(ratio: float, text: str) -> None:
    assert times(ratio) == text


def runs_of(make_run: MakeRun, tmp_path: Path, side: str, metric: str, figures: tuple[float, ...]) -> Path:
    for number, figure in enumerate(figures):
        make_run(phones=10, name=f"{side}/{number}", metrics={metric: figure})
    return tmp_path / side


class TestSeveralRuns:
    @pytest.mark.parametrize(
        ("b", "judgement", "code"),
        [
            ((300, 310, 320), "worse", 1),
            ((100, 160, 400), "unclear", 0),
            ((104, 105, 106), "same", 0),
            ((50, 51, 52), "better", 0),
        ],
    )
    def test_scatter_is_no_change(
        self, make_run: MakeRun, tmp_path: Path, b: tuple[float, ...], judgement: str, code: int
    ) -> None:
        one = runs_of(make_run, tmp_path, "a", "push.answer_ms.p99", (98, 100, 130))
        other = runs_of(make_run, tmp_path, "b", "push.answer_ms.p99", b)
        comparison = compare(one, other, 0.1)
        assert [row.judgement for row in comparison.rows] == [judgement]
        assert comparison.exit_code == code

    def test_the_interval_is_told(self, make_run: MakeRun, tmp_path: Path) -> None:
        one = runs_of(make_run, tmp_path, "a", "push.answer_ms.p99", (98, 100, 130))
        other = runs_of(make_run, tmp_path, "b", "push.answer_ms.p99", (300, 310, 320))
        text = printed(one, other)
        assert "  170 to 222 ms" in text
        assert "3 runs of A, 3 of B: an interval holds 95 % of the difference" in " ".join(text.split())
        assert max(len(line) for line in text.splitlines()) <= 80
        markdown = comparison_markdown(compare(one, other, 0.1))
        assert "| Push answered, p99 | 100 ms | 310 ms | 3.1x more | 170 to 222 ms | **worse** |" in markdown

    def test_one_run_a_side_says_so_and_gives_none(self, make_run: MakeRun) -> None:
        comparison = compare(make_run("direct"), make_run("offload"), 0.1)
        assert {row.interval for row in comparison.rows} == {None}
        assert comparison.surety.startswith("1 run of A, 1 of B: no interval, a difference may be noise.")


class TestTolerances:
    def test_a_metrics_own(self, make_run: MakeRun) -> None:
        one = run_with(make_run, "a", push__per_s=100, push__answer_ms__p99=100)
        other = run_with(make_run, "b", push__per_s=70, push__answer_ms__p99=130)
        assert compare(one, other, 0.1).worse == ("push.answer_ms.p99", "push.per_s")
        assert compare(one, other, 0.1, push__per_s=0.4).worse == ("push.answer_ms.p99",)
        assert compare(one, other, 0.1, push__per_s=float("inf"), push__answer_ms__p99=0.3).worse == ()

    def test_of_a_share_it_is_how_far_off(self, make_run: MakeRun) -> None:
        one, other = run_with(make_run, "a", rtp__lost_fraction=0), run_with(make_run, "b", rtp__lost_fraction=0.002)
        assert compare(one, other, 0.5).worse == ("rtp.lost_fraction",)
        assert compare(one, other, 0.5, rtp__lost_fraction=0.002).worse == ()

    def test_a_metric_that_is_not_compared_by_itself(self, make_run: MakeRun) -> None:
        one, other = run_with(make_run, "a", rtp__gap_ms__max=20), run_with(make_run, "b", rtp__gap_ms__max=90)
        assert compare(one, other, 0.1).rows == ()
        assert compare(one, other, 0.1, rtp__gap_ms__max=0.5).worse == ("rtp.gap_ms.max",)

    def test_what_was_asked_for_and_not_measured_is_worse(self, make_run: MakeRun) -> None:
        one, other = run_with(make_run, "a", push__answer_ms__p99=20), run_with(make_run, "b", push__per_s=1)
        assert compare(one, other, 0.1).worse == ()
        comparison = compare(one, other, 0.1, push__answer_ms__p99=0.1)
        assert comparison.worse == ("push.answer_ms.p99",)
        assert "not measured" in " ".join(row.judgement for row in comparison.rows)
        assert compare(one, other, 0.1, push__answer_ms__p99=math.inf).worse == ()

    def test_what_was_asked_for_and_neither_side_has_is_shown_and_not_judged(self, make_run: MakeRun) -> None:
        one, other = run_with(make_run, "a", push__per_s=1), run_with(make_run, "b", push__per_s=1)
        (row,) = [row for row in compare(one, other, 0.1, rtp__gap_ms__max=0.1).rows if row.metric == "rtp.gap_ms.max"]
        assert (row.a, row.b, row.judgement) == (None, None, "")


def test_what_is_not_the_same_is_told_first(make_run: MakeRun) -> None:
    one, other = make_run("offload", phones=50), make_run("direct", phones=100, ground="loopback")
    (other / "scenario.toml").write_text('[resolved.machine]\ncores = 8\n[resolved.versions]\npushlab = "0.2"\n')
    comparison = compare(one, other, 0.1)
    assert comparison.differences == (
        "scenario: burst-offload in A, burst-direct in B",
        "phones: 50 in A, 100 in B",
        "ground: netns in A, loopback in B",
        "machine, cores: not told in A, 8 in B",
        "version of pushlab: not told in A, 0.2 in B",
    )
    assert printed(one, other).index("ground: netns") < printed(one, other).index("Verdict")
    markdown = comparison_markdown(comparison)
    assert markdown.index("- ground: netns in A, loopback in B") < markdown.index("| Verdict |")


def test_markdown_says_first_what_came_of_it(make_run: MakeRun) -> None:
    text = comparison_markdown(compare(make_run("offload"), make_run("direct"), 0.1))
    assert text.splitlines()[2].startswith("**B is worse: by more than 10 %: Phones delivered; Authentications,")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {6}
    assert "| Pushes per second | 1,955/s | 111/s | 18x less | **worse** |" in table
    same = comparison_markdown(compare(make_run("offload", name="c"), make_run("offload", name="d"), 0.1))
    assert "**B is not worse than A.**" in same
