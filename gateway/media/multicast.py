"""The pool of multicast addresses: a page checks one out and back in (CTX111485).

At most 128 addresses: the modelled product turns multicast off where a range is larger, and only its log says so. Here
such a range is refused where it is entered. Addresses go round, the longest unused first, so that a phone that missed
its stop does not hear the very next page.
"""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Address

MAX_ADDRESSES = 128
"""CTX111485."""
_LOCAL_CONTROL = range(int(IPv4Address("224.0.0.0")), int(IPv4Address("224.0.1.0")))


class RangeError(ValueError):
    """A range that cannot be the pool. Its text says why, and what to enter."""


def read_range(first: str, last: str) -> tuple[IPv4Address, ...]:
    """The addresses of a range, both ends included.

    Raises:
        RangeError: No multicast addresses, the wrong way round, too many, or of the network's own control.
    """
    ends = []
    for name, text in (("first", first), ("last", last)):
        try:
            address = IPv4Address(text)
        except ValueError:
            raise RangeError(f'the {name} address must be one such as 239.0.1.1, got "{text[:40]}"') from None
        if not address.is_multicast:
            raise RangeError(f"the {name} address {address} is no multicast address: 239.0.0.0 to 239.255.255.255")
        ends.append(int(address))
    begin, end = ends
    if begin > end:
        raise RangeError(f"the first address {first} is above the last address {last}")
    if end - begin + 1 > MAX_ADDRESSES:
        raise RangeError(
            f"{first} to {last} are {end - begin + 1} addresses, at most {MAX_ADDRESSES} are used: the last one may be "
            f"{IPv4Address(begin + MAX_ADDRESSES - 1)}"
        )
    if begin in _LOCAL_CONTROL or end in _LOCAL_CONTROL:
        raise RangeError("224.0.0.0 to 224.0.0.255 are the network's own and pass no router: take some of 239.0.0.0/8")
    return tuple(IPv4Address(each) for each in range(begin, end + 1))


class MulticastPool:
    """Addresses that are free and in use."""

    def __init__(self, addresses: tuple[IPv4Address, ...] = ()) -> None:
        self._free = deque(addresses)
        self._used: set[IPv4Address] = set()

    @property
    def free(self) -> int:
        """Addresses that can be checked out."""
        return len(self._free)

    @property
    def size(self) -> int:
        """All of them."""
        return len(self._free) + len(self._used)

    def check_out(self) -> IPv4Address | None:
        """An address for one page; None where all are in use."""
        if not self._free:
            return None
        address = self._free.popleft()
        self._used.add(address)
        return address

    def check_in(self, address: IPv4Address) -> None:
        """Give an address back; one that is not of this pool is let go."""
        if address in self._used:
            self._used.remove(address)
            self._free.append(address)

    def replace(self, addresses: tuple[IPv4Address, ...]) -> None:
        """Another range; addresses that pages use stay theirs, and come back only if the range has them."""
        self._used &= set(addresses)
        self._free = deque(each for each in addresses if each not in self._used)
