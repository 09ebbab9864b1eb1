"""One preflight from beginning to end: phones, servers, push user; then what `--active` asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import trio

from harness.preflight.active import Active, check_active
from harness.preflight.addresses import same_url, told
from harness.preflight.certificate import check_certificate
from harness.preflight.checks import fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.listing import unlisted
from harness.preflight.pace import Pace
from harness.preflight.phone_checks import Server, Wanted, check_fleet, check_list, check_phone
from harness.preflight.push_user import check_push_user
from harness.preflight.reading import HTTP_PORT, Reading, read_phone
from harness.preflight.servers import FOREIGN_SERVERS, ask_server, may_be_asked
from harness.site.listed import Listed

PER_S: Final = 100.0
"""Questions a second by default: 1,000 phones in 20 s, and a load that no network notices (about 100 kB a second)."""
AT_ONCE: Final = 64
"""Answers waited for at a time: phones that do not answer take 2.5 s each, and must not make the others wait."""

Progress = Callable[[str, int, int], None]
"""Told what is done now, how much of it is done, and of how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is looked at, and how gently."""

    phones: Sequence[Listed]
    scan: bool = False
    """The phones are the addresses of a network: those where no phone answers are none."""
    wanted: Wanted
    ca_file: Path | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    dry_devices: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    group: str = ""
    per_s: float = PER_S
    port: int = HTTP_PORT
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was read, and what it means."""

    phones: tuple[tuple[Listed, Reading], ...]
    results: tuple[Result, ...]


async def survey(plan: Plan, progress: Progress) -> Survey:
    """Look at everything in the plan. Nothing is raised for what the lab does."""
    pace = Pace(per_s=plan.per_s, at_once=AT_ONCE)
    phones = await _read_all(plan, pace, progress)
    results: list[Result] = [] if plan.scan else check_list([listed for listed, _ in phones])
    progress("asking servers", 0, 1)
    named = await _named_servers(plan, pace, results)
    servers = await _other_servers(phones, plan.wanted, named, pace)
    for listed, reading in phones:
        results += check_phone(listed, reading, plan.wanted, servers)
    results += check_fleet(phones)
    if plan.wanted.secured_url:
        results += await check_certificate(plan.wanted.secured_url, ca_file=plan.ca_file, now=plan.now)
    found, authorised = await _push_user(plan, pace, progress)
    active = Active(
        devices=plan.active,
        group=plan.group,
        user=plan.user,
        password=plan.password,
        wanted=plan.wanted,
        authorised=authorised,
        port=plan.port,
    )
    if plan.active:
        progress("letting the named phones hear a second of silence", 0, 1)
    results += found + await check_active(phones, active, pace)
    return Survey(phones=tuple(phones), results=tuple(results))


async def _read_all(plan: Plan, pace: Pace, progress: Progress) -> list[tuple[Listed, Reading]]:
    found: dict[int, tuple[Listed, Reading]] = {}
    places = iter(enumerate(plan.phones))
    done = 0

    async def work() -> None:
        nonlocal done
        for index, listed in places:
            if not listed.address or (listed.registered is False and not plan.scan):
                found[index] = (listed, Reading(reach="not-asked", why="CallManager does not have it registered"))
                done += 1
                continue
            reading = await read_phone(listed.address, pace, port=plan.port, with_ping=not plan.scan)
            if plan.scan:
                if reading.information is None:
                    done += 1
                    continue
                found[index] = (unlisted(listed.address, reading.information.device_name), reading)
            else:
                found[index] = (listed, reading)
            done += 1
            progress("reading phones", done, len(plan.phones))

    progress("reading phones", 0, len(plan.phones))
    async with trio.open_nursery() as nursery:
        for _ in range(min(AT_ONCE, len(plan.phones))):
            nursery.start_soon(work)
    return [found[index] for index in sorted(found)]


async def _named_servers(plan: Plan, pace: Pace, results: list[Result]) -> dict[str, Server]:
    """Ask the URLs of the command line; their results, and what is known for phones that have them."""
    servers: dict[str, Server] = {}
    wanted = plan.wanted
    for check, option, url in (
        ("gateway-url", "--authentication-url", wanted.authentication_url),
        ("callmanager-url", "--callmanager-url", wanted.callmanager_url),
    ):
        if not url:
            needed = check == "gateway-url"
            results.append(not_checked(check, "(not named)", f"no {option} was given", needed=needed))
            continue
        server = servers[url] = await ask_server(url, pace)
        results.append(_of_server(check, url, server))
    return servers


def _of_server(check: str, url: str, server: Server) -> Result:
    shown = told(url)
    if server.state == "answers":
        return ok(check, shown, observed=server.why)
    if server.state == "not-asked":
        return not_checked(check, shown, server.why)
    return fault(check, server.state, shown, observed=server.why, why=server.why, url=shown)


async def _other_servers(
    phones: Sequence[tuple[Listed, Reading]], wanted: Wanted, named: dict[str, Server], pace: Pace
) -> dict[str, Server]:
    """What is known of each URL that some phone has; those that nobody named are asked now."""
    servers: dict[str, Server] = {}
    foreign = 0
    for _, reading in phones:
        url = reading.network.authentication_url if reading.network is not None else None
        if not url or url in servers:
            continue
        known = next((server for other, server in named.items() if same_url(url, other)), None)
        if known is not None:
            servers[url] = known
            continue
        if wanted.is_named(url):  # the secured one: `certificate` speaks with it
            servers[url] = Server(state="not-asked", why="see the secured URL itself")
            continue
        foreign += 1
        if foreign > FOREIGN_SERVERS:
            why = f"more than {FOREIGN_SERVERS} URLs on phones"
            servers[url] = Server(name="not-asked", state="not-asked", why=why)
        elif may_be_asked(url):
            servers[url] = await ask_server(url, pace, foreign=True)
        else:
            servers[url] = Server(name="not-asked", state="not-asked", why="an address that is not asked")
    return servers


async def _push_user(plan: Plan, pace: Pace, progress: Progress) -> tuple[list[Result], dict[str, frozenset[str]]]:
    """What the named URLs say of the push user, and for whom each of them says yes."""
    devices = tuple(dict.fromkeys((*plan.dry_devices, *plan.active)))
    if not devices:
        why = "no phone was named with --dry-devices"
        return [not_checked("push-user", "(not named)", why, needed=False)], {}
    results: list[Result] = []
    authorised: dict[str, frozenset[str]] = {}
    wanted = plan.wanted
    urls: list[str] = []
    for url in (wanted.authentication_url, wanted.secured_url, wanted.callmanager_url):
        if url and not any(same_url(url, other) for other in urls):
            urls.append(url)
    for url in urls:
        progress("asking about the push user", 0, 1)
        found, authorised[url] = await check_push_user(
            url, plan.user, plan.password, devices, pace, ca_file=plan.ca_file
        )
        results += found
    return results, authorised
