"""Which programs a directory server needs, and whether they are here."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Final

from harness.bed.errors import BedError

_SEARCHED: Final = ":/usr/sbin:/usr/libexec"
"""Servers are often not in the path of an ordinary user."""
SCHEMAS: Final = Path("/etc/ldap/schema")
"""Of slapd, where Debian has them."""
_PROVISION: Final = Path("/usr/share/samba/setup/provision.ldif")
"""Comes with the Debian package samba-ad-provision, without which samba-tool makes no domain."""
PACKAGES: Final = {"slapd": "slapd", "samba": "samba samba-ad-dc samba-ad-provision winbind"}
"""Debian's names."""
_ALL_USERS: Final = 2**32 - 1


def program(name: str) -> str | None:
    """Where a program is; None where it is not installed."""
    return shutil.which(name, path=os.environ.get("PATH", "") + _SEARCHED)


def missing(kind: str) -> str:
    """Debian packages that this directory server lacks; empty where all is there.

    Args:
        kind: `slapd` or `samba`.
    """
    programs = {"slapd": ("slapd",), "samba": ("samba", "samba-tool")}[kind]
    files = {"slapd": SCHEMAS, "samba": _PROVISION}[kind]
    there = files.exists() and all(program(name) for name in programs)
    return "" if there else PACKAGES[kind]


def is_root(uid_map: Path = Path("/proc/self/uid_map")) -> bool:
    """Whether this is the machine's own root, not user 0 of a user namespace (user_namespaces(7))."""
    if os.geteuid() != 0:
        return False
    try:
        return uid_map.read_text(encoding="ascii").split()[2] == str(_ALL_USERS)
    except (OSError, IndexError):
        return True  # a kernel without user namespaces


def require(kind: str) -> None:
    """Find out that this directory server can run here, before anything is started.

    Args:
        kind: `builtin`, which needs nothing, `slapd` or `samba`.

    Raises:
        BedError: it cannot; with what to install.
    """
    if kind == "builtin":
        return
    key = f'[callmanager.directory] kind = "{kind}"'
    if packages := missing(kind):
        install = f"apt-get install --no-install-recommends {packages}"
        raise BedError(f"{key} needs the Debian packages {packages}: {install}")
    if importlib.util.find_spec("sansldap") is None:
        raise BedError(f"{key} needs the package sansldap for CallManager: pip install 'pushlab[directory]'")
    if kind == "samba" and not is_root():
        raise BedError(f'{key} runs as root only; kind = "slapd" is for every user')
