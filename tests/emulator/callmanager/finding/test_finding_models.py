"""The table of models, and that it says of firmware what the emulated phones say of themselves."""

import tomllib
from importlib import resources

from emulator.callmanager.finding.models import UNKNOWN, model_of
from emulator.fleet.catalogue import load


def test_every_emulated_model_is_known_and_its_firmware_agrees():
    for model in load().models.values():
        known = model_of(model.model)
        assert known is not UNKNOWN, model.model
        assert known.load in {model.firmware.load, model.firmware.version}, model.model
        for alias in model.aliases:
            assert model_of(alias) is known


def test_numbers_are_those_of_the_sources():
    numbers = {"7960": 7, "CP-7940G": 8, "cp-7905g": 20000, "7961": 30018, "8841": 683, "6941": 496}
    assert {name: model_of(name).number for name in numbers} == numbers
    assert model_of("CP-9999") is UNKNOWN
    assert UNKNOWN.number == 255


def test_every_entry_says_how_sure_it_is():
    text = resources.files("emulator.callmanager.finding").joinpath("models.toml").read_text(encoding="utf-8")
    for entry in tomllib.loads(text)["model"]:
        assert entry["sure"] in {"documented", "seen", "reported", "inferred", "assumed"}
        assert entry["source"]
