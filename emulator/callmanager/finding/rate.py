"""How often a service may be asked. No I/O: time is passed in."""

from __future__ import annotations

from typing import Final

NS_PER_S: Final = 1_000_000_000
MINUTE_NS: Final = 60 * NS_PER_S


class RequestsPerMinute:
    """A counter that is set back once a minute (RISOLD): twice the rate passes around that moment.

    The minutes count from the first request (assumed).
    """

    def __init__(self, most: int) -> None:
        """Let `most` requests pass in each minute; 0: as many as come."""
        self._most = most
        self._since_ns: int | None = None
        self._count = 0

    def passes(self, now_ns: int) -> bool:
        """Count a request, and say whether it may pass. One that may not is not counted (assumed)."""
        if self._since_ns is None:
            self._since_ns = now_ns
        minutes = (now_ns - self._since_ns) // MINUTE_NS
        if minutes:
            self._since_ns += minutes * MINUTE_NS
            self._count = 0
        if self._most and self._count >= self._most:
            return False
        self._count += 1
        return True


class OneAtATime:
    """A service that answers one request at a time, and the next only some time later: DeviceListX."""

    def __init__(self, interval_s: float) -> None:
        """Ask for so many seconds between the end of an answer and the next request; 0: none."""
        self._interval_ns = round(interval_s * NS_PER_S)
        self._busy = False
        self._ended_ns: int | None = None

    def begin(self, now_ns: int) -> int:
        """Begin an answer, and say 0; or say which error forbids it, 1001 or 1002 (CUAE HttpDlxReader)."""
        if self._busy:
            return 1001
        if self._ended_ns is not None and now_ns - self._ended_ns < self._interval_ns:
            return 1002
        self._busy = True
        return 0

    def end(self, now_ns: int) -> None:
        """The answer that was begun is made."""
        self._busy = False
        self._ended_ns = now_ns

    def give_up(self) -> None:
        """The answer that was begun will not be made; the next may come at once."""
        self._busy = False
