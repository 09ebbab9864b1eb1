"""`pushlab gateway`: serve, ask a running gateway, or look after its data."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from gateway import asking, console
from gateway.accounts.roles import Role
from gateway.configuration import Configuration, ConfigurationError, load_configuration
from gateway.log import FORMATS, begin_log
from gateway.media import PacerError
from gateway.printing import fail
from gateway.product import Gateway
from gateway.server import ServerOptions, StartError, release, serve

OK, INVALID, NOT_STARTED, INTERRUPTED = 0, 4, 5, 130
"""docs/reference/exit-codes.md."""


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
            case command if command in asking.COMMANDS:
                return asking.ask(configuration, arguments)
            case _:
                return _look_after(configuration, arguments)
    except ConfigurationError as error:
        return fail(INVALID, *error.errors)
    except (StartError, PacerError) as error:
        return fail(NOT_STARTED, str(error))
    except KeyboardInterrupt:
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    """Takes options by their whole names only, and so do the parsers of its commands."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(allow_abbrev=False, **options)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(prog="pushlab gateway", description="The paging gateway alone.")
    commands = parser.add_subparsers(dest="command", required=True)
    server = commands.add_parser("serve", help="answer phones and wait for pages")
    server.add_argument("--config", type=Path, required=True, metavar="FILE")
    server.add_argument("--events", type=Path, metavar="FILE", help="append event records to this file")
    server.add_argument("--status-s", type=_seconds, metavar="SECONDS", help="print counters at this interval")
    server.add_argument("--stop-with-stdin", action="store_true", help="stop when standard input ends")
    server.add_argument("--log-format", choices=FORMATS, default="console", help="lines on standard error")
    asking.add_commands(commands)
    _console_commands(commands)
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
