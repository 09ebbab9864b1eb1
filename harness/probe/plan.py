"""What is probed, with what, and within which limits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Final, Literal

import trio

from harness.probe.question import Credentials
from harness.probe.target import Target

Connector = Callable[[], Awaitable[trio.SocketStream]]
"""Opens a TCP connection to the target.

Raises:
    OSError: there is none.
"""

TOTAL_S: Final = 180.0
"""Default limit of a whole probe: sixty checks against a CallManager that takes 0.3 s an answer."""
ALIVE_S: Final = 1.0
"""A phone's question must be answered within this, whatever else was sent (faults.md: "alive")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """How gently an endpoint is treated."""

    per_s: float
    """Questions a second at most; 0: no limit."""
    wrong_passwords: int
    """Most wrong passwords in the name of the real user."""
    lockout_failures: int
    """Failures in a row, once, to see whether they lock the account; 0: that is not tried."""
    connections: int
    """Held open at once to see whether others are still served."""
    resets: int
    """Connections reset half way."""


OURS: Final = Care(per_s=0, wrong_passwords=400, lockout_failures=24, connections=200, resets=300)
"""An endpoint of the lab or of our own make: nobody is locked out, nobody else is served."""
FOREIGN: Final = Care(per_s=20, wrong_passwords=100, lockout_failures=6, connections=14, resets=50)
"""Somebody's server. CallManager locks an account after 3 failed logons by default; a public default for other vendors
is 5, so 6 tell. Beside the connections held open there are at most six more, the questions whether it still answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """One probe."""

    target: Target
    credentials: Credentials = field(repr=False)
    connect: Connector
    consent: bool
    """Whether wrong passwords may be sent in the name of the real user."""
    care: Care
    tls: SSLContext | None = None
    callmanager_url: str = ""
    """Where a mismatch has to be redirected to; empty: not known."""
    own_user_mismatch: Literal["redirect", "refuse", ""] = ""
    """What has to happen to the real user's wrong password; empty: not known."""
    models: frozenset[str] = frozenset()
    """Phone models that matter, in their real spelling; empty: all."""
    outside: Connector | None = None
    """From an address that is no phone's; None: there is none."""
    inside_address: str = ""
    """An address of a phone, for headers that claim to come from there."""
    leave_out: frozenset[str] = frozenset()
    """Names of checks that are not asked."""
    total_s: float = TOTAL_S
