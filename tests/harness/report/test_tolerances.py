import math
from pathlib import Path

import pytest

from harness.report.tolerances import ToleranceError, Tolerances, read_tolerances


def test_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text('tolerance = 0.2\n[metrics]\n"push.answer_ms.p99" = 0.5\n"push.per_s" = inf\n')
    found = read_tolerances(file, ["push.answer_ms.p99=0.3", "rtp.lost_fraction = 0.001"], None, 0.1)
    assert found.overall == 0.2
    assert found.metrics == {"push.answer_ms.p99": 0.3, "push.per_s": math.inf, "rtp.lost_fraction": 0.001}
    assert read_tolerances(file, [], 0.05, 0.1).overall == 0.05
    assert read_tolerances(None, [], None, 0.1) == Tolerances(overall=0.1)


def test_all_errors_at_once_with_the_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text('tolerance = "much"\ntolerence = 1\n[metrics]\n"push.answer_ms.p98" = 1\n"push.per_s" = -1\n')
    with pytest.raises(ToleranceError) as caught:
        read_tolerances(file, ["rtp.lost_fraction", "rtp.gap_ms.max=much"], -1, 0.1)
    told = str(caught.value).replace(f"{file}: ", "").splitlines()
    assert told == [
        "tolerence: no such key; expected tolerance or metrics",
        "--fail-on rtp.lost_fraction: expected METRIC=SHARE, such as push.answer_ms.p99=0.2",
        "push.answer_ms.p98: no such metric; did you mean push.answer_ms.p99?",
        "push.per_s: a tolerance is a share of 0 or more, such as 0.1, got -1",
        "--fail-on rtp.gap_ms.max: a tolerance is a share of 0 or more, such as 0.1, got nan",
        "tolerance: a tolerance is a share of 0 or more, such as 0.1, got much",
        "--tolerance: a tolerance is a share of 0 or more, such as 0.1, got -1",
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff", "not TOML"), (b"a = ", "not TOML"), (b"metrics = 3", "expected a table"), (b"#" * 2**21, "bytes")],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_bytes(content)
    with pytest.raises(ToleranceError, match=told):
        read_tolerances(file, [], None, 0.1)
    with pytest.raises(ToleranceError, match="cannot be read"):
        read_tolerances(tmp_path / "none.toml", [], None, 0.1)


@pytest.mark.parametrize("wrong", [-0.1, math.nan])
def test_no_share(wrong: float) -> None:
    with pytest.raises(ToleranceError, match="share of 0 or more"):
        Tolerances(overall=wrong)
    with pytest.raises(ToleranceError, match="share of 0 or more"):
        Tolerances(overall=0, metrics={"x": wrong})
