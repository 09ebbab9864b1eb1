"""What `--active` asks for: which of the named phones may be pushed to, and what it means what they heard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final

from harness.preflight.addresses import same_url
from harness.preflight.checks import fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.hearing import Heard, Push, hear
from harness.preflight.listing import subject_of
from harness.preflight.pace import Pace
from harness.preflight.phone_checks import Wanted
from harness.preflight.reading import HTTP_PORT, Reading
from harness.site.listed import Listed
from harness.site.phone import SUBNET_BITS

ENOUGH: Final = 0.96
"""Share of the packets that counts as all: a phone may still hold the last ones in its jitter buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """What is sent to whom."""

    devices: tuple[str, ...]
    group: str
    """Empty: no multicast."""
    user: str
    password: str = field(repr=False)
    wanted: Wanted
    authorised: Mapping[str, frozenset[str]]
    """By URL, whom it said yes for."""
    port: int = HTTP_PORT


def why_not(listed: Listed, reading: Reading, active: Active) -> str:
    """Why this phone is not pushed to; empty where it may be."""
    if reading.information is None:
        return "its web server does not answer"
    if f"SEP{reading.information.mac}" != listed.device_name:
        return "another phone is at its address"
    url = reading.network.authentication_url if reading.network is not None else None
    if url is None:
        return "its authentication URL is not known"
    if not url:
        return ""  # it asks nobody
    if not active.wanted.is_named(url):
        return "it asks a server that was not named: that one would be told the password"
    for named, devices in active.authorised.items():
        if same_url(url, named):
            return "" if listed.device_name in devices else "the push user is not authorised for it"
    return "the push user was not asked about at its URL"


async def check_active(phones: Sequence[tuple[Listed, Reading]], active: Active, pace: Pace) -> list[Result]:
    """Push to each named phone, one after the other."""
    if not active.devices:
        return [
            not_checked(check, "(not named)", "no phone was named with --active", needed=False)
            for check in ("audio", "multicast")
        ]
    by_name = {listed.device_name: (listed, reading) for listed, reading in phones}
    results: list[Result] = []
    ready: list[tuple[Listed, Reading]] = []
    for device in active.devices:
        pair = by_name.get(device)
        why = "it was not found" if pair is None else why_not(*pair, active)
        if pair is None or why:
            address = "" if pair is None else pair[0].address
            results.append(not_checked("audio", device, why, address=address))
            continue
        ready.append(pair)
        heard = await _hear(pair[0].address, active, "", pace)
        results += _audio(pair[0], heard)
    return results + await _multicast(phones, ready, active, pace)


async def _hear(address: str, active: Active, group: str, pace: Pace) -> Heard:
    push = Push(address=address, port=active.port, user=active.user, password=active.password)
    try:
        return await hear(push, pace, group=group)
    except OSError as error:
        return Heard(state="failed", why=f"nothing can be sent there: {error.strerror}")


def _audio(listed: Listed, heard: Heard) -> list[Result]:
    subject, address = subject_of(listed), listed.address
    observed = f"{heard.received} of {heard.sent} packets"
    results = []
    if heard.state == "refused" and heard.number != 1:
        number = str(heard.number)
        results.append(fault("audio", "refused", subject, address=address, observed=heard.why, number=number))
    elif heard.state != "heard":
        why = "another stream is received there" if heard.state == "refused" else heard.why
        results.append(not_checked("audio", subject, why, address=address))
    elif not heard.received:
        results.append(fault("audio", "blocked", subject, address=address, observed=observed))
    elif heard.received < ENOUGH * heard.sent:
        results.append(fault("audio", "lossy", subject, address=address, observed=observed))
    else:
        results.append(ok("audio", subject, address=address, observed=observed))
    if not heard.stopped:
        results.append(fault("audio", "not-stopped", subject, address=address))
    return results


def subnet_of(address: str, mask: str) -> str:
    """The subnet of a phone, by the mask on its page; where there is none, by the one that lists assume."""
    try:
        return str(IPv4Network(f"{address}/{mask or SUBNET_BITS}", strict=False))
    except ValueError:
        return str(IPv4Network(f"{address}/{SUBNET_BITS}", strict=False))


def _subnet(listed: Listed, reading: Reading) -> str:
    if listed.subnet:
        return listed.subnet
    return subnet_of(listed.address, reading.network.subnet_mask if reading.network is not None else "")


async def _multicast(
    phones: Iterable[tuple[Listed, Reading]], ready: Sequence[tuple[Listed, Reading]], active: Active, pace: Pace
) -> list[Result]:
    if not active.group:
        return [not_checked("multicast", "(not named)", "no --multicast was given", needed=False)]
    results: list[Result] = []
    done: set[str] = set()
    for listed, reading in ready:
        subnet = _subnet(listed, reading)
        if subnet not in done:
            done.add(subnet)
            heard = await _hear(listed.address, active, active.group, pace)
            results.append(_of_subnet(subnet, listed, heard, active.group))
    others = sorted({_subnet(*pair) for pair in phones if pair[1].information is not None} - done)
    why = "no phone of it could be asked; --active names one"
    return results + [not_checked("multicast", subnet, why) for subnet in others]


def _of_subnet(subnet: str, listed: Listed, heard: Heard, group: str) -> Result:
    observed = f"{heard.received} of {heard.sent} packets at {subject_of(listed)}"
    if heard.state != "heard":
        return not_checked("multicast", subnet, f"{subject_of(listed)}: {heard.why}")
    if not heard.received:
        return fault("multicast", "blocked", subnet, observed=observed, why=observed, subnet=subnet, group=group)
    if heard.received < ENOUGH * heard.sent:
        return fault("multicast", "lossy", subnet, observed=observed, why=observed, subnet=subnet, group=group)
    return ok("multicast", subnet, observed=observed)
