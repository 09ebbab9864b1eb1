"""`pushlab preflight`."""

import argparse
import json
import re
import shlex
import ssl
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final

import trio
from rich.console import Console

from harness.interruption import interruption_alone, terminated_as_interrupted
from harness.preflight.listing import read_lists, unlisted
from harness.preflight.outcome import Outcome, conclude
from harness.preflight.page import page_of
from harness.preflight.phone_checks import Wanted
from harness.preflight.survey import PER_S, Plan, survey
from harness.preflight.tables import to_csv, to_json
from harness.preflight.terminal import Display, print_outcome
from harness.probe.secrecy import PasswordError, RefusePassword, ask_password, read_password
from harness.probe.target import Target, TargetError
from harness.run_folder import RunFolder
from harness.screen import complain, reader_may_leave, say
from harness.site.errors import SiteError
from harness.site.listed import Kind, Listed

NAME: Final = "preflight"
USER: Final = "agpush"
"""The push user's recommended name (CTX111243)."""
EXIT_INVALID: Final = 4
EXIT_NOT_STARTED: Final = 5
NETWORK_ADDRESSES: Final = 4096
"""Most addresses of one --network: a /20, about 3 minutes where nobody answers."""
NAMED_DEVICES: Final = 50
"""Most phones of one --dry-devices or --active: what is asked there costs CallManager a logon each."""
MOST_PER_S: Final = 1000.0
_DEVICE: Final = re.compile(r"SEP[0-9A-F]{12}")


class _ProblemsError(Exception):
    """What is wrong with the options, all of it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Returns:
        Its exit code (docs/reference/exit-codes.md).
    """
    arguments = _parser().parse_args(argv)
    try:
        plan = _plan(arguments)
    except _ProblemsError as error:
        for line in error.problems:
            complain(line)
        return EXIT_INVALID
    screen = Console(stderr=True)
    with (
        interruption_alone(),
        terminated_as_interrupted(),
        Display(screen, quiet=arguments.quiet or arguments.json) as display,
    ):
        surveyed = trio.run(survey, plan, display)
    outcome = conclude(surveyed.results, len(surveyed.phones))
    command = shlex.join(["pushlab", NAME, *argv])
    document = to_json(outcome, now=plan.now, command=command)
    try:
        files = _write(arguments.out, plan.now, outcome, command)
    except OSError as error:
        complain(f"{arguments.out}: cannot be written: {error.strerror}")
        return EXIT_NOT_STARTED
    if arguments.json:
        say(json.dumps(document, indent=1))
    elif not arguments.quiet:
        with reader_may_leave(sys.stdout):
            print_outcome(outcome, files, Console())
    return outcome.exit_code


def _write(root: Path, now: datetime, outcome: Outcome, command: str) -> list[Path]:
    folder = RunFolder.create(root, NAME, 0, now)
    written = {
        f"{NAME}.html": page_of(outcome, now=now, command=command),
        f"{NAME}.csv": to_csv(outcome),
        f"{NAME}.json": json.dumps(to_json(outcome, now=now, command=command), indent=1) + "\n",
    }
    for name, text in written.items():
        folder.file(name).write_text(text, encoding="utf-8")
    return [folder.file(name) for name in written]


def _plan(arguments: argparse.Namespace) -> Plan:
    problems: list[str] = []
    phones, scan = _phones(arguments, problems)
    for option in ("authentication_url", "secured_authentication_url", "callmanager_url"):
        _check_url(option, getattr(arguments, option), problems)
    dry = _devices("--dry-devices", arguments.dry_devices, phones, problems, scan=scan)
    active = _devices("--active", arguments.active, phones, problems, scan=scan)
    if arguments.multicast and not active:
        problems.append("--multicast: needs --active with a phone of each subnet")
    if arguments.multicast and not arguments.multicast.is_multicast:
        problems.append(f"--multicast {arguments.multicast}: not a multicast address (224.0.0.0 to 239.255.255.255)")
    password = _password(arguments, problems) if (dry or active) and not problems else ""
    _check_ca_file(arguments.ca_file, problems)
    if problems:
        raise _ProblemsError(problems)
    return Plan(
        phones=phones,
        scan=scan,
        wanted=Wanted(
            authentication_url=arguments.authentication_url or "",
            secured_url=arguments.secured_authentication_url or "",
            callmanager_url=arguments.callmanager_url or "",
        ),
        ca_file=arguments.ca_file,
        user=arguments.user,
        password=password,
        dry_devices=dry,
        active=active,
        group=str(arguments.multicast or ""),
        per_s=arguments.rate,
        port=arguments.port,
        now=datetime.now(UTC),
    )


def _phones(arguments: argparse.Namespace, problems: list[str]) -> tuple[Sequence[Listed], bool]:
    files: list[tuple[Path, Kind | None]] = [
        *((path, None) for path in arguments.csv),
        *((path, "DeviceListX") for path in arguments.devicelistx),
        *((path, "RisPort") for path in arguments.risport),
    ]
    if bool(files) == (arguments.network is not None):
        problems.append("expected either lists (--csv, --risport, --devicelistx) or --network")
        return [], False
    if arguments.network is not None:
        network: IPv4Network = arguments.network
        if network.num_addresses > NETWORK_ADDRESSES:
            problems.append(
                f"--network {network}: {network.num_addresses:,} addresses, expected at most {NETWORK_ADDRESSES:,} (a "
                f"/20)"
            )
            return [], True
        return [unlisted(str(address)) for address in network.hosts()], True
    try:
        return read_lists(files), False
    except SiteError as error:
        problems += error.errors
        return [], False


def _check_url(option: str, url: str | None, problems: list[str]) -> None:
    name = f"--{option.replace('_', '-')}"
    if url is None:
        return
    try:
        target = Target.parse(url)
    except TargetError as error:
        problems.append(f"{name}: {error}")
        return
    if option.startswith("secured") and not target.secured:
        problems.append(f"{name}: expected https, got {target.url}")


def _devices(
    option: str, text: str | None, phones: Sequence[Listed], problems: list[str], *, scan: bool
) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip().upper() for name in (text or "").split(",") if name.strip()))
    problems += [f"{option}: {name}: expected SEP and 12 hex digits" for name in names if not _DEVICE.fullmatch(name)]
    if len(names) > NAMED_DEVICES:
        problems.append(f"{option}: {len(names)} phones, expected at most {NAMED_DEVICES}")
    known = {phone.device_name for phone in phones}
    if not scan and known:
        problems += [f"{option}: {name} is not in the list" for name in names if name not in known]
    return names


def _password(arguments: argparse.Namespace, problems: list[str]) -> str:
    try:
        return read_password(arguments.password_file) if arguments.password_file else ask_password(arguments.user)
    except PasswordError as error:
        problems.append(str(error))
        return ""


def _check_ca_file(path: Path | None, problems: list[str]) -> None:
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        problems.append(f"--ca-file {path}: no certificates can be read ({error.strerror or error})")


def _network(text: str) -> IPv4Network:
    try:
        return IPv4Network(text, strict=False)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a network such as 10.20.4.0/24 ({error})") from None


def _group(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an IPv4 address, got {text}") from None


def _rate(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= MOST_PER_S:
        raise argparse.ArgumentTypeError(f"expected 0.1 to {MOST_PER_S:g} questions a second, got {text}")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 < value < 65536:
        raise argparse.ArgumentTypeError(f"expected 1 to 65535, got {text}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab preflight",
        description="Whether a lab of real phones is ready for a rollout (docs/reference/preflight.md). Reads only, "
        "but for "
        "the phones that --active names.",
    )
    for option, what in (
        ("--csv", "the phones: pushlab's list, or All Phone Details; may be repeated, as the next two"),
        ("--risport", "an answer of RisPort: who is registered, and where"),
        ("--devicelistx", "an answer of DeviceListX"),
    ):
        parser.add_argument(option, type=Path, action="append", default=[], metavar="FILE", help=what)
    parser.add_argument("--network", type=_network, metavar="CIDR", help="whatever phones answer there, at most a /20")
    parser.add_argument("--authentication-url", metavar="URL", help="the one that phones are to have: the gateway's")
    parser.add_argument("--secured-authentication-url", metavar="URL", help="https, where phones prefer it")
    parser.add_argument("--callmanager-url", metavar="URL", help="CallManager's own authentication URL")
    parser.add_argument("--ca-file", type=Path, metavar="PEM", help="authorities that phones trust for https")
    parser.add_argument("--user", default=USER, metavar="NAME", help=f"the push user ({USER})")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its password, one line, mode 0600; asked for without it"
    )
    # So that nothing takes it for a shortened --password-file, and tells it again.
    parser.add_argument("--password", nargs="?", action=RefusePassword, help=argparse.SUPPRESS)
    parser.add_argument(
        "--dry-devices", metavar="SEP…,SEP…", help="ask the URLs about the push user in these phones' names; no push"
    )
    parser.add_argument(
        "--active", metavar="SEP…,SEP…", help="send these phones a second of silence and see whether they heard it"
    )
    parser.add_argument(
        "--multicast", type=_group, metavar="GROUP", help="the same by multicast, to one phone a subnet of --active"
    )
    parser.add_argument(
        "--rate", type=_rate, default=PER_S, metavar="N", help=f"questions a second over all ({PER_S:g})"
    )
    parser.add_argument("--port", type=_port, default=80, metavar="P", help="of phones' web servers (80)")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where results go (runs)")
    parser.add_argument("--json", action="store_true", help="print preflight.json instead of the summary")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser
