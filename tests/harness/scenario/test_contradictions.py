"""What a scenario cannot be, although each of its keys is right by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.judge.laws import LAWS
from harness.judge.taps import CLAUSES
from harness.run_folder import LATEST, SUITE
from harness.scenario import check_names
from harness.scenario.file import files_of, load, parse
from harness.scenario.intervals import Interval, left_by
from harness.scenario.model import ScenarioError
from harness.scenario.thresholds import Threshold

EXPECTED_TO_FAIL = """
[thresholds]
"phones.delivered"                       = "> 999"
"phones.refused_authentication_fraction" = "== 1"
[expect]
verdict = "fail"
checks  = ["phones.delivered > 999"]
"""
"""What is expected to fail need not go together with what is to hold."""
HEAD = 'name = "x"\npurpose = "x"\n'


def errors_of(text: str) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        parse(HEAD + text, Path("x.toml"), files=False)
    return caught.value.errors


def accept(text: str) -> None:
    parse(HEAD + text, Path("x.toml"), files=False)


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ('[thresholds]\n"phones.delivered" = "< 0"', 'thresholds."phones.delivered"', "can never hold: it is never"),
        ('[thresholds]\n"phones.delivered_fraction" = ">= 1.5"', "thresholds", "a share is from 0 to 1"),
        ('[thresholds]\n"push.answer_ms.p99" = ">= 0"', "thresholds", "can never fail"),
        ('[thresholds]\n"phones.delivered_fraction" = "<= 1"', "thresholds", "can never fail"),
        ('[integrity]\n"phones.delivered" = "== 4"', 'integrity."phones.delivered"', "it belongs to [thresholds]"),
        ('[thresholds]\n"capture.dropped" = "> 5"', "thresholds", "together with '== 0' of [integrity]"),
        (
            '[thresholds]\n"push.answer_ms.p50" = "> 500"\n"push.answer_ms.p99" = "<= 500"',
            'thresholds."push.answer_ms.p50"',
            "p50 is never above p99",
        ),
        (
            '[fleet]\nphones = 10\n[thresholds]\n"phones.delivered" = "> 5"\n"phones.delivered_fraction" = "<= 0.5"',
            "thresholds",
            "cannot both hold for 10 phones",
        ),
        (
            '[thresholds]\n"phones.delivered_fraction" = "== 1"\n"phones.no_audio" = "> 0"',
            "thresholds",
            "need more phones than there are: 'phones.delivered_fraction == 1', 'phones.no_audio > 0'",
        ),
        ('[[alert]]\n[thresholds]\n"rtp.lost_fraction" = "== 0"', "thresholds", "an alert is text"),
        ('[[alert]]\n[thresholds]\n"phones.delivered" = "> 0"', "thresholds", "an alert is text"),
        ('[thresholds]\n"phones.displayed_fraction" = "== 1"', "thresholds", "a page is audio"),
        ('[thresholds]\n"alert.displayed_ms.p99" = "< 2000"', "thresholds", "a page is audio"),
        ('[[alert]]\n[thresholds]\n"phones.acknowledged" = "> 0"', "thresholds", "nobody presses a key"),
        ('[thresholds]\n"callmanager.directory_asked" = "> 0"', "thresholds", "no directory server"),
        ('[thresholds]\n"administration.kept_fraction" = "== 1"', "thresholds", "nobody enters anything"),
        (
            'witnesses = ["gateway", "phones"]\n[thresholds]\n"callmanager.busy_s" = "< 1"',
            "thresholds",
            "its witness (callmanager) is left out",
        ),
        ('[expect]\nverdict = "fail"\nchecks = ["every-start-stoped"]', "expect.checks", "'every-start-stopped'?"),
        (
            '[thresholds]\n"rtp.duplicates" = "== 0"\n[expect]\nverdict = "fail"\nchecks = ["rtp.duplicates = 0"]',
            "expect.checks",
            "did you mean 'rtp.duplicates == 0'?",
        ),
        ('[expect]\nverdict = "fail"\nchecks = ["fault hang is seen"]', "expect.checks", "is no check of this"),
        ('ground = "loopback"\n[[fault]]\nkind = "port-blocked"', "fault.0.kind", "on ground netns only"),
        ('[[fault]]\nkind = "port-blocked"\n[[alert]]', "fault.0.kind", "shows in audio (no_audio)"),
        (
            '[fleet]\nboot = "fetch"\nauthentication_url_at_boot = "gateway"\n[[fault]]\nkind = "not-reset"',
            "fault.0.kind",
            "nothing is changed",
        ),
        ('[[fault]]\nkind = "hang"\nat_s = 1', "fault.0.at_s", "only for callmanager-blocked, directory-blocked"),
        ('[[fault]]\nkind = "callmanager-blocked"\nlasts_s = 1', "fault.0.lasts_s", "set at_s as well"),
        ('[[fault]]\nkind = "hang"\nwhere = "gateway"', "fault.0.where", "only for kind = 'credential-drift'"),
        ('[[fault]]\nkind = "credential-drift"\nwhere = "callmanager"', "fault.0.at_s", "seconds above 0"),
        ('[[fault]]\nkind = "credential-drift"\nat_s = 1', "fault.0.where", "keeps its password"),
        (
            '[[fault]]\nkind = "credential-drift"\nat_s = 1\nlasts_s = 1\nwhere = "callmanager"',
            "fault.0.lasts_s",
            "not changed back",
        ),
        (
            '[callmanager]\ndirectory={kind="slapd"}\n[[fault]]\nkind="credential-drift"\nat_s=1\nwhere="callmanager"',
            "fault.0.where",
            "the directory has the password",
        ),
        ("[[alert]]\naudio = 'x.wav'", "alert.0.audio", "'audio' belongs to [[page]]"),
        ("[gateway]\nworkers = 3", "gateway.workers", "'workers' belongs to [callmanager]"),
        ("[fleets]\nphones = 3", "fleets", "did you mean 'fleet'?"),
    ],
)
def test_contradictions_are_told_with_their_place(text: str, place: str, part: str) -> None:
    (error,) = errors_of(text)
    assert error.startswith("x.toml")
    assert f": {place}" in error
    assert part in error


@pytest.mark.parametrize("name", [SUITE, LATEST])
def test_names_of_folders_that_are_there_already(name: str) -> None:
    with pytest.raises(ScenarioError, match="choose another"):
        parse(f'name = "{name}"\npurpose = "x"', Path("x.toml"), files=False)


def test_unknown_keys_hide_no_contradiction() -> None:
    tables = ("[fleet]", "phone = 3", "[thresholds]", '"phones.displayed" = "> 0"')
    errors = errors_of("\n".join([*tables, "[expect]", 'verdict = "fail"', 'checks = ["x"]']))
    assert len(errors) == 3
    assert "did you mean 'phones'?" in errors[0]
    assert "a page is audio" in errors[1]
    assert "'x' is no check" in errors[2]


@pytest.mark.parametrize(
    "text",
    [
        EXPECTED_TO_FAIL,
        '[thresholds]\n"capture.dropped" = "> 5"\n[integrity]\n"capture.dropped" = ">= 2"',
        '[thresholds]\n"push.answer_ms.p50" = "< 500"\n"push.answer_ms.p99" = "< 500"\n"push.answer_ms.count" = "> 9"',
        '[fleet]\nphones = 3\n[thresholds]\n"phones.delivered_fraction" = "<= 0.4"\n"phones.no_audio" = "== 2"',
        '[thresholds]\n"phones.delivered_fraction" = "!= 0"',
        '[integrity]\n"lateness.callmanager_model_fraction.p99" = "<= 10"',
        '[[fault]]\nkind = "callmanager-blocked"\nat_s = 1\nlasts_s = 2',
        '[probe]\nwhen = "before"\n[expect]\nverdict = "fail"\nchecks = ["lockout"]',
    ],
)
def test_what_goes_together(text: str) -> None:
    accept(text)


SEVERAL = "[[page]]\n[[page]]\nat_s = 9\n"
LOADED = '[[page]]\nphones = 0.5\n[load]\nshape = "overlap"\npages = 2\n'


@pytest.mark.parametrize("name", ["load.pages_dropped", "lateness.load_ms.p99", "phones.preempted"])
def test_what_one_page_alone_cannot_have(name: str) -> None:
    (error,) = errors_of(f'[thresholds]\n"{name}" = "== 0"\n')
    assert "this scenario can never have it" in error


def test_what_several_pages_and_loads_can_have() -> None:
    accept(SEVERAL + '[fleet]\nphones = 10\n[thresholds]\n"phones.delivered" = "== 15"\n"phones.preempted" = "== 5"\n')
    accept(
        LOADED + '[thresholds]\n"load.pages_dropped" = "== 0"\n[expect]\nverdict = "inconclusive"\n'
        'checks = ["load-as-planned", "lateness.load_ms.p99 <= 50"]\n'
    )
    (error,) = errors_of(SEVERAL + '[expect]\nverdict = "fail"\nchecks = ["load-as-planned"]\n')
    assert "is no check of this scenario" in error


def test_names_of_checks_are_the_judges() -> None:
    assert tuple(law.name for law in LAWS) == check_names.LAWS
    assert {f"canary {clause}" for clause in CLAUSES} <= set(check_names.CONTROLS)


def test_intervals() -> None:
    def left(text: str) -> Interval:
        return left_by(Threshold.parse("push.per_s", text))

    assert left("< 2").also(left("> 2")).empty
    assert left("< 2").also(left(">= 2")).empty
    assert not left("<= 2").also(left(">= 2")).empty
    assert left("== 2").within(left("<= 2"))
    assert not left("<= 2").within(left("< 2"))
    assert left("< 2").within(left("!= 5"))
    assert left("> 0.5").times(10) == left("> 5")


@pytest.mark.parametrize("read", [files_of, load])
def test_a_name_that_no_file_can_have_is_an_error_of_the_command_line(read: Callable[[str], object]) -> None:
    with pytest.raises(ScenarioError, match="cannot be read: File name too long"):
        read("x" * 300)
