"""What one CallManager knows: every door (pages, JSON, SOAP, configuration files) reads and changes this one place."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Protocol

from emulator.callmanager.attempts import Attempts
from emulator.callmanager.directory import Person
from emulator.callmanager.enterprise import Enterprise
from emulator.callmanager.registry import Registry
from emulator.callmanager.users import User, Users


class GlobalDirectory(Protocol):
    """What the administration wants of a directory: `emulator.callmanager.ldap.Directory`, or a test's own."""

    async def find(self, beginning: str) -> list[Person]:
        """Persons whose name begins so; DirectoryError where it cannot say."""

    async def person(self, name: str) -> Person | None:
        """Who has this name; DirectoryError where it cannot say."""


class Accounts(Protocol):
    """What the administration wants of the credential policy: `emulator.callmanager.service.Service`."""

    def locked(self, user: User) -> bool:
        """Whether this user is refused now because of failed logons."""

    def unlock(self, user: User) -> None:
        """End the lock."""


class ResetError(Exception):
    """A phone cannot be told to reset: nothing says where the phones are, or they do not answer. Says which."""


class LostError(ResetError):
    """The phone is not there: nobody has it any longer."""


class Resetting(Protocol):
    """Tells phones to reset, as CallManager does over the phone's registration."""

    async def __call__(self, name: str) -> None:
        """Reset the phone of this device name; ResetError where it cannot be told."""


async def nobody_to_reset(name: str) -> None:
    """Stand in where no fleet is named; raises ResetError."""
    raise ResetError(f"{name}: phones_control names no fleet that could be told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """Who may use the administration pages, DeviceListX, RisPort70 and AXL (Basic authentication)."""

    name: str
    password: str = field(repr=False)

    def admits(self, name: str, password: str) -> bool:
        """Whether these are the administrator's credentials; as slow for a wrong name as for a wrong password."""
        given = hashlib.sha256(f"{name}\0{password}".encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(given, hashlib.sha256(f"{self.name}\0{self.password}".encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One CallManager's users, devices and parameters, and its ways to the directory and to the phones."""

    users: Users = field(default_factory=Users)
    registry: Registry = field(default_factory=Registry)
    enterprise: Enterprise = field(default_factory=Enterprise)
    administrator: Administrator | None = None
    """None: nobody may."""
    attempts: Attempts = field(default_factory=Attempts)
    """Failed ones to be the administrator, at all doors."""
    directory: GlobalDirectory | None = None
    reset: Resetting = nobody_to_reset
