"""What an operator sets while the gateway runs: read from the store, changed in the Administration Tool, at once.

A value that the configuration file gives holds, and cannot be changed elsewhere: whoever keeps the file under version
control finds what runs in it. Everything else is in the store, secrets encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from gateway.authentication import OwnUserMismatch
from gateway.store import Cipher, Database, KeyFileError

Network = IPv4Network | IPv6Network


class SettingsError(ValueError):
    """A setting cannot be so.

    Attributes:
        errors: Setting to what is wrong with it; no secret is quoted.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Every setting with its value in force. An empty text is a value that nobody has given yet."""

    push_user: str = ""
    """The CallManager user that pushes carry; `agpush` is what CTX111243 recommends."""
    push_password: str = field(default="", repr=False)
    callmanager_url: str = ""
    """CallManager's authentication URL: where a mismatch is redirected to."""
    own_user_mismatch: OwnUserMismatch = OwnUserMismatch.REDIRECT
    multicast: bool = False
    multicast_first: str = ""
    """First group address of the pool."""
    multicast_last: str = ""
    multicast_port: int = 32674
    phone_networks: tuple[Network, ...] = ()
    """Where phones are; empty: anywhere."""
    authorise: str = "always"
    """`always`, or `in-flight`: only phones with a push in flight, or one ended less than `authorise_after_s` ago."""
    authorise_after_s: float = 30.0


SECRETS: Final = frozenset({"push_password"})
"""Never shown, and encrypted in the store."""
Check = Callable[[str, object], object]
Observer = Callable[[Settings, Settings], None]


class SettingsStore:
    """The settings in force, and who wants to hear of changes."""

    def __init__(self, database: Database, cipher: Cipher, fixed: Mapping[str, object]) -> None:
        """Read the store.

        Args:
            database: where settings are kept.
            cipher: of the secrets in it.
            fixed: what the configuration file gives, already checked.
        """
        self._database = database
        self._cipher = cipher
        self.fixed = frozenset(fixed)
        """Settings that the configuration file gives."""
        self.unreadable: list[str] = []
        """Secrets that the key does not fit: they have to be entered again, and the gateway starts without them."""
        self._observers: list[Observer] = []
        stored = database.read_now(lambda connection: dict(connection.execute("SELECT name, value FROM setting")))
        known = {each.name for each in fields(Settings)}
        values = {name: self._decoded(name, text) for name, text in stored.items() if name in known}
        self.current = Settings(**{**values, **dict(fixed)})  # type: ignore[arg-type] # names and values are checked

    def observe(self, observer: Observer) -> None:
        """Call `observer` with the settings before and after each change."""
        self._observers.append(observer)

    async def change(self, values: Mapping[str, object]) -> Settings:
        """Take checked values into force, and onto the disk first.

        Raises:
            SettingsError: a value is fixed by the configuration file.
            StoreError: they cannot be kept; then nothing is changed.
        """
        fixed = {name: "is fixed by the configuration file" for name in values if name in self.fixed}
        if fixed:
            raise SettingsError(fixed)
        before = self.current
        after = replace(before, **values)  # type: ignore[arg-type] # names and values are checked
        rows = [(name, self._encoded(name, value)) for name, value in values.items()]
        await self._database.write(
            lambda connection: connection.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", rows)
        )
        self.current = after
        for observer in self._observers:
            observer(before, after)
        return after

    def _encoded(self, name: str, value: object) -> str:
        if name in SECRETS:
            return self._cipher.encrypt(str(value))
        return json.dumps([str(each) for each in value] if isinstance(value, tuple) else value)

    def _decoded(self, name: str, text: str) -> object:
        if name in SECRETS:
            try:
                return self._cipher.decrypt(text)
            except KeyFileError:
                self.unreadable.append(name)
                return ""
        value: object = json.loads(text)
        if name == "own_user_mismatch":
            return OwnUserMismatch(str(value))
        if name == "phone_networks" and isinstance(value, list):
            return tuple(IPv6Network(each) if ":" in each else IPv4Network(each) for each in value)
        return value
