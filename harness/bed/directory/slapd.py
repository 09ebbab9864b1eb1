"""OpenLDAP's slapd in a folder of its own: configuration, database, command line.

The configuration is the old slapd.conf, because one file of ten lines says all; the database is filled by slapd itself,
called as slapadd. Passwords are only in files of mode 0600, those of accounts as salted hashes.
"""

import base64
import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from harness.bed.directory.account import Account, DirectoryServerError
from harness.bed.directory.software import SCHEMAS, program

SUFFIX: Final = "dc=lab,dc=example"
MANAGER_DN: Final = f"cn=manager,{SUFFIX}"
_MODULES: Final = Path("/usr/lib/ldap")
"""Where Debian has slapd's databases; elsewhere they are built in."""
_FILL_S: Final = 60
"""A thousand accounts take 0.3 s."""
_SALT_BYTES: Final = 8
DATABASE_BYTES_MAX: Final = 64 * 2**20
"""Size of the map that back_mdb reserves; a thousand accounts use 1 MB."""

TOP: Final = f"""\
dn: {SUFFIX}
objectClass: domain
dc: lab
"""
"""The entry that all others are under, in LDIF."""


def entries(accounts: Iterable[Account]) -> str:
    """Accounts as LDIF (RFC 2849), under `TOP`: persons with uid and password.

    Names and hashes travel in base64 and no DN is made of a name, so that no character means anything.
    """
    texts = [TOP]
    for number, account in enumerate(accounts, 1):
        texts.append(
            f"dn: cn=person {number},{SUFFIX}\n"
            "objectClass: inetOrgPerson\n"
            f"cn: person {number}\n"
            f"sn: person {number}\n"
            f"uid:: {_base64(account.name)}\n"
            f"userPassword:: {_base64(hashed(account.password))}\n"
        )
    return "\n".join(texts)


def hashed(password: str) -> str:
    """A password as slapd keeps it: salted SHA-1, which it knows without a module (slapd.conf(5), password-hash)."""
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.sha1(password.encode("utf-8") + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode("ascii")


def build(folder: Path, *, certificate: Path, key: Path, manager_password: str, ldif: str) -> None:
    """Write slapd's configuration and fill its database.

    Args:
        folder: is made, for its owner alone; everything is in it.
        certificate: PEM.
        key: its key.
        manager_password: of `MANAGER_DN`, who may read everything; nobody else may read anything.
        ldif: the entries, `SUFFIX` first.

    Raises:
        DirectoryServerError: slapd is not installed or refuses the entries.
    """
    folder.mkdir(mode=0o700)
    (folder / "database").mkdir(mode=0o700)
    schemas = "".join(f"include {SCHEMAS}/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
    modules = f"modulepath {_MODULES}\nmoduleload back_mdb\n" if (_MODULES / "back_mdb.so").exists() else ""
    _write(
        folder / "slapd.conf",
        f"""\
{schemas}{modules}pidfile {folder}/slapd.pid
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
database mdb
maxsize {DATABASE_BYTES_MAX}
suffix "{SUFFIX}"
rootdn "{MANAGER_DN}"
rootpw {hashed(manager_password)}
directory {folder}/database
index uid eq,sub
access to * by anonymous auth by * none
""",
    )
    _write(folder / "entries.ldif", ldif)
    load = ["-T", "add", "-q", "-f", str(folder / "slapd.conf"), "-l", str(folder / "entries.ldif")]
    done = subprocess.run([_slapd(), *load], capture_output=True, text=True, timeout=_FILL_S, check=False)
    if done.returncode:
        raise DirectoryServerError(f"slapd cannot fill its database: {done.stderr[-1000:].strip()}")


def command(folder: Path, *, address: str, ldap_port: int, ldaps_port: int) -> list[str]:
    """The command line that runs what `build` made, in the foreground; it tells its operations on stderr."""
    urls = f"ldap://{address}:{ldap_port} ldaps://{address}:{ldaps_port}"
    return [_slapd(), "-f", str(folder / "slapd.conf"), "-h", urls, "-d", "stats"]


def _slapd() -> str:
    found = program("slapd")
    if found is None:
        raise DirectoryServerError("slapd is not installed")
    return found


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")
