"""The gateway as a process: ready line, status lines, lifeline, signals, records at the end (docs/design/parts.md)."""

from __future__ import annotations

import errno
import json
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import trio

from gateway.configuration import Configuration, ConfigurationError, Endpoint
from gateway.phone_port import open_listener
from gateway.phone_port_secured import CertificateError, SecuredPhonePort, tls_context
from gateway.product import Gateway, load_phones
from gateway.push.page import STOP_S
from gateway.records import Records
from gateway.store import Database, StoreError, StoreTakenError

LAG_INTERVAL_S = 0.05
LAG_SAMPLES = 100_000
"""Lags kept, the newest: 80 minutes."""
STOPPING = (signal.SIGINT, signal.SIGTERM)
DESCRIPTORS = 16_384
"""Wanted: pushes in flight, waiting phones and a reserve."""

_log = logging.getLogger("gateway")


class StartError(Exception):
    """The server cannot start although its configuration is right: an address is taken, a file cannot be opened."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOptions:
    """How the process behaves."""

    events: Path | None = None
    status_s: float | None = None
    stop_with_stdin: bool = False


async def serve(configuration: Configuration, options: ServerOptions, gateway_class: type[Gateway] = Gateway) -> None:
    """Run a gateway until a signal or the lifeline ends it.

    Raises:
        ConfigurationError: The phone list is wrong.
        StartError: An address cannot be bound, the store or the records file cannot be opened.
    """
    phones = load_phones(configuration)
    _raise_descriptor_limit()
    with _open_store(configuration) as database, _listen(configuration.phone_port) as phone_listener:
        administration = _listen(configuration.administration) if configuration.administration else None
        secured = _secured(configuration)
        try:
            records = Records(options.events)
        except OSError as error:
            raise StartError(f"{options.events}: cannot be written: {error.strerror}") from None
        # Open from here to the very end: a second signal must not end the process before its phones are stopped.
        with records, _ignored(), trio.open_signal_receiver(*STOPPING) as signals:
            lag = LoopLag()
            gateway = gateway_class(configuration, phones, records, database)
            records.write("gateway.started", version=release())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(records.flush_regularly)
                nursery.start_soon(gateway.keep_books)
                async with gateway.running(), trio.open_nursery() as fronts:
                    phone_port = gateway.make_phone_port(phone_listener)
                    fronts.start_soon(phone_port.serve)
                    fronts.start_soon(gateway.watch_failures)
                    fronts.start_soon(gateway.synchronisation.run)
                    urls = {"authentication": f"http://{_address(phone_listener)}/cisco_auth/authenticate.html"}
                    if secured is not None:
                        listener, tls = secured
                        url = f"https://{_address(listener)}/cisco_auth/authenticate.html"
                        urls["authentication_secured"] = url
                        secured_port = SecuredPhonePort(listener=listener, context=tls, plain=phone_port)
                        fronts.start_soon(secured_port.serve)
                    if administration is not None:
                        # Loading quart takes longer than everything else: only where it is used.
                        from gateway.administration import opening  # noqa: PLC0415  see above
                        from gateway.administration.application import create_application  # noqa: PLC0415  see above
                        from gateway.administration.listener import serve_administration  # noqa: PLC0415  see above

                        context, certificate = opening.secure_port(configuration, gateway.alarms)
                        urls["administration"] = f"{'http' if context is None else 'https'}://{_address(administration)}"
                        desk = opening.make_desk(
                            gateway,
                            version=release(),
                            authentication_url=_authentication_url(configuration, phone_listener),
                            certificate=certificate,
                        )
                        fronts.start_soon(serve_administration, create_application(desk), administration, context)
                    _print({"ready": True, "urls": urls})
                    if administration is not None:
                        await opening.announce_first_start(gateway, urls["administration"])
                    nursery.start_soon(lag.measure)
                    if options.status_s is not None:
                        fronts.start_soon(_report, gateway, options.status_s)
                    await _wait_for_end(signals, stop_with_stdin=options.stop_with_stdin)
                    nursery.start_soon(_note_impatience, signals)
                    # Phones that are being stopped still ask whether they may: their port stays open until then.
                    await gateway.finish()
                    fronts.cancel_scope.cancel()
                nursery.cancel_scope.cancel()
            records.write(
                "part.ended",
                part="gateway",
                cpu_s=time.process_time(),
                rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                loop_lag_ms=lag.summary(),
            )


class LoopLag:
    """How late the loop wakes its tasks, in milliseconds."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=LAG_SAMPLES)

    async def measure(self) -> None:
        """Sample until cancelled."""
        while True:
            due = trio.current_time() + LAG_INTERVAL_S
            await trio.sleep_until(due)
            self._lags.append((trio.current_time() - due) * 1000)

    def summary(self) -> dict[str, float]:
        """Count, percentiles, maximum."""
        lags = sorted(self._lags)
        if not lags:
            return {"count": 0}
        at = {f"p{p}": round(lags[min(len(lags) - 1, len(lags) * p // 100)], 3) for p in (50, 90, 95, 99)}
        return {"count": len(lags), **at, "max": round(lags[-1], 3)}


@contextmanager
def _ignored() -> Iterator[None]:
    """Ignore the stopping signals where no receiver is open.

    A receiver that closes hands what it has not delivered to the handler from before: a signal that came together with
    the end of the lifeline would end the process before its phones are stopped.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _wait_for_end(signals: AsyncIterator[int], *, stop_with_stdin: bool) -> None:
    async with trio.open_nursery() as nursery:

        async def on_end_of_input() -> None:
            # In a thread: standard input may be a file, which no loop can wait for.
            while await trio.to_thread.run_sync(os.read, 0, 4096, abandon_on_cancel=True):
                pass
            _log.info("stopping: standard input ended")
            nursery.cancel_scope.cancel()

        if stop_with_stdin:
            nursery.start_soon(on_end_of_input)
        _log.info("stopping: %s", signal.Signals(await anext(signals)).name)
        nursery.cancel_scope.cancel()


async def _note_impatience(signals: AsyncIterator[int]) -> None:
    async for number in signals:
        _log.info("%s: stopping already, phones have %g s to be stopped", signal.Signals(number).name, STOP_S)


async def _report(gateway: Gateway, interval_s: float) -> None:
    while True:
        await trio.sleep(interval_s)
        _print({"status": gateway.status()})


def _print(document: dict[str, object] | dict[str, dict[str, int]]) -> None:
    """One line on stdout. A reader that went away ends the lines, not the gateway."""
    try:
        print(json.dumps(document), flush=True)  # noqa: T201  the interface of docs/design/parts.md
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  for the rest of the process


def _open_store(configuration: Configuration) -> Database:
    try:
        return Database.open(configuration.store_folder)
    except (StoreError, StoreTakenError) as error:
        raise StartError(f"store: {error}") from None


def _listen(endpoint: Endpoint) -> socket.socket:
    try:
        return open_listener(endpoint.host, endpoint.port)
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, "?")
        raise StartError(f"cannot listen on {endpoint}: {error.strerror} ({name})") from None


def _secured(configuration: Configuration) -> tuple[socket.socket, ssl.SSLContext] | None:
    if configuration.secured_phone_port is None:
        return None
    assert configuration.certificate is not None
    assert configuration.certificate_key is not None
    try:
        context = tls_context(configuration.certificate, configuration.certificate_key)
    except CertificateError as error:
        raise ConfigurationError([f"phone_port.certificate_file: {error}"]) from None
    return _listen(configuration.secured_phone_port), context


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return str(Endpoint(host=host, port=port))


def _authentication_url(configuration: Configuration, listener: socket.socket) -> str:
    """What to enter in CallManager: phones need an address, and `0.0.0.0` is none."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = configuration.source or socket.gethostname()
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}{'' if port == 80 else f':{port}'}/cisco_auth/authenticate.html"


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def release() -> str:
    """The installed release."""
    try:
        return version("pushlab")
    except PackageNotFoundError:
        return "unknown"
