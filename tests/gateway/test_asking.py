"""The commands that ask a running gateway: gateway, emulated phones and commands as processes of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gateway.conftest import Bed

pytestmark = pytest.mark.real

NAMES = [f"SEP001BD400000{n}" for n in (1, 2, 3)]
LIMIT_S = 30


def test_phones_from_a_file_into_a_zone(bed: Bed) -> None:
    assert "inventory is empty" in bed.run("page", str(bed.folder / "a.wav"))[1]
    assert bed.run("inventory", "sync")[0] == 1
    (bed.folder / "bad.csv").write_text("device_name,address\nSEP1,x\n")
    status, out = bed.run("inventory", "import", str(bed.folder / "bad.csv"))
    assert (status, "line 2: 'SEP1' is no device name" in out, "'x' is no address" in out) == (4, True, True)
    status, out = bed.run("inventory", "import", str(bed.folder / "phones.csv"), "--zone", "East wing")
    assert (status, out.split()[:5]) == (0, ["Imported:", "listed", "3", "added", "3"])
    phones = bed.json("inventory", "list", "--zone", "East wing")["phones"]
    assert [each["phone"] for each in phones] == NAMES
    assert [each["directory_number"] for each in phones] == ["2001", "2002", "2003"]
    assert bed.run("inventory", "list")[1].split("\n")[1].split()[:5] == [
        *("2001", NAMES[0], "127.20.5.1", "CP-7961G", "East"),
    ]
    assert [each["phone"] for each in bed.json("inventory", "list", "2002")["phones"]] == [NAMES[1]]
    assert bed.json("inventory", "read") == {"outcomes": {"read": 3}}
    assert bed.json("inventory", "sync", "Imported")["results"]["Imported"]["listed"] == 3
    status, out = bed.run("inventory", "sync", "Nowhere")
    assert (status, "there is no source 'Nowhere'" in out) == (1, True)


def test_a_page_with_everything_and_its_history(bed: Bed) -> None:
    bed.imported()
    audio = str(bed.folder / "a.wav")
    wish = ("--zones", "East wing", "--priority", "emergency", "--busy", "queue", "--delivery", "multicast")
    more = ("--tone", "chime", "--repeat", "2", "--start", "together", "--idempotency-key", "fire-1")
    began = time.monotonic()
    page = bed.json("page", audio, *wish, *more)
    assert time.monotonic() - began > 1.3 + 0.6 + 1 + 0.6 + 1  # tone, pause, audio, pause, audio
    assert (page["page"], page["reason"], page["outcomes"]) == ("1", "completed", {"executed": 3})
    assert (page["priority"], page["delivery"]) == ("emergency", "unicast")
    assert "multicast is not set up" in page["note"]
    assert bed.json("page", audio, *wish, *more)["page"] == "1"  # the same key: not sent again
    status, out = bed.run("page", audio, "--idempotency-key", "fire-1")
    assert (status, "used for another page" in out) == (1, True)
    status, out = bed.run("page", audio, "--phones", NAMES[1])
    assert (status, out.split()) == (0, ["page", "2:", "completed", "executed", "1", "phones", "1"])
    (line,) = [line for line in bed.run("history", "--limit", "1")[1].split("\n")[1:] if line]
    assert line.split()[0] == "2"
    assert line.split()[3:] == [
        *("a", "normal", "1", "completed", "executed", "1"),
        *("token", "of", "the", "configuration", "file"),
    ]
    told = bed.json("history", "1")
    assert [(each["phone"], each["outcome"]) for each in told["phones"]] == [(name, "executed") for name in NAMES]
    assert bed.json("history", "1", "--outcome", "garbled")["phones"] == []
    assert bed.run("history", "99")[0] == 1
    assert bed.run("page", audio, "--zones", "West")[0] == 4
    assert bed.run("page")[0] == 2


def test_an_alert_to_a_zone(bed: Bed) -> None:
    bed.imported()
    words = ("alert", "Code blue", "--zones", "East wing", "--idempotency-key", "blue-1")
    told = bed.json(*words)
    assert told["outcomes"] == {"displayed": 3}
    assert bed.json(*words)["alert"] == told["alert"]


def test_stopped_from_another_command(bed: Bed) -> None:
    bed.imported()
    page = bed.begin("page", str(bed.folder / "a.wav"), "--repeat", "20")
    number = ""
    until = time.monotonic() + LIMIT_S
    while not number:
        assert time.monotonic() < until
        number = next((each["page"] for each in bed.json("history")["pages"] if each["state"] == "running"), "")
    other = bed.run("page", str(bed.folder / "a.wav"), "--repeat", "20", "--busy", "queue", "--no-wait")
    assert other == (0, "2\n")
    status, out = bed.run("stop", "all")
    assert (status, "page 1: interrupted" in out, "page 2: interrupted" in out) == (0, True, True)
    out, errors = page.communicate(timeout=LIMIT_S)
    assert (page.returncode, errors) == (1, "")
    assert out.startswith("page 1: interrupted")
    assert bed.run("stop", "77") == (1, "there is no such page\n")
    assert bed.run("stop", "all")[0] == 0
