"""Metrics as Prometheus reads them: by its own parser, and by the rules for names that it checks."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness.conclusion import write_prometheus
from harness.report.prometheus import exposition, names, write_atomically
from harness.report.result import read_result

MakeRun = Callable[..., Path]
PAGE = Path(__file__).parents[3] / "docs/reference/prometheus.md"


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            assert sample.name == family.name
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


def value(found: Mapping[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_every_metric_of_a_run_in_base_units(make_run: MakeRun) -> None:
    result = read_result(make_run("failing", phones=200))
    found = samples(exposition({result.scenario: result}))
    about = {"scenario": result.scenario}
    p99 = value(found, "pushlab_push_answer_seconds", statistic="p99", **about)
    assert p99 == pytest.approx(result.metrics["push.answer_ms.p99"] / 1000, rel=1e-8)
    delivered = value(found, "pushlab_phones_ratio", state="delivered", **about)
    assert delivered == result.metrics["phones.delivered_fraction"]
    assert value(found, "pushlab_phones", state="delivered", **about) == 198
    assert value(found, "pushlab_run_verdict", verdict="fail", **about) == 1
    assert value(found, "pushlab_run_verdict", verdict="pass", **about) == 0
    assert value(found, "pushlab_run_as_expected", **about) == float(result.as_expected)
    assert value(found, "pushlab_run_phones", **about) == 200
    assert value(found, "pushlab_run_info", seed="1", ground=result.ground, **about) == 1
    written = {name.partition("{")[0] for metric, name in names() if metric in result.metrics}
    assert written <= {name for name, _ in found}


def test_names_are_by_prometheus_own_rules_and_none_is_two() -> None:
    written = [name for _, name in names()]
    assert len(set(written)) == len(written)
    for name in written:
        base = name.partition("{")[0]
        assert re.fullmatch(r"pushlab_[a-z][a-z0-9_]*", base)
        # Suffixes that mean something to Prometheus, and units that are no base units.
        assert not base.endswith(("_count", "_sum", "_bucket", "_total", "_info", "_ms", "_milliseconds", "_fraction"))


def test_the_reference_is_what_is_written() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \|$", page, re.MULTILINE))
    written = dict(names())
    assert rows
    for metric, name in rows.items():
        assert written[metric] == name


def test_a_name_that_wants_to_break_out_of_its_label(make_run: MakeRun) -> None:
    hostile = 'one" } 1\npushlab_run_judged{scenario="two\\'
    result = read_result(make_run("offload", phones=5))
    found = samples(exposition({hostile: result}))
    assert {dict(labels)["scenario"] for _, labels in found} == {hostile}


def test_what_was_not_judged_has_no_figures_and_is_not_as_expected(make_run: MakeRun, tmp_path: Path) -> None:
    file = tmp_path / "pushlab.prom"
    file.write_text("of an earlier run")
    (tmp_path / "unjudged").mkdir()
    judged = make_run("offload", phones=5)
    write_prometheus(["good", "died", "refused", "not begun"], [judged, tmp_path / "unjudged", None], file)
    found = samples(file.read_text(encoding="utf-8"))
    assert value(found, "pushlab_run_judged", scenario="good") == 1
    for name in ("died", "refused", "not begun"):
        assert {metric: number for (metric, labels), number in found.items() if ("scenario", name) in labels} == {
            "pushlab_run_judged": 0,
            "pushlab_run_as_expected": 0,
        }


def test_a_reader_finds_the_old_file_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pushlab.prom"
    write_atomically(file, "old\n")
    seen: list[tuple[str, list[str]]] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append((target.read_text(), sorted(path.name for path in tmp_path.glob("*.prom"))))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_atomically(file, "new\n")
    assert seen == [("old\n", ["pushlab.prom"])]
    assert file.read_text() == "new\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pushlab.prom"]


def test_a_metric_that_the_catalogue_does_not_have_is_left_out(make_run: MakeRun) -> None:
    folder = make_run("offload", phones=5)
    verdict = json.loads((folder / "verdict.json").read_text())
    verdict["metrics"]["of.the_future"] = 1
    (folder / "verdict.json").write_text(json.dumps(verdict))
    assert "future" not in exposition({"one": read_result(folder)})
