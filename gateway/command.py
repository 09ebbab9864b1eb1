"""`pushlab gateway`: serve, or ask a running gateway for a page."""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from gateway.configuration import Configuration, ConfigurationError, load_configuration
from gateway.media import PacerError
from gateway.product import Gateway
from gateway.server import ServerOptions, StartError, serve

OK, FAILED, INVALID, NOT_STARTED, INTERRUPTED = 0, 1, 4, 5, 130
"""docs/reference/exit-codes.md."""
POLL_S = 0.2
ANSWER_S = 30.0
"""For one answer of the JSON interface; reading a long WAV file takes seconds."""


def main(argv: Sequence[str] | None = None, gateway_class: type[Gateway] = Gateway) -> int:
    """Run one command and return its exit code. ``gateway_class`` is what `serve` brings up."""
    parser = _parser()
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 2
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    try:
        configuration = load_configuration(arguments.config)
        if arguments.command == "serve":
            return _serve(configuration, arguments, gateway_class)
        return (_alert if arguments.command == "alert" else _page)(configuration, arguments)
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
    page = commands.add_parser("page", help="have a running gateway page, and wait for the end")
    page.add_argument("audio", type=Path, metavar="AUDIO", help="a WAV file on the gateway's machine")
    page.add_argument("--config", type=Path, required=True, metavar="FILE", help="the running gateway's")
    page.add_argument("--phones", nargs="+", metavar="NAME", help="device names; all of the list if absent")
    page.add_argument("--start", choices=("together", "each"), default="together")
    page.add_argument("--start-fraction", type=float, default=1.0)
    page.add_argument("--start-deadline-s", type=float, default=2.0)
    alert = commands.add_parser("alert", help="have a running gateway show a text on phones, and say what became of it")
    alert.add_argument("text", metavar="TEXT", help="up to 256 characters")
    alert.add_argument("--config", type=Path, required=True, metavar="FILE", help="the running gateway's")
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


def _client(configuration: Configuration, path: Path) -> _Client:
    if configuration.administration is None or configuration.token is None:
        raise ConfigurationError([f"{path}: [administration] is needed to reach the gateway"])
    return _Client(configuration.administration.host, configuration.administration.port, configuration.token)


def _refused(status: int, answer: dict[str, object]) -> int:
    errors = answer.get("errors")
    lines = errors if isinstance(errors, list) else [answer.get("error", f"status {status}")]
    return _fail(INVALID if status == 400 else FAILED, *(str(line) for line in lines))


def _alert(configuration: Configuration, arguments: argparse.Namespace) -> int:
    """Send an alert and wait until no phone is awaited any more, or the time is over."""
    client = _client(configuration, arguments.config)
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
    try:
        status, answer = client.ask("POST", "/api/alerts", wish, key=arguments.key)
        if status != 202:
            return _refused(status, answer)
        path = f"/api/alerts/{answer['alert']}"
        until = time.monotonic() + arguments.wait_s
        while True:
            status, answer = client.ask("GET", path)
            if status != 200:
                return _refused(status, answer)
            outcomes = answer.get("outcomes")
            counts = outcomes if isinstance(outcomes, dict) else {}
            awaited = answer.get("sending") or counts.keys() & {"waiting", "pushed"}
            if not awaited or time.monotonic() >= until:
                break
            time.sleep(POLL_S)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _fail(NOT_STARTED, f"no answer from the gateway at {configuration.administration}: {error}")
    _print_counts(f"alert {answer.get('alert')}: {answer.get('state')}", counts)
    return OK if counts.keys() & {"displayed", "acknowledged", "listed"} else FAILED


def _print_counts(head: str, counts: dict[str, int]) -> None:
    rows = [*sorted(counts.items(), key=lambda row: -row[1]), ("phones", sum(counts.values()))]
    width = max(len(name) for name, _ in rows)
    print("\n".join([head, *(f"  {name:<{width}}  {count:>6}" for name, count in rows)]))  # noqa: T201  the result


def _page(configuration: Configuration, arguments: argparse.Namespace) -> int:
    client = _client(configuration, arguments.config)
    wish = {
        "audio": str(arguments.audio.absolute()),
        "phones": arguments.phones or "all",
        "start": arguments.start,
        "start_fraction": arguments.start_fraction,
        "start_deadline_s": arguments.start_deadline_s,
    }
    try:
        status, answer = client.ask("POST", "/api/pages", wish)
        if status != 202:
            return _refused(status, answer)
        path = f"/api/pages/{answer['page']}"
        try:
            while answer.get("state") != "ended":
                time.sleep(POLL_S)
                status, answer = client.ask("GET", path)
                if status != 200:
                    return _fail(FAILED, str(answer.get("error", f"status {status}")))
        except KeyboardInterrupt:
            client.ask("POST", f"{path}/stop")
            raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _fail(NOT_STARTED, f"no answer from the gateway at {configuration.administration}: {error}")
    _print_outcomes(answer)
    return OK if answer.get("reason") == "completed" else FAILED


def _print_outcomes(answer: dict[str, object]) -> None:
    outcomes = answer.get("outcomes")
    rows = sorted(outcomes.items(), key=lambda row: -row[1]) if isinstance(outcomes, dict) else []
    width = max([len(name) for name, _ in rows] + [len("phones")])
    lines = [f"page {answer.get('page')}: {answer.get('reason')}"]
    lines += [f"  {name:<{width}}  {count:>6}" for name, count in rows]
    lines.append(f"  {'phones':<{width}}  {answer.get('phones')!s:>6}")
    print("\n".join(lines))  # noqa: T201  the command's result


class _Client:
    """The JSON interface of a running gateway."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(
        self, method: str, path: str, document: object = None, *, key: str | None = None
    ) -> tuple[int, dict[str, object]]:
        """One request on a connection of its own."""
        headers = self._headers if key is None else {**self._headers, "Idempotency-Key": key}
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        return response.status, answer if isinstance(answer, dict) else {}


def _fail(code: int, *lines: str) -> int:
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201  errors, one a line
    return code
