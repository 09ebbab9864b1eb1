"""A scenario whose fleet is a site's list: size and models come from it, and what contradicts it is an error."""

from pathlib import Path

import pytest

from harness.run_folder import SITE
from harness.scenario.file import load
from harness.scenario.model import ScenarioError
from harness.scenario.resolved import read_resolved, write_resolved
from harness.site.phone_list import write_phone_list

GOLDEN = Path(__file__).parents[2] / "golden" / "site" / "site.csv"
HEAD = 'name = "x"\npurpose = "y"\n[fleet]\n'


def _file(tmp_path: Path, text: str) -> str:
    (tmp_path / "site.csv").write_bytes(GOLDEN.read_bytes())
    path = tmp_path / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_list_lies_beside_the_scenario(tmp_path: Path) -> None:
    fleet = load(_file(tmp_path, HEAD + 'csv = "site.csv"\n')).fleet
    assert (fleet.phones, fleet.csv) == (6, tmp_path / "site.csv")
    assert [phone.zone for phone in fleet.site] == ["Ward A"] * 3 + ["Ward B"] + ["Boiler house"] * 2
    assert fleet.models == {
        "CP-7961G": 2 / 6,
        "CP-7960G": 1 / 6,
        "CP-7965G": 1 / 6,
        "CP-8851": 1 / 6,
        "CP-8861": 1 / 6,
    }


def test_the_command_line_names_a_list_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = _file(tmp_path, HEAD + 'phones = 1000\nmodels = { "CP-7960G" = 1.0 }\n')
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site.csv").rename(tmp_path / "elsewhere" / "mine.csv")
    monkeypatch.chdir(tmp_path / "elsewhere")
    scenario = load(name, [("--csv", "mine.csv")])
    assert scenario.fleet.phones == 6
    assert scenario.origins["fleet.csv"] == "--csv"
    assert "fleet.phones" not in scenario.origins


@pytest.mark.parametrize(
    ("text", "overrides", "errors"),
    [
        ('phones = 6\ncsv = "site.csv"\n', [], ["fleet.phones: the list site.csv says it already"]),
        (
            'csv = "site.csv"\nmodels = { "CP-7960G" = 1.0 }\n',
            [("--phones", "5")],
            ["fleet.phones: the list site.csv", "fleet.models: the list site.csv"],
        ),
        ("phones = 6\n", [("--csv", "absent.csv"), ("--phones", "9")], ["fleet.phones: the", "fleet.csv: absent.csv:"]),
        ("csv = 3\n", [], ["fleet.csv: expected a text"]),
        ('csv = "scenario.toml"\n', [], ["fleet.csv: "] * 4),
    ],
)
def test_what_contradicts_the_list(
    tmp_path: Path, text: str, overrides: list[tuple[str, str]], errors: list[str]
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(_file(tmp_path, HEAD + text), overrides)
    assert len(caught.value.errors) == len(errors)
    for error, expected in zip(caught.value.errors, errors, strict=True):
        assert expected in error
    assert caught.value.exit_code == 4


def test_a_run_folder_keeps_the_list_and_can_be_run_again(tmp_path: Path) -> None:
    scenario = load(_file(tmp_path, HEAD + 'csv = "site.csv"\n'))
    folder = tmp_path / "run"
    folder.mkdir()
    write_resolved(scenario, folder / "scenario.toml", {}, {})
    (folder / SITE).write_text(write_phone_list(scenario.fleet.site), encoding="utf-8")
    for again in (read_resolved(folder / "scenario.toml"), load(str(folder / "scenario.toml"))):
        assert again.fleet.site == scenario.fleet.site
        assert (again.fleet.phones, again.fleet.csv) == (6, folder / SITE)
