"""The clock of a run's pages: it keeps to the plan, and tells what it left out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from harness.bed import load as load_module
from harness.bed.load import Generator
from harness.observe import EventWriter
from harness.scenario.file import parse
from harness.scenario.model import Scenario
from harness.scenario.schedule import Planned, schedule

NAMES = [f"SEP{number:012X}" for number in range(1, 11)]
HEAD = 'name = "x"\npurpose = "y"\n[fleet]\nphones = 10\n[[page]]\nphones = 0.5\n[load]\n'
RATE = HEAD + 'shape = "rate"\npages_per_s = 1\nduration_s = 4\n'


def read(text: str) -> tuple[Scenario, tuple[Planned, ...]]:
    scenario = parse(text, Path("x.toml"), files=False)
    return scenario, schedule(scenario, NAMES)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[EventWriter]:
    with EventWriter(tmp_path / "events.jsonl") as open_writer:
        yield open_writer


@pytest.fixture(autouse=True)
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records' clock is the virtual one."""

    def now() -> int:
        try:
            return round(trio.current_time() * 1e9)
        except RuntimeError:
            return 0

    monkeypatch.setattr(load_module.time, "monotonic_ns", now)
    assert load_module.time is time


def records(writer: EventWriter, tmp_path: Path) -> list[dict[str, Any]]:
    writer.flush()
    return [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]


async def test_pages_begin_at_their_times_whatever_the_others_take(
    autojump_clock: object, writer: EventWriter, tmp_path: Path
) -> None:
    scenario, pages = read(HEAD + 'shape = "overlap"\npages = 2\nevery_s = 3\n')
    generator = Generator(scenario.load, writer)
    began: dict[str, float] = {}
    zero = trio.current_time()

    async def play(page: Planned) -> None:
        assert await generator.due(page)
        began[page.name] = trio.current_time() - zero
        await trio.sleep(100)
        generator.over(page)

    async with trio.open_nursery() as nursery:
        for page in pages:
            nursery.start_soon(play, page)
    assert began == {"page 1": pytest.approx(0), "page 2": pytest.approx(3)}
    generator.tell()
    (told,) = records(writer, tmp_path)
    assert (told["kind"], told["schedule"], told["count"]) == ("schedule.lateness", "load", 2)
    assert told["max"] < 1


async def test_a_page_whose_phones_are_not_free_is_dropped_and_the_next_one_is_not(
    autojump_clock: object, writer: EventWriter, tmp_path: Path
) -> None:
    scenario, pages = read(RATE)
    generator = Generator(scenario.load, writer)
    sent = []
    for page in pages:
        if await generator.due(page):
            sent.append(page.name)
            if page.name != "page 1":  # the first one never ends; the third wants its phones
                generator.over(page)
    assert sent == ["page 1", "page 2", "page 4"]
    (dropped,) = records(writer, tmp_path)
    assert (dropped["kind"], dropped["item"], dropped["by"]) == ("page.dropped", "page 3", "phones")
    assert dropped["why"] == f"5 of its phones still had another page, {pages[2].phones[0]} among them"
    assert dropped["planned_t_ns"] == generator.planned_ns(pages[2])


async def test_phones_that_may_have_two_pages_are_not_waited_for(autojump_clock: object, writer: EventWriter) -> None:
    scenario, pages = read(RATE + "overlapping = true\n")
    generator = Generator(scenario.load, writer)
    assert [await generator.due(page) for page in pages] == [True] * 4
    scenario, pages = read(HEAD + 'shape = "overlap"\npages = 2\ngroups = "same"\n')
    generator = Generator(scenario.load, writer)
    assert [await generator.due(page) for page in pages] == [True] * 2


async def test_a_generator_that_is_an_interval_behind_leaves_a_page_out(
    autojump_clock: object, writer: EventWriter, tmp_path: Path
) -> None:
    scenario, pages = read(RATE)
    generator = Generator(scenario.load, writer)
    await trio.sleep(1.5)  # nobody looked at the clock
    assert not await generator.due(pages[0])
    assert await generator.due(pages[1])
    generator.tell()
    dropped, told = records(writer, tmp_path)
    assert (dropped["item"], dropped["by"]) == ("page 1", "generator")
    assert dropped["why"] == "it would have begun 1500 ms late"
    assert told["max"] == pytest.approx(1500)
    assert told["p50"] == pytest.approx(500)


async def test_a_run_without_a_load_tells_no_lateness(
    autojump_clock: object, writer: EventWriter, tmp_path: Path
) -> None:
    scenario, pages = read(HEAD.replace("[load]\n", ""))
    generator = Generator(scenario.load, writer)
    await trio.sleep(9)
    assert await generator.due(pages[0])
    generator.tell()
    assert records(writer, tmp_path) == []
