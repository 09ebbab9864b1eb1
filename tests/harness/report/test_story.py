import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.report.story import MOMENTS_MAX, Moment, is_group, read_stories, tell

MS = 1_000_000
PHONE = "SEP001BD4000001"
SERVERS = {"gateway": "10.20.128.10:80", "callmanager": "10.20.128.20:80"}


def record(at_ms: float, witness: str, kind: str, **fields: object) -> dict[str, Any]:
    return {"t_ns": int(at_ms * MS), "witness": witness, "kind": kind, "phone": PHONE} | fields


LAB = {"t_ns": 0, "witness": "harness", "kind": "lab.described", "authentication_servers": SERVERS}
SEND = {"t_ns": 100 * MS, "witness": "harness", "kind": "page.requested"}


def words(*records: dict[str, Any]) -> list[str]:
    return [moment.words for moment in tell([LAB, SEND, *records], [PHONE])[PHONE].moments]


@pytest.mark.parametrize(
    ("given_record", "told"),
    [
        (
            record(1, "gateway", "push.ended", action="start", outcome="garbled", answer_ms=1234.56, detail="not HTTP"),
            "start push: garbled after 1,234.6 ms: not HTTP",
        ),
        (
            record(1, "phones", "authentication.asked", server="10.20.128.20:80", hop=1),
            "asked CallManager (10.20.128.20:80) whether the push is genuine, sent there by a redirect",
        ),
        (
            record(1, "phones", "authentication.answered", server="1.2.3.4:80", answer="refused", http_status=200),
            "1.2.3.4:80 answered refused (HTTP 200)",
        ),
        (
            record(1, "callmanager", "authentication.answered", answer="unauthorized", reason="password"),
            "was asked whether the push is genuine, answered unauthorized, reason password",
        ),
        (
            record(1, "phones", "stream.heard", source="10.20.128.10:9", packets=1292, lost=3, duplicates=0,
                   first_t_ns=150 * MS, last_t_ns=1150 * MS, foreign=True),
            "heard 1,292 packets from a STRANGER, 10.20.128.10:9, first at 50.000 ms, last at 1,050.000 ms; 3 lost",
        ),
        (
            record(1, "callmanager", "authentication.answered", answer="authorized", wait_ms=2, answer_ms=3),
            "was asked whether the push is genuine, answered authorized after 3.0 ms, of which 2.0 ms in its queue",
        ),
        (record(1, "phones", "stream.stopped", reason="call"), "stopped listening: a call began"),
        (record(1, "phones", "screen.shown", object="CiscoIPPhoneText", title="Code blue", text="Ward 3"),
         "shows CiscoIPPhoneText titled 'Code blue': Ward 3"),
        (record(1, "phones", "phone.flew", height_m=3, far=True, to=["a", "b"]),
         "phone.flew: height_m 3, far yes, to a, b"),
        (record(1, "gateway", "push.ended", outcome=3), "push.ended: outcome 3"),
    ],
)  # fmt: skip
def test_records_in_words(given_record: dict[str, Any], told: str) -> None:
    assert words(given_record) == [told]


def test_times_count_from_send_and_are_in_order() -> None:
    later, sooner = record(160, "phones", "b"), record(90, "gateway", "a")
    story = tell([LAB, SEND, later, sooner], [PHONE])[PHONE]
    assert story.moments == (
        Moment(at_ms=-10, witness="gateway", words="a"),
        Moment(at_ms=60, witness="phones", words="b"),
    )
    assert story.lines[0] == "      -10.000 ms  gateway      a"


@pytest.mark.parametrize("kind", ["page.requested", "alert.requested", "page.started", "push.sent", "push.received"])
def test_send_without_the_better_record(kind: str) -> None:
    control = record(50, "phones", kind) | {"phone": "SEP001BD4FFFFFE"}
    told = tell([LAB | {"control_phone": "SEP001BD4FFFFFE"}, control, record(100, "x", kind)], [PHONE])
    assert told[PHONE].moments[0].at_ms == 0


def test_fault_is_told_to_each_phone_that_had_it() -> None:
    fault = {"t_ns": 1, "witness": "harness", "kind": "fault.applied", "fault": "hang", "phones": [PHONE, "SEP2"]}
    told = tell([LAB, SEND, fault], [PHONE, "SEP2", "SEP3"])
    assert set(told) == {PHONE, "SEP2"}
    assert told["SEP2"].moments[0].words == "put the fault hang upon it"


def test_what_looks_like_a_secret_is_left_out() -> None:
    """Records hold none; a foreign gateway's might."""
    told = " ".join(
        words(
            record(1, "gateway", "push.sent", action="start", push="1.2.3.4:5?UserID=agpush&Password=canary-8Kq"),
            record(2, "gateway", "vendor.said", Password="canary-8Kq", headers={"Authorization": "canary-8Kq"},
                   url="http://h/a?UserID=agpush&Password=canary-8Kq", items=["http://h/b?x=canary-8Kq"]),
        )
    )  # fmt: skip
    assert "canary-8Kq" not in told
    assert "http://h/a?…" in told


def test_groups_that_it_listened_to() -> None:
    told = tell([record(1, "phones", "stream.listening", port=32674, source="239.20.1.1")], [PHONE])
    assert told[PHONE].groups == {"239.20.1.1"}
    assert [is_group(address) for address in ("223.255.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "", "x.1")] == [
        False, True, True, False, False, False,
    ]  # fmt: skip


def test_a_groups_stream_is_told_to_who_listened_to_it() -> None:
    stream = {"witness": "gateway", "page": "1"}
    records = [
        record(1, "phones", "stream.listening", port=32674, source="239.20.1.1"),
        record(1, "phones", "stream.listening", port=32674, source="239.20.1.2") | {"phone": "SEP2"},
        {"t_ns": 2, "kind": "stream.started", "source": "10.1.1.1:9", "destination": "239.20.1.1:32674", **stream},
        {"t_ns": 5 * MS, "kind": "stream.stopped", "packets": 292, **stream},
    ]
    told = tell(records, [PHONE, "SEP2"])
    assert [moment.words for moment in told[PHONE].moments] == [
        "began to send audio from 10.1.1.1:9 to 239.20.1.1:32674",
        "listens on port 32674 to audio from 239.20.1.1",
        "stopped sending audio after 292 packets",
    ]
    assert len(told["SEP2"].moments) == 1


def test_endless_stories_end() -> None:
    story = tell([record(n, "phones", "x") for n in range(MOMENTS_MAX + 5)], [PHONE])[PHONE]
    assert (len(story.moments), story.lines[-1]) == (MOMENTS_MAX, "and 5 more in events.jsonl.gz")


def test_of_a_folder(make_run: Callable[..., Path]) -> None:
    story = read_stories(make_run("failing", phones=100), ["SEP001BD4000050"])["SEP001BD4000050"]
    assert [moment.witness for moment in story.moments[:2]] == ["gateway", "phones"]
    assert story.moments[0].at_ms == pytest.approx(40)


def test_folder_without_or_with_broken_records(tmp_path: Path) -> None:
    assert read_stories(tmp_path, [PHONE]) == {}
    line = json.dumps(record(1, "phones", "x"))
    whole = gzip.compress(f'{line}\nno json "{PHONE}"\n[1]\n{{"kind": 3}}\n'.encode() * 3000)
    (tmp_path / "events.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    assert read_stories(tmp_path, [PHONE])[PHONE].moments[0].words == "x"


values = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
values |= st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=9), values, max_size=3)
FIELDS = ("action", "outcome", "answer", "answer_ms", "items", "packets", "first_t_ns", "last_t_ns", "source", "x\n")


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(FIELDS), values))
def test_any_record_is_told_on_one_line(fields: dict[str, Any]) -> None:
    for kind in ("stream.heard", "push.ended", "authentication.answered", "x"):
        told = {**fields, "t_ns": 1, "witness": "phones", "kind": kind, "phone": PHONE}
        assert all("\n" not in line for line in tell([told], [PHONE])[PHONE].lines)
