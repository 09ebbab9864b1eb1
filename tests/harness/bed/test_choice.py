"""Which ground is chosen, and what is said about it."""

from pathlib import Path

import pytest

from harness.bed.choice import Choice, choices, choose
from harness.bed.errors import BedError
from harness.net import namespace
from harness.net.namespace import Availability
from harness.scenario.file import parse

REFUSED = Availability(
    possible=False, why="unshare(CLONE_NEWUSER): Operation not permitted", remedy="sudo sysctl -w x=1"
)
ALLOWED = Availability(possible=True, why="", remedy="")


def _set(monkeypatch: pytest.MonkeyPatch, *, inside: bool, found: Availability) -> None:
    monkeypatch.setattr(namespace, "inside", lambda: inside)
    monkeypatch.setattr(namespace, "available", lambda: found)


def test_auto_takes_netns_where_it_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=ALLOWED)
    assert choose("auto") == Choice(ground="netns", notice="")


def test_inside_the_question_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=True, found=REFUSED)
    assert choose("auto").ground == choose("netns").ground == "netns"


def test_auto_falls_back_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=REFUSED)
    choice = choose("auto")
    assert choice.ground == "loopback"
    assert "\n" not in choice.notice
    assert REFUSED.why in choice.notice
    assert choice.notice.endswith("To allow netns: sudo sysctl -w x=1")


def test_netns_that_is_not_possible_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=REFUSED)
    with pytest.raises(BedError, match="sudo sysctl -w x=1") as caught:
        choose("netns")
    assert caught.value.exit_code == 5


def test_loopback_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=REFUSED)
    assert choose("loopback") == Choice(ground="loopback", notice="")


def test_each_scenario_has_its_own_and_the_lab_is_entered_where_one_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[list[str]] = []
    monkeypatch.setattr(namespace, "enter_lab", entered.append)
    text = 'name = "{0}"\npurpose = "What {0} shows."\nground = "{0}"\n'
    here, lab = (parse(text.format(ground), Path("a.toml"), files=False) for ground in ("loopback", "netns"))
    _set(monkeypatch, inside=False, found=REFUSED)
    refused = choices([here, lab], ["run", "x"])
    assert (refused[0], type(refused[1]), entered) == (Choice(ground="loopback", notice=""), BedError, [])
    _set(monkeypatch, inside=False, found=ALLOWED)
    choices([here, lab], ["run", "x"])
    assert [line[-2:] for line in entered] == [["run", "x"]]
