"""Phones whose web server is not there: what would begin a connection is dropped, as where nothing is.

All phones share one listener on every address, so such a phone has a listener of its own that hears nothing.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterable
from typing import Final

from emulator.engine import deaf

DEAF_FILES: Final = 2
"""A listener, and a connection to it where nothing else makes it deaf."""


class Silence:
    """The listeners that hear nothing, by address and port."""

    def __init__(self, interface: str | None) -> None:
        self._interface = interface
        self._ports: list[int] = []
        self._sockets: dict[tuple[str, int], list[socket.socket]] = {}

    def open(self, port: int, silent: Iterable[str]) -> None:
        """There is a shared listener at this port now; these addresses are silent.

        Raises:
            BindError: one more socket cannot be had.
        """
        self._ports.append(port)
        for address in silent:
            self.set(address, wanted=True)

    def set(self, address: str, *, wanted: bool) -> None:
        """Let the address be silent at all ports, or not.

        Raises:
            BindError: one more socket cannot be had.
        """
        if not wanted and not self._sockets:
            return  # a fleet without such phones pays nothing more for them
        for port in self._ports:
            place = (address, port)
            if not wanted and place in self._sockets:
                _close(self._sockets.pop(place))
            elif wanted and place not in self._sockets:
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                more = soft + DEAF_FILES if hard == resource.RLIM_INFINITY else min(soft + DEAF_FILES, hard)
                if more > soft:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
                self._sockets[place] = deaf(*place, interface=self._interface)

    def close(self) -> None:
        """All addresses answer again."""
        for socks in self._sockets.values():
            _close(socks)


def _close(socks: Iterable[socket.socket]) -> None:
    for sock in socks:
        sock.close()
