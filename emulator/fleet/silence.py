"""Phones whose web server is not there: what would begin a connection is dropped, as where nothing is.

All phones share one listener on every address, so such a phone has a listener of its own that hears nothing.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterable

from emulator.engine import deaf


class Silence:
    """The listeners that hear nothing, by address and port."""

    def __init__(self, interface: str | None) -> None:
        self._interface = interface
        self._ports: list[int] = []
        self._sockets: dict[tuple[str, int], socket.socket] = {}

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
                self._sockets.pop(place).close()
            elif wanted and place not in self._sockets:
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                if hard == resource.RLIM_INFINITY or soft < hard:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft + 1, hard))
                self._sockets[place] = deaf(*place, interface=self._interface)

    def close(self) -> None:
        """All addresses answer again."""
        for sock in self._sockets.values():
            sock.close()
