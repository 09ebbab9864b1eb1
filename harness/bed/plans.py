"""What to start, and on which host: a scenario and a ground become command lines and configuration files."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from harness import run_folder
from harness.bed import faults
from harness.bed.configuration import (
    administered_gateway_toml,
    callmanager_toml,
    capture_json,
    gateway_toml,
    text,
)
from harness.bed.directory import placing
from harness.bed.ground import Addresses, HostName
from harness.bed.processes import PartPlan
from harness.bed.roster import Roster
from harness.bed.secrets import PrivateFolder
from harness.bed.setup import RunSecrets, Setup
from harness.scenario.faults import Carrier

STATUS_S: Final = 0.25
"""How often parts tell their counters: as often as an eye follows."""
TAPPED: Final[tuple[HostName, ...]] = ("phones", "gateway", "callmanager")
GATEWAY_CONFIGURATION: Final = "gateway.toml"
GATEWAY_ROSTER: Final = "phones.csv"
GATEWAY_DATA: Final = "gateway-data"
GATEWAY_KEY: Final = "gateway-key/key"
FAULTS: Final = "faults.csv"

Placed = tuple[HostName, PartPlan]


def plans(
    setup: Setup,
    roster: Roster,
    struck: Sequence[faults.Struck],
    private: PrivateFolder,
    secrets: RunSecrets,
    events: Mapping[str, Path],
) -> list[Placed]:
    """Write all configuration files and say what to start.

    Args:
        setup: the run.
        roster: its phones; must be written to the run folder already.
        struck: its faults.
        private: where files go that hold secrets or name some.
        secrets: the run's passwords.
        events: part → its records file.
    """
    scenario, ground, folder = setup.scenario, setup.ground, setup.folder
    addresses = ground.addresses

    def plan(name: str, *argv: str, pass_fds: Sequence[int] = ()) -> PartPlan:
        return PartPlan(
            name=name,
            argv=[sys.executable, "-P", "-m", "harness.cli", *argv, "--events", str(events[name]), *_MANNERS],
            log_path=folder.file(f"{name}.log"),
            events_path=events[name],
            pass_fds=pass_fds,
            on_status=lambda part: setup.display.update(part.name, part.status, part.status_at_s),
        )

    found: list[Placed] = []
    if setup.can_capture():
        descriptors = [number for number in (ground.host(name).descriptor for name in TAPPED) if number is not None]
        config = private.write("capture.json", json.dumps(capture_json(scenario, ground, folder.path)))
        found.append(("harness", plan("capture", "capture", "--config", str(config), pass_fds=descriptors)))
    directory = ""
    if scenario.callmanager.directory.is_server:
        assert secrets.directory_manager is not None
        server = placing.plan(
            scenario.callmanager,
            addresses,
            private=private,
            passwords=secrets.users,
            manager_password=secrets.directory_manager,
            log_path=folder.file(f"{placing.PART}.log"),
        )
        found.append(("directory", server))
        directory = placing.callmanager_toml(
            scenario.callmanager,
            addresses,
            certificate=private.path / placing.CERTIFICATE,
            password=secrets.directory_manager.path,
        )
    if not scenario.callmanager.external:
        found.append(("callmanager", _callmanager(setup, roster, private, secrets, directory, plan)))
    if not scenario.fleet.real:
        found.append(("phones", plan("phones", "phones", *_fleet(setup, struck, private))))
    gateway_roster = private.path / GATEWAY_ROSTER
    roster.write_gateway(gateway_roster)
    if scenario.gateway.administered:
        gateway = administered_gateway_toml(
            scenario, addresses, data=private.path / GATEWAY_DATA, key=private.path / GATEWAY_KEY
        )
    else:
        gateway = gateway_toml(
            scenario,
            addresses,
            roster=gateway_roster,
            token=secrets.token.path,
            push_password=secrets.pushed.path,
            accepted_password=secrets.users[scenario.gateway.user].path,
            networks=addresses.phones_networks if addresses.phones_network else _each(roster),
        )
    config = private.write(GATEWAY_CONFIGURATION, gateway)
    if not setup.foreign:
        found.append(("gateway", plan("gateway", "gateway", "serve", "--config", str(config))))
    return found


def _callmanager(
    setup: Setup,
    roster: Roster,
    private: PrivateFolder,
    secrets: RunSecrets,
    directory: str,
    plan: Callable[..., PartPlan],
) -> PartPlan:
    manager = callmanager_toml(
        setup.scenario,
        setup.ground.addresses,
        devices=[phone.device_name for phone in roster.phones],
        control=roster.control.device_name if roster.control else "",
        passwords=secrets.users,
        provisioning=_callmanagers_own(setup, secrets),
        directory=directory,
    )
    config = private.write("callmanager.toml", manager)
    return plan("callmanager", "callmanager", "--config", str(config))


def _each(roster: Roster) -> list[str]:
    """Real phones may be in any network: each is named."""
    return [f"{phone.address}/32" for phone in roster.phones]


_MANNERS: Final = ("--status-s", str(STATUS_S), "--stop-with-stdin")


def _fleet(setup: Setup, struck: Sequence[faults.Struck], private: PrivateFolder) -> list[str]:
    scenario, addresses = setup.scenario, setup.ground.addresses
    controlled = setup.fetching or any(alert.acknowledge for alert in scenario.alerts)
    own_faults = any(one.kind.carrier is Carrier.PHONES for one in struck)
    told = ("--faults", str(private.write(FAULTS, faults.fleet_file(struck)))) if own_faults else ()
    return [
        *("--csv", str(setup.folder.file(run_folder.ROSTER))),
        *("--port", str(addresses.phone_port)),
        *("--rtp-port", str(addresses.rtp_port)),
        *(_fetching(addresses) if setup.fetching else ("--auth-url", setup.authentication_url)),
        *("--authentication-timeout-s", str(scenario.fleet.authentication_timeout_s)),
        *("--seed", str(scenario.seed)),
        *(("--control", f"{addresses.phones}:{addresses.phones_control_port}") if controlled else ()),
        *told,
        *_interface(setup),
    ]


def _interface(setup: Setup) -> Sequence[str]:
    """On loopback, so that nothing else is answered; with multicast, since a phone's own address is on `lo` alone."""
    multicast = any(page.delivery == "multicast" for page in setup.scenario.pages)
    bound = setup.ground.name == "loopback" or (multicast and setup.ground.hermetic)
    return ("--interface", setup.ground.host("phones").interface) if bound else ()


def _fetching(addresses: Addresses) -> tuple[str, ...]:
    return (
        *("--callmanager", f"http://{addresses.callmanager}:{addresses.configuration_port}"),
        *("--tftp-port", str(addresses.tftp_port)),
    )


def _callmanagers_own(setup: Setup, secrets: RunSecrets) -> str:
    """What CallManager is told beside users and capacity: only where somebody comes to it for more than a question."""
    if setup.fetching:
        return provisioning_toml(setup, secrets)
    return administration_toml(setup, secrets) if faults.drifts_at(setup.scenario, "callmanager") else ""


def administration_toml(setup: Setup, secrets: RunSecrets) -> str:
    """The keys of CallManager's configuration by which its users can be changed while it runs."""
    addresses = setup.ground.addresses
    return f"""\
administration = "{addresses.callmanager}:{addresses.callmanager_administration_port}"
administration_token_file = {text(secrets.callmanager_token.path)}
"""


def provisioning_toml(setup: Setup, secrets: RunSecrets) -> str:
    """The keys of CallManager's configuration by which phones boot from it and are reset by it."""
    addresses = setup.ground.addresses
    return f"""\
{administration_toml(setup, secrets)}\
configuration_listen = "{addresses.callmanager}:{addresses.configuration_port}"
tftp_listen = "{addresses.callmanager}:{addresses.tftp_port}"
phones_control = "http://{addresses.phones}:{addresses.phones_control_port}"
devices_csv = {text(setup.folder.file(run_folder.ROSTER).absolute())}
[enterprise]
url_authentication = {text(setup.authentication_url_at_boot)}
"""
