"""Wrong gateways of the catalogue in real runs; `make mutants` runs all of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.net.namespace import available
from harness.scenario.probe_checks import PROBE_CHECKS
from tests.mutants.catalogue import CI, MUTANTS, Compared, InTests, Mutant, Probed
from tests.mutants.gateway_variant import VARIANTS
from tests.mutants.running import Outcome, caught, play, play_clean

LISTED = {f"M{n:02}" for n in (1, *range(3, 7), *range(9, 16), *range(17, 20), 21, 23, 24, *range(26, 31), 32, 34)}
LISTED |= {"M35", "M36", "M37", "M39", "M40"}
NUMBERED = {mutant.number: mutant for mutant in MUTANTS}


@pytest.fixture
def lab() -> None:
    found = available()
    if not found.possible:
        pytest.skip(f"namespaces: {found.why}; to allow them: {found.remedy}")


def test_the_catalogue_has_every_listed_number_once_and_ten_more_of_its_own() -> None:
    numbers = [mutant.number for mutant in MUTANTS]
    assert len(set(numbers)) == len(numbers)
    assert set(LISTED) <= set(numbers)
    assert all(number.startswith("X") or number.rstrip("b") in LISTED for number in numbers)
    assert len([number for number in numbers if number.startswith("X")]) >= 10
    assert set(CI) <= set(numbers)


def test_every_variant_is_in_the_catalogue_and_the_other_way_round() -> None:
    named = {mutant.name for mutant in MUTANTS} | {m.twin for m in MUTANTS if isinstance(m, Mutant)}
    assert named == VARIANTS.keys()


def test_the_observables_exist() -> None:
    for mutant in MUTANTS:
        if isinstance(mutant, Probed):
            assert set(mutant.caught_by) <= set(PROBE_CHECKS), mutant.number
        if isinstance(mutant, Mutant):
            assert mutant.caught_by, mutant.number
            assert not set(mutant.caught_by) & set(mutant.follows), mutant.number


def test_caught_means_by_the_named_check_and_by_no_accident() -> None:
    mutant = Mutant(number="T", name="t", defect="", caught_by=("a", "b"), follows=("c",))
    assert caught(mutant, Outcome(verdict="fail", failed=("a", "b"))) == ""
    assert caught(mutant, Outcome(verdict="fail", failed=("b", "c", "a"))) == ""
    assert caught(mutant, Outcome(verdict="fail", failed=("a", "c"))) == "survived: b did not fail"
    assert caught(mutant, Outcome(verdict="pass", failed=())) == "survived: a, b did not fail"
    assert caught(mutant, Outcome(verdict="fail", failed=("a", "b", "d"))) == "unexpected: d"


def test_the_table_in_the_documents_is_the_catalogue() -> None:
    text = (Path(__file__).parents[2] / "docs" / "design" / "why-believe-the-verdict.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (\w+) \| (.+?) \|", text, re.MULTILINE))
    assert {number: told.get(number) for number in NUMBERED} == {m.number: m.defect for m in MUTANTS}
    for mutant in MUTANTS:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {mutant.number} |")]
        names = (mutant.caught_by,) if isinstance(mutant, InTests | Compared) else mutant.caught_by
        assert all(f"`{name}`" in row for name in names), row


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("number", CI)
def test_a_wrong_gateway_fails_by_its_named_check(
    tmp_path: Path, skip_if_held_up: Callable[[Path], None], number: str
) -> None:
    mutant = NUMBERED[number]
    found = play(mutant, tmp_path)
    if caught(mutant, found):
        skip_if_held_up(tmp_path / mutant.name / "latest")
    assert caught(mutant, found) == "", found


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.usefixtures("lab")
def test_the_right_gateway_passes_as_a_command(tmp_path: Path, skip_if_held_up: Callable[[Path], None]) -> None:
    found = play_clean(tmp_path, scenario="burst-offload", phones=20)
    assert found.failed == ()
    skip_if_held_up(tmp_path / "clean" / "latest")
    assert found.verdict == "pass", found
