"""The reference pages say what the code does."""

from pathlib import Path

from harness.judge.end_states import AGREES, WHOSE, EndState
from harness.judge.faults import MARKS
from harness.judge.laws import LAWS
from harness.judge.laws.law import Law
from harness.judge.ledger import COLUMNS
from harness.scenario.faults import FAULTS, UNREMARKABLE, document

NONE = "\N{EN DASH}"
REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def row(law: Law) -> str:
    columns = (law.witnesses, law.essential, law.scopes, sorted(law.excused))
    return f"| `{law.name}` | {law.sentence} | " + " | ".join(", ".join(c) or NONE for c in columns) + " |"


def test_every_law_is_listed_as_it_is() -> None:
    text = page("laws.md")
    for law in LAWS:
        assert row(law) in text


def test_the_contracts_laws_are_all_there() -> None:
    assert [law.name for law in LAWS] == [
        "every-phone-one-end-state",
        "pages-kept-apart",
        "gateway-agrees-with-phones",
        "pushes-well-formed",
        "executed-only-when-authorised",
        "authorised-by-the-right-server",
        "gateway-count-agrees",
        "callmanager-count-agrees",
        "audio-only-to-listeners",
        "every-start-stopped",
        "stream-well-formed",
        "audio-is-the-source",
        "no-foreign-audio",
        "attempts-bounded",
        "wire-agrees-with-phones",
        "nothing-leaves-the-lab",
        "no-secret-told",
    ]


def test_every_end_state_column_and_agreement_is_listed() -> None:
    text = page("end-states.md")
    for state, whose in WHOSE.items():
        line = next(line for line in text.splitlines() if line.startswith(f"| `{state.value}` |"))
        assert line.endswith(f"| {whose or NONE} |")
    for column in COLUMNS:
        assert f"`{column}`" in text
    for says, truths in AGREES.items():
        if says.value not in ("nothing", "indeterminate", "unreachable"):
            (line,) = [
                line for line in text.splitlines() if line.startswith(f"| `{says.value}` |") and line.count("|") == 3
            ]
            assert {truth.value for truth in truths} == set(line.split("|")[2].replace("`", "").strip().split(", "))


def test_every_fault_is_listed_as_it_is() -> None:
    assert document() in page("faults.md")


def test_faults_name_end_states_and_laws_that_exist() -> None:
    for kind in FAULTS.values():
        assert set(kind.states) <= {state.value for state in EndState}
        assert kind.breaks <= {law.name for law in LAWS}
        assert kind.strikes_phones or not kind.breaks
    assert set(MARKS) <= set(FAULTS)
    # A fault that is not seen by its end state is seen by its mark.
    for kind in FAULTS.values():
        assert not set(kind.states) & UNREMARKABLE or kind.name in MARKS
