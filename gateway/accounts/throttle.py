"""Slows down the guessing of passwords. No I/O; the time is a parameter.

Failures are counted per account and per source address; after a few of them each next attempt has to wait, twice as
long each time, up to a minute: at most 70 guesses an hour for one account (OWASP ASVS 5.0, 6.3.1, wants no more than
100). Nothing is ever locked: sessions and tokens do not pass here, an address from which the account has logged in
before has a count of its own, so that guesses from elsewhere do not hold up its owner, and the console of the machine
is always open. An attempt is counted when it begins, so that many at once gain nothing.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE_FAILURES: Final = 5
"""Of an account, before the first wait: people mistype."""
FREE_FAILURES_OF_ADDRESS: Final = 10
"""Several people may share an address."""
LONGEST_WAIT_S: Final = 60.0
FORGET_S: Final = 3600.0
"""After so long without a failure a count begins anew."""
MAX_COUNTS: Final = 10_000
"""Counts kept of each kind; the oldest are forgotten. Names that do not exist are counted like those that do."""


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last: float = 0.0


class _Counts:
    """Failures by key."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._counts: OrderedDict[tuple[str, ...], _Count] = OrderedDict()

    def wait_s(self, key: tuple[str, ...], now: float) -> float:
        count = self._counts.get(key)
        if count is None or count.failures < self._free or now - count.last > FORGET_S:
            return 0.0
        wait = min(LONGEST_WAIT_S, 2.0 ** min(count.failures - self._free, 10))
        return max(0.0, count.last + wait - now)

    def add(self, key: tuple[str, ...], now: float) -> None:
        count = self._counts.pop(key, None)
        if count is None or now - count.last > FORGET_S:
            count = _Count()
        count.failures += 1
        count.last = now
        self._counts[key] = count
        if len(self._counts) > MAX_COUNTS:
            self._counts.popitem(last=False)

    def take_back(self, key: tuple[str, ...]) -> None:
        count = self._counts.get(key)
        if count is not None:
            count.failures -= 1

    def forget(self, key: tuple[str, ...]) -> None:
        self._counts.pop(key, None)


class Throttle:
    """Counts of one process. A restart forgets them, as nobody but the machine's owner can restart it."""

    def __init__(self) -> None:
        self._accounts = _Counts(FREE_FAILURES)
        self._addresses = _Counts(FREE_FAILURES_OF_ADDRESS)

    def wait_s(self, account: str, address: str, *, known: bool, now: float) -> float:
        """Seconds until the next attempt is looked at; 0: now. `known`: the account logged in from there before."""
        return max(
            self._accounts.wait_s(_account_key(account, address, known=known), now),
            self._addresses.wait_s((network_of(address),), now),
        )

    def begin(self, account: str, address: str, *, known: bool, now: float) -> None:
        """An attempt is being looked at: a failure, until it has succeeded."""
        self._accounts.add(_account_key(account, address, known=known), now)
        self._addresses.add((network_of(address),), now)

    def succeeded(self, account: str, address: str, *, known: bool) -> None:
        """The attempt was right. The address's earlier failures stay counted: they may be guesses at other accounts."""
        self._accounts.forget(_account_key(account, address, known=known))
        self._addresses.take_back((network_of(address),))

    def withdraw(self, account: str, address: str, *, known: bool) -> None:
        """The attempt was not looked at after all."""
        self._accounts.take_back(_account_key(account, address, known=known))
        self._addresses.take_back((network_of(address),))


def network_of(address: str) -> str:
    """What one guesser can have many of counts as one: a whole IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((parsed, 64), strict=False))
    return address


def _account_key(account: str, address: str, *, known: bool) -> tuple[str, ...]:
    return (account, network_of(address)) if known else (account,)
