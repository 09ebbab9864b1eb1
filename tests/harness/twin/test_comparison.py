"""A pilot phone's row beside its twin's: what agrees, what differs, of what nothing can be said."""

from pathlib import Path
from typing import Any

import pytest

from harness.report.result import Result
from harness.twin.comparison import Comparison, compare
from harness.twin.page import markdown, page

NAMES = {f"SEP001BD4A0000{number}": "CP-7961G" for number in range(1, 7)}


def _row(number: int, state: str, says: str, **more: str) -> dict[str, str]:
    return {
        "phone": f"SEP001BD4A0000{number}",
        "directory_number": f"410{number}",
        "address": f"10.30.4.{number}",
        "zone": "Ward <A>",
        "model": "CP-7961G",
        "state": state,
        "gateway_says": says,
        "sent_ms": "10",
        "answered_ms": "44.5",
        **more,
    }


def _result(rows: list[dict[str, str]], **more: object) -> Result:
    states = [row["state"] for row in rows]
    values: dict[str, Any] = {
        "folder": Path("x"),
        "scenario": "burst-offload",
        "verdict": "pass",
        "as_expected": True,
        "seed": 1,
        "phones": len(rows),
        "deliveries": len(rows),
        "ground": "netns",
        "outcomes": {state: states.count(state) for state in states},
        "metrics": {"push.answer_ms.p50": 34.5, "callmanager.authentications": 0},
        "checks": (),
        "blind": (),
        "ledger": tuple(rows),
        "command": "pushlab run x",
        "url": "",
        "unexpected": (),
    }
    return Result(**(values | more))


def _compared(twin: list[dict[str, str]], pilot: list[dict[str, str]]) -> Comparison:
    names = {name: model for name, model in NAMES.items() if any(row["phone"] == name for row in [*twin, *pilot])}
    return compare(_result(twin), _result(pilot, ground="lab", verdict="fail"), models=names, notes=["x <y>: no"])


@pytest.mark.parametrize(
    ("twin", "pilot", "agreement", "because"),
    [
        (("delivered", "executed"), ("indeterminate", "executed"), "agrees", ""),
        # Why a real phone does not answer, nobody can tell.
        (("web_access_disabled", "unreachable"), ("unreachable", "unreachable"), "agrees", ""),
        (("unreachable", "unreachable"), ("unreachable", "unreachable"), "agrees", ""),
        (
            ("delivered", "executed"),
            ("refused_authentication", "refused_authentication"),
            "differs",
            "executed predicted, refused_authentication seen: why it was",
        ),
        (
            ("refused_busy", "refused_busy"),
            ("indeterminate", "executed"),
            "differs",
            "refused_busy predicted, executed seen",
        ),
        (("delivered", "executed"), ("indeterminate", "(no records)"), "unknown", "the gateway tells nothing"),
        (("delivered", "(no records)"), ("delivered", "executed"), "agrees", ""),
        (("delivered", "(no records)"), ("no_audio", "(no records)"), "differs", "delivered predicted, no_audio seen"),
    ],
)
def test_agreement(twin: tuple[str, str], pilot: tuple[str, str], agreement: str, because: str) -> None:
    (row,) = _compared([_row(1, *twin)], [_row(1, *pilot, why="why it was")]).rows
    assert row.agreement == agreement
    assert because in row.because
    assert row.twin.answer_ms == pytest.approx(34.5)


def test_a_phone_that_one_side_has_not() -> None:
    comparison = _compared([_row(1, "delivered", "executed")], [])
    assert comparison.rows[0].because == "it is not in the ledger of the pilot"
    assert comparison.exit_code == 3


def test_the_reading_and_the_exit_code() -> None:
    good = [_row(number, "delivered", "executed") for number in (1, 2)]
    heard = [_row(number, "indeterminate", "executed") for number in (1, 2)]
    assert _compared(good, heard).reading == "The twin predicted what 2 pilot phones did"
    assert _compared(good[:1], heard[:1]).reading == "The twin predicted what the pilot phone did"
    assert _compared(good, heard).exit_code == 0
    mixed = _compared(
        [*good, _row(3, "delivered", "executed")],
        [heard[0], _row(2, "unreachable", "unreachable"), _row(3, "indeterminate", "(no records)")],
    )
    assert mixed.reading == (
        "1 of 3 pilot phones did as the twin predicted, 1 did not, of 1 nothing can be said"
    )
    assert mixed.exit_code == 1


def test_page_and_markdown_say_the_same_and_hold_no_markup_of_others() -> None:
    comparison = _compared(
        [_row(1, "delivered", "executed", model="CP-7942G"), _row(2, "delivered", "executed")],
        [_row(1, "indeterminate", "executed"), _row(2, "unreachable", "unreachable", why="no <route>")],
    )
    html = page(comparison, twin_link="twin/r.html", pilot_link="pilot/r.html")
    text = markdown(comparison, twin_link="twin/r.html", pilot_link="pilot/r.html")
    assert '<header class="fail">' in html
    assert "CP-7961G (twin: CP-7942G)" in html
    assert "delivered: executed in 34\N{NO-BREAK SPACE}ms" in html
    assert "indeterminate: executed in 34\N{NO-BREAK SPACE}ms" in html
    assert "Ward &lt;A&gt;" in html
    assert "no &lt;route&gt;" in html
    assert '<a href="pilot/r.html">report</a>' in html
    assert "<script" not in html
    assert "1 of 2 pilot phones did as the twin predicted, 1 did not." in text
    assert "| [Pilot](pilot/r.html) | fail | 2 | lab |" in text
    assert "| SEP001BD4A00002 | 4102 | Ward \\<A\\> |" in text
    assert "- x \\<y\\>: no" in text
