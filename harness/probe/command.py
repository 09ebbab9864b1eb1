"""`pushlab probe URL`."""

import argparse
import contextlib
import ipaddress
import math
import re
import shlex
import socket
import ssl
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import trio
from rich.console import Console

from harness.interruption import interruption_alone, terminated_as_interrupted
from harness.probe.checks import NAMES
from harness.probe.exchange import CONNECT_S, exchange
from harness.probe.outcome import judgement, write_folder
from harness.probe.plan import FOREIGN, OURS, TOTAL_S, Care, Connector, ProbePlan
from harness.probe.question import DEVICE, NOBODY, Credentials, get, parameters
from harness.probe.running import probe
from harness.probe.secrecy import PasswordError, RefusePassword, ask_password, read_password
from harness.probe.target import Target, TargetError
from harness.probe.terminal import Progress, print_verdict
from harness.run_folder import VERDICT
from harness.scenario.keys import MODELS, model_of
from harness.screen import complain, reader_may_leave, say

EXIT_INVALID: Final = 4
EXIT_NOT_STARTED: Final = 5
USER: Final = "agpush"
"""The push user's recommended name (CTX111243)."""
MAX_TOTAL_S: Final = 3600.0
MAX_ADDRESSES: Final = 4
"""Of a name that are tried."""
Address = tuple[socket.AddressFamily, tuple[str, int]]
_NO_BODY: Final = rb"Content-Length: 0\r\nConnection: close\r\n\r\n"
_TEXT: Final = rb"HTTP/1\.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
OWN_AUTHORIZED: Final = re.compile(_TEXT % (10, b"AUTHORIZED"))
OWN_MISMATCH: Final = re.compile(
    rb"HTTP/1\.1 302 Found\r\nLocation: [!-~]+\r\n" + _NO_BODY + b"|" + _TEXT % (13, b"UN-AUTHORIZED")
)
OWN_REJECTION: Final = re.compile(rb"HTTP/1\.1 400 Bad Request\r\n" + _NO_BODY)
"""How a gateway of pushlab answers, byte for byte (tests/golden/gateway). It knows no accounts that could be locked;
that it is on this very machine is asked for as well."""


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Returns:
        Its exit code (docs/reference/exit-codes.md).
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        target = Target.parse(arguments.url)
    except TargetError as error:
        parser.error(str(error))
    if arguments.callmanager_url is not None:
        try:
            Target.parse(arguments.callmanager_url)
        except TargetError as error:
            parser.error(f"--callmanager-url: {error}")
    for option, value in (("--user", arguments.user), ("--device", arguments.device)):
        if not value.strip():
            parser.error(f"{option}: expected a name, got nothing")
    models = _models(parser, arguments.models)
    unknown = [name for name in arguments.leave_out if name not in NAMES]
    if unknown:
        parser.error(f"--leave-out: no check {unknown[0]!r}; the checks are: {', '.join(sorted(NAMES))}")
    if not 0 < arguments.most_s <= MAX_TOTAL_S:
        parser.error(f"--most-s: expected seconds above 0 up to {MAX_TOTAL_S:g}")
    try:
        tls = _tls(target, arguments.ca_file)
        password = read_password(arguments.password_file) if arguments.password_file else ask_password(arguments.user)
    except PasswordError as error:
        complain(str(error))
        return EXIT_INVALID
    except (OSError, ssl.SSLError) as error:
        complain(f"--ca-file {arguments.ca_file}: no certificates can be read ({error.strerror or error})")
        return EXIT_INVALID
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=arguments.out).close()
    except OSError as error:
        complain(f"--out {arguments.out}: the run folder cannot be written there: {error.strerror}; nothing was probed")
        return EXIT_NOT_STARTED
    try:
        address = trio.run(_reachable, _resolve(target))
    except OSError as error:
        complain(f"{target.host}: {error.strerror or error}; nothing was probed")
        return EXIT_NOT_STARTED
    plan = ProbePlan(
        target=target,
        credentials=Credentials(user=arguments.user, password=password, device=arguments.device),
        connect=connector(*address),
        consent=False,
        care=FOREIGN,
        tls=tls,
        callmanager_url=arguments.callmanager_url or "",
        own_user_mismatch=arguments.own_user_mismatch or "",
        models=models,
        leave_out=frozenset(arguments.leave_out),
        total_s=arguments.most_s,
    )
    here = ipaddress.ip_address(address[1][0].partition("%")[0]).is_loopback
    plan = _with_care(plan, arguments, ours=here and trio.run(is_ours, plan))
    return _run(plan, arguments, argv)


def _run(plan: ProbePlan, arguments: argparse.Namespace, argv: Sequence[str]) -> int:
    screen = Console(stderr=True)
    if not arguments.json:
        with reader_may_leave(sys.stderr):
            screen.print(
                f"probing {plan.target.url}: about {_about_s(plan):g} s, at most {plan.total_s:g} s", style="dim"
            )
    with interruption_alone(), terminated_as_interrupted(), Progress(screen) as progress:
        results = trio.run(probe, plan, progress)
    judged = judgement(results, plan.credentials.password)
    try:
        folder = write_folder(
            judged,
            arguments.out,
            datetime.now(UTC),
            url=plan.target.url,
            command=shlex.join(["pushlab", "probe", *argv]),
        )
    except OSError as error:
        complain(f"{arguments.out}: the run folder cannot be written: {error.strerror}")
        return EXIT_NOT_STARTED
    if arguments.json:
        say(folder.file(VERDICT).read_text(encoding="utf-8").rstrip())
    else:
        with reader_may_leave(sys.stdout):
            print_verdict(judged, plan.target.url, folder, Console())
    return judged.exit_code


def connector(family: socket.AddressFamily, place: tuple[str, int]) -> Connector:
    """Opens connections to one address, which was looked up once."""

    async def connect() -> trio.SocketStream:
        client = trio.socket.socket(family, socket.SOCK_STREAM)
        try:
            await client.connect(place)
        except BaseException:
            client.close()
            raise
        return trio.SocketStream(client)

    return connect


async def is_ours(plan: ProbePlan) -> bool:
    """Whether a gateway of pushlab answers, by every byte of its answers.

    To a broken request, to a user that nobody has, and only then to the right question.
    """
    nobody = parameters(NOBODY, "pushlab+probe", plan.credentials.device)
    right = parameters(plan.credentials.user, plan.credentials.password, plan.credentials.device)
    for query, host, own in ((nobody, None, OWN_REJECTION), (nobody, "", OWN_MISMATCH), (right, "", OWN_AUTHORIZED)):
        request = get(plan.target, query, host=host)
        found = await exchange(plan.connect, request, tls=plan.tls, server_name=plan.target.host)
        if found.answer is None or own.fullmatch(found.answer.raw) is None:
            return False
    return True


def _with_care(plan: ProbePlan, arguments: argparse.Namespace, *, ours: bool) -> ProbePlan:
    care: Care = OURS if ours else FOREIGN
    if arguments.lockout_failures is not None:
        care = replace(care, lockout_failures=arguments.lockout_failures)
    if arguments.most_wrong_passwords is not None:
        care = replace(care, wrong_passwords=arguments.most_wrong_passwords)
    return replace(plan, care=care, consent=ours or arguments.yes_send_wrong_passwords or _consents(plan, care))


def _consents(plan: ProbePlan, care: Care) -> bool:
    """Ask, where there is somebody to ask."""
    if not sys.stdin.isatty():
        complain(
            "wrong passwords are not sent, the checks that need them stay inconclusive: accounts can be locked "
            "(CallManager: after 3 failures, for 30 minutes). --yes-send-wrong-passwords sends them"
        )
        return False
    complain(
        f"{plan.target.base} is not ours. Some checks send wrong passwords of {plan.credentials.user}, at most "
        f"{care.wrong_passwords}, with a right one after every second; the check lockout sends {care.lockout_failures} "
        "in a row. CallManager locks an account after 3, for 30 minutes, and no page is heard meanwhile."
    )
    # Not by `input`: its question would stand before the JSON.
    sys.stderr.write("Send them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _about_s(plan: ProbePlan) -> float:
    """What it takes against an endpoint that answers at once."""
    questions = 280 if plan.consent else 160
    paced = questions / plan.care.per_s if plan.care.per_s else 1.0
    return math.ceil(paced + (8 if plan.consent else 2))


def _resolve(target: Target) -> list[Address]:
    """Look the name up, once.

    Raises:
        OSError: it cannot be found.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return [(family, (str(place[0]), int(place[1]))) for family, _, _, _, place in found[:MAX_ADDRESSES]]


async def _reachable(addresses: Sequence[Address]) -> Address:
    """The first address of a name that takes connections, else the first; `localhost` is two, a server is at one."""
    for address in addresses if len(addresses) > 1 else ():
        with trio.move_on_after(CONNECT_S), contextlib.suppress(OSError):
            await trio.aclose_forcefully(await connector(*address)())
            return address
    return addresses[0]


def _tls(target: Target, ca_file: Path | None) -> ssl.SSLContext | None:
    if not target.secured:
        return None
    return ssl.create_default_context(cafile=ca_file)


def _models(parser: argparse.ArgumentParser, names: str | None) -> frozenset[str]:
    if names is None:
        return frozenset()
    found = {name: model_of(name.strip()) for name in names.split(",")}
    for name, model in found.items():
        if model is None:
            parser.error(f"--models: no model {name!r}; the models are: {', '.join(MODELS)}")
    return frozenset(model for model in found.values() if model is not None)


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError("expected a whole number from 0 to 1000")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="pushlab probe",
        description="Conformance and security checks of an authentication endpoint, ours or anybody's "
        "(docs/reference/probe.md). Nothing is sent anywhere but to URL.",
    )
    parser.add_argument("url", metavar="URL", help="such as http://10.1.1.5/cisco_auth/authenticate.html")
    parser.add_argument("--user", default=USER, help=f"the push user (default {USER})")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="its password, one line, mode 0600; asked for without it"
    )
    # So that nothing takes it for a shortened --password-file, and tells it again.
    parser.add_argument("--password", nargs="?", action=RefusePassword, help=argparse.SUPPRESS)
    parser.add_argument("--device", default=DEVICE, metavar="SEP...", help="a phone that the user is associated with")
    parser.add_argument(
        "--yes-send-wrong-passwords",
        action="store_true",
        help="send wrong passwords to an endpoint that is not ours: the account may be locked",
    )
    parser.add_argument("--callmanager-url", metavar="URL", help="where a mismatch has to be redirected to")
    parser.add_argument(
        "--own-user-mismatch", choices=("redirect", "refuse"), help="what a wrong password of the user has to meet"
    )
    parser.add_argument("--models", metavar="MODEL,...", help="phone models that matter (default: all)")
    parser.add_argument(
        "--ca-file", type=Path, metavar="PEM", help="authorities to trust for https instead of the system's"
    )
    parser.add_argument("--leave-out", action="append", default=[], metavar="CHECK", help="do not ask this one")
    parser.add_argument(
        "--lockout-failures",
        type=_count,
        metavar="N",
        help="failures in a row, 0: none (default 6; 24 where it is ours)",
    )
    parser.add_argument(
        "--most-wrong-passwords", type=_count, metavar="N", help="limit of wrong passwords (default 100)"
    )
    parser.add_argument(
        "--most-s", type=float, default=TOTAL_S, metavar="S", help=f"longest time (default {TOTAL_S:g})"
    )
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where run folders go")
    parser.add_argument("--json", action="store_true", help="print verdict.json instead of the table")
    return parser
