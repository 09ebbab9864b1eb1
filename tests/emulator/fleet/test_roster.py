"""Rosters: made up, and read with all errors at once."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from emulator.fleet.catalogue import UnknownModelError, load
from emulator.fleet.roster import make, read, read_models
from emulator.phone.authentication import Server
from emulator.phone.model import ModelError, read_model
from emulator.phone.phone import Phone
from emulator.server import ConfigurationError

CATALOGUE = load()
SERVER = Server("10.20.128.10", 80, "/a")
HEADER = "device_name,directory_number,mac,model,address,authentication_url,web_access\n"


MIX = "CP-7960G=0.5,7961=0.3,CP-7970G=0.2"


def made(count: int, *, models: str = MIX, seed: int = 1, network: str = "10.20.0.0/17") -> list[Phone]:
    return make(
        count,
        network=IPv4Network(network),
        models=read_models(models, CATALOGUE),
        seed=seed,
        catalogue=CATALOGUE,
        server=SERVER,
    )


def facts(phones: list[Phone]) -> list[tuple[str, str, str, str, str]]:
    return [
        (phone.device_name, phone.directory_number, phone.mac, phone.model.model, phone.address) for phone in phones
    ]


def test_the_same_seed_makes_the_same_fleet() -> None:
    assert facts(made(300)) == facts(made(300))
    assert facts(made(300)) != facts(made(300, seed=2))
    assert facts(made(1, models="7960")) == [("SEP001BD4000001", "2001", "001BD4000001", "CP-7960G", "10.20.0.1")]
    assert made(300)[299].address == "10.20.1.44"
    assert len({phone.device_name for phone in made(300)}) == 300


@pytest.mark.parametrize(("count", "network"), [(0, "10.20.0.0/17"), (255, "10.20.0.0/24"), (-1, "10.20.0.0/24")])
def test_a_count_that_does_not_fit_is_refused(count: int, network: str) -> None:
    with pytest.raises(ConfigurationError, match="phones: expected 1 to"):
        made(count, network=network)


def test_models_all_have_sources_and_aliases_are_distinct() -> None:
    assert len(CATALOGUE.models) == 13
    assert {CATALOGUE.find(name).model for name in ("8851", "CP-8851", "cp-8851")} == {"CP-8851"}
    assert CATALOGUE.find("7960").model == "CP-7960G"
    assert CATALOGUE.find("cp-7970g").model == "CP-7970G"
    with pytest.raises(UnknownModelError, match="unknown model '7971', nearest: CP-79"):
        CATALOGUE.find("7971")
    with pytest.raises(ModelError, match="missing or unknown"):
        read_model({"model": "x"})


def test_all_wrong_models_are_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_models("CP-9=1,7960=x,7961=1,7961=2", CATALOGUE)
    assert len(caught.value.problems) == 3


def test_a_roster_is_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(
        HEADER + "SEP001BD4000001,2001,001BD4000001,7961,10.20.0.1,,true\n"
        "sep001bd4000002,2002,00:1b:d4:00:00:02,CP-7960G,10.20.0.2,http://10.20.128.20/a,false\n"
    )
    first, second = read(path, catalogue=CATALOGUE, server=SERVER)
    assert facts([first, second]) == [
        ("SEP001BD4000001", "2001", "001BD4000001", "CP-7961G", "10.20.0.1"),
        ("SEP001BD4000002", "2002", "001BD4000002", "CP-7960G", "10.20.0.2"),
    ]
    assert (first.server, first.web_access) == (SERVER, True)
    assert (second.server, second.web_access) == (Server("10.20.128.20", 80, "/a"), False)


def test_all_errors_of_a_roster_are_reported_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(
        HEADER + "SEP001BD4000001,2001,001BD4000001,CP-7961,10.20.0.1,,true\n"
        "SEP001BD4000001,2002,001BD4000001,CP-7960G,10.20.0.1,,true\n"
        "SEP1,a b,zz,CP-7969G,10.20.0.300,https://x/,maybe\n"
        "SEP001BD4000004,2004\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        read(path, catalogue=CATALOGUE, server=None)
    text = str(caught.value).replace(str(path), "roster")
    for expected in (
        "roster:3: device_name SEP001BD4000001 is also in line 2",
        "roster:3: mac 001BD4000001 is also in line 2",
        "roster:3: address 10.20.0.1 is also in line 2",
        "roster:4: device_name 'SEP1': expected",
        "roster:4: mac 'zz': expected",
        "roster:4: directory_number 'a b': expected",
        "roster:4: address '10.20.0.300': expected",
        "roster:4: web_access 'maybe': expected",
        "roster:4: unknown model 'CP-7969G', nearest: CP-79",
        "roster:5: 2 fields, expected 7",
    ):
        assert expected in text


@pytest.mark.parametrize("content", ["", HEADER, "name\n", "device_name,address,adress\n", "device_name,address\n\xff"])
def test_files_that_are_no_roster(tmp_path: Path, content: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError):
        read(path, catalogue=CATALOGUE, server=None)
    with pytest.raises(ConfigurationError, match="No such file"):
        read(tmp_path / "missing.csv", catalogue=CATALOGUE, server=None)


def test_a_url_with_a_name_is_shown_and_asked_by_nobody(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    row = "SEP001BD4000001,2001,001BD4000001,CP-7960G,10.20.0.1,{},true\n"
    file.write_text(HEADER + row.format("http://paging.example:8081/auth"), encoding="utf-8")
    (phone,) = read(file, catalogue=CATALOGUE, server=SERVER)
    assert phone.server is not None
    assert (phone.server.url, phone.server.usable) == ("http://paging.example:8081/auth", False)
    for wrong in ("paging.example/auth", "ftp://paging.example/", "http://10.20.0/auth", "http://-/"):
        file.write_text(HEADER + row.format(wrong), encoding="utf-8")
        with pytest.raises(ConfigurationError, match="or a host's name"):
            read(file, catalogue=CATALOGUE, server=SERVER)
