"""Whether somebody is the administrator, at whichever door: the one place that compares, waits and counts."""

from __future__ import annotations

import trio

from emulator.callmanager.attempts import Attempts
from emulator.callmanager.cluster import Administrator


class TooManyAttemptsError(Exception):
    """The attempt would have to wait too long, and was not looked at."""


async def admits(
    administrator: Administrator | None, attempts: Attempts, *, address: str, name: str, password: str
) -> bool:
    """Whether these are the administrator's credentials; waits first where this address has failed too often.

    Args:
        administrator: None: nobody is.
        attempts: shared by all doors, so that none of them is the quick one.
        address: of the client, without its port.
        name: as given.
        password: as given.

    Raises:
        TooManyAttemptsError: it would have to wait longer than `attempts.WAIT_S_MAX`.
    """
    wait_s = attempts.wait_s(address, trio.current_time())
    if wait_s is None:
        raise TooManyAttemptsError
    if wait_s:
        await trio.sleep(wait_s)
    if administrator is not None and administrator.admits(name, password):
        attempts.succeeded(address)
        return True
    attempts.failed(address, trio.current_time())
    return False
