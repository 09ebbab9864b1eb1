"""A scenario's directory server in a run: what is started, and what CallManager is told about it."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.bed import parts
from harness.bed.directory import samba, slapd
from harness.bed.ground import Addresses
from harness.bed.processes import PartPlan
from harness.bed.secrets import PrivateFolder, Secret
from harness.scenario.model import CallManager

PART: Final = "directory"
CERTIFICATE: Final = "directory-certificate.pem"
READY_WITHIN_S: Final = 180.0
"""A Samba domain is made in 3 s, and each account in 0.3 s."""


def ports(addresses: Addresses, kind: str) -> tuple[int, int]:
    """Where LDAP and LDAPS are served; a domain controller has its own mind about that."""
    return (samba.LDAP_PORT, samba.LDAPS_PORT) if kind == "samba" else (addresses.ldap_port, addresses.ldaps_port)


def plan(
    manager: CallManager,
    addresses: Addresses,
    *,
    private: PrivateFolder,
    passwords: Mapping[str, Secret],
    manager_password: Secret,
    log_path: Path,
) -> PartPlan:
    """Make the server's certificate and say how it is started.

    Args:
        manager: its directory and its users, of whom those that are in the directory get an account.
        addresses: where the directory stands.
        private: where files go that hold secrets or name some.
        passwords: by user name.
        manager_password: of the account that CallManager searches with.
        log_path: where the server's own log goes.
    """
    certificate, key = private.path / CERTIFICATE, private.path / "directory-key.pem"
    parts.make_certificate(certificate, key, address=addresses.directory)
    ldap_port, ldaps_port = ports(addresses, manager.directory.kind)
    table = {
        "kind": manager.directory.kind,
        "address": addresses.directory,
        "ldap_port": ldap_port,
        "ldaps_port": ldaps_port,
        "folder": str(private.path / PART),
        "certificate": str(certificate),
        "key": str(key),
        "manager_password_file": str(manager_password.path),
        "accounts": [
            {"name": user.name, "password_file": str(passwords[user.name].path)}
            for user in manager.users
            if user.in_directory
        ],
    }
    config = private.write("directory.json", json.dumps(table))
    return PartPlan(
        name=PART,
        argv=[sys.executable, "-P", "-m", "harness.bed.directory.server", "--config", str(config)],
        log_path=log_path,
        ready_within_s=READY_WITHIN_S,
    )


def callmanager_toml(manager: CallManager, addresses: Addresses, *, certificate: Path, password: Path) -> str:
    """The table `[directory]` of CallManager's configuration file."""
    directory = manager.directory
    ldap_port, ldaps_port = ports(addresses, directory.kind)
    port = ldaps_port if directory.tls == "ldaps" else ldap_port
    if directory.kind == "samba":
        kind, manager_dn, base_dn = "active-directory", samba.dn_of(samba.MANAGER), samba.SUFFIX
    else:
        kind, manager_dn, base_dn = "ldap", slapd.MANAGER_DN, slapd.SUFFIX
    return f"""\
[directory]
kind = "{kind}"
server = "{addresses.directory}:{port}"
tls = "{directory.tls}"
ca_file = {json.dumps(str(certificate))}
manager_dn = "{manager_dn}"
manager_password_file = {json.dumps(str(password))}
base_dn = "{base_dn}"
total_s = {directory.total_s}
connections = {directory.connections}
"""
