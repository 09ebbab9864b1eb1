"""Records: batches, fields left out, and a disk that is full."""

import json
import os
from pathlib import Path

import pytest
import trio

from emulator.records import Records


async def test_records_are_written_within_a_quarter_of_a_second(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / "events.jsonl"
    records = Records(path, witness="phones", clock=lambda: 7)
    async with trio.open_nursery() as nursery:
        await nursery.start(records.run)
        for number in range(500):
            records.write("push.answered", phone="SEP001BD4000001", number=number, http_status=None)
        assert path.read_bytes() == b""
        await trio.sleep(0.25)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        nursery.cancel_scope.cancel()
    assert len(lines) == 500
    assert lines[3] == {
        "t_ns": 7, "witness": "phones", "kind": "push.answered", "phone": "SEP001BD4000001", "number": 3,
    }  # fmt: skip
    records.write("part.ended", t_ns=9)
    records.close()
    assert json.loads(path.read_text().splitlines()[-1]) == {"t_ns": 9, "witness": "phones", "kind": "part.ended"}


def test_without_a_path_nothing_is_kept() -> None:
    records = Records(None, witness="phones", clock=lambda: 7)
    records.write("push.answered", phone="x")
    assert not records.active
    assert records._waiting == []
    records.close()


def test_a_full_disk_is_said_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("no /dev/full on this system")
    records = Records(Path("/dev/full"), witness="phones", clock=lambda: 7)
    for _ in range(1000):
        records.write("push.answered")
    records.close()
    assert caplog.text.count("No space left on device") == 1


def test_records_are_appended(tmp_path: Path) -> None:
    """A second server that cannot start must not empty the diary of the first."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "before"}\n')
    records = Records(path, witness="phones", clock=lambda: 1)
    records.write("after")
    records.close()
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["before", "after"]
