"""How late packets leave: actual minus planned, in a histogram of fixed size.

Up to 10 ms in steps of 10 microseconds, up to 10 s in steps of 1 ms, one bucket beyond; the largest is kept exactly.
A long page at full rate therefore costs no more memory than a short one.
"""

from __future__ import annotations

_FINE_NS = 10_000
_COARSE_NS = 1_000_000
_FINE = 1_000
_COARSE = 9_990

PERCENTILES = (50, 90, 95, 99)


class Lateness:
    """Counts of latenesses; percentiles are the upper edge of their bucket, at most the largest value."""

    def __init__(self) -> None:
        self._buckets = [0] * (_FINE + _COARSE + 1)
        self._count = 0
        self._max_ns = 0

    def add(self, late_ns: int) -> None:
        """Count one planned moment that was met `late_ns` late; early counts as on time."""
        late_ns = max(late_ns, 0)
        if late_ns < _FINE * _FINE_NS:
            bucket = late_ns // _FINE_NS
        else:
            bucket = min(_FINE + (late_ns - _FINE * _FINE_NS) // _COARSE_NS, _FINE + _COARSE)
        self._buckets[bucket] += 1
        self._count += 1
        self._max_ns = max(self._max_ns, late_ns)

    def summary(self) -> dict[str, float]:
        """Return `count`, `p50`, `p90`, `p95`, `p99` and `max`, in milliseconds; only `count` when there is nothing."""
        if not self._count:
            return {"count": 0}
        result: dict[str, float] = {"count": self._count}
        wanted = list(PERCENTILES)
        seen = 0
        for bucket, number in enumerate(self._buckets):
            seen += number
            while wanted and seen * 100 >= wanted[0] * self._count:
                result[f"p{wanted.pop(0)}"] = min(_edge_ns(bucket), self._max_ns) / 1e6
        result["max"] = self._max_ns / 1e6
        return result


def _edge_ns(bucket: int) -> int:
    if bucket < _FINE:
        return (bucket + 1) * _FINE_NS
    return _FINE * _FINE_NS + (bucket - _FINE + 1) * _COARSE_NS
