"""Ground `lab` in scenario files: what each part needs, what cannot be together, all errors at once."""

from pathlib import Path

import pytest

from harness.scenario import Scenario, ScenarioError, read_resolved, write_resolved
from harness.scenario.file import parse

LAB = """
name = "x"
purpose = "y"
ground = "lab"
[lab]
interface = "eth0"
harness = "10.9.0.20"
"""
EMULATED = 'phones_network = "10.9.128.0/24"\n'
MANAGER = 'callmanager = "10.9.0.20"\n'
GATEWAY = 'gateway = "10.9.0.20"\n'
EXTERNAL = '[gateway]\nkind = "external"\nurl = "http://10.9.0.30/cisco_auth/authenticate.html"\n'
REAL_MANAGER = '[callmanager]\nkind = "external"\nurl = "http://10.9.0.40/CCMCIP/authenticate.asp"\n'
REAL = '[fleet]\nkind = "real"\ncsv = "site.csv"\n'
FEW = "[fleet]\nphones = 20\n"


def read(text: str) -> Scenario:
    return parse(text, Path("x.toml"), (), files=False)


def errors_of(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        read(text)
    assert caught.value.exit_code == 4
    return [error.partition(": ")[2] for error in caught.value.errors]


def test_an_external_gateway_is_no_witness() -> None:
    scenario = read(LAB + EMULATED + MANAGER + FEW + EXTERNAL)
    assert scenario.gateway.external
    assert scenario.witnesses == ("phones", "callmanager", "wire")
    assert (scenario.gateway.wait_s, scenario.gateway.quiet_s, scenario.gateway.limit_s) == (120, 5, 600)
    assert scenario.lab is not None
    assert (scenario.lab.gateway_port, scenario.lab.callmanager_port) == (8081, 8082)


def test_real_phones_and_a_real_callmanager_are_none_either() -> None:
    own = '[gateway]\npassword_file = "password"\n'
    scenario = read(LAB + GATEWAY + REAL + REAL_MANAGER + own)
    assert scenario.witnesses == ("gateway", "wire")
    assert scenario.fleet.csv == Path("site.csv")
    assert scenario.gateway.password_file == Path("password")


@pytest.mark.parametrize(
    "text",
    [
        LAB + EMULATED + MANAGER + FEW + EXTERNAL + 'trigger = ["x", "y"]\nquiet_s = 2\n',
        LAB + GATEWAY + REAL + REAL_MANAGER + '[gateway]\npassword_file = "password"\n',
    ],
)
def test_a_resolved_scenario_says_the_same(tmp_path: Path, text: str) -> None:
    scenario = read(text)
    write_resolved(scenario, tmp_path / "scenario.toml", {}, {})
    again = read_resolved(tmp_path / "scenario.toml")
    assert again.witnesses == scenario.witnesses
    assert again.lab == scenario.lab
    assert (again.gateway.url, again.gateway.trigger) == (scenario.gateway.url, scenario.gateway.trigger)
    assert again.callmanager.url == scenario.callmanager.url
    assert again.fleet.kind == scenario.fleet.kind


def test_everything_that_is_missing_is_told() -> None:
    text = LAB.replace('interface = "eth0"\nharness = "10.9.0.20"\n', "")
    assert [error.partition(": missing")[0] for error in errors_of(text)] == [
        "lab.interface",
        "lab.harness",
        "lab.phones_network",
        "lab.gateway",
        "lab.callmanager",
    ]


@pytest.mark.parametrize("ground", ["auto", "netns", "loopback"])
def test_nothing_of_it_on_another_ground(ground: str) -> None:
    text = LAB.replace('"lab"', f'"{ground}"') + EMULATED + MANAGER + EXTERNAL + 'password_file = "p"\n' + REAL_MANAGER
    errors = errors_of(text)
    assert [error.partition(": ")[0] for error in errors] == [
        "lab",
        "gateway.kind",
        "callmanager.kind",
        "gateway.password_file",
    ]
    assert f'only of ground = "lab", this is {ground}' in errors[0]


WRONG = [
    (EMULATED + MANAGER + FEW + '[gateway]\nkind = "external"\n', "gateway.url: missing"),
    (EMULATED + MANAGER + FEW + '[gateway]\nkind = "external"\naddress = "10.9.0.30"\n', "gateway.url: missing"),
    (EMULATED + MANAGER + FEW + EXTERNAL + 'command = ["x"]\n', "gateway.command: only of kind"),
    (EMULATED + MANAGER + FEW + EXTERNAL + 'push_password = "wrong"\n', "is set at that gateway"),
    (EMULATED + MANAGER + FEW + EXTERNAL + '[probe]\nwhen = "after"\n', "pushlab probe URL"),
    (EMULATED + MANAGER + GATEWAY + FEW + '[gateway]\ntrigger = ["x"]\n', 'kind = "external", this is own'),
    (EMULATED + MANAGER + GATEWAY + FEW + EXTERNAL, "lab.gateway: of a part that is started here"),
    (EMULATED + FEW + EXTERNAL + '[callmanager]\nkind = "external"\n', "callmanager.url: missing"),
    (EMULATED + FEW + EXTERNAL + REAL_MANAGER + "workers = 2\n", "has a capacity of its own"),
    (EMULATED + FEW + EXTERNAL + REAL_MANAGER + '[[callmanager.user]]\nname = "agpush"\n', "has users of its own"),
    (EMULATED + FEW + EXTERNAL + REAL_MANAGER.replace("10.9.0.40", "manager"), "a URL with an IPv4 address"),
    (EMULATED + FEW + EXTERNAL + REAL_MANAGER.replace("http", "https"), "a URL with an IPv4 address"),
    ('phones_network = "10.10.0.0/16"\n' + MANAGER + '[fleet]\ncsv = "x.csv"\n' + EXTERNAL, "use --ground netns"),
    (MANAGER + REAL + EXTERNAL, "so nobody would see"),
    (MANAGER + 'gateway = "10.9.0.20"\n[fleet]\nkind = "real"\n', "fleet.csv: missing"),
    (MANAGER + GATEWAY + REAL + "authentication_timeout_s = 3\n", "real phones are as they are"),
    (MANAGER + GATEWAY + REAL + '[[fault]]\nkind = "hang"\n', "real phones are given no faults"),
    (GATEWAY + REAL + REAL_MANAGER, "gateway.password_file: missing"),
    (EMULATED + MANAGER + FEW + EXTERNAL + '[[fault]]\nkind = "port-blocked"\nphones = 0.5\n', "needs ground netns"),
    (EMULATED + MANAGER + FEW + EXTERNAL + '[[page]]\ndelivery = "multicast"\n', "not available yet: multicast"),
    (EMULATED + MANAGER.replace("10.9.0.20", "10.9.128.7") + FEW + EXTERNAL, "lies in phones_network"),
    (EMULATED + MANAGER + FEW + EXTERNAL.replace("10.9.0.30", "10.9.128.9"), "gateway.url: 10.9.128.9 lies in"),
    (EMULATED + MANAGER + 'first_phone = "10.9.0.1"\n' + FEW + EXTERNAL, "expected an address of 10.9.128.0/24"),
    (EMULATED + MANAGER + "callmanager_port = 80\n" + FEW + EXTERNAL, "80 is phone_port already"),
    (EMULATED + MANAGER + GATEWAY + "gateway_port = 8082\n" + FEW, "8082 is gateway_port already"),
    (EMULATED + MANAGER + "[fleet]\nphones = 252\n" + EXTERNAL, "has room for 251 phones from 10.9.128.1, got 252"),
    (EMULATED + MANAGER + FEW + EXTERNAL + '[thresholds]\n"push.answer_ms.p99" = "< 9"\n', "another's part"),
    ('phones_network = "10.0.0.0/8"\n' + MANAGER + FEW + EXTERNAL, "of 8 to 65536 addresses"),
    ('phones_network = "10.9.128.1/24"\n' + MANAGER + FEW + EXTERNAL, "has host bits set"),
    (MANAGER.replace("10.9.0.20", "10.9.0") + EMULATED + FEW + EXTERNAL, "an IPv4 address such as"),
]


@pytest.mark.parametrize(("text", "part"), WRONG)
def test_what_cannot_be_together(text: str, part: str) -> None:
    (error,) = errors_of(LAB + text)
    assert part in error


def test_a_witness_that_is_not_started_cannot_be_asked_for() -> None:
    text = LAB.replace('ground = "lab"', 'ground = "lab"\nwitnesses = ["gateway", "phones", "wire"]')
    (error,) = errors_of(text + EMULATED + MANAGER + FEW + EXTERNAL)
    assert error == 'witnesses: gateway tells nothing with [gateway] kind = "external"; leave it out'


def test_a_gateway_that_answers_nobody_needs_its_address_alone() -> None:
    address = '[gateway]\nkind = "external"\naddress = "10.9.0.30"\n'
    scenario = read(LAB + EMULATED + MANAGER + FEW + 'authentication_url = "callmanager"\n' + address)
    assert (scenario.gateway.url, scenario.gateway.address) == (None, "10.9.0.30")


def test_files_that_are_named_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    own = '[gateway]\npassword_file = "password"\n'
    text = LAB + GATEWAY + REAL + REAL_MANAGER + own
    with pytest.raises(ScenarioError) as caught:
        parse(text, path, (), files=True)
    assert [error.rpartition(": ")[2] for error in caught.value.errors] == ["No such file or directory"]
    line = "SEP001BD4000001,CP-7961G,10.9.64.1\n"
    (tmp_path / "site.csv").write_text(f"device_name,model,address\n{line}", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"gateway.password_file: .*: no such file"):
        parse(text, path, (), files=True)
    (tmp_path / "password").touch()
    fleet = parse(text, path, (), files=True).fleet
    assert (fleet.csv, fleet.phones) == (tmp_path / "site.csv", 1)
