"""Slow, silent and vanishing clients: phones are served all the same."""

from contextlib import AsyncExitStack
from typing import Final

import trio

from harness.probe.exchange import CONNECT_S, opened, reset_half_way
from harness.probe.finding import Finding, ProbeCheck, failed, passed, undecided
from harness.probe.prober import Prober
from harness.probe.question import FORM_TYPE, get, post

GROUP: Final = "endurance"
AT_A_TIME: Final = 20
"""Connections opened at once."""
SLOW_S: Final = 15.0
"""Whether a server that holds a slow client for longer has a limit is not waited for (faults A16, A17: 5, 10 s)."""


async def slow_headers(prober: Prober) -> Finding:
    """A16."""
    return await _served_beside(prober, get(prober.target, prober.question())[:-2], "requests without an end")


async def slow_body(prober: Prober) -> Finding:
    """A17."""
    body = prober.question()
    request = post(prober.target, body[:4], fields=(FORM_TYPE, f"Content-Length: {len(body)}"))
    return await _served_beside(prober, request, "bodies without an end")


async def idle_connections(prober: Prober) -> Finding:
    """A19."""
    return await _served_beside(prober, b"", "connections that say nothing")


async def _served_beside(prober: Prober, data: bytes, what: str) -> Finding:
    """Hold connections that have sent `data` and ask as a phone does."""
    wanted = prober.plan.care.connections
    held: list[trio.abc.Stream] = []
    gate = trio.CapacityLimiter(AT_A_TIME)

    async def hold() -> None:
        async with gate:
            try:
                with trio.fail_after(CONNECT_S):
                    stream = await opened(prober.plan.connect, prober.plan.tls, prober.target.host)
                    held.append(stream)
                    if data:
                        await stream.send_all(data)
            except (OSError, trio.BrokenResourceError, trio.TooSlowError):
                return

    async with AsyncExitStack() as stack:
        stack.push_async_callback(_close_all, held)
        async with trio.open_nursery() as nursery:
            for _ in range(wanted):
                nursery.start_soon(hold)
        beside = await prober.trouble()
    after = await prober.trouble()
    if beside or after:
        return failed(f"beside {len(held)} {what}: {beside}" if beside else f"after {len(held)} {what}: {after}")
    if not held:
        return undecided("no connection could be held")
    return passed(f"served beside and after {len(held)} {what}", len(held))


async def _close_all(held: list[trio.abc.Stream]) -> None:
    for stream in held:
        await trio.aclose_forcefully(stream)


async def reset_storm(prober: Prober) -> Finding:
    """A22."""
    half = get(prober.target, prober.question())
    half = half[: len(half) // 2]
    gate = trio.CapacityLimiter(AT_A_TIME)

    async def vanish() -> None:
        async with gate:
            await reset_half_way(prober.plan.connect, half, prober.plan.tls, prober.target.host)

    async with trio.open_nursery() as nursery:
        for _ in range(prober.plan.care.resets):
            nursery.start_soon(vanish)
    trouble = await prober.trouble()
    count = prober.plan.care.resets
    return failed(f"{count} resets: {trouble}") if trouble else passed(f"served after {count} resets half way", count)


class SlowClients:
    """Two slow clients that are there from the beginning of a probe to its end: one in its header, one in its body."""

    def __init__(self) -> None:
        self.closed_after_s: dict[str, float] = {}
        self._begun = 0.0
        self._done = trio.Event()

    async def run(self, prober: Prober) -> None:
        """Drip until the server has had enough."""
        body = prober.question()
        self._begun = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._drip, prober, "header", get(prober.target, b"x=1")[:-2], b"X-Drip: 1\r\n")
            long = post(prober.target, b"", fields=(FORM_TYPE, f"Content-Length: {len(body) + 4096}"))
            nursery.start_soon(self._drip, prober, "body", long, b"x")
        self._done.set()

    async def _drip(self, prober: Prober, name: str, data: bytes, drop: bytes) -> None:
        try:
            with trio.fail_after(CONNECT_S):
                stream = await opened(prober.plan.connect, prober.plan.tls, prober.target.host)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError):
            return
        async with stream:
            try:
                await stream.send_all(data)
                while True:
                    with trio.move_on_after(1.0):
                        # A 408 or the close: either way it is over.
                        await stream.receive_some(1024)
                        break
                    await stream.send_all(drop)
            except (trio.BrokenResourceError, OSError):
                pass
            self.closed_after_s[name] = trio.current_time() - self._begun
            await trio.aclose_forcefully(stream)

    async def judge(self, _: Prober) -> Finding:
        """A16, A17."""
        with trio.move_on_after(max(0.0, self._begun + SLOW_S - trio.current_time())):
            await self._done.wait()
        closed = self.closed_after_s
        told = ", ".join(f"{name} after {seconds:.0f} s" for name, seconds in sorted(closed.items()))
        missing = {"header", "body"} - closed.keys()
        if missing:
            return undecided(f"still held after {SLOW_S:g} s: a slow {' and a slow '.join(sorted(missing))}")
        return passed(f"closed: {told}", round(max(closed.values()), 1))


CHECKS: Final = (
    ProbeCheck(
        name="slow-headers",
        group=GROUP,
        sends="200 requests without an end (20 to an endpoint that is not ours), held",
        must="a right question beside and after them answered within a second",
        source="faults A16",
        finds="slow clients that silence a server",
        run=slow_headers,
    ),
    ProbeCheck(
        name="slow-body",
        group=GROUP,
        sends="as many bodies without an end",
        must="a right question beside and after them answered within a second",
        source="faults A17",
        finds="the same",
        run=slow_body,
    ),
    ProbeCheck(
        name="idle-connections",
        group=GROUP,
        sends="as many connections without a byte",
        must="a right question beside and after them answered within a second",
        source="faults A19",
        finds="the same",
        run=idle_connections,
    ),
    ProbeCheck(
        name="reset-storm",
        group=GROUP,
        sends="300 requests reset half way (50 to an endpoint that is not ours)",
        must="a right question answered within a second afterwards",
        source="faults A22",
        finds="a server that dies of vanishing clients",
        run=reset_storm,
    ),
)
SLOW_CLIENT_CLOSED: Final = "slow-client-closed"


def slow_client_check(clients: SlowClients) -> ProbeCheck:
    """The check that judges these clients."""
    return ProbeCheck(
        name=SLOW_CLIENT_CLOSED,
        group=GROUP,
        sends="a header and a body that drip a byte a second from the beginning to the end of the probe",
        must=f"both closed by the server; inconclusive while they are held after {SLOW_S:g} s",
        source="faults A16, A17",
        finds="connections that can be held for ever",
        run=clients.judge,
    )
