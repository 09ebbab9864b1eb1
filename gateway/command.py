"""`pushlab gateway`: serve, ask a running gateway, or look after its data."""

from __future__ import annotations

import argparse
import http.client
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from gateway import console
from gateway.accounts.roles import Role
from gateway.client import Client, RefusedError
from gateway.configuration import Configuration, ConfigurationError, load_configuration
from gateway.log import FORMATS, begin_log
from gateway.media import TONES, PacerError
from gateway.product import Gateway
from gateway.push import Busy, Delivery, Priority
from gateway.server import ServerOptions, StartError, release, serve

OK, FAILED, USAGE, INVALID, NOT_STARTED, INTERRUPTED = 0, 1, 2, 4, 5, 130
"""docs/reference/exit-codes.md."""
POLL_S = 0.2


def main(argv: Sequence[str] | None = None, gateway_class: type[Gateway] = Gateway) -> int:
    """Run one command and return its exit code. ``gateway_class`` is what `serve` brings up."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2
    begin_log(getattr(arguments, "log_format", "console"))
    try:
        configuration = load_configuration(arguments.config)
        match arguments.command:
            case "serve":
                return _serve(configuration, arguments, gateway_class)
            case "page" | "alert" | "inventory":
                return _ask(configuration, arguments)
            case _:
                return _look_after(configuration, arguments)
    except ConfigurationError as error:
        return _fail(INVALID, *error.errors)
    except (StartError, PacerError) as error:
        return _fail(NOT_STARTED, str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pushlab gateway", description="The paging gateway alone.")
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="answer phones and wait for pages")
    server.add_argument("--config", type=Path, required=True, metavar="FILE")
    server.add_argument("--events", type=Path, metavar="FILE", help="append event records to this file")
    server.add_argument("--status-s", type=_seconds, metavar="SECONDS", help="print counters at this interval")
    server.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input ends")
    server.add_argument("--log-format", choices=FORMATS, default="console", help="lines on standard error")
    page = _running(commands.add_parser("page", help="have a running gateway page, and wait for the end"))
    page.add_argument("audio", type=Path, nargs="?", metavar="AUDIO", help="a WAV file on the gateway's machine")
    page.add_argument("--recording", metavar="NAME", help="a recording that the gateway keeps, instead of AUDIO")
    page.add_argument(
        "--phones", nargs="+", metavar="NAME", help="device names; all of the inventory if nobody is named"
    )
    page.add_argument("--zones", nargs="+", metavar="NAME")
    page.add_argument("--lists", nargs="+", metavar="NAME", help="distribution lists")
    page.add_argument("--priority", choices=tuple(map(str, Priority)))
    page.add_argument("--busy", choices=tuple(map(str, Busy)), help="phones that receive something else")
    page.add_argument("--delivery", choices=tuple(map(str, Delivery)))
    page.add_argument("--tone", metavar="TONE", help=f"before it: {', '.join(TONES)}, or a WAV file")
    page.add_argument("--repeat", type=int, metavar="N", help="how often it is played")
    page.add_argument("--start", choices=("together", "each"), default="together")
    page.add_argument("--start-fraction", type=float, default=1.0)
    page.add_argument("--start-deadline-s", type=float, default=2.0)
    alert = _running(
        commands.add_parser("alert", help="have a running gateway show a text on phones, and say what became of it")
    )
    alert.add_argument("text", metavar="TEXT", help="up to 256 characters")
    alert.add_argument("--title", metavar="TEXT", help="up to 32 characters (Alert)")
    alert.add_argument("--prompt", metavar="TEXT", help="line above the keys, up to 32 characters")
    alert.add_argument("--priority", choices=("emergency", "normal", "background"), default="normal")
    alert.add_argument("--keys", nargs="+", metavar="NAME", help="keys to answer with, at most two (Acknowledge)")
    alert.add_argument("--expires-s", type=float, metavar="SECONDS", help="when it is over by itself (3600)")
    for name, what in (("phones", "device names"), ("zones", "zones"), ("lists", "distribution lists")):
        alert.add_argument(f"--{name}", nargs="+", metavar="NAME", help=f"{what}; all phones if none of the three")
    alert.add_argument("--key", metavar="KEY", help="idempotency key: sent again with it, it is not sent again")
    alert.add_argument(
        "--wait-s", type=float, default=15.0, metavar="SECONDS", help="how long to wait until phones show it (15)"
    )
    inventory = _running(commands.add_parser("inventory", help="print a running gateway's phones"))
    inventory.add_argument("--read", action="store_true", help="ask all phones first")
    _console_commands(commands)
    return parser


def _running(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the running gateway's")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a token; the configuration's if absent")
    return parser


def _console_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    account = commands.add_parser("account", help="accounts of the Administration Tool, at the gateway's machine")
    actions = account.add_subparsers(dest="action", required=True)
    _configured(actions.add_parser("set-up", help="print a token that makes an administrator"))
    _configured(actions.add_parser("list", help="print all accounts"))
    reset = _configured(actions.add_parser("reset-password", help="give an account another password"))
    reset.add_argument("name", metavar="NAME")
    add = _configured(actions.add_parser("add", help="make an account"))
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=tuple(map(str, Role)), default=str(Role.OPERATOR))
    audit = commands.add_parser("audit", help="the audit trail")
    _configured(audit.add_subparsers(dest="action", required=True).add_parser("verify", help="check its chain"))
    backup = _configured(commands.add_parser("backup", help="write all data into one file, also while it runs"))
    backup.add_argument("out", type=Path, metavar="OUT")
    backup.add_argument("--with-key", action="store_true", help="with the key of the secrets in it")
    restore = _configured(commands.add_parser("restore", help="put a backup back, while no gateway runs"))
    restore.add_argument("backup", type=Path, metavar="BACKUP")


def _configured(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 3600:
        raise argparse.ArgumentTypeError("must be from 0.05 to 3600 seconds")
    return value


def _serve(configuration: Configuration, arguments: argparse.Namespace, gateway_class: type[Gateway]) -> int:
    options = ServerOptions(
        events=arguments.events, status_s=arguments.status_s, stop_with_stdin=arguments.stop_with_stdin
    )
    try:
        trio.run(serve, configuration, options, gateway_class)
    except BaseExceptionGroup as group:
        # Nurseries wrap what ends them; one expected cause is told plainly.
        for kind in (ConfigurationError, StartError, PacerError):
            if (matching := group.subgroup(kind)) is not None:
                raise _first(matching) from None
        raise
    return OK


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _look_after(configuration: Configuration, arguments: argparse.Namespace) -> int:
    where = arguments.config
    match (arguments.command, getattr(arguments, "action", None)):
        case ("account", "set-up"):
            return console.print_set_up_token(configuration, where)
        case ("account", "list"):
            return console.list_accounts(configuration, where)
        case ("account", "reset-password"):
            return console.reset_password(configuration, where, arguments.name)
        case ("account", _):
            return console.add_account(configuration, where, arguments.name, arguments.role)
        case ("audit", _):
            return console.verify_audit(configuration, where)
        case ("backup", _):
            return console.back_up(configuration, where, arguments.out, version=release(), with_key=arguments.with_key)
        case _:
            return console.put_back(configuration, where, arguments.backup)


def _ask(configuration: Configuration, arguments: argparse.Namespace) -> int:
    client = Client.of(configuration, arguments.config, arguments.token_file)
    try:
        return {"page": _page, "alert": _alert, "inventory": _inventory}[arguments.command](client, arguments)
    except RefusedError as error:
        return _fail(INVALID if error.status == 400 else FAILED, *error.errors)
    except (OSError, http.client.HTTPException) as error:
        return _fail(NOT_STARTED, f"no answer from the gateway at {configuration.administration}: {error}")


def _alert(client: Client, arguments: argparse.Namespace) -> int:
    """Send an alert and wait until no phone is awaited any more, or the time is over."""
    given = {
        "title": arguments.title,
        "prompt": arguments.prompt,
        "softkeys": arguments.keys,
        "expires_s": arguments.expires_s,
        "phones": arguments.phones or ([] if arguments.zones or arguments.lists else "all"),
        "zones": arguments.zones,
        "lists": arguments.lists,
    }
    wish = {"text": arguments.text, "priority": arguments.priority, **{k: v for k, v in given.items() if v is not None}}
    key = arguments.key or secrets.token_urlsafe(16)
    answer = client.ask("POST", "/api/alerts", wish, {"Idempotency-Key": key})
    path = f"/api/alerts/{answer['alert']}"
    until = time.monotonic() + arguments.wait_s
    while True:
        answer = client.ask("GET", path)
        outcomes = answer.get("outcomes")
        counts = outcomes if isinstance(outcomes, dict) else {}
        awaited = answer.get("sending") or counts.keys() & {"waiting", "pushed"}
        if not awaited or time.monotonic() >= until:
            break
        time.sleep(POLL_S)
    _print_counts(f"alert {answer.get('alert')}: {answer.get('state')}", counts)
    return OK if counts.keys() & {"displayed", "acknowledged", "listed"} else FAILED


def _print_counts(head: str, counts: dict[str, int]) -> None:
    rows = [*sorted(counts.items(), key=lambda row: -row[1]), ("phones", sum(counts.values()))]
    width = max(len(name) for name, _ in rows)
    print("\n".join([head, *(f"  {name:<{width}}  {count:>6}" for name, count in rows)]))  # noqa: T201  the result


def _page(client: Client, arguments: argparse.Namespace) -> int:
    if (arguments.audio is None) == (arguments.recording is None):
        return _fail(USAGE, "pushlab gateway page: give AUDIO or --recording")
    wish: dict[str, object] = {
        "start": arguments.start,
        "start_fraction": arguments.start_fraction,
        "start_deadline_s": arguments.start_deadline_s,
    }
    if arguments.audio is not None:
        wish["audio"] = str(arguments.audio.absolute())
    for name in ("recording", "phones", "zones", "lists", "priority", "busy", "delivery", "tone", "repeat"):
        if getattr(arguments, name) is not None:
            wish[name] = getattr(arguments, name)
    # The key makes asking again harmless: whether the first request was heard or only its answer was lost.
    headers = {"Idempotency-Key": secrets.token_urlsafe(16)}
    answer = client.ask("POST", "/api/pages", wish, headers)
    path = f"/api/pages/{answer['page']}"
    try:
        while answer.get("state") != "ended":
            time.sleep(POLL_S)
            answer = client.ask("GET", path)
    except KeyboardInterrupt:
        client.ask("POST", f"{path}/stop")
        raise
    _print_outcomes(answer)
    return OK if answer.get("reason") == "completed" else FAILED


def _inventory(client: Client, arguments: argparse.Namespace) -> int:
    if arguments.read:
        client.ask("POST", "/api/inventory/read")
    phones = client.ask("GET", "/api/inventory")["phones"]
    assert isinstance(phones, list)
    keys = ("directory_number", "phone", "address", "model", "outcome")
    rows = [[str(phone.get(key) or "-") for key in keys] for phone in phones]
    widths = [max([len(row[at]) for row in rows] + [len(key)]) for at, key in enumerate(keys)]
    for row in [list(keys), *rows]:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201  the command's result
    return OK


def _print_outcomes(answer: dict[str, object]) -> None:
    outcomes = answer.get("outcomes")
    rows = sorted(outcomes.items(), key=lambda row: -row[1]) if isinstance(outcomes, dict) else []
    width = max([len(name) for name, _ in rows] + [len("phones")])
    lines = [f"page {answer.get('page')}: {answer.get('reason')}"]
    lines += [f"  {name:<{width}}  {count:>6}" for name, count in rows]
    lines.append(f"  {'phones':<{width}}  {answer.get('phones')!s:>6}")
    print("\n".join(lines))  # noqa: T201  the command's result


def _fail(code: int, *lines: str) -> int:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201  errors, one a line
    return code
