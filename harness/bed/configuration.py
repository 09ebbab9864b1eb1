"""What each part of a run is told: configuration files, written from scenario, ground and roster.

Formats: docs/design/parts.md. Files with secrets go to the private folder, the rest beside them.
"""

import json
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from harness.bed.ground import Addresses, Ground, HostName
from harness.bed.secrets import Secret
from harness.scenario.model import Scenario, User, share_of

CONTROL_USER: Final = "pushlab-control"
"""The CallManager user of the positive control; associated with the control phone alone."""
MULTICAST_FIRST: Final = IPv4Address("239.20.1.1")
"""The first of the lab's groups: of the scope that organisations may use as they like (RFC 2365, 6)."""
RING_BLOCK_BYTES: Final = 2**20
"""The tap hands packets over by whole blocks: 4,500 packets each."""


def multicast_groups(scenario: Scenario) -> tuple[str, str]:
    """First and last address of the gateway's pool."""
    return str(MULTICAST_FIRST), str(MULTICAST_FIRST + scenario.gateway.multicast_addresses - 1)


def gateway_toml(
    scenario: Scenario,
    addresses: Addresses,
    *,
    roster: Path,
    token: Path,
    push_password: Path,
    accepted_password: Path,
    networks: Sequence[str],
) -> str:
    """The gateway's configuration file; `networks`: where phones may ask it from."""
    gateway = scenario.gateway
    first, last = multicast_groups(scenario)
    return f"""\
[phone_port]
listen = "{addresses.gateway}:{addresses.authentication_port}"

[administration]
listen = "{addresses.gateway}:{addresses.gateway_administration_port}"
token_file = {text(token)}
tls = "off"

[push_user]
name = {text(gateway.user)}
password_file = {text(push_password)}

[authentication]
callmanager_url = "{addresses.callmanager_authentication_url}"
own_user_mismatch = "{gateway.own_user_mismatch}"
accepted_password_file = {text(accepted_password)}

[push]
source = "{addresses.gateway}"
concurrency = {gateway.concurrency}

[phones]
csv = {text(roster)}
port = {addresses.phone_port}
networks = {json.dumps(list(networks))}

[media]
rtp_port = {addresses.rtp_port}
catch_up_ms = {gateway.catch_up_ms}

[multicast]
first = "{first}"
last = "{last}"
port = {addresses.rtp_port}
"""


def administered_gateway_toml(scenario: Scenario, addresses: Addresses, *, data: Path, key: Path) -> str:
    """The file of a gateway that an administrator sets up: what cannot be changed while it runs, and no more.

    Args:
        scenario: the pushes in flight.
        addresses: where it stands.
        data: its data folder.
        key: its key file, outside of that folder.
    """
    return f"""\
[phone_port]
listen = "{addresses.gateway}:{addresses.authentication_port}"

[administration]
listen = "{addresses.gateway}:{addresses.gateway_administration_port}"

[store]
folder = {text(data)}
key_file = {text(key)}

[push]
source = "{addresses.gateway}"
concurrency = {scenario.gateway.concurrency}

[phones]
port = {addresses.phone_port}

[media]
rtp_port = {addresses.rtp_port}
catch_up_ms = {scenario.gateway.catch_up_ms}
"""


def callmanager_toml(
    scenario: Scenario,
    addresses: Addresses,
    *,
    devices: Sequence[str],
    control: str,
    passwords: Mapping[str, Secret],
    provisioning: str = "",
    directory: str = "",
) -> str:
    """CallManager's configuration file.

    Args:
        scenario: its capacity and users.
        addresses: where it listens.
        devices: device names of the fleet, in roster order.
        control: device name of the control phone; empty: there is none.
        passwords: by user name, `CONTROL_USER` among them.
        provisioning: further keys, a table at their end.
        directory: its table `[directory]`; empty: all passwords are CallManager's own. The control's is in any case.
    """
    manager = scenario.callmanager
    policy = manager.credential_policy
    head = f"""\
listen = "{addresses.callmanager}:{addresses.callmanager_authentication_port}"
seed = {scenario.seed}
workers = {manager.workers}
service_ms = {{ p50 = {manager.service_ms.p50}, p99 = {manager.service_ms.p99} }}
queue = {manager.queue}
credential_cache_s = {manager.credential_cache_s}
"""
    locking = f"""\
[credential_policy]
failures = {policy.failures}
lock_minutes = {policy.lock_minutes}
reset_minutes = {policy.reset_minutes}
"""
    users = [
        _user(user, None if directory else passwords[user.name].path, devices) for user in scenario.callmanager.users
    ]
    if control:
        control_user = User(name=CONTROL_USER, cti=True, devices=(control,))
        users.append(_user(control_user, passwords[CONTROL_USER].path, devices))
    return "\n".join([head + provisioning, locking, *([directory] if directory else []), *users])


def _user(user: User, password: Path | None, devices: Sequence[str]) -> str:
    """One `[[user]]`; without a password he is the directory's."""
    match user.devices:
        case str() as word:
            associated: str | list[str] = word
        case float() as share:
            associated = list(devices[: share_of(len(devices), share)])
        case names:
            associated = list(names)
    account = "directory = true" if password is None else f"password_file = {text(password)}"
    return f"""\
[[user]]
name = {text(user.name)}
{account}
cti = {"true" if user.cti else "false"}
devices = {json.dumps(associated)}
"""


def capture_json(scenario: Scenario, ground: Ground, folder: Path) -> dict[str, object]:
    """The capture's configuration: one tap at each door (docs/design/parts.md).

    On netns each tap names the descriptor of its host's namespace, which the capture process inherits.
    """
    addresses = ground.addresses
    blocks = max(1, scenario.capture.ring_bytes // RING_BLOCK_BYTES)
    ring = {"block_bytes": min(RING_BLOCK_BYTES, _power_of_two(scenario.capture.ring_bytes)), "blocks": blocks}

    def clause(name: str, kind: str, host: HostName, port: int, address: str | None) -> list[dict[str, object]]:
        at = ground.tap(host)
        if at is None:
            return []
        place = {"interface": at.interface, "namespace": at.namespace, "incoming_only": at.incoming_only}
        own_ring = ring if kind == "rtp" else {}
        return [{"name": name, "kind": kind, "port": port, "address": address, **place, **own_ring}]

    gateway, manager = addresses.authentication_port, addresses.callmanager_authentication_port
    return {
        "out": str(folder),
        "limit_bytes": scenario.capture.max_bytes,
        "canaries": [addresses.canary_source],
        "clauses": [
            *clause("rtp", "rtp", "phones", addresses.rtp_port, None),
            *clause("authentication-gateway", "syn", "gateway", gateway, addresses.gateway),
            *clause("authentication-callmanager", "syn", "callmanager", manager, addresses.callmanager),
        ],
    }


def _power_of_two(size: int) -> int:
    """The largest power of two that is not larger."""
    return int(2 ** (size.bit_length() - 1))


def text(value: object) -> str:
    """A TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(str(value), ensure_ascii=False)
