"""Backup while a gateway writes, restore while none runs."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from pathlib import Path

import pytest

from gateway.backup import BackupError, restore, write_backup
from gateway.store import Cipher, Database


def write_setting(database: Database, value: str) -> None:
    database.write_now(
        lambda connection: connection.execute("INSERT OR REPLACE INTO setting VALUES ('push_user', ?)", (value,))
    )


def read_setting(folder: Path) -> str:
    with Database.open(folder) as database:
        return str(database.write_now(lambda c: c.execute("SELECT value FROM setting").fetchone()[0]))


def test_a_backup_is_one_moment_while_others_write(tmp_path: Path) -> None:
    folder, out = tmp_path / "data", tmp_path / "b.backup"
    with Database.open(folder) as database:
        ended = threading.Event()

        def write() -> None:
            number = 0
            while not ended.is_set():
                number += 1
                write_setting(database, str(number))

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(5):
                write_backup(folder, out, version="1")
        finally:
            ended.set()
            thread.join()
    assert out.stat().st_mode & 0o777 == 0o600
    restore(out, tmp_path / "other")
    assert read_setting(tmp_path / "other").isdigit()
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_restore_puts_aside_what_was_there_and_brings_recordings(tmp_path: Path) -> None:
    folder, out = tmp_path / "data", tmp_path / "b.backup"
    with Database.open(folder) as database:
        write_setting(database, "before")
    (folder / "recordings").mkdir()
    (folder / "recordings" / "fire.wav").write_bytes(b"RIFF")
    write_backup(folder, out, version="1")
    with Database.open(folder) as database:
        write_setting(database, "after")
    (folder / "recordings" / "fire.wav").unlink()
    told = restore(out, folder)
    assert read_setting(folder) == "before"
    assert (folder / "recordings" / "fire.wav").read_bytes() == b"RIFF"
    (aside,) = folder.glob("gateway.sqlite.before-restore-*")
    assert aside.name in told[1]


def test_restore_is_refused_while_a_gateway_runs(tmp_path: Path) -> None:
    folder, out = tmp_path / "data", tmp_path / "b.backup"
    with Database.open(folder) as database:
        write_setting(database, "kept")
        write_backup(folder, out, version="1")
        with pytest.raises(BackupError, match="a gateway is using it"):
            restore(out, folder)
    assert read_setting(folder) == "kept"


def test_the_key_is_in_it_only_where_it_was_asked_for(tmp_path: Path) -> None:
    folder, out, key = tmp_path / "data", tmp_path / "b.backup", tmp_path / "keys" / "key"
    cipher = Cipher.load(key, data_folder=folder)
    with Database.open(folder) as database:
        write_setting(database, cipher.encrypt("canary"))
    write_backup(folder, out, version="1")
    secret = key.read_bytes().strip()
    assert secret not in out.read_bytes()
    assert b"canary" not in out.read_bytes()
    key.rename(tmp_path / "kept")
    assert "is missing" in restore(out, folder, key_file=key)[-1]
    (tmp_path / "kept").rename(key)
    write_backup(folder, out, version="1", key_file=key)
    assert secret in out.read_bytes()
    key.unlink()
    assert "came out of the backup" in restore(out, folder, key_file=key)[-1]
    assert key.stat().st_mode & 0o777 == 0o600
    assert Cipher.load(key, data_folder=folder).decrypt(read_setting(folder)) == "canary"


def archive(path: Path, files: dict[str, bytes], manifest: object) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    folder, good = tmp_path / "data", tmp_path / "good"
    with Database.open(folder) as database:
        write_setting(database, "kept")
    write_backup(folder, good, version="1")
    whole = good.read_bytes()
    bad = tmp_path / "bad"
    attempts: list[bytes] = [b"", b"not a tar", whole[: len(whole) // 2], whole[:700]]
    at = whole.index(b"SQLite format 3")
    attempts.append(whole[: at + 5000] + bytes([whole[at + 5000] ^ 1]) + whole[at + 5001 :])
    for data in attempts:
        bad.write_bytes(data)
        with pytest.raises(BackupError):
            restore(bad, folder)
    for files, manifest in (
        ({"../evil": b"x"}, {"format": 1, "files": {"../evil": "2d711642b726b04401627ca9fbac32f5"}}),
        ({"/etc/evil": b"x"}, {"format": 1, "files": {"/etc/evil": "x"}}),
        ({"recordings/../../evil": b"x"}, {"format": 1, "files": {"recordings/../../evil": "x"}}),
        ({}, {"format": 2, "files": {}}),
        ({}, {"format": 1, "files": {}}),
        ({}, {"format": 1, "files": 3}),
        ({}, []),
    ):
        with pytest.raises(BackupError):
            restore(archive(bad, files, manifest), folder)  # type: ignore[arg-type]
    assert read_setting(folder) == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "good", "bad"}


def test_a_backup_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    folder, out = tmp_path / "data", tmp_path / "b.backup"
    with Database.open(folder) as database:
        database._writer.execute("PRAGMA user_version = 9999")
    write_backup(folder, out, version="9")
    with pytest.raises(BackupError, match="newer release"):
        restore(out, tmp_path / "other")


def test_there_must_be_something_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="holds no data"):
        write_backup(tmp_path, tmp_path / "out", version="1")
    with Database.open(tmp_path / "data"):
        pass
    with pytest.raises(BackupError, match="no backup was written"):
        write_backup(tmp_path / "data", tmp_path / "nowhere" / "out", version="1")
