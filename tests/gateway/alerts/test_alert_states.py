"""One alert's states: total, exclusive, and the same whatever the order of what is heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts import Alert, AlertRequest, PhoneState, Priority, Recipient
from gateway.cisco import Outcome

FACTS = st.lists(
    st.one_of(
        st.tuples(st.just("pushed"), st.sampled_from(Outcome)),
        st.tuples(st.just("displayed"), st.none()),
        st.tuples(st.just("acknowledged"), st.sampled_from(["Yes", "No"])),
    ),
    max_size=6,
)


def alert(priority: Priority = Priority.EMERGENCY, **recipient: str) -> Alert:
    phone = Recipient(device_name="SEP001BD4000001", address="10.20.0.1", token="t", **recipient)
    return Alert(
        number=1,
        request=AlertRequest(text="Fire", priority=priority, expires_s=60),
        created_s=1000,
        recipients={phone.device_name: phone},
    )


@given(FACTS, st.sampled_from(Priority), st.floats(1000, 1200), st.sampled_from([None, "expired", "withdrawn"]))
def test_every_phone_has_one_state_and_words(
    facts: list[tuple[str, object]], priority: Priority, now_s: float, ending: str | None
) -> None:
    unit = alert(priority)
    (phone,) = unit.recipients.values()
    for kind, value in facts:
        if kind == "pushed":
            phone.pushed(Outcome(value), None, 1001)  # type: ignore[arg-type]
        elif kind == "displayed":
            phone.displayed(1002)
        else:
            phone.acknowledged(str(value), 1003)
    if ending is not None:
        unit.end(ending, 1010)  # type: ignore[arg-type]
    state = unit.state(phone, now_s)
    assert unit.counts(now_s) == {str(state): 1}
    assert unit.words(phone, now_s)
    kinds = {kind for kind, _ in facts}
    if "acknowledged" in kinds:
        assert state is PhoneState.ACKNOWLEDGED
        assert phone.response == next(value for kind, value in facts if kind == "acknowledged")
        assert phone.displayed_s is not None
    elif "displayed" in kinds:
        assert state is PhoneState.DISPLAYED
    if "pushed" in kinds or ending is not None:
        assert unit.due() == []


def test_a_push_that_is_not_followed_by_a_fetch_is_not_displayed() -> None:
    for priority, words in ((Priority.EMERGENCY, "may not reach"), (Priority.NORMAL, "when it is idle")):
        unit = alert(priority)
        (phone,) = unit.recipients.values()
        assert unit.state(phone, 1000) is PhoneState.WAITING
        phone.pushed(Outcome.EXECUTED, None, 1001)
        assert unit.state(phone, 1011) is PhoneState.PUSHED
        assert unit.state(phone, 1011.1) is PhoneState.NOT_DISPLAYED
        assert words in unit.words(phone, 1011.1)
        assert unit.state(phone, 1060) is PhoneState.NOT_DISPLAYED
        assert unit.words(phone, 1060) == "took the push and never fetched the alert"


def test_an_alert_ends_once() -> None:
    unit = alert()
    assert unit.is_active(1059.9)
    assert not unit.is_active(1060)
    assert unit.end("withdrawn", 1010)
    assert not unit.end("expired", 1060)
    assert (unit.ending, unit.ended_s) == ("withdrawn", 1010)
