"""What an administrator can do: every rule once, for the pages and for the JSON interface. Knows neither.

Changes are made in memory and hold at once; those that concern phones reach them at their next reset.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from emulator.callmanager.administration.device_search import Found, Search, find, matching
from emulator.callmanager.cluster import Accounts, Cluster, GlobalDirectory, LostError, ResetError
from emulator.callmanager.directory import Person
from emulator.callmanager.enterprise import EnterpriseParameters
from emulator.callmanager.registry import Device
from emulator.callmanager.users import DEVICES_PER_USER_MAX, USER_NAME_CHARACTERS_MAX, Devices, User, UserError

RESETS_AT_ONCE: Final = 32
"""A fleet answers in a millisecond or so: more at a time gains nothing."""
RESET_S: Final = 40.0
"""Of all resets of one request; below the minute that a connection has (emulator.callmanager.web)."""

_NONE: Final = Devices()


class UnknownError(LookupError):
    """There is no such user, person or device. Says which."""


class ConflictError(Exception):
    """It cannot be done as things stand. Says what to do first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resets:
    """What came of telling phones to reset."""

    told: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Device name to the reason."""


class Actions:
    """All that can be done to one CallManager."""

    def __init__(self, cluster: Cluster, accounts: Accounts | None = None) -> None:
        """Take what is changed, and who knows which users are locked (None: nobody is)."""
        self._cluster = cluster
        self._accounts = accounts

    # Users

    def users(self) -> list[User]:
        """Every user, in the order in which they were added."""
        return [user for name in self._cluster.users.names() if (user := self._cluster.users.get(name)) is not None]

    def user(self, name: str) -> User:
        """The user of this exact name; UnknownError where there is none."""
        user = self._cluster.users.get(name)
        if user is None:
            raise UnknownError(f"there is no user {name!r}")
        return user

    def add_user(self, **values: Any) -> User:  # noqa: ANN401 - as Users.add takes them
        """Add a user with a password here; UserError where that cannot be."""
        return self._cluster.users.add(**values)

    async def add_person(self, name: str, *, cti: bool, devices: Devices) -> User:
        """Make a user of a person of the directory, by his name there; Unknown-, Conflict-, Directory- or UserError."""
        person = await self._directory().person(name)
        if person is None:
            raise UnknownError(f"there is no {name!r} in the directory")
        return self._cluster.users.associate(name=person.name, cti=cti, devices=devices)

    def change_user(self, name: str, **values: Any) -> User:  # noqa: ANN401 - as Users.change takes them
        """Change a user's password, CTI flag, devices or names; UnknownError or UserError."""
        self.user(name)
        return self._cluster.users.change(name, **values)

    def remove_user(self, name: str) -> None:
        """Remove a user; UnknownError where there is none."""
        self.user(name)
        self._cluster.users.remove(name)

    def associate(self, name: str, *, add: Devices = _NONE, remove: Devices = _NONE) -> User:
        """Device Association: add devices and take others away; Unknown-, Conflict- or UserError."""
        devices = self.user(name).devices
        if devices.everything and remove.names:
            raise ConflictError("the user is associated with all devices: set a list of devices first")
        names = frozenset() if remove.everything else (devices.names | add.names) - remove.names
        if len(names) > DEVICES_PER_USER_MAX:
            raise UserError(f"devices: more than {DEVICES_PER_USER_MAX} names")
        everything = (devices.everything or add.everything) and not remove.everything
        return self._cluster.users.change(name, devices=Devices(everything=everything, names=names))

    def associate_each(self, name: str) -> User:
        """Instead of "all devices, also later ones": each device that is known now, so that one can be taken away."""
        known = frozenset(device.name for device in self._cluster.registry.all())
        return self.change_user(name, devices=Devices(names=known))

    def locked(self, user: User) -> bool:
        """Whether the credential policy refuses this user now."""
        return self._accounts is not None and self._accounts.locked(user)

    def unlock(self, name: str) -> User:
        """End a user's lock; UnknownError where there is no such user."""
        user = self.user(name)
        if self._accounts is not None:
            self._accounts.unlock(user)
        return user

    @property
    def has_directory(self) -> bool:
        """Whether CallManager is integrated with a directory."""
        return self._cluster.directory is not None

    async def find_persons(self, beginning: str) -> list[tuple[Person, User | None]]:
        """User > Global Directory: whose name begins so, and who of them is a user; Conflict- or DirectoryError."""
        found = await self._directory().find(beginning[:USER_NAME_CHARACTERS_MAX])
        return [(person, self._cluster.users.of_directory(person.name)) for person in found]

    def _directory(self) -> GlobalDirectory:
        if self._cluster.directory is None:
            raise ConflictError("there is no directory: see [directory] in docs/reference/callmanager.md")
        return self._cluster.directory

    # Devices

    def find_devices(self, search: Search, *, among: Devices | None = None) -> Found:
        """One page of a search, over all devices or those among a user's."""
        devices = self._cluster.registry.all()
        return find(devices if among is None else [device for device in devices if device.name in among], search)

    def matching_devices(self, search: Search, *, among: Devices | None = None) -> list[str]:
        """Names of all devices that a search finds, likewise."""
        names = [device.name for device in matching(self._cluster.registry.all(), search)]
        return names if among is None else [name for name in names if name in among]

    def known_devices(self, names: frozenset[str]) -> frozenset[str]:
        """Those of these names that are devices here."""
        return frozenset(name for name in names if self._cluster.registry.get(name) is not None)

    def unknown_devices(self, user: User) -> list[str]:
        """What a user is associated with although it is no device here, sorted."""
        return sorted(user.devices.names - self.known_devices(user.devices.names))

    def device(self, name: str) -> Device:
        """The device of this exact name; UnknownError where there is none."""
        device = self._cluster.registry.get(name)
        if device is None:
            raise UnknownError(f"there is no device {name!r}")
        return device

    def change_device(self, name: str, **values: Any) -> Device:  # noqa: ANN401 - as Registry.change takes them
        """Change a device; its phone learns of it at its next reset. UnknownError or DeviceError."""
        self.device(name)
        return self._cluster.registry.change(name, **values)

    async def reset(self, names: Sequence[str]) -> Resets:
        """Tell phones to reset, some at once, all within `RESET_S`; each is told or failed with a reason."""
        resets = Resets()
        waiting = iter(dict.fromkeys(names))

        async def tell() -> None:
            for name in waiting:
                if self._cluster.registry.get(name) is None:
                    resets.failed[name] = "there is no such device"
                    continue
                resets.failed[name] = "not known whether it was told: out of time"
                try:
                    await self._cluster.reset(name)
                except ResetError as error:
                    if isinstance(error, LostError):
                        self._cluster.registry.lost(name, int(time.time()))
                    resets.failed[name] = str(error).removeprefix(f"{name}: ")
                else:
                    del resets.failed[name]
                    resets.told.append(name)

        with trio.move_on_after(RESET_S):
            async with trio.open_nursery() as nursery:
                for _ in range(RESETS_AT_ONCE):
                    nursery.start_soon(tell)
        resets.failed.update(dict.fromkeys(waiting, f"not told: {RESET_S:g} s were not enough for all; reset it again"))
        return resets

    # Parameters

    @property
    def parameters(self) -> EnterpriseParameters:
        """The enterprise parameters in force."""
        return self._cluster.enterprise.parameters

    def change_parameters(self, **values: str | int) -> EnterpriseParameters:
        """Change enterprise parameters; phones learn of it at their next reset. DeviceError."""
        return self._cluster.enterprise.change(**values)
