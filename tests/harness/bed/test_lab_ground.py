"""Ground `lab`: addresses and taps by what stands where. What it finds missing: tests/runs/test_lab_runs.py."""

from pathlib import Path

import pytest

from harness.bed.errors import BedError
from harness.bed.lab_ground import LabGround, addresses_of, stand_in_lab
from harness.bed.secrets import private_folder
from harness.scenario.file import parse
from harness.scenario.model import Scenario

LAB = 'name = "x"\npurpose = "y"\nground = "lab"\n[lab]\ninterface = "eth9"\nharness = "10.9.0.20"\n'
EMULATED = 'phones_network = "10.9.128.0/24"\n'
OWN_MANAGER, OWN_GATEWAY = 'callmanager = "10.9.0.20"\n', 'gateway = "10.9.0.20"\n'
FEW, REAL = "[fleet]\nphones = 20\n", '[fleet]\nkind = "real"\ncsv = "site.csv"\n'
EXTERNAL = '[gateway]\nkind = "external"\nurl = "http://10.9.0.30:8081/InformaCast/phone/auth"\naddress = "10.9.0.31"\n'
MANAGER = '[callmanager]\nkind = "external"\nurl = "http://10.9.0.40/CCMCIP/authenticate.asp"\n'
PASSWORD = '[gateway]\npassword_file = "password"\n'


def read(*parts: str) -> Scenario:
    return parse(LAB + "".join(parts), Path("x.toml"), (), files=False)


def test_an_external_gateways_addresses_are_its_own() -> None:
    found = addresses_of(read(EMULATED, OWN_MANAGER, FEW, EXTERNAL))
    assert (found.gateway, found.authentication_port) == ("10.9.0.31", 8081)
    assert found.gateway_authentication_url == "http://10.9.0.30:8081/InformaCast/phone/auth"
    assert found.callmanager_authentication_url == "http://10.9.0.20:8082/CCMCIP/authenticate.asp"
    assert found.first_phone == "10.9.128.1"
    assert (found.control_phone, found.canary_phone, found.probe_source) == (
        "10.9.128.254",
        "10.9.128.253",
        "10.9.128.252",
    )


def taps(*parts: str) -> dict[str, str | None]:
    scenario = read(*parts)
    ground = LabGround(scenario, addresses_of(scenario))
    found = {name: ground.tap(name) for name in ("phones", "gateway", "callmanager")}
    return {name: None if place is None else place.interface for name, place in found.items()}


def test_each_tap_stands_where_its_packets_pass() -> None:
    assert taps(EMULATED, OWN_MANAGER, FEW, EXTERNAL) == {"phones": "eth9", "gateway": "eth9", "callmanager": "lo"}
    assert taps(EMULATED, FEW, EXTERNAL, MANAGER) == {"phones": "eth9", "gateway": "eth9", "callmanager": "eth9"}
    assert taps(EMULATED, OWN_MANAGER, OWN_GATEWAY, FEW) == {"phones": "lo", "gateway": "lo", "callmanager": "lo"}
    # Real phones ask a real CallManager somewhere else.
    assert taps(OWN_GATEWAY, REAL, MANAGER, PASSWORD) == {"phones": "eth9", "gateway": "eth9", "callmanager": None}


def test_a_command_needs_an_address_to_stand_at() -> None:
    scenario = read(EMULATED, OWN_MANAGER, OWN_GATEWAY, FEW)
    assert scenario.lab is not None
    object.__setattr__(scenario.lab, "gateway", None)  # as `pushlab exec` with a scenario of an external gateway
    with pytest.raises(BedError, match="gateway is missing"), stand_in_lab(scenario):
        pass


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"x" * 200, b"\xff\n"])
def test_a_password_file_holds_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "given").write_bytes(content)
    with private_folder() as private, pytest.raises(BedError, match="password"):
        private.given("given", tmp_path / "given")


def test_a_given_password_goes_by_a_private_file(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("pass word\r\n", encoding="utf-8")
    with private_folder() as private:
        secret = private.given("given", tmp_path / "given")
        assert secret.value == "pass word"
        assert secret.path.read_text(encoding="utf-8") == "pass word\n"
        assert secret.path.stat().st_mode & 0o777 == 0o600
        private.forget_secrets()
        assert not secret.path.exists()
    assert (tmp_path / "given").exists()
