"""A directory server as a part of a run: `python -m harness.bed.directory.server --config FILE`.

slapd and Samba have no ready line and no lifeline, so this process has them in their place (docs/design/parts.md): it
makes the server's folder, starts the server, says that it is ready once it takes connections, and stops it on SIGTERM,
SIGINT or the end of standard input. The server dies with this process, whatever this one dies of: a parent-death signal
hangs on the thread that forked, which is why there is one thread here and no event loop.

The configuration is JSON: `kind`, `address`, `ldap_port`, `ldaps_port`, `folder` (is made and removed), `certificate`,
`key`, `manager_password_file`, `accounts` as a list of `{"name", "password_file"}`, and `cached`, whether a domain is
kept for the next run.
"""

import argparse
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness.bed.directory import samba, slapd
from harness.bed.directory.account import Account, DirectoryServerError

EXIT_BED: Final = 5
EXIT_SERVER_ENDED: Final = 1
READY_S: Final = 60.0
"""slapd takes connections after 0.02 s, a domain controller after 0.3 s."""
STOP_S: Final = 10.0
_POLL_S: Final = 0.01
_CONNECT_S: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1
"""include/uapi/linux/prctl.h."""
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is to be served, and where."""

    kind: str
    address: str
    ldap_port: int
    ldaps_port: int
    folder: Path
    certificate: Path
    key: Path
    manager_password: str = field(repr=False)
    accounts: tuple[Account, ...]
    cached: bool = True

    @classmethod
    def read(cls, path: Path) -> "Configuration":
        """Read the file, which the bed has written, and the passwords that it names."""
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        password = _line(table.pop("manager_password_file"))
        accounts = tuple(Account(name=a["name"], password=_line(a["password_file"])) for a in table.pop("accounts"))
        paths: dict[str, Any] = {name: Path(table.pop(name)) for name in ("folder", "certificate", "key")}
        return cls(manager_password=password, accounts=accounts, **paths, **table)


def _line(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").removesuffix("\n")


class _StopError(BaseException):
    """Somebody asks this process to end."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; 0 then, 1 where the server ended by itself, 5 where it could not start."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description="A directory server of the bed.")
    parser.add_argument("--config", type=Path, required=True)
    options = parser.parse_args(argv)
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    configuration = Configuration.read(options.config)
    try:
        return _serve(configuration)
    except _StopError:
        return 0
    except (DirectoryServerError, OSError, subprocess.TimeoutExpired) as error:
        _say(str(error))
        return EXIT_BED
    finally:
        shutil.rmtree(configuration.folder, ignore_errors=True)


def _stop(_number: int, _frame: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # once is enough: what follows is not interrupted
    raise _StopError


def _serve(configuration: Configuration) -> int:
    prepare = {"slapd": _slapd, "samba": _samba}[configuration.kind]
    command = prepare(configuration)
    ports = (configuration.ldap_port, configuration.ldaps_port)
    for port in ports:
        if _takes_connections(configuration.address, port):
            raise DirectoryServerError(f"{configuration.address}:{port} is taken already (EADDRINUSE)")
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        preexec_fn=dying_with(os.getpid()),  # noqa: PLW1509 - there are no threads here
    )
    try:
        began = time.monotonic()
        while not all(_takes_connections(configuration.address, port) for port in ports):
            if process.poll() is not None:
                raise DirectoryServerError(f"{configuration.kind} ended before it was ready")
            if time.monotonic() - began > READY_S:
                raise DirectoryServerError(f"{configuration.kind} took no connections within {READY_S:g} s")
            time.sleep(_POLL_S)
        place = f"{configuration.address}:{configuration.ldap_port}"
        secured = f"{configuration.address}:{configuration.ldaps_port}"
        urls = {"ldap": f"ldap://{place}", "ldaps": f"ldaps://{secured}"}
        print(json.dumps({"ready": True, "urls": urls}), flush=True)  # noqa: T201 - the ready line
        return _watch(process)
    finally:
        _end(process)


def _slapd(configuration: Configuration) -> list[str]:
    slapd.build(
        configuration.folder,
        certificate=configuration.certificate,
        key=configuration.key,
        manager_password=configuration.manager_password,
        ldif=slapd.entries(configuration.accounts),
    )
    return slapd.command(
        configuration.folder,
        address=configuration.address,
        ldap_port=configuration.ldap_port,
        ldaps_port=configuration.ldaps_port,
    )


def _samba(configuration: Configuration) -> list[str]:
    domain = samba.Domain(
        configuration.folder,
        address=configuration.address,
        certificate=configuration.certificate,
        key=configuration.key,
        cache=samba.cache_folder() if configuration.cached else None,
    )
    domain.add(Account(name=samba.MANAGER, password=configuration.manager_password))
    for account in configuration.accounts:
        domain.add(account)
    return domain.command()


def _watch(process: "subprocess.Popen[bytes]") -> int:
    """Wait for the end of standard input, 0, or of the server, 1."""
    server = os.pidfd_open(process.pid)
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == server:
                    _say("the directory server ended by itself")
                    return EXIT_SERVER_ENDED
                if not os.read(key.fd, 4096):
                    return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def dying_with(parent: int) -> Callable[[], None]:
    """What a child does before its program starts, so that the kernel kills it when `parent` dies."""

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it was quicker
            os._exit(EXIT_SERVER_ENDED)

    return prepare


def _takes_connections(address: str, port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(_CONNECT_S)
        return client.connect_ex((address, port)) == 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the log


if __name__ == "__main__":
    sys.exit(main())
