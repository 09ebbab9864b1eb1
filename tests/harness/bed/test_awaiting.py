"""When the page of a gateway that tells nothing begins and ends; times are made up."""

import json
from pathlib import Path

from harness.bed.awaiting import Page, Seen, Stage
from harness.bed.external import Diaries

NOTHING = Seen(pushed_to=0, listening=0, activity=0)


def page(phones: int = 2) -> Page:
    return Page(phones=phones, wait_s=10, quiet_s=3, limit_s=60, now_s=100)


def test_nobody_comes() -> None:
    awaited = page()
    assert awaited.ends_at_s == 110
    assert awaited.look(NOTHING, 109.9) is Stage.AWAITED
    assert awaited.look(NOTHING, 110) is Stage.UNSEEN


def test_it_is_over_when_all_were_pushed_to_and_all_is_quiet() -> None:
    running = page()
    assert running.look(Seen(pushed_to=1, listening=0, activity=1), 105) is Stage.RUNNING
    assert running.ends_at_s == 165
    assert running.look(Seen(pushed_to=2, listening=2, activity=4), 106) is Stage.RUNNING
    # A silence within the page: phones listen on.
    assert running.look(Seen(pushed_to=2, listening=2, activity=4), 120) is Stage.RUNNING
    assert running.look(Seen(pushed_to=2, listening=0, activity=9), 121) is Stage.RUNNING
    assert running.look(Seen(pushed_to=2, listening=0, activity=9), 123.9) is Stage.RUNNING
    assert running.look(Seen(pushed_to=2, listening=0, activity=9), 124) is Stage.ENDED


def test_a_phone_that_is_left_out_is_waited_for_to_the_limit() -> None:
    running = page()
    seen = Seen(pushed_to=1, listening=0, activity=1)
    assert running.look(seen, 105) is Stage.RUNNING
    assert running.look(seen, 164.9) is Stage.RUNNING
    assert running.look(seen, 165) is Stage.LIMIT


def test_a_page_without_end_is_ended() -> None:
    running = page(phones=1)
    assert running.look(Seen(pushed_to=1, listening=1, activity=1), 100) is Stage.RUNNING
    assert running.look(Seen(pushed_to=1, listening=1, activity=9000), 160) is Stage.LIMIT


def test_diaries_are_followed_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "phones.jsonl"
    diaries = Diaries(file, "SEP0")
    assert diaries.seen({}) == NOTHING

    def line(kind: str, phone: str) -> str:
        return json.dumps({"kind": kind, "phone": phone}) + "\n"

    half = line("stream.listening", "SEP1")
    file.write_text(line("push.received", "SEP0") + line("push.received", "SEP1") + half[:10], encoding="utf-8")
    assert diaries.seen({"pushes": 2, "packets": 1}) == Seen(pushed_to=1, listening=0, activity=3)
    with file.open("a", encoding="utf-8") as more:
        more.write(half[10:])
    assert diaries.seen({}).listening == 1
    with file.open("a", encoding="utf-8") as more:
        more.write(line("stream.stopped", "SEP1") + line("push.received", "SEP1"))
    assert diaries.seen({}) == Seen(pushed_to=1, listening=0, activity=0)
    assert diaries.pushed_to == 1
