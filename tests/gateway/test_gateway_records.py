from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gateway import records as module
from gateway.records import Records


async def test_records_are_on_disk_within_a_quarter_of_a_second(tmp_path: Path, autojump_clock: object) -> None:
    import trio

    path = tmp_path / "events.jsonl"
    with Records(path) as records:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(records.flush_regularly)
            records.write("push.ended", t_ns=7, phone="SEP001BD4000001", answer_ms=1.23456, push=None)
            await trio.sleep(0.25)
            assert json.loads(path.read_text()) == {
                "t_ns": 7,
                "witness": "gateway",
                "kind": "push.ended",
                "phone": "SEP001BD4000001",
                "answer_ms": 1.235,
            }
            nursery.cancel_scope.cancel()
        records.write("page.ended", outcomes={"executed": 1}, own_user=False)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[1]["outcomes"] == {"executed": 1}
    assert lines[1]["own_user"] is False
    assert lines[1]["t_ns"] > 0


def test_text_stays_on_one_line(tmp_path: Path) -> None:
    with Records(tmp_path / "e") as records:
        records.write("x", detail="a\nFAKE\u2028b")
    assert len((tmp_path / "e").read_text().splitlines()) == 1


def test_without_a_file_nothing_is_kept() -> None:
    with Records(None) as records:
        records.write("x")
        records.flush()


def test_a_full_disk_costs_records_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, os.strerror(28))

    with Records(tmp_path / "e") as records:
        monkeypatch.setattr(module.os, "write", full)
        for _ in range(3):
            records.write("x")
            records.flush()
        assert records.lost == 3
        monkeypatch.undo()
        records.write("y")
    assert json.loads((tmp_path / "e").read_text())["kind"] == "y"
    assert caplog.text.count("No space left") == 1


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 2)
    with Records(tmp_path / "e") as records:
        for _ in range(5):
            records.write("x")
        assert records.lost == 3
