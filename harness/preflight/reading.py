"""Reading one phone: its pages, in the forms that models have them."""

from dataclasses import dataclass
from typing import Final

import trio

from harness.preflight.asking import Asked, Reach, ask, connected, get
from harness.preflight.pace import Pace
from harness.preflight.pages import Information, Network, PageError, read_information, read_network
from harness.preflight.ping import ping

HTTP_PORT: Final = 80
HTTPS_PORT: Final = 443
JAVA: Final = "/CGI/Java/Serviceability?adapterX=device.statistics."
"""What begins the pages of Java phones (POIP)."""
INFORMATION: Final = ("/DeviceInformationX", "/DeviceInformation", f"{JAVA}device")
"""In the order in which they are tried: old models have no X form, later ones only the last (POIP)."""
NETWORK: Final = ("/NetworkConfigurationX", "/NetworkConfiguration", f"{JAVA}configuration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of asking one address."""

    reach: Reach
    """Of the first question."""
    why: str = ""
    pinged: bool | None = None
    """Where the connection timed out: whether it answers a ping; None: not known."""
    secured_only: bool = False
    """It sends whoever asks to https, or answers there alone."""
    information: Information | None = None
    network: Network | None = None
    network_why: str = ""
    """Why there is no network set-up."""


async def read_phone(address: str, pace: Pace, *, port: int = HTTP_PORT, with_ping: bool = True) -> Reading:
    """Read who it is and how its network is set up; at most 8 questions, usually 2."""
    asked, page = Asked(reach="no-answer"), None
    why = ""
    for path in INFORMATION:
        asked = await _page(address, port, path, pace)
        if asked.answer is None:
            break
        if (asked.answer.location or "").lower().startswith("https://"):
            return Reading(reach="answered", secured_only=True, why="it sends to https")
        try:
            page = read_information(_body(asked))
            break
        except PageError as error:
            why = why or str(error)
    if page is None:
        if asked.reach == "refused" and await _answers_secured(address, pace):
            return Reading(reach="answered", secured_only=True, why="port 80 refuses, port 443 answers")
        pinged = await _ping(address, pace) if with_ping and asked.reach == "timed-out" else None
        return Reading(reach=asked.reach, why=asked.why or why, pinged=pinged)
    network, network_why = await _network(address, port, pace)
    return Reading(reach="answered", information=page, network=network, network_why=network_why)


async def _network(address: str, port: int, pace: Pace) -> tuple[Network | None, str]:
    why, found = "", None
    for path in NETWORK:
        asked = await _page(address, port, path, pace)
        if asked.answer is None:
            return found, "" if found else asked.why
        try:
            found = read_network(_body(asked))
        except PageError as error:
            why = why or str(error)
            continue
        if found.authentication_url is not None:
            return found, ""
    return found, "" if found else why


async def _page(address: str, port: int, path: str, pace: Pace) -> Asked:
    async with pace.turn():
        return await ask(address, port, get(address if port == HTTP_PORT else f"{address}:{port}", path))


async def _answers_secured(address: str, pace: Pace) -> bool:
    async with pace.turn():
        stream = await connected(address, HTTPS_PORT)
    if isinstance(stream, Asked):
        return False
    await trio.aclose_forcefully(stream)
    return True


async def _ping(address: str, pace: Pace) -> bool | None:
    async with pace.turn():
        return await ping(address)


def _body(asked: Asked) -> bytes:
    assert asked.answer is not None
    if asked.answer.status != 200:
        raise PageError(f"status {asked.answer.status}")
    return asked.answer.body
