"""Phones out of lists of every kind, none left out, and how fast they are asked."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from harness.preflight.listing import read_lists
from harness.preflight.pace import Pace
from harness.preflight.phone_checks import check_list
from harness.site.errors import SiteError

SITE = Path(__file__).parents[2] / "golden" / "site"


def test_lists_are_merged_by_name_and_nobody_is_left_out(tmp_path: Path) -> None:
    alone = read_lists([(SITE / "risport70.xml", "RisPort")])
    own = tmp_path / "own.csv"
    own.write_text(
        "device_name,model,address,directory_number\n"
        f"{alone[0].device_name},7960,{alone[0].address},4711\nSEP0000000000AA,7960,10.9.9.9,1\n",
        encoding="utf-8",
    )
    both = read_lists([(own, None), (SITE / "risport70.xml", "RisPort")])
    assert {phone.device_name for phone in both} == {phone.device_name for phone in alone} | {"SEP0000000000AA"}
    assert (both[0].directory_number, both[0].registered) == ("4711", alone[0].registered)


def test_who_is_not_registered_is_said() -> None:
    phones = read_lists([(SITE / "risport70.xml", "RisPort")])
    gone = {phone.device_name for phone in phones if phone.registered is False}
    assert gone
    assert {r.subject for r in check_list(phones) if r.cause == "not-registered"} == gone


def test_an_address_twice_is_a_finding_and_a_name_twice_an_error(tmp_path: Path) -> None:
    file = tmp_path / "site.csv"
    head = "device_name,model,address\nSEP0000000000AA,7960,10.9.9.9\n"
    file.write_text(f"{head}SEP0000000000AB,7960,10.9.9.9\n", encoding="utf-8")
    assert len(read_lists([(file, None)])) == 2
    file.write_text(f"{head}SEP0000000000AA,7960,10.9.9.8\n", encoding="utf-8")
    with pytest.raises(SiteError, match="SEP0000000000AA is that of line 2"):
        read_lists([(file, None)])


def test_errors_of_all_files_at_once(tmp_path: Path) -> None:
    with pytest.raises(SiteError) as caught:
        read_lists([(tmp_path / "a.csv", None), (SITE / "device-list.xml", "RisPort"), (tmp_path / "b.xml", None)])
    assert len(caught.value.errors) == 3


async def test_questions_leave_at_even_distances(autojump_clock: MockClock) -> None:
    pace, times = Pace(per_s=10, at_once=2), []

    async def ask(answer_s: float) -> None:
        async with pace.turn():
            times.append(round(trio.current_time() - begun, 3))
            await trio.sleep(answer_s)

    begun = trio.current_time()
    async with trio.open_nursery() as nursery:
        for answer_s in (0.0, 1.0, 0.0, 0.0):
            nursery.start_soon(ask, answer_s)
    assert times == [0.0, 0.1, 0.2, 0.3]
    assert pace.asked == 4
    begun = trio.current_time()
    times.clear()
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask, 1.0)
    # Two at a time: the third waits for the first one's answer.
    assert times == [0.0, 0.1, 1.0, 1.1]
