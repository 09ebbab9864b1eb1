"""Backup of a gateway's data into one file, while it runs; and restore, while none runs.

The file is a tar archive: the database as SQLite's online backup copies it (one consistent moment, nobody waits), the
recordings, and a manifest with the SHA-256 of each. Secrets in the database stay encrypted; the key file is added only
where it is asked for. What a restore replaces is put aside and not deleted.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.store import Database, StoreError
from gateway.store.database import FILE, LOCK

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
RECORDINGS: Final = "recordings"
KEY: Final = "key"
MAX_MANIFEST: Final = 16 * 2**20
CHUNK: Final = 2**20


class BackupError(Exception):
    """A backup cannot be written, read or put back. Says why, and what was left as it was."""


def write_backup(folder: Path, out: Path, *, version: str, key_file: Path | None = None) -> None:
    """Write a backup of the data in `folder`; a gateway may be running.

    Args:
        folder: the data folder.
        out: the file to write, mode 0600; one that is there is replaced at the end.
        version: this release, for the manifest.
        key_file: added where given: whoever has such a backup has the secrets.

    Raises:
        BackupError: there is no data, or the file cannot be written.
    """
    database = folder / FILE
    if not database.exists():
        raise BackupError(f"{folder}: holds no data of a gateway")
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=out.parent) as name:
            copy, archive = Path(name) / FILE, Path(name) / "archive"
            _copy_database(database, copy)
            files = {FILE: copy, **_recordings(folder)}
            if key_file is not None:
                files[KEY] = key_file
            _write_archive(archive, files, version)
            archive.replace(out)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{out}: no backup was written: {error}") from None


def _copy_database(database: Path, copy: Path) -> None:
    source = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
    try:
        target = sqlite3.connect(copy)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
        finally:
            target.close()
    finally:
        source.close()


def _recordings(folder: Path) -> dict[str, Path]:
    place = folder / RECORDINGS
    if not place.is_dir():
        return {}
    return {f"{RECORDINGS}/{file.name}": file for file in sorted(place.iterdir()) if file.is_file()}


def _write_archive(archive: Path, files: dict[str, Path], version: str) -> None:
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        manifest = {
            "format": FORMAT,
            "version": version,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "files": {name: _digest(path) for name, path in files.items()},
        }
        text = json.dumps(manifest, indent=1).encode()
        with tarfile.open(fileobj=file, mode="w") as tar:
            head = tarfile.TarInfo(MANIFEST)
            head.size, head.mode, head.mtime = len(text), 0o600, int(time.time())
            tar.addfile(head, io.BytesIO(text))
            for name, path in files.items():
                with path.open("rb") as content:
                    entry = tar.gettarinfo(arcname=name, fileobj=content)
                    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o600, 0, 0, "", ""
                    tar.addfile(entry, content)
        file.flush()
        os.fsync(file.fileno())


def restore(backup: Path, folder: Path, *, key_file: Path | None = None) -> list[str]:
    """Put a backup's data into `folder`.

    Args:
        backup: the file.
        folder: the data folder; made where it is missing. No gateway may be using it.
        key_file: where the key belongs; a key in the backup is put there if there is none.

    Returns:
        What to know, one text each.

    Raises:
        BackupError: it is no backup, was damaged, or a gateway runs; then nothing was changed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"{folder}: a gateway is using it: stop it first. Nothing was changed") from None
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as name:
            unpacked = Path(name)
            manifest = _unpack(backup, unpacked)
            _check_database(unpacked / FILE)
            return _put_in_place(unpacked, folder, key_file, manifest)
    except OSError as error:
        raise BackupError(f"{backup}: cannot be restored: {error}") from None
    finally:
        os.close(lock)


def _unpack(backup: Path, target: Path) -> dict[str, object]:
    try:
        with tarfile.open(backup, mode="r:") as tar:
            first = tar.next()
            content = tar.extractfile(first) if first is not None and first.name == MANIFEST else None
            if content is None or first is None or first.size > MAX_MANIFEST:
                raise BackupError(f"{backup}: is no backup of a gateway. Nothing was changed")
            manifest: dict[str, object] = json.load(content)
            if manifest["format"] != FORMAT:
                raise BackupError(f"{backup}: has format {manifest['format']}, this release reads {FORMAT}")
            digests = dict(manifest["files"])  # type: ignore[call-overload] # another shape is told below
            for entry in _entries(tar):
                expected = digests.pop(entry.name, None)
                source = tar.extractfile(entry)
                if expected is None or source is None or not _is_own_name(entry.name):
                    raise BackupError(f"{backup}: holds {entry.name[:80]!r}, which its manifest does not name")
                path = target / entry.name
                path.parent.mkdir(mode=0o700, exist_ok=True)
                with path.open("wb") as file:
                    shutil.copyfileobj(source, file, CHUNK)
                path.chmod(0o600)
                if _digest(path) != expected:
                    raise BackupError(f"{backup}: {entry.name} is damaged. Nothing was changed")
    except (tarfile.TarError, ValueError, KeyError, TypeError, EOFError):
        raise BackupError(f"{backup}: is no backup of a gateway, or is damaged. Nothing was changed") from None
    if digests or not (target / FILE).exists():
        raise BackupError(f"{backup}: {next(iter(digests), FILE)} is missing. Nothing was changed")
    return manifest


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (entry := tar.next()) is not None:
        yield entry


def _is_own_name(name: str) -> bool:
    """Only names that a backup of ours has: no path leads out of the folder."""
    if name in (FILE, KEY):
        return True
    folder, _, file = name.partition("/")
    return folder == RECORDINGS and bool(file) and "/" not in file and file not in (".", "..")


def _check_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise BackupError(f"the database in the backup cannot be read: {error}. Nothing was changed") from None
    finally:
        connection.close()
    if said != "ok":
        raise BackupError(f"the database in the backup is damaged: {said}. Nothing was changed")
    try:
        known = Database.open(None)
    except StoreError as error:  # pragma: no cover  the schema files are part of the release
        raise BackupError(str(error)) from None
    with known:
        (newest,) = known.write_now(lambda each: each.execute("PRAGMA user_version").fetchone())
    if schema > newest:
        raise BackupError(f"the backup has schema {schema}, this release knows {newest}: use the newer release")


def _put_in_place(unpacked: Path, folder: Path, key_file: Path | None, manifest: dict[str, object]) -> list[str]:
    told = [f"restored the backup of {manifest.get('made')} (release {manifest.get('version')})"]
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        present = folder / name
        if present.exists():
            aside = folder / f"{FILE}.before-restore-{stamp}{name.removeprefix(FILE)}"
            present.rename(aside)
            if name == FILE:
                told.append(f"what was there is {aside.name}")
    (unpacked / FILE).rename(folder / FILE)
    recordings = unpacked / RECORDINGS
    if recordings.is_dir():
        (folder / RECORDINGS).mkdir(mode=0o700, exist_ok=True)
        for file in recordings.iterdir():
            file.replace(folder / RECORDINGS / file.name)
    key = unpacked / KEY
    if key.exists() and key_file is not None and not key_file.exists():
        key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(key, key_file)
        key_file.chmod(0o600)
        told.append(f"the key file {key_file} came out of the backup")
    elif key_file is not None and not key_file.exists():
        told.append(f"the key file {key_file} is missing: put back its copy, or enter the push user's password again")
    return told


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
