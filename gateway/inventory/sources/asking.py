"""Asks a source which phones there are: the network's side of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import trio

from gateway.inventory.entry import DEVICE_NAME, Listed, Listing
from gateway.inventory.phone_list import PhoneListError, parse_phone_list
from gateway.inventory.phonebook import PhoneReader
from gateway.inventory.sources import devicelistx, risport
from gateway.inventory.sources.report import MAX_BYTES
from gateway.inventory.sources.source import Source, SourceError

if TYPE_CHECKING:
    import httpx

REQUEST_S: Final = 60.0
"""A report of 30,000 phones takes CallManager seconds."""
WAITS_S: Final = (10.0, 30.0, 60.0)
"""Before a request that was refused for its rate is tried again; what clients of RisPort70 are known to do."""
MAX_REQUESTS: Final = 300
"""Of one synchronisation: 15 a minute, so 20 minutes."""


async def ask(
    source: Source, *, reader: PhoneReader, allowed: Callable[[str], bool], concurrency: int
) -> Listing:
    """Ask one source.

    Args:
        source: which.
        reader: reads a phone's web server, for a range.
        allowed: whether this gateway may talk to an address.
        concurrency: phones read at once, for a range.

    Raises:
        SourceError: it could not say.
    """
    match source.kind:
        case "csv":
            phones = _of_csv(source.csv, source.name)
        case "range":
            phones = await _of_range(source, reader, allowed, concurrency)
        case "devicelistx":
            async with _client(source) as client:
                phones = devicelistx.read_devices(await _get(client, source, devicelistx.PATH, None))
        case "risport":
            async with _client(source) as client:
                phones = await _of_risport(client, source)
    if source.only:
        names = {phone.device_name for phone in _of_csv(source.only, "the list of those to take")}
        phones = [phone for phone in phones if phone.device_name in names]
    # A range says who answers now, and a phone that is switched off is not gone.
    return Listing(source=source.name, phones=phones, complete=source.kind != "range")


def _of_csv(text: str, name: str) -> list[Listed]:
    try:
        rows = parse_phone_list(text.encode(), name)
    except PhoneListError as error:
        raise SourceError("; ".join(error.errors)) from None
    return [Listed(device_name=phone.device_name, address=phone.address) for phone in rows]


async def _of_range(
    source: Source, reader: PhoneReader, allowed: Callable[[str], bool], concurrency: int
) -> list[Listed]:
    addresses = [str(host) for text in source.networks for host in IPv4Network(text).hosts()]
    refused = next((address for address in addresses if not allowed(address)), None)
    if refused is not None:
        raise SourceError(f"{refused} is outside the networks of phones that are allowed")
    found: list[Listed] = []

    async def work(left: Iterator[str]) -> None:
        for address in left:
            said = await reader.read(address)
            if said.information is not None:
                name = said.information.device_name
                name = name if DEVICE_NAME.fullmatch(name) else f"SEP{said.information.mac}"
                found.append(Listed(device_name=name, address=address))

    left = iter(addresses)
    async with trio.open_nursery() as nursery:
        for _ in range(min(concurrency, len(addresses))):
            nursery.start_soon(work, left)
    return found


async def _of_risport(client: httpx.AsyncClient, source: Source) -> list[Listed]:
    found: list[Listed] = []
    waiting = [""]
    requests = 0
    while waiting:
        beginning = waiting.pop(0)
        requests += 1
        if requests > MAX_REQUESTS:
            raise SourceError(f"more than {MAX_REQUESTS} requests would be needed")
        answer = await _ask_risport(client, source, beginning)
        parts = risport.divided(beginning) if answer.devices >= risport.MAX_DEVICES else []
        if parts:
            waiting += parts
        else:
            found += answer.phones
    return found


async def _ask_risport(client: httpx.AsyncClient, source: Source, beginning: str) -> risport.Answer:
    for wait_s in (*WAITS_S, None):
        body = await _get(client, source, risport.PATH, risport.request(beginning))
        try:
            return risport.read_answer(body)
        except risport.RateLimitError:
            if wait_s is None:
                raise
            await trio.sleep(wait_s)
    raise AssertionError  # the last round returns or raises


@asynccontextmanager
async def _client(source: Source) -> AsyncIterator[httpx.AsyncClient]:
    """For all requests of one reading: certificates are loaded once, connections kept."""
    import httpx  # noqa: PLC0415 - half a second that only who synchronises has to spend

    trusted = await trio.to_thread.run_sync(_trusted, source)  # 30 ms and more, in which phones wait
    async with httpx.AsyncClient(
        verify=trusted, auth=(source.user, source.password), timeout=REQUEST_S, trust_env=False
    ) as client:
        yield client


async def _get(client: httpx.AsyncClient, source: Source, path: str, soap: bytes | None) -> bytes:
    import httpx  # noqa: PLC0415 - as above

    parts = urlsplit(source.url)
    url = source.url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{path}"
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"selectCmDevice"'} if soap else {}
    method = "POST" if soap else "GET"
    try:
        with trio.fail_after(REQUEST_S):
            async with client.stream(method, url, content=soap, headers=headers) as answer:
                return await _read(answer)
    except trio.TooSlowError:
        raise SourceError(f"{parts.netloc}: no whole answer within {REQUEST_S:g} s") from None
    except httpx.HTTPError as error:
        raise SourceError(f"{parts.netloc}: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    """What is at the bottom of a client's error: TLS says more than `ConnectError`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message}): name a ca_file, or do not verify"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _trusted(source: Source) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=source.ca_file or None)
    except OSError as error:
        raise SourceError(f"ca_file: {source.ca_file}: {error.strerror or 'no certificates in it'}") from None
    if not source.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_BYTES:
            raise SourceError(f"the answer has more than {MAX_BYTES >> 20} MiB")
    if answer.status_code == 401:
        raise SourceError("CallManager refuses the user name and password")
    # A SOAP fault comes under status 500, and says more than the number.
    if answer.status_code != 200 and not (answer.status_code == 500 and b"faultstring" in body):
        raise SourceError(f"CallManager answers with status {answer.status_code}")
    return bytes(body)
