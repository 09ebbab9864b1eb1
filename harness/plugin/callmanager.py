"""A mock CallManager beside a test."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.plugin.servers import Record, Server
from harness.scenario.resolved import toml_value

ADDRESS: Final = "127.20.128.20"
USER: Final = "agpush"
"""The only user where none are named, with a random password and all phones."""


class CallManager(Server):
    """A mock CallManager at 127.20.128.20, on a port that was free.

    Attributes:
        url: its authentication page, as phones are given it; `url_jsp` that of Unified CM.
        user, password: of the first user; the password is random where none was given.
        password_file, netrc_file: the same in files that only this user may read, for programs.
    """

    def __init__(
        self, folder: Path, *, users: Mapping[str, str | Mapping[str, Any]] | None = None, **settings: object
    ) -> None:
        """Start it.

        Args:
            folder: for log, records and configuration; must exist.
            users: name → password, or name → a table of docs/reference/callmanager.md (`password`, `cti`, `devices`).
            settings: other values of its configuration file, such as `workers=4`.

        Raises:
            ServerError: it cannot be started; it says why.
        """
        given = {USER: ""} if users is None else users
        tables = [_table(name, user) for name, user in given.items()]
        for number, table in enumerate(tables):
            file = _private(folder / f"user-{number}.password", str(table.pop("password")))
            table["password_file"] = file.name
        lines = [f"{key} = {toml_value(value)}" for key, value in ({"listen": f"{ADDRESS}:0"} | settings).items()]
        lines.append(f"user = {toml_value(tables)}")
        config = folder / "callmanager.toml"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        super().__init__("callmanager", ["--config", str(config)], folder)
        self.url = self.urls["authentication"]
        self.url_jsp = self.urls["authentication_jsp"]
        self.user = next(iter(given), "")
        self.password_file = folder / "user-0.password"
        self.password = self.password_file.read_text(encoding="utf-8").rstrip("\n") if given else ""
        self.netrc_file = _private(folder / "netrc", f"default login {self.user} password {self.password}")

    def __repr__(self) -> str:
        return f"<mock CallManager at {self.url}>"

    @property
    def environment(self) -> dict[str, str]:
        """Where everything is, by the names of docs/reference/exec.md: for a program under test."""
        return {
            "PUSHLAB_CALLMANAGER_URL": self.url,
            "PUSHLAB_USER": self.user,
            "PUSHLAB_PASSWORD_FILE": str(self.password_file),
            "PUSHLAB_NETRC_FILE": str(self.netrc_file),
        }

    @property
    def authentications(self) -> list[Record]:
        """What phones asked it: `phone`, `user`, `answer`, `reason` and times of each (docs/reference/events.md)."""
        return self.records("authentication.answered")


def _table(name: str, user: str | Mapping[str, Any]) -> dict[str, Any]:
    table = {"password": user} if isinstance(user, str) else dict(user)
    return {"name": name, **table, "password": table.get("password") or secrets.token_urlsafe(16)}


def _private(file: Path, line: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(f"{line}\n", encoding="utf-8")
    return file
