"""Commands that ask a running gateway through its JSON interface: page, alert, stop, history, inventory.

Each prints its result for a person, or with `--json` the interface's own document for a program. An answer that is
waited for is asked for again and again: a page goes on when the command is killed.
"""

from __future__ import annotations

import argparse
import http.client
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway import asking_inventory, live_giving
from gateway.client import Client, RefusedError
from gateway.configuration import Configuration, ConfigurationError
from gateway.live_giving import begun, give, pieces_of
from gateway.media import TONES
from gateway.printing import counts_of, fail, moment, print_counts, rows_of, running, show_table, tell
from gateway.push import Busy, Delivery, Priority

OK, FAILED, USAGE, INVALID, NOT_STARTED = 0, 1, 2, 4, 5
"""docs/reference/exit-codes.md."""
POLL_S: Final = 0.2
ALERT_PRIORITIES: Final = ("emergency", "normal", "background")
ALL: Final = "all"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add their parsers."""
    _page_parser(commands)
    _alert_parser(commands)
    stop = running(commands.add_parser("stop", help="end pages of a running gateway now, and wait until they have"))
    stop.add_argument("pages", nargs="+", metavar="PAGE", help=f"numbers; {ALL}: every page that runs or waits")
    history = running(commands.add_parser("history", help="print a running gateway's pages, the newest first"))
    history.add_argument("page", nargs="?", metavar="PAGE", help="a number: how it ended at each of its phones")
    history.add_argument("--limit", type=_whole(1, 1000), default=20, metavar="N", help="pages, or phones (20)")
    history.add_argument("--outcome", metavar="OUTCOME", help="of one page: only phones with it")
    asking_inventory.add_command(commands)


def _page_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    page = running(commands.add_parser("page", help="have a running gateway page, and wait for the end"))
    page.add_argument("audio", type=Path, nargs="?", metavar="AUDIO", help="a WAV file on the gateway's machine")
    page.add_argument("--recording", metavar="NAME", help="a recording that the gateway keeps, instead of AUDIO")
    page.add_argument(
        "--live", metavar="SOURCE", help="live audio instead: - (standard input, raw, 8 kHz mono), or rtp://ADDRESS:PORT"
    )
    page.add_argument("--encoding", choices=live_giving.ENCODINGS, help="of standard input (s16: 16 bit little endian)")
    _add_audience(page)
    page.add_argument("--priority", choices=tuple(map(str, Priority)), help="emergency: takes phones from normal pages")
    page.add_argument("--busy", choices=tuple(map(str, Busy)), help="phones that receive something else (skip; now)")
    page.add_argument("--delivery", choices=tuple(map(str, Delivery)), help="how audio travels (unicast)")
    page.add_argument("--tone", metavar="TONE", help=f"before it: {', '.join(TONES)}, or a WAV file (none)")
    page.add_argument("--repeat", type=int, metavar="N", help="how often it is played (1)")
    page.add_argument("--start", choices=("together", "each"), help="at the same time, or each at once (together)")
    page.add_argument("--start-fraction", type=float, metavar="SHARE", help="of phones that it waits for (1)")
    page.add_argument("--start-deadline-s", type=float, metavar="SECONDS", help="longest wait for them (2)")
    _add_key(page)
    page.add_argument("--no-wait", action="store_true", help="print the page's number and end")


def _alert_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    alert = running(
        commands.add_parser("alert", help="have a running gateway show a text on phones, and say what became of it")
    )
    alert.add_argument("text", metavar="TEXT", help="up to 256 characters")
    alert.add_argument("--title", metavar="TEXT", help="up to 32 characters (Alert)")
    alert.add_argument("--prompt", metavar="TEXT", help="line above the keys, up to 32 characters")
    alert.add_argument("--priority", choices=ALERT_PRIORITIES, default="normal")
    alert.add_argument("--keys", nargs="+", metavar="NAME", help="keys to answer with, at most two (Acknowledge)")
    alert.add_argument("--expires-s", type=float, metavar="SECONDS", help="when it is over by itself (3600)")
    _add_audience(alert)
    _add_key(alert)
    alert.add_argument(
        "--wait-s", type=float, default=15.0, metavar="SECONDS", help="how long to wait until phones show it (15)"
    )


def _add_audience(parser: argparse.ArgumentParser) -> None:
    for name, what in (("phones", "device names"), ("zones", "zones"), ("lists", "distribution lists")):
        parser.add_argument(f"--{name}", nargs="+", metavar="NAME", help=f"{what}; all phones if none of the three")


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--idempotency-key", "--key", metavar="KEY", help="sent again with it within a day, it is not done again"
    )


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def ask(configuration: Configuration, arguments: argparse.Namespace) -> int:
    """Do what a command says; its exit code.

    Raises:
        ConfigurationError: no way to the gateway, or no token.
    """
    client = Client.of(configuration, arguments.config, arguments.token_file)
    try:
        return _COMMANDS[arguments.command](client, arguments)
    except RefusedError as error:
        return fail(INVALID if error.status == 400 else FAILED, *error.errors)
    except (OSError, http.client.HTTPException) as error:
        return fail(NOT_STARTED, f"no answer from the gateway at {configuration.administration}: {error}")


def _page(client: Client, arguments: argparse.Namespace) -> int:
    if [arguments.audio, arguments.recording, arguments.live].count(None) != 2:
        return fail(USAGE, "pushlab gateway page: give one of AUDIO, --recording and --live")
    if (arguments.live is not None and arguments.no_wait) or (arguments.live != "-" and arguments.encoding is not None):
        return fail(USAGE, "pushlab gateway page: --no-wait is not for --live, --encoding is for --live - alone")
    pieces = None if arguments.live is None else begun(pieces_of(arguments.live, arguments.encoding or "s16"))
    wish = _given(
        arguments,
        *("recording", "phones", "zones", "lists", "priority", "busy", "delivery", "tone", "repeat"),
        *("start", "start_fraction", "start_deadline_s"),
    )
    if pieces is not None:
        wish["live"] = True
    if arguments.audio is not None:
        wish["audio"] = str(arguments.audio.absolute())
    if arguments.tone is not None and arguments.tone not in (*TONES, "none"):
        wish["tone"] = str(Path(arguments.tone).absolute())
    number = str(client.ask("POST", "/api/pages", wish, _key(arguments))["page"])
    if arguments.no_wait:
        tell({"page": number} if arguments.json else number, arguments)
        return OK
    try:
        if pieces is not None:
            give(client, number, pieces)
        answer = _ended(client, number)
    except (KeyboardInterrupt, ConfigurationError):
        client.ask("POST", f"/api/pages/{number}/stop")
        raise
    _show_page(answer, arguments)
    return OK if answer.get("reason") == "completed" else FAILED


def _alert(client: Client, arguments: argparse.Namespace) -> int:
    """Send an alert and wait until no phone is awaited any more, or the time is over."""
    wish = _given(arguments, "text", "title", "prompt", "priority", "expires_s", "phones", "zones", "lists")
    if arguments.keys is not None:
        wish["softkeys"] = arguments.keys
    if not wish.keys() & {"phones", "zones", "lists"}:
        wish["phones"] = ALL
    path = f"/api/alerts/{client.ask('POST', '/api/alerts', wish, _key(arguments))['alert']}"
    until = time.monotonic() + arguments.wait_s
    while True:
        answer = client.ask("GET", path)
        counts = counts_of(answer)
        awaited = answer.get("sending") or counts.keys() & {"waiting", "pushed"}
        if not awaited or time.monotonic() >= until:
            break
        time.sleep(POLL_S)
    if arguments.json:
        tell(answer, arguments)
    else:
        print_counts(f"alert {answer.get('alert')}: {answer.get('state')}", counts)
    return OK if counts.keys() & {"displayed", "acknowledged", "listed"} else FAILED


def _stop(client: Client, arguments: argparse.Namespace) -> int:
    """Stop pages: all of them are told before any is waited for."""
    numbers: Sequence[str] = arguments.pages
    if ALL in numbers:
        numbers = [str(page["page"]) for page in rows_of(client.ask("GET", "/api/pages/running"), "pages")]
    for number in numbers:
        client.ask("POST", f"/api/pages/{quote(number, safe='')}/stop")
    answers = [_ended(client, number) for number in numbers]
    if arguments.json:
        tell({"pages": answers}, arguments)
    else:
        for answer in answers:
            _show_page(answer, arguments)
    return OK


def _history(client: Client, arguments: argparse.Namespace) -> int:
    if arguments.page is None:
        answer = client.ask("GET", f"/api/pages?limit={arguments.limit}")
        columns: tuple[str, ...] = ("page", "requested", "audio", "priority", "phones", "state", "outcomes", "by")
        rows: list[tuple[object, ...]] = [
            (
                page["page"],
                moment(page["requested_s"]),
                page["audio"],
                page["priority"],
                page["phones"],
                page["reason"] or page["state"],
                ", ".join(f"{name} {count}" for name, count in page["outcomes"].items()),
                page["requested_by"],
            )
            for page in rows_of(answer, "pages")
        ]
    else:
        path = f"/api/pages/{quote(arguments.page, safe='')}/phones?limit={arguments.limit}"
        if arguments.outcome is not None:
            path += f"&outcome={quote(arguments.outcome, safe='')}"
        answer = client.ask("GET", path)
        columns = ("phone", "address", "outcome", "words")
        rows = [tuple(each[name] for name in columns) for each in rows_of(answer, "phones")]
    show_table(answer, columns, rows, arguments)
    return OK


def _given(arguments: argparse.Namespace, *names: str) -> dict[str, object]:
    """What was said on the command line; for the rest the gateway has defaults."""
    return {name: value for name in names if (value := getattr(arguments, name)) is not None}


def _key(arguments: argparse.Namespace) -> dict[str, str]:
    # A key of our own makes asking again harmless, whether the first request was heard or only its answer was lost.
    return {"Idempotency-Key": arguments.idempotency_key or secrets.token_urlsafe(16)}


def _ended(client: Client, number: str) -> dict[str, object]:
    """A page, once it has ended."""
    while True:
        answer = client.ask("GET", f"/api/pages/{quote(number, safe='')}")
        if answer.get("state") == "ended":
            return answer
        time.sleep(POLL_S)


def _show_page(answer: Mapping[str, object], arguments: argparse.Namespace) -> None:
    if arguments.json:
        tell(answer, arguments)
        return
    head = f"page {answer.get('page')}: {answer.get('reason')}" + (f" ({answer['note']})" if answer.get("note") else "")
    print_counts(head, counts_of(answer), answer.get("phones"))


_COMMANDS: Final[Mapping[str, Callable[[Client, argparse.Namespace], int]]] = {
    "page": _page,
    "alert": _alert,
    "stop": _stop,
    "history": _history,
    "inventory": asking_inventory.ask_about_phones,
}
COMMANDS: Final = frozenset(_COMMANDS)
