"""What an LDAP directory says about a user, in CallManager's words. No I/O.

Where CallManager is integrated with Active Directory, users are created there, found under User > Global Directory and
associated there (CTX111243). The directory knows the password; "Enable CTI Application Use" and the
device association stay CallManager's own. `emulator.callmanager.ldap` does the asking.

Active Directory answers every refused bind with result code 49 and names the cause in the diagnostic text, as in
`80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1`. The number after `data` is a
Win32 error in hexadecimal (Microsoft, "System Error Codes (1300-1699)" and "(1700-3999)").
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

INVALID_CREDENTIALS: Final = 49
"""RFC 4511 appendix A.1."""
DIAGNOSTIC_CHARACTERS_MAX: Final = 512
"""Read of a diagnostic text; Active Directory's have about 90."""
CONNECTIONS_DEFAULT: Final = 8
"""At a time: a Samba domain controller's listen backlog is 10."""

REASONS: Final = {
    0x525: "user",  # ERROR_NO_SUCH_USER 1317
    0x52E: "password",  # ERROR_LOGON_FAILURE 1326
    0x530: "restricted",  # ERROR_INVALID_LOGON_HOURS 1328
    0x531: "restricted",  # ERROR_INVALID_WORKSTATION 1329
    0x532: "password_expired",  # ERROR_PASSWORD_EXPIRED 1330
    0x533: "disabled",  # ERROR_ACCOUNT_DISABLED 1331
    0x701: "expired",  # ERROR_ACCOUNT_EXPIRED 1793
    0x773: "must_change",  # ERROR_PASSWORD_MUST_CHANGE 1907
    0x775: "locked",  # ERROR_ACCOUNT_LOCKED_OUT 1909
}
"""Sub-code of Active Directory to the reason that is recorded (docs/reference/events.md)."""
_SUB_CODE: Final = re.compile(r"\bdata ([0-9a-fA-F]{1,8})\b")


class Kind(Enum):
    """Which directory, for the defaults of name attributes and filter."""

    ACTIVE_DIRECTORY = "active-directory"
    LDAP = "ldap"


class Tls(Enum):
    """How the connection is protected."""

    STARTTLS = "starttls"
    LDAPS = "ldaps"
    NONE = "none"
    """Passwords in clear: for a lab's own link. Domain controllers refuse such binds by default (result code 8)."""


NAME_ATTRIBUTES: Final = {Kind.ACTIVE_DIRECTORY: ("sAMAccountName", "userPrincipalName"), Kind.LDAP: ("uid",)}
"""What a user ID is compared with. The first is the name that CallManager knows the user by."""
FILTERS: Final = {
    Kind.ACTIVE_DIRECTORY: "(&(objectCategory=person)(objectClass=user))",
    Kind.LDAP: "(objectClass=person)",
}
"""Who is a person at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySettings:
    """Where the directory is, and how it is asked."""

    server: tuple[str, int]
    base_dn: str
    manager_dn: str
    manager_password: str = field(repr=False)
    kind: Kind = Kind.ACTIVE_DIRECTORY
    tls: Tls = Tls.STARTTLS
    ca_file: Path | None = None
    """PEM; without it the system's authorities are trusted. The certificate is always checked."""
    server_name: str | None = None
    """The name in the certificate, where it is not the address of `server`."""
    name_attributes: tuple[str, ...] = ()
    """Empty: those of the kind."""
    filter: str = ""
    """RFC 4515; empty: that of the kind."""
    total_s: float = 5.0
    """Of one authentication: connection, TLS, both binds and the search. Assumed."""
    connections: int = CONNECTIONS_DEFAULT

    def names(self) -> tuple[str, ...]:
        """The attributes to compare a user ID with; the first names the user."""
        return self.name_attributes or NAME_ATTRIBUTES[self.kind]

    def persons(self) -> str:
        """The filter that all searches are under."""
        return self.filter or FILTERS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An entry that a search found."""

    name: str
    """Value of the first name attribute."""
    dn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the directory said to a name and a password."""

    name: str | None = None
    """The person's name in the directory, where one was found."""
    reason: str | None = None
    """None: the password is right. `user`, or one of `REASONS`."""


class DirectoryError(Exception):
    """The directory could not say: it is away, slow, refuses the manager, or answers what cannot be read.

    Not for a user that it refuses. `kind` is a word for records; no text of the server gets into it.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(f"the directory: {kind}")
        self.kind = kind


def reason_of(result_code: int, diagnostic: str) -> str | None:
    """Why a person's bind was refused: None where it was not.

    Args:
        result_code: of the bind response (RFC 4511 section 4.1.9).
        diagnostic: its text, of which only Active Directory's sub-code is read.

    Raises:
        DirectoryError: the code says nothing about the person (busy, unavailable, encryption required, ...).
    """
    if result_code == 0:
        return None
    if result_code != INVALID_CREDENTIALS:
        raise DirectoryError(f"bind_result_{result_code}")
    found = _SUB_CODE.search(diagnostic[:DIAGNOSTIC_CHARACTERS_MAX])
    # An unknown sub-code and a directory without any: the credentials are wrong, that much is said.
    return REASONS.get(int(found[1], 16), "password") if found else "password"
