"""CallManager's users: who may authenticate a push, and for which phones.

A push is authorised when the user exists, the password is right, "Enable CTI Application Use" is checked, and the phone
is associated with the user (Citrix CTX111243). Passwords are kept as
salted digests, in memory alone: enough that no repr or record shows one. It is no protection against guessing, which
a password file on disk would need and this emulator does not write.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Literal

Reason = Literal["password", "user", "cti", "association", "locked"]
"""Why a request was refused, in the words of docs/reference/events.md."""

SALT_BYTES = 16
"""What BLAKE2b takes as salt at most."""
DIGEST_BYTES = 32
USER_NAME_CHARACTERS_MAX = 128
"""CallManager's own limit for a user ID is 128 characters."""
PERSON_NAME_CHARACTERS_MAX = 64
"""Of a first or a last name (assumed)."""
PASSWORD_CHARACTERS_MAX = 256
"""Far above any password that fits a phone's 255 character URL."""
DEVICE_NAME_CHARACTERS_MAX = 128
"""CallManager's own limit for a device name is 128 characters; phones' names have 15."""
_DEVICE_NAME = re.compile(rf"[A-Za-z0-9._-]{{1,{DEVICE_NAME_CHARACTERS_MAX}}}")
USERS_MAX = 10_000
"""So that nobody can fill memory through the administration interface."""
DEVICES_PER_USER_MAX = 100_000
"""Above any fleet that one CallManager serves (30,000 phones)."""


class UserError(ValueError):
    """What was asked of the user directory cannot be: a bad name, a duplicate. Not for a refused authentication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The phones that a user is associated with: all of them, or the named ones."""

    everything: bool = False
    names: frozenset[str] = frozenset()

    def __contains__(self, device: str) -> bool:
        """Whether the device of this exact name is associated."""
        return self.everything or device in self.names

    def described(self) -> str | list[str]:
        """As configuration and JSON say it: `all`, `none` or a sorted list of names."""
        if self.everything:
            return "all"
        return sorted(self.names) or "none"

    @classmethod
    def of(cls, described: object) -> "Devices":
        """Read `all`, `none` or a list of device names.

        Raises:
            UserError: anything else.
        """
        if described == "all":
            return cls(everything=True)
        if described == "none":
            return cls()
        if not isinstance(described, list):
            raise UserError('devices: "all", "none" or a list of device names is needed')
        if len(described) > DEVICES_PER_USER_MAX:
            raise UserError(f"devices: more than {DEVICES_PER_USER_MAX} names")
        for name in described:
            if not isinstance(name, str) or not is_device_name(name):
                raise UserError(f"devices: {name!r} is no device name (as SEP001BD4000001)")
        return cls(names=frozenset(described))


def is_device_name(name: str) -> bool:
    """Whether this can be a device name: 1 to 128 of ASCII letters, digits, dot, underscore and hyphen."""
    return _DEVICE_NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user. `digest` and `salt` stay out of `repr`."""

    name: str
    cti: bool
    devices: Devices
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    directory: bool = False
    """The password is the directory's: there is none here, and `knows` knows none."""
    first_name: str = ""
    last_name: str = ""

    def knows(self, password: str) -> bool:
        """Whether this is the user's password; the comparison takes the same time wherever the digests differ."""
        return not self.directory and hmac.compare_digest(_digest(password, self.salt), self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The answer to one authentication: authorised, or the first reason why not."""

    authorised: bool
    user: str | None
    """The user's name, only if such a user exists."""
    reason: Reason | str | None = None
    """Another word than those of `Reason` comes from the directory (emulator.callmanager.directory.REASONS)."""


class Users:
    """The user directory of one CallManager."""

    def __init__(self) -> None:
        """Start with nobody: nothing can be authorised."""
        self._users: dict[str, User] = {}
        self._of_directory: dict[str, str] = {}  # names there differ by more than case (Active Directory, uid)
        # For an unknown name a digest is computed and compared all the same: the answer's time tells no names.
        self._nobody = _user(name="", password=secrets.token_hex(16), cti=False, devices=Devices())

    def __len__(self) -> int:
        return len(self._users)

    def names(self) -> list[str]:
        """All names, in the order they were added."""
        return list(self._users)

    def get(self, name: str) -> User | None:
        """The user of this exact name."""
        return self._users.get(name)

    def add(
        self, *, name: str, password: str, cti: bool, devices: Devices, first_name: str = "", last_name: str = ""
    ) -> User:
        """Add a user.

        Raises:
            UserError: a name or the password cannot be, or the user's name is taken.
        """
        require_name(name)
        require_person_names(first_name, last_name)
        if name in self._users:
            raise UserError(f"name: there is a user {name!r} already")
        if len(self._users) >= USERS_MAX:
            raise UserError(f"no more than {USERS_MAX} users")
        require_password(password)
        user = _user(name=name, password=password, cti=cti, devices=devices)
        user = self._users[name] = replace(user, first_name=first_name, last_name=last_name)
        return user

    def associate(self, *, name: str, cti: bool, devices: Devices) -> User:
        """Add a user of the directory, as User > Global Directory does: without a password.

        Raises:
            UserError: the name cannot be, or is taken; case does not tell two users of the directory apart.
        """
        user = self.add(name=name, password=secrets.token_hex(16), cti=cti, devices=devices)
        if name.casefold() in self._of_directory:
            del self._users[name]
            raise UserError(f"name: there is a user {self._of_directory[name.casefold()]!r} already")
        user = self._users[name] = replace(user, directory=True)
        self._of_directory[name.casefold()] = name
        return user

    def of_directory(self, name: str) -> User | None:
        """The user of the directory that is associated under this name, in whatever case."""
        return self._users.get(self._of_directory.get(name.casefold(), ""))

    def change(
        self,
        name: str,
        *,
        password: str | None = None,
        cti: bool | None = None,
        devices: Devices | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> User:
        """Change what is given of a user; it holds for every answer from now on.

        Raises:
            KeyError: no such user.
            UserError: the password or a name cannot be. Then nothing is changed.
        """
        user = self._users[name]
        require_person_names(first_name or "", last_name or "")
        if password is not None:
            if user.directory:
                raise UserError("password: it is the directory's and is changed there")
            require_password(password)
            salt = secrets.token_bytes(SALT_BYTES)
            user = replace(user, salt=salt, digest=_digest(password, salt))
        if first_name is not None:
            user = replace(user, first_name=first_name)
        if last_name is not None:
            user = replace(user, last_name=last_name)
        if cti is not None:
            user = replace(user, cti=cti)
        if devices is not None:
            user = replace(user, devices=devices)
        self._users[name] = user
        return user

    def remove(self, name: str) -> None:
        """Remove a user; KeyError if there is none of this name."""
        if self._users.pop(name).directory:
            del self._of_directory[name.casefold()]

    def check(self, *, name: str, password: str, device: str) -> Check:
        """Decide one authentication, in the order user, password, CTI, association (the order is assumed)."""
        user = self._users.get(name)
        right = (user or self._nobody).knows(password)
        if user is None:
            return Check(authorised=False, user=None, reason="user")
        if not right:
            return Check(authorised=False, user=name, reason="password")
        return permitted(user, device)


def permitted(user: User, device: str) -> Check:
    """Whether a user whose password is right may push to this device: what is CallManager's own to say."""
    if not user.cti:
        return Check(authorised=False, user=user.name, reason="cti")
    if device not in user.devices:
        return Check(authorised=False, user=user.name, reason="association")
    return Check(authorised=True, user=user.name)


class CredentialCache:
    """Which users' right passwords were seen lately: Unified CM may spare the database for up to 120 s.

    Source: parameter "Enable Caching" (Cisco Unified CM Security Guide). What a hit costs is
    assumed: nothing. CTI flag and association are looked up in any case. An entry is bound to the digest of the
    password, so that a changed password is never answered from the cache.
    """

    def __init__(self, *, seconds: float) -> None:
        """Keep a seen password for so many seconds; 0 turns the cache off."""
        self._kept_ns = round(seconds * 1_000_000_000)
        self._until_ns: dict[str, tuple[bytes, int]] = {}

    def remember(self, user: User, now_ns: int) -> None:
        """The user's password was found right at `now_ns`."""
        if self._kept_ns > 0:
            self._until_ns[user.name] = (user.digest, now_ns + self._kept_ns)

    def hits(self, user: User, password: str, now_ns: int) -> bool:
        """Whether this password of this user need not be looked up now."""
        entry = self._until_ns.get(user.name)
        if entry is None:
            return False
        digest, until_ns = entry
        if now_ns >= until_ns or digest != user.digest:
            del self._until_ns[user.name]
            return False
        return user.knows(password)


def require_name(name: str) -> str:
    """The name, if it can be a user's; else UserError."""
    if not 0 < len(name) <= USER_NAME_CHARACTERS_MAX or not name.isprintable():
        raise UserError(f"name: 1 to {USER_NAME_CHARACTERS_MAX} printable characters are needed")
    return name


def require_password(password: str) -> str:
    """The password, if it can be one; else UserError, whose text does not show it."""
    if not 0 < len(password) <= PASSWORD_CHARACTERS_MAX:
        raise UserError(f"password: 1 to {PASSWORD_CHARACTERS_MAX} characters are needed")
    return password


def require_person_names(first_name: str, last_name: str) -> None:
    """Raise UserError where one of them cannot be a person's; both may be empty."""
    for field_name, value in (("first_name", first_name), ("last_name", last_name)):
        if len(value) > PERSON_NAME_CHARACTERS_MAX or not value.isprintable():
            raise UserError(f"{field_name}: at most {PERSON_NAME_CHARACTERS_MAX} printable characters")


def _user(*, name: str, password: str, cti: bool, devices: Devices) -> User:
    salt = secrets.token_bytes(SALT_BYTES)
    return User(name=name, cti=cti, devices=devices, salt=salt, digest=_digest(password, salt))


def _digest(password: str, salt: bytes) -> bytes:
    # surrogatepass: JSON can carry a lone surrogate; as a password it is odd, not a defect of ours.
    return hashlib.blake2b(password.encode("utf-8", "surrogatepass"), salt=salt, digest_size=DIGEST_BYTES).digest()
