import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.compare import compare, print_comparison, times
from harness.report.figures import ABSENT
from harness.report.result import ReportError

MakeRun = Callable[..., Path]


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
