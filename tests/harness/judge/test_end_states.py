from itertools import product

import pytest

from harness.judge.end_states import (
    AGREES,
    WHOSE,
    AlertCase,
    Case,
    EndState,
    GatewaySays,
    Heard,
    PhoneTruth,
    Rival,
    Shown,
    alert_end_state,
    end_state,
)
from harness.scenario.metrics import END_STATES

EVERY_CASE = [
    Case(says=says, truth=truth, heard=heard, late=late, rival=rival)
    for says, truth, heard, late, rival in product(GatewaySays, PhoneTruth, Heard, (False, True), Rival)
]


def rows_of_the_table(case: Case) -> list[EndState]:
    """The table of the reference page, each row by itself, written down apart from the code."""
    away = case.truth is PhoneTruth.WEB_ACCESS_OFF and case.says in (GatewaySays.UNREACHABLE, GatewaySays.NOTHING)
    left_alone = case.says is GatewaySays.NOTHING and not away
    held = left_alone and case.rival is Rival.HELD
    taken = case.rival is Rival.TOOK and (left_alone or case.says is GatewaySays.EXECUTED)
    executed = case.says is GatewaySays.EXECUTED and not taken
    cut = case.heard is Heard.ALL and case.rival is Rival.ROBBED
    whole = executed and case.heard is Heard.ALL and not cut
    rows = {
        EndState.WEB_ACCESS_DISABLED: away,
        EndState.UNREACHABLE: case.says in (GatewaySays.UNREACHABLE, GatewaySays.NOTHING)
        and not (away or held or taken),
        EndState.REFUSED_AUTHENTICATION: case.says is GatewaySays.REFUSED_AUTHENTICATION,
        EndState.REFUSED_BUSY: case.says is GatewaySays.REFUSED_BUSY or held,
        EndState.PREEMPTED: taken,
        EndState.GARBLED: case.says in (GatewaySays.GARBLED, GatewaySays.REFUSED),
        EndState.TIMED_OUT: case.says is GatewaySays.TIMED_OUT,
        EndState.INDETERMINATE: case.says is GatewaySays.INDETERMINATE or (executed and case.heard is Heard.UNKNOWN),
        EndState.NO_AUDIO: executed and case.heard is Heard.NOTHING,
        EndState.WRONG_AUDIO: executed and case.heard is Heard.FOREIGN,
        EndState.PARTIAL_AUDIO: executed and (case.heard is Heard.PART or cut),
        EndState.DELIVERED_LATE: whole and case.late,
        EndState.DELIVERED: whole and not case.late,
    }
    return [state for state, applies in rows.items() if applies]


def test_every_combination_has_exactly_one_state() -> None:
    assert len(EVERY_CASE) == len(GatewaySays) * len(PhoneTruth) * len(Heard) * 2 * len(Rival)
    for case in EVERY_CASE:
        assert rows_of_the_table(case) == [end_state(case)], case


EVERY_ALERT = [
    AlertCase(says=says, truth=truth, shown=shown, late=late, pressed=pressed)
    for says, truth, shown, late, pressed in product(GatewaySays, PhoneTruth, Shown, (False, True), (False, True))
]
AUDIO = {"preempted", "no_audio", "wrong_audio", "partial_audio", "delivered_late", "delivered"}
ALERT = {"not_displayed", "displayed_late", "displayed", "acknowledged"}


def rows_of_an_alert(case: AlertCase) -> list[EndState]:
    """The same table with the four rows of alerts in place of those of audio."""
    silent = Case(says=case.says, truth=case.truth, heard=Heard.NOTHING, late=case.late)
    rows = {state for state in rows_of_the_table(silent) if state not in AUDIO}
    executed, on_screen = case.says is GatewaySays.EXECUTED, case.shown is Shown.ALERT
    unknown = case.shown is Shown.UNKNOWN
    alert = {
        EndState.INDETERMINATE: executed and unknown,
        EndState.NOT_DISPLAYED: executed and not on_screen and not unknown,
        EndState.DISPLAYED_LATE: executed and on_screen and not case.pressed and case.late,
        EndState.DISPLAYED: executed and on_screen and not case.pressed and not case.late,
        EndState.ACKNOWLEDGED: executed and on_screen and case.pressed,
    }
    return [*rows, *(state for state, applies in alert.items() if applies)]


def test_every_combination_of_an_alert_has_exactly_one_state() -> None:
    for case in EVERY_ALERT:
        assert rows_of_an_alert(case) == [alert_end_state(case)], case


def test_every_state_is_reached() -> None:
    assert {end_state(case) for case in EVERY_CASE} == {state for state in EndState if state not in ALERT}
    assert {alert_end_state(case) for case in EVERY_ALERT} == {state for state in EndState if state not in AUDIO}


def test_the_catalogue_of_metrics_knows_the_states() -> None:
    assert tuple(state.value for state in EndState) == END_STATES


def test_every_state_has_an_owner_and_every_outcome_its_truths() -> None:
    assert set(WHOSE) == set(EndState)
    assert set(AGREES) == set(GatewaySays)
    assert all(AGREES.values())


@pytest.mark.parametrize("truth", sorted(set(PhoneTruth) - {PhoneTruth.EXECUTED}))
def test_success_agrees_with_nothing_but_execution(truth: PhoneTruth) -> None:
    assert truth not in AGREES[GatewaySays.EXECUTED]
