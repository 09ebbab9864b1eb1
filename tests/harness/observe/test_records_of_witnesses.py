import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.observe import EventWriter, Record, Records, RecordsError, merge_records, read_records
from harness.observe.kinds import REQUIRED
from harness.observe.records import MAX_LINE_BYTES, parse

GOOD = {"t_ns": 5, "witness": "phones", "kind": "push.received", "phone": "SEP1", "push": "a:1"}
GOOD |= {"items": ["RTPRx:Stop"], "well_formed": True}


def line(**changes: object) -> bytes:
    return json.dumps(GOOD | changes).encode()


def test_a_record_has_its_fields_typed() -> None:
    record = parse(line(x=1.5, n=3))
    assert isinstance(record, Record)
    assert (record.t_ns, record.witness, record.kind, record.phone, record.push) == (
        5,
        "phones",
        "push.received",
        "SEP1",
        "a:1",
    )
    assert record.texts("items") == ("RTPRx:Stop",)
    assert record.flag("well_formed")
    assert record.number("x") == 1.5
    assert record.number("none") is None
    assert record.whole("n") == 3
    assert record.whole("well_formed") == 0
    assert record.text("none", "-") == "-"


def test_unknown_kinds_and_fields_are_let_through() -> None:
    assert isinstance(parse(line(kind="push.dreamt", items=None)), Record)
    assert isinstance(parse(line(colour="red")), Record)


@pytest.mark.parametrize(
    ("changes", "witness", "part"),
    [
        ({"t_ns": "5"}, "phones", "t_ns as a whole number"),
        ({"t_ns": True}, "phones", "t_ns as a whole number"),
        ({"witness": "nobody"}, "", "witness as one of"),
        ({"kind": 3}, "phones", "kind as text"),
        ({"phone": None}, "phones", "expected phone as str"),
        ({"items": "x"}, "phones", "expected items as list"),
        ({"well_formed": 1}, "phones", "expected well_formed as bool"),
    ],
)
def test_records_that_cannot_be_used(changes: dict[str, object], witness: str, part: str) -> None:
    found = parse(line(**changes))
    assert isinstance(found, tuple)
    assert found[0] == witness
    assert part in found[1]


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_no_line_breaks_the_reader(content: bytes) -> None:
    found = parse(content)
    assert isinstance(found, Record | tuple)


def test_a_line_without_end_and_one_nested_too_deep() -> None:
    assert isinstance(parse(b"[" * 100_000), tuple)
    assert isinstance(parse(b'"' + b"x" * MAX_LINE_BYTES + b'"'), tuple)


def test_records_come_in_order_of_time() -> None:
    records = Records.of_lines([line(t_ns=9), b"", line(t_ns=2), b"{"])
    assert [r.t_ns for r in records.all] == [2, 9]
    assert [r.t_ns for r in records.of("phones", "push.received")] == [2, 9]
    assert records.count("phones") == 2
    assert [(p.line, p.why) for p in records.problems] == [(4, "not JSON")]


def test_reading_packed_cut_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    body = b"".join(line(t_ns=n) + b"\n" for n in range(5000))
    path.write_bytes(gzip.compress(body))
    assert len(read_records(path).all) == 5000
    path.write_bytes(gzip.compress(body)[:-500])
    cut = read_records(path)
    assert 0 < len(cut.all) < 5000
    assert cut.problems
    path.write_bytes(body)
    assert len(read_records(path).all) == 5000
    with pytest.raises(RecordsError, match="No such file"):
        read_records(tmp_path / "none")


def test_merging_orders_and_counts_what_is_damaged(tmp_path: Path) -> None:
    first, second = tmp_path / "phones.jsonl", tmp_path / "gateway.jsonl"
    first.write_bytes(line(t_ns=1) + b"\n" + line(t_ns=5, n=1) + b"\n" + line(t_ns=3))
    second.write_bytes(line(t_ns=5, n=2) + b"\n" + line(t_ns=2) + b"\n" + b'{"t_ns": 4, "wit')
    out = tmp_path / "events.jsonl.gz"
    merged = merge_records([first, second, tmp_path / "none.jsonl"], out)
    assert (merged.records, merged.damaged) == (5, 1)
    records = read_records(out)
    assert [(r.t_ns, r.whole("n")) for r in records.all[:5]] == [(1, 0), (2, 0), (3, 0), (5, 1), (5, 2)]
    (note,) = records.of("harness", "records.damaged")
    assert (note.text("file"), note.whole("lines")) == ("gateway.jsonl", 1)
    assert records.problems == ()


def test_merging_the_same_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    part = tmp_path / "a.jsonl"
    part.write_bytes(line() + b"\n")
    outs = [tmp_path / "1.gz", tmp_path / "2.gz"]
    for out in outs:
        merge_records([part], out)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_the_harness_writes_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "harness.jsonl"
    with EventWriter(path) as writer:
        at = writer.write("page.requested", page="1", audio="announcement")
        writer.write("control.pushed", t_ns=7, phone="SEP1", push="a:1", outcome="executed")
        writer.flush()
        assert path.stat().st_size
    records = read_records(path)
    assert records.problems == ()
    assert [(r.t_ns, r.kind) for r in records.all] == [(7, "control.pushed"), (at, "page.requested")]
    assert records.all[0].phone == "SEP1"


def test_every_required_field_is_a_documented_one() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    rows: dict[tuple[str, str], set[str]] = {}
    section = ""
    for row in text.splitlines():
        if row.startswith("## "):
            section = row.removeprefix("## ").strip()
        match = re.match(r"\| `([a-z.]+)` \| (.*) \|", row)
        if match:
            rows[section, match[1]] = set(re.findall(r"`([a-z_0-9]+)`", match[2]))
    for (witness, kind), fields in REQUIRED.items():
        assert (witness, kind) in rows, kind
        assert set(fields) <= rows[witness, kind], kind


def test_no_part_speaks_for_another_witness(tmp_path: Path) -> None:
    gateway = tmp_path / "gateway.jsonl"
    lines = [{"t_ns": 5, "witness": witness, "kind": "part.ended"} for witness in ("gateway", "callmanager")]
    gateway.write_text("".join(json.dumps(line) + "\n" for line in lines))
    merged = merge_records([gateway], tmp_path / "out.gz", {"gateway": "gateway"})
    assert (merged.records, merged.damaged) == (1, 1)
    found = read_records(tmp_path / "out.gz")
    assert [record.witness for record in found.all] == ["gateway", "harness"]
    assert found.all[-1].kind == "records.damaged"
