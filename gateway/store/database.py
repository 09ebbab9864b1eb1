"""One SQLite database in WAL mode: one writer and one reader connection, each used by one thread at a time.

Theory of operation: work is a function that gets a connection. `write` runs it in one transaction on the writer, one
after the other; `read` on the reader, beside it. Both leave the event loop to others: a disk that hangs holds up who
waits for it and nobody else. A transaction is on disk when `write` returns (`synchronous = FULL`), so what a journal
says is true also after the power failed.

A database that cannot be read is put aside, never deleted, and a new one begun: paging must be possible without it.
Trouble while running is a `StoreError`; who can do without the store goes on, and says so by an alarm.

Without a folder the database is in memory: the same code, and nothing survives. A folder that can be read and not
written (a full or read-only disk) is read into memory: the gateway starts with all it knew, and every write is refused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import trio

T = TypeVar("T")

FILE: Final = "gateway.sqlite"
LOCK: Final = "gateway.lock"
BUSY_MS: Final = 5000
"""How long SQLite waits for a lock: a backup by another process takes that long at most for a step."""
CLOSE_S: Final = 2.0
"""For what is being read and written when the process ends."""
FOLDER_MODE: Final = 0o700
_UNWRITABLE: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})
_log = logging.getLogger("gateway.store")


class StoreError(Exception):
    """The store cannot be read or written now: disk full, gone, read-only. Never the fault of a value."""


class StoreTakenError(Exception):
    """Another gateway uses this folder."""


class Database:
    """An open database. Made by `open`; closed by `close` or the end of a `with` block."""

    def __init__(self, writer: sqlite3.Connection, reader: sqlite3.Connection, lock: int | None) -> None:
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._writing = trio.CapacityLimiter(1)
        self._in_use = {id(connection): threading.Lock() for connection in (reader, writer)}
        # In memory there is one connection for both.
        self._reading = self._writing if reader is writer else trio.CapacityLimiter(1)
        self.quarantined: Path | None = None
        """Where a database that could not be read was put at the start."""
        self.refusing: str | None = None
        """Why nothing can be written, where the folder could only be read at the start."""

    @classmethod
    def open(cls, folder: Path | None) -> Self:
        """Open the database of a folder, make it where there is none, and bring its schema up to date.

        Args:
            folder: made with mode 0700 where it is missing; None: in memory.

        Raises:
            StoreError: the folder or the database cannot be made.
            StoreTakenError: another process has it.
        """
        if folder is None:
            connection = _connect(":memory:")
            migrate(connection)
            return cls(connection, connection, None)
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            lock = _take(folder / LOCK)
        except OSError as error:
            if error.errno in _UNWRITABLE and (folder / FILE).is_file():
                return cls._read_only(folder / FILE, f"{folder}: {error.strerror}", None)
            raise StoreError(f"{folder}: cannot be used: {error.strerror}") from None
        try:
            quarantined = _put_aside(folder / FILE)
            writer = _connect(str(folder / FILE))
            migrate(writer)
            database = cls(writer, _connect(str(folder / FILE)), lock)
        except sqlite3.OperationalError as error:
            # A full disk has no room for the log either.
            return cls._read_only(folder / FILE, f"{folder}: {error}", lock)
        except BaseException as error:
            os.close(lock)
            if isinstance(error, sqlite3.Error):
                raise StoreError(f"{folder / FILE}: {error}") from None
            raise
        database.quarantined = quarantined
        return database

    @classmethod
    def _read_only(cls, path: Path, reason: str, lock: int | None) -> Self:
        """A copy in memory of a database that cannot be opened for writing; it refuses to be written."""
        connection = _connect(":memory:")
        try:
            _copy(path, connection)
            migrate(connection)
        except (sqlite3.Error, StoreError) as error:
            connection.close()
            if lock is not None:
                os.close(lock)
            raise StoreError(f"{path}: {error}") from None
        connection.execute("PRAGMA query_only = ON")
        database = cls(connection, connection, lock)
        database.refusing = reason
        _log.error("%s: nothing can be kept; the gateway goes on with what was stored", reason)
        return database

    async def write(self, work: Callable[[sqlite3.Connection], T], *, abandon: bool = False) -> T:
        """Run `work` in one transaction; on disk when this returns. What `work` raises undoes it and is raised.

        Args:
            work: gets the connection.
            abandon: a caller that is cancelled leaves the thread to itself, and with it whether this is written. Else
                it waits, also for a disk that hangs.

        Raises:
            StoreError: the database cannot be written.
        """
        return await trio.to_thread.run_sync(self.write_now, work, limiter=self._writing, abandon_on_cancel=abandon)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which only reads.

        Raises:
            StoreError: the database cannot be read.
        """

        def reading() -> T:
            try:
                with self._in_use[id(self._reader)]:
                    return work(self._reader)
            except sqlite3.OperationalError as error:
                raise StoreError(str(error)) from error
            except sqlite3.DatabaseError as error:
                raise StoreError(f"the database is damaged: {error}") from error

        return await trio.to_thread.run_sync(reading, limiter=self._reading)

    def write_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `write`, in the calling thread: before the event loop runs and after it, or in a thread of its own."""
        with self._in_use[id(self._writer)]:
            return self._write(work)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
                raise
        except sqlite3.IntegrityError:
            raise  # a value's fault: who wrote it knows what it means
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error
        return result

    def read_now(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As `read`, in the calling thread: at the start."""
        try:
            return work(self._reader)
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def close(self) -> None:
        """Close; the write-ahead log is merged into the database.

        A thread that waits for a disk that hangs keeps its connection: closing would wait with it, and the process has
        to end. What is in the log is merged at the next start.
        """
        for connection in {id(self._reader): self._reader, id(self._writer): self._writer}.values():
            if not self._in_use[id(connection)].acquire(timeout=CLOSE_S):
                _log.error("the disk does not answer: the database is left as it is")
                continue
            with suppress(sqlite3.Error):
                connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date: files of gateway/store/schema in the order of their numbers, each in a transaction.

    Raises:
        StoreError: the database is of a newer release.
    """
    found = sorted((resources.files("gateway.store") / "schema").iterdir(), key=lambda file: file.name)
    steps = {int(file.name[:4]): file for file in found if file.name.endswith(".sql")}
    (present,) = connection.execute("PRAGMA user_version").fetchone()
    if present > max(steps):
        raise StoreError(f"the database has schema {present}, this release knows {max(steps)}: use the newer release")
    for number, file in steps.items():
        if number > present:
            script = file.read_text(encoding="utf-8")
            connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _copy(path: Path, target: sqlite3.Connection) -> None:
    """Copy a database that must not be touched, with what is still in its log where there is room to read that."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            for suffix in ("", "-wal"):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    shutil.copyfile(part, Path(folder) / part.name)
            source = sqlite3.connect(Path(folder) / path.name)
        except OSError:
            source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        with contextlib.closing(source):
            source.backup(target)


def _take(path: Path) -> int:
    """Hold the lock file as long as this process lives."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreTakenError(f"{path.parent}: used by another gateway (process {holder or '?'})") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _put_aside(path: Path) -> Path | None:
    """Move a database that is damaged out of the way, with what belongs to it; returns where to."""
    if not path.exists():
        return None
    connection = None
    try:
        connection = sqlite3.connect(str(path), timeout=BUSY_MS / 1000)
        (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if said == "ok":
            return None
    except sqlite3.OperationalError:
        raise  # a disk that is full or read-only is no damage
    except sqlite3.DatabaseError as error:
        said = str(error)
    finally:
        if connection is not None:
            connection.close()
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    _log.error("%s is damaged (%s): put aside as %s, a new one is begun", path, said, aside.name)
    return aside
