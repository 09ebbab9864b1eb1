"""Which phones a scenario's faults strike, and what the fleet is told of them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from emulator import misbehaviour
from emulator.fleet.catalogue import load as load_models
from emulator.fleet.faults import read as read_faults
from emulator.fleet.impairment import NAME as IMPAIRMENT
from emulator.fleet.impairment import Impairment
from emulator.fleet.roster import read as read_roster
from harness.bed import faults
from harness.bed.errors import BedError
from harness.bed.ground import LOOPBACK, Ground
from harness.bed.roster import Roster, build_roster
from harness.observe import EventWriter
from harness.scenario.faults import FAULTS, PARAMETERS, Carrier
from harness.scenario.file import parse
from harness.scenario.model import Scenario

MIXED = (
    ("hang", 0.2, ""),
    ("web-access-disabled", 0.1, ""),
    ("canary-blocked", 1.0, ""),
    ("impairment", 0.3, "loss = 0.01\njitter_ms = 20"),
    ("impairment", 0.4, "reorder = 0.5"),
)


def scenario_of(kinds: Sequence[tuple[str, float, str]], seed: int = 1) -> Scenario:
    tables = "".join(f'[[fault]]\nkind = "{kind}"\nphones = {share}\n{more}\n' for kind, share, more in kinds)
    text = f'name = "x"\npurpose = "x"\nseed = {seed}\n[fleet]\nphones = 50\n{tables}'
    return parse(text, Path("x.toml"), files=False)


def roster_of(scenario: Scenario) -> Roster:
    return build_roster(
        phones=scenario.fleet.phones, models=scenario.fleet.models, seed=scenario.seed, addresses=LOOPBACK
    )


def test_faults_strike_exact_shares_of_different_phones_by_the_seed() -> None:
    scenario = scenario_of(MIXED)
    struck = faults.draw(scenario, roster_of(scenario))
    assert [len(one.phones) for one in struck] == [10, 5, 0, 15, 20]
    everybody = [name for one in struck for name in one.phones]
    assert len(set(everybody)) == len(everybody) == 50
    assert struck == faults.draw(scenario, roster_of(scenario))
    other = scenario_of(MIXED, seed=2)
    assert struck[0].phones != faults.draw(other, roster_of(other))[0].phones


def test_what_the_bed_writes_the_fleet_reads(tmp_path: Path) -> None:
    scenario = scenario_of(MIXED)
    roster = roster_of(scenario)
    struck = faults.draw(scenario, roster)
    faults.settle(roster, struck).write(tmp_path / "roster.csv")
    (tmp_path / "faults.csv").write_text(faults.fleet_file(struck))
    phones = read_roster(tmp_path / "roster.csv", catalogue=load_models(), server=None)
    assert sorted(p.device_name for p in phones if not p.web_access) == sorted(struck[1].phones)
    found = read_faults(tmp_path / "faults.csv", phones)
    names = {phone.address: phone.device_name for phone in phones}
    assert sorted(names[address] for address in found.misbehaving) == sorted(struck[0].phones)
    assert set(found.misbehaving.values()) == {"hang"}
    by_door = {names[address]: impairment for address, impairment in found.impaired.items()}
    assert by_door == dict.fromkeys(struck[3].phones, Impairment(loss=0.01, jitter_ms=20)) | dict.fromkeys(
        struck[4].phones, Impairment(reorder=0.5)
    )


def test_catalogue_and_fleet_know_the_same_faults() -> None:
    carried = {kind.name for kind in FAULTS.values() if kind.carrier is Carrier.PHONES}
    assert carried == {*misbehaviour.NAMES, IMPAIRMENT}
    assert set(PARAMETERS) == set(Impairment.__dataclass_fields__)


def test_all_are_recorded_and_a_barrier_needs_its_ground(tmp_path: Path) -> None:
    ground = Ground(name="loopback", addresses=LOOPBACK, lab=None)
    scenario = scenario_of(MIXED[3:])
    roster = roster_of(scenario)
    with EventWriter(tmp_path / "events.jsonl") as writer:
        faults.apply(ground, roster, faults.draw(scenario, roster), writer)
    text = (tmp_path / "events.jsonl").read_text()
    assert text.count('"fault.applied"') == 2
    assert "loss=0.01 jitter_ms=20" in text
    blocked = scenario_of([("port-blocked", 0.1, "")])
    with EventWriter(tmp_path / "more.jsonl") as writer, pytest.raises(BedError, match="netns"):
        faults.apply(ground, roster, faults.draw(blocked, roster), writer)
