"""A Samba Active Directory domain controller in a folder of its own, for root.

Making a domain takes 3 seconds, so one is kept in the user's cache folder and copied for each run: a domain without
accounts, whose administrator's password nobody knows. A run adds its accounts with samba-tool; passwords go by standard
input, which samba-tool reads where it has no terminal. Only the LDAP service is started: it listens on ports 389 and
636 of its address, which cannot be changed.
"""

import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.bed.directory.account import Account, DirectoryServerError
from harness.bed.directory.software import program

REALM: Final = "LAB.EXAMPLE"
DOMAIN: Final = "LAB"
SUFFIX: Final = "DC=lab,DC=example"
MANAGER: Final = "ccm"
"""The account that CallManager searches with."""
LDAP_PORT: Final = 389
LDAPS_PORT: Final = 636
_TOOL_S: Final = 120
"""Making a domain takes 3 s on an idle machine."""
_STALE_S: Final = 3600
"""A domain that somebody began to make so long ago is nobody's any more."""
_SOCKET_PATH_MAX: Final = 107
"""unix(7): 108 bytes with the closing NUL."""
_LONGEST_SOCKET: Final = "/private/ldap_priv/ldapi"
_NAME: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_. -]{0,19}")
"""Account names that sAMAccountName holds (at most 20 characters) and samba-tool takes for no option."""


def dn_of(account: str) -> str:
    """The DN that samba-tool gives an account."""
    return f"CN={account},CN=Users,{SUFFIX}"


class Domain:
    """A domain controller's folder."""

    def __init__(self, folder: Path, *, address: str, certificate: Path, key: Path, cache: Path | None) -> None:
        """Make a domain without accounts.

        Args:
            folder: is made, for its owner alone; everything is in it.
            address: the only one that the server will listen on.
            certificate: PEM.
            key: its key, mode 0600: Samba refuses another.
            cache: where a made domain is kept (`cache_folder`), or None.

        Raises:
            DirectoryServerError: Samba is not installed or cannot make it.
        """
        self._folder = folder
        if len(f"{folder}{_LONGEST_SOCKET}") > _SOCKET_PATH_MAX:
            raise DirectoryServerError(
                f"{folder}: too long a path for Samba's sockets; set TMPDIR to a folder of a shorter name"
            )
        folder.mkdir(mode=0o700)
        for name in ("state", "cache", "run"):
            (folder / name).mkdir(mode=0o700)
        _bring(folder / "private", folder / "making", cache)
        self._configuration = folder / "smb.conf"
        # With a network's mask Samba takes an address of lo, too, that no interface names.
        self._configuration.write_text(
            f"""\
[global]
{_IDENTITY}  interfaces = {address}/8
  bind interfaces only = yes
  private dir = {folder}/private
  state directory = {folder}/state
  cache directory = {folder}/cache
  lock directory = {folder}/run
  pid directory = {folder}/run
  ncalrpc dir = {folder}/run/ncalrpc
  log file = {folder}/run/log
  tls certfile = {certificate}
  tls keyfile = {key}
  tls cafile =
""",
            encoding="utf-8",
        )

    def add(self, account: Account) -> None:
        """Create an account; DirectoryServerError where the name or the password cannot be."""
        if not _NAME.fullmatch(account.name):
            raise DirectoryServerError(
                f"user {account.name!r} cannot be an account of Active Directory: "
                "1 to 20 letters, digits, dots, underscores, hyphens and spaces are needed"
            )
        self.tool("user", "create", account.name, password=account.password)

    def tool(self, *arguments: str, password: str | None = None) -> None:
        """Run samba-tool on this domain.

        Args:
            arguments: as samba-tool knows them.
            password: given twice on standard input: as the password and as its repetition.

        Raises:
            DirectoryServerError: it fails; with the end of what it says.
        """
        _tool([*arguments, f"--configfile={self._configuration}"], password=password)

    def command(self) -> list[str]:
        """The command line that runs the domain controller, in the foreground; it also ends when its stdin does."""
        return [_installed("samba"), "-i", "-M", "single", "-s", str(self._configuration), "--debug-stdout", "-d1"]


def cache_folder() -> Path | None:
    """Where made domains are kept (XDG Base Directory Specification); None where there is no such place."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "pushlab"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except (OSError, RuntimeError):
        return None
    # A domain holds keys: one that others may write could be another's.
    trusted = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return folder if trusted else None


_IDENTITY: Final = f"""\
  netbios name = DC1
  realm = {REALM}
  workgroup = {DOMAIN}
  server role = active directory domain controller
  server services = ldap
"""
_PROVISION: Final = (
    *("domain", "provision", f"--realm={REALM}", f"--domain={DOMAIN}", "--host-name=dc1", "--host-ip=127.0.0.1"),
    *("--server-role=dc", "--dns-backend=NONE"),
)
"""Without --adminpass: Samba draws a password, and nobody keeps it."""


def _bring(private: Path, making: Path, cache: Path | None) -> None:
    """Put a domain's databases at `private`, from the cache where it has them."""
    if cache is None:
        _provision(making).rename(private)
        shutil.rmtree(making)
        return
    version = subprocess.run([_installed("samba"), "--version"], capture_output=True, timeout=_TOOL_S, check=False)
    key = hashlib.sha256(repr((version.stdout, _IDENTITY, _PROVISION)).encode()).hexdigest()[:16]
    kept = cache / f"samba-{key}"
    if not kept.is_dir():
        try:
            _keep(kept, cache)
        except OSError as error:
            raise DirectoryServerError(f"{cache}: a domain cannot be kept there: {error.strerror}") from None
    shutil.copytree(kept, private)


def _keep(kept: Path, cache: Path) -> None:
    """Make a domain for the cache, which holds one of 33 MB: older ones go."""
    for old in (*cache.glob("samba-*"), *cache.glob("making-*")):
        if old.name.startswith("samba-") or time.time() - old.stat().st_mtime > _STALE_S:
            shutil.rmtree(old, ignore_errors=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=cache))
    try:
        made = _provision(making / "domain")
        try:
            made.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another run was quicker
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _provision(target: Path) -> Path:
    """Make a domain; where its databases are."""
    target.mkdir(mode=0o700)
    base = target / "base.conf"
    base.write_text(f"[global]\n{_IDENTITY}  pid directory = {target}\n  log file = {target}/log\n", encoding="utf-8")
    _tool([*_PROVISION, f"--configfile={base}", f"--targetdir={target}/made"])
    return target / "made" / "private"


def _tool(arguments: Sequence[str], *, password: str | None = None) -> None:
    done = subprocess.run(
        [_installed("samba-tool"), *arguments],
        input=None if password is None else f"{password}\n{password}\n",
        stdin=subprocess.DEVNULL if password is None else None,
        capture_output=True,
        text=True,
        timeout=_TOOL_S,
        check=False,
        start_new_session=True,  # without a terminal, which it would ask for the password
    )
    if done.returncode:
        said = done.stderr[-1000:].strip() or done.stdout[-1000:].strip()
        raise DirectoryServerError(f"samba-tool {' '.join(arguments[:2])} failed: {said}")


def _installed(name: str) -> str:
    found = program(name)
    if found is None:
        raise DirectoryServerError(f"{name} is not installed")
    return found
