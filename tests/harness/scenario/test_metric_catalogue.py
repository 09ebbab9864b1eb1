from pathlib import Path

from harness.scenario.metrics import CATALOGUE, STATISTICS, document, known, metric_of, names, nearest

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def test_the_reference_page_is_the_catalogue() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == document()


def test_every_name_leads_back_to_its_metric() -> None:
    assert len(set(names())) == len(names())
    for name in names():
        assert known(name)
        metric = metric_of(name)
        assert name == metric.name or name.removeprefix(f"{metric.name}.") in STATISTICS


def test_distributions_need_a_statistic_and_figures_have_none() -> None:
    assert not known("push.answer_ms")
    assert not known("push.per_s.p99")
    assert known("push.answer_ms.p99")
    assert known("loop.lag_ms.gateway.max")
    assert not known("")


def test_the_nearest_name() -> None:
    assert nearest("push.anser_ms.p99") == "push.answer_ms.p99"
    assert nearest("callmanager.authentication") == "callmanager.authentications"
    assert nearest("zzzzzzzz") is None


def test_every_metric_has_a_witness_and_a_meaning() -> None:
    for metric in CATALOGUE.values():
        assert set(metric.witnesses) <= {"gateway", "phones", "callmanager", "wire", "harness"}
        assert metric.witnesses
        assert metric.meaning
        assert metric.unit
