"""The store: on disk when it says so, one user at a time, never an obstacle to starting."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import trio

from gateway.store import Database, StoreError
from gateway.store import database as module
from gateway.store.database import FILE


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO setting VALUES ('a', '1')")


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM setting").fetchone()[0])


@pytest.mark.parametrize("in_memory", [True, False])
async def test_what_is_written_is_read(tmp_path: Path, in_memory: bool) -> None:  # noqa: FBT001
    with Database.open(None if in_memory else tmp_path / "data") as database:
        await database.write(insert)
        assert await database.read(count) == 1


async def test_it_is_still_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (0, 1):
        with Database.open(tmp_path / "data") as database:
            assert await database.read(count) == expected
            if not expected:
                await database.write(insert)


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        insert(connection)
        raise LookupError

    with Database.open(tmp_path) as database:
        with pytest.raises(LookupError):
            await database.write(half)
        assert await database.read(count) == 0


async def test_a_committed_transaction_survives_kill_9(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, pathlib\nfrom gateway.store import Database\n"
        "database = Database.open(pathlib.Path(sys.argv[1]))\n"
        "database.write_now(lambda c: c.execute(\"INSERT INTO setting VALUES ('a', '1')\"))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == -9
    with Database.open(tmp_path) as database:
        assert await database.read(count) == 1


def test_one_process_at_a_time(tmp_path: Path) -> None:
    program = "import sys, pathlib; from gateway.store import Database; Database.open(pathlib.Path(sys.argv[1]))"
    with Database.open(tmp_path):
        second = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
        )
    assert second.returncode != 0
    assert f"used by another gateway (process {os.getpid()})" in second.stderr


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    with Database.open(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("offset", [0, 20, 100, 2000, 5000])
async def test_a_damaged_database_is_put_aside_and_a_new_one_begun(tmp_path: Path, offset: int) -> None:
    with Database.open(tmp_path) as database:
        await database.write(insert)
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[offset : offset + 200] = b"\xff" * 200
    path.write_bytes(data)
    with Database.open(tmp_path) as database:
        if database.quarantined is not None:  # SQLite finds damage where it matters; a changed free page does not
            assert database.quarantined.read_bytes() == bytes(data)
        else:
            assert offset in {2000, 5000}
        assert await database.read(count) in {0, 1}


async def test_a_torn_log_loses_its_end_and_nothing_else(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    await database.write(insert)
    await database.write(lambda connection: connection.execute("INSERT INTO setting VALUES ('b', '2')"))
    files = {name: (tmp_path / name).read_bytes() for name in (FILE, f"{FILE}-wal")}
    database.close()
    (tmp_path / FILE).write_bytes(files[FILE])
    (tmp_path / f"{FILE}-wal").write_bytes(files[f"{FILE}-wal"][:-100])
    with Database.open(tmp_path) as database:
        assert database.quarantined is None
        assert await database.read(count) == 1


def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    with Database.open(tmp_path) as database:
        database.write_now(lambda connection: connection.execute("PRAGMA user_version = 9999"))
    with pytest.raises(StoreError, match="schema 9999"):
        Database.open(tmp_path)


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Database.open(tmp_path / "file" / "data")


READ_ONLY = """
import pathlib, sqlite3, subprocess, sys
from gateway.store import Database, StoreError
folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=True)
with Database.open(folder / "data") as database:
    database.write_now(lambda c: c.execute("INSERT INTO setting VALUES ('a', '1')"))
    # As kill -9 leaves it: not merged into the database yet.
    files = {path.name: path.read_bytes() for path in (folder / "data").iterdir()}
for name, data in files.items():
    (folder / "data" / name).write_bytes(data)
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
with Database.open(folder / "data") as database:
    assert database.refusing and "Read-only" in database.refusing, database.refusing
    assert database.read_now(lambda c: c.execute("SELECT * FROM setting").fetchall()) == [("a", "1")]
    try:
        database.write_now(lambda c: c.execute("DELETE FROM setting"))
    except StoreError as error:
        print("refused:", error)
"""


FULL = """
import os, pathlib, subprocess, sys
from gateway.store import Database, StoreError
folder = pathlib.Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], check=True)
with Database.open(folder / "data") as database:
    database.write_now(lambda c: c.execute("INSERT INTO setting VALUES ('a', '1')"))
filling = os.open(folder / "filling", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(filling, bytes(4096))
except OSError:
    pass
with Database.open(folder / "data") as database:
    assert database.refusing, database.refusing
    assert database.read_now(lambda c: c.execute("SELECT * FROM setting").fetchall()) == [("a", "1")]
    try:
        database.write_now(lambda c: c.execute("DELETE FROM setting"))
    except StoreError as error:
        print("refused:", error)
os.close(filling)
(folder / "filling").unlink()
with Database.open(folder / "data") as database:
    assert database.refusing is None
"""


@pytest.mark.parametrize("script", [READ_ONLY, FULL], ids=["read-only", "full"])
def test_p4_a_disk_that_takes_nothing_is_read_and_every_write_refused(tmp_path: Path, script: str) -> None:
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", script, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if "unshare failed" in ended.stderr:
        pytest.skip("namespaces: this machine forbids them to this user")
    assert ended.returncode == 0, ended.stderr
    assert "refused: attempt to write a readonly database" in ended.stdout


async def test_p4_a_disk_that_hangs_does_not_keep_the_process_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.1)
    disk = threading.Event()
    database = Database.open(tmp_path / "data")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(database.write, lambda _: disk.wait(30), abandon=True))
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    began = time.monotonic()
    database.close()
    assert time.monotonic() - began < 5
    disk.set()
    with Database.open(tmp_path / "data") as again:
        assert await again.read(count) == 0
