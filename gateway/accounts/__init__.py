"""Who may do what in the Administration Tool: accounts, roles, sessions, tokens, and logins that are slowed down."""

from gateway.accounts.directory import Accounts, LoginRefusedError, Principal, Session
from gateway.accounts.passwords import BusyError, Passwords
from gateway.accounts.roles import Role
from gateway.accounts.tables import Account, AccountError, ApiToken

__all__ = [
    "Account",
    "AccountError",
    "Accounts",
    "ApiToken",
    "BusyError",
    "LoginRefusedError",
    "Passwords",
    "Principal",
    "Role",
    "Session",
]
