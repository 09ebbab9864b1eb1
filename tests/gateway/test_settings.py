"""Settings: at once, kept over a restart, secrets encrypted; what the file gives holds."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from gateway.authentication import OwnUserMismatch
from gateway.settings import Settings, SettingsError, SettingsStore
from gateway.store import Cipher, Database
from gateway.store.database import FILE

VALUES: dict[str, object] = {
    "push_user": "agpush",
    "push_password": "canary-pass",
    "own_user_mismatch": OwnUserMismatch.REFUSE,
    "phone_networks": (IPv4Network("10.20.0.0/17"),),
    "multicast": True,
}


async def test_a_change_holds_at_once_and_after_a_restart(tmp_path: Path) -> None:
    cipher = Cipher.ephemeral()
    with Database.open(tmp_path) as database:
        settings = SettingsStore(database, cipher, {})
        heard: list[tuple[Settings, Settings]] = []
        settings.observe(lambda before, after: heard.append((before, after)))
        await settings.change(VALUES)
        assert heard == [(Settings(), Settings(**VALUES))]  # type: ignore[arg-type]
    with Database.open(tmp_path) as database:
        assert SettingsStore(database, cipher, {}).current == Settings(**VALUES)  # type: ignore[arg-type]
    assert b"canary-pass" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert (tmp_path / FILE).exists()


async def test_what_the_file_gives_holds(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        await SettingsStore(database, Cipher.ephemeral(), {}).change({"push_user": "other"})
        settings = SettingsStore(database, Cipher.ephemeral(), {"push_user": "agpush"})
        with pytest.raises(SettingsError) as caught:
            await settings.change({"push_user": "third", "multicast": True})
        assert caught.value.errors == {"push_user": "is fixed by the configuration file"}
        assert settings.current == Settings(push_user="agpush")


async def test_a_secret_of_a_lost_key_is_empty_and_named() -> None:
    with Database.open(None) as database:
        await SettingsStore(database, Cipher.ephemeral(), {}).change(VALUES)
        settings = SettingsStore(database, Cipher.ephemeral(), {})
        assert settings.unreadable == ["push_password"]
        assert settings.current.push_password == ""
        assert settings.current.push_user == "agpush"


def test_no_secret_in_a_repr() -> None:
    assert "canary" not in repr(Settings(push_password="canary"))
