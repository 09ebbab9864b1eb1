"""`pushlab site`: exports in, a summary and the list out."""

import json
from pathlib import Path

import pytest

from harness.cli import main

GOLDEN = Path(__file__).parents[2] / "golden" / "site"
EXPORTS = [str(GOLDEN / "axl-list-phone.xml"), str(GOLDEN / "risport70.xml")]


def test_the_list_is_written_and_what_was_left_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "site.csv"
    assert main(["site", *EXPORTS, "--out", str(out)]) == 0
    assert out.read_bytes() == (GOLDEN / "site.csv").read_bytes()
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "6 phones, 5 models, 3 subnets, 3 zones"
    assert "  CP-7945G    1  a twin takes CP-7965G" in told
    assert "  Cisco 9999  1  not known; a twin takes CP-8861" in told
    assert "subnets (/24 assumed where no file and no --subnet gives one)" in told
    assert told[told.index("left out: 3 devices") + 3] == "  not registered: 1"
    assert f"    SEP001BD4A00005  UnRegistered ({EXPORTS[1]}:10)" in told
    assert told[-1] == f"written: {out}"


def test_a_list_for_emulated_phones_alone(tmp_path: Path) -> None:
    from emulator.fleet.catalogue import load
    from emulator.fleet.roster import read

    out = tmp_path / "site.csv"
    assert main(["site", *EXPORTS, "--emulated", "--out", str(out)]) == 0
    phones = read(out, catalogue=load(), server=None)
    assert [phone.model.model for phone in phones][2:] == ["CP-7965G", "CP-8851", "CP-7961G", "CP-8861"]


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", *EXPORTS, "--json", "--zones", "location", "--subnet", "10.30.4.0/23"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["phones"] == 6
    assert facts["zones"] == {"Main building": 4, "Plant": 2}
    assert facts["subnets"] == {"10.30.4.0/23": 4, "10.31.7.0/24": 2}
    assert [one["name"] for one in facts["left_out"]] == ["CSFjdoe", "SEP001BD4A00005", "SEP001BD4A00008"]
    assert {"model": "Cisco 9999", "phones": 1, "known": False, "emulated_as": "CP-8861"} in facts["models"]


def test_a_long_list_is_shortened_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f'<Device t="7" n="SEP{number:012X}" p="" i="10.1.{number}.1" s="1"/>' for number in range(1, 21)]
    lost = [f'<Device t="7" n="SEP{number:012X}" p="" i="" s="2"/>' for number in range(101, 121)]
    path = tmp_path / "list.xml"
    path.write_text("\n".join(["<DeviceList>", *lines, *lost, "</DeviceList>"]), encoding="utf-8")
    assert main(["site", str(path)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "20 phones, 1 model, 20 subnets, 0 zones"
    assert "  and 8 more; --json has all" in told
    assert "    and 8 more; --json has all" in told
    assert told[-1] == "nothing was written; --out FILE writes the list"


def test_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", str(tmp_path / "absent")]) == 4
    assert "cannot be read: No such file" in capsys.readouterr().err
    assert main(["site", EXPORTS[1], "--out", str(tmp_path / "no" / "where.csv")]) == 4
    assert "cannot be written: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--subnet", "10.30.4.1/23"], ["--out", EXPORTS[1]]])
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["site", EXPORTS[1], *words])
    assert caught.value.code == 2
    assert words[1] in capsys.readouterr().err
