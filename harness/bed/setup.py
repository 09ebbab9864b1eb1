"""What one run is made of: scenario, ground, folder, secrets."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from harness.bed.configuration import CONTROL_USER
from harness.bed.ground import Ground
from harness.bed.secrets import PrivateFolder, Secret
from harness.run_folder import RunFolder
from harness.scenario.faults import CREDENTIAL_DRIFT
from harness.scenario.model import SAME, Scenario

_ANY_PROTOCOL: Final = 0


class Display(Protocol):
    """What is told while a run goes (harness/live.py)."""

    def stage(self, text: str, *, ends_at: float | None = None) -> None:
        """The run has come to this, and will be over at that time of `update`'s clock."""

    def update(self, part: str, counters: Mapping[str, float], now: float) -> None:
        """A part's counters at a time in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that one run needs to know."""

    scenario: Scenario
    ground: Ground
    folder: RunFolder
    display: Display
    in_terminal: bool = False
    """Whether a foreign gateway's output goes to the terminal (`pushlab exec`) and not to gateway.log."""

    @property
    def foreign(self) -> bool:
        """Whether another than our gateway pushes."""
        return self.scenario.gateway.kind != "own"

    @property
    def authentication_url(self) -> str:
        """The URL that the fleet asks."""
        return self._url(self.scenario.fleet.authentication_url)

    @property
    def authentication_url_at_boot(self) -> str:
        """The URL that was configured when phones booted, before it was changed."""
        wish = self.scenario.fleet.authentication_url_at_boot
        return self.authentication_url if wish == SAME else self._url(wish)

    @property
    def fetching(self) -> bool:
        """Whether phones fetch their configuration from CallManager."""
        return self.scenario.fleet.boot == "fetch"

    def _url(self, wish: str) -> str:
        addresses = self.ground.addresses
        named = {
            "gateway": addresses.gateway_authentication_url,
            "callmanager": addresses.callmanager_authentication_url,
        }
        return named.get(wish, wish)

    def can_capture(self) -> bool:
        """Whether this user may open a tap on this ground: found out by trying."""

        def attempt() -> bool:
            try:
                # Protocol 0: such a socket receives nothing.
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _ANY_PROTOCOL).close()
            except OSError:
                return False
            return True

        return self.ground.host("phones").call(attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSecrets:
    """The passwords of one run, all random."""

    users: Mapping[str, Secret] = field(repr=False)
    """By CallManager user, the control's among them."""
    pushed: Secret = field(repr=False)
    """What the gateway's pushes carry: its user's password, or another one where the scenario says so."""
    token: Secret = field(repr=False)
    """Of the gateway's JSON interface."""
    callmanager_token: Secret = field(repr=False)
    """Of CallManager's."""
    directory_manager: Secret | None = field(repr=False, default=None)
    """Of the account that CallManager searches a directory server with; None where there is none."""
    drifted: Secret | None = field(repr=False, default=None)
    """What the push user's password is changed to while a page runs; None where it is not."""
    administrator: Secret | None = field(repr=False, default=None)
    """Of the gateway's administrator; None where nobody sets it up."""

    @classmethod
    def make(cls, scenario: Scenario, private: PrivateFolder) -> "RunSecrets":
        """Draw them and write their files."""
        names = [*(user.name for user in scenario.callmanager.users), CONTROL_USER]
        users = {name: private.secret(f"user-{index}.password") for index, name in enumerate(names)}
        if scenario.gateway.password_file is not None:
            users[scenario.gateway.user] = private.given("given.password", scenario.gateway.password_file)
        wrong = scenario.gateway.push_password == "wrong"  # noqa: S105 - a word of the scenario, no password
        pushed = private.secret("pushed.password") if wrong else users[scenario.gateway.user]
        token, callmanager_token = private.secret("token"), private.secret("callmanager-token")
        has_directory = scenario.callmanager.directory.is_server
        searching = private.secret("directory-manager.password") if has_directory else None
        drifts = any(fault.kind == CREDENTIAL_DRIFT for fault in scenario.faults)
        return cls(
            users=users,
            pushed=pushed,
            token=token,
            callmanager_token=callmanager_token,
            directory_manager=searching,
            drifted=private.secret("drifted.password") if drifts else None,
            administrator=private.secret("administrator.password") if scenario.gateway.administered else None,
        )
