"""Which phones are the pilot group, and what their scenario is."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import metrics
from harness.site import SiteError, read_phone_list
from harness.twin.pilot import PILOT_MAX, chosen, names_in, pilot_scenario
from harness.twin.toml_text import toml_text

SITE = read_phone_list(Path(__file__).parents[2] / "golden" / "site" / "site.csv")
LAB: dict[str, Any] = {"lab": {"interface": "eth0", "harness": "10.9.0.20", "gateway": "10.9.0.20"}}


def _scenario(**more: object) -> dict[str, Any]:
    return {
        "name": "x",
        "purpose": "y",
        "fleet": {"models": {"CP-7960G": 1.0}, "authentication_timeout_s": 5, "authentication_url": "gateway"},
        "thresholds": {"phones.delivered_fraction": "== 1", "callmanager.authentications": "== 0"},
        **more,
    }


def test_phones_by_name_in_the_sites_order() -> None:
    found = chosen(["sep001bd4a00004", "SEP001BD4A00001"], SITE)
    assert [phone.directory_number for phone in found] == ["4101", "4201"]


def test_every_wrong_name_is_told_with_the_nearest() -> None:
    with pytest.raises(SiteError) as caught:
        chosen(["SEP001BD4A00001", "SEP001BD4A00001", "SEP001BD4A00009", "nobody"], SITE)
    assert [error.removeprefix("--pilot: ") for error in caught.value.errors] == [
        "SEP001BD4A00001 is named twice",
        f"SEP001BD4A00009 is not on the site's list; the nearest is {_near(caught.value.errors[1])}",
        "nobody is not on the site's list",
    ]


def _near(error: str) -> str:
    near = error.rpartition(" ")[2]
    assert near in {phone.device_name for phone in SITE}
    return near


def test_nobody_and_too_many() -> None:
    with pytest.raises(SiteError, match="no phone; name at least one"):
        chosen([], SITE)
    with pytest.raises(SiteError, match=f"{PILOT_MAX + 1} phones; a pilot group has at most {PILOT_MAX}"):
        chosen([f"SEP{number:012X}" for number in range(PILOT_MAX + 1)], SITE)


@pytest.mark.parametrize(
    "text",
    [
        "SEP001BD4A00001,SEP001BD4A00004",
        "SEP001BD4A00001\nSEP001BD4A00004\n",
        "zone,device_name\nWard A,SEP001BD4A00001\n\nWard B, SEP001BD4A00004\n",
    ],
)
def test_lists_of_names(text: str) -> None:
    assert names_in(text) == ["SEP001BD4A00001", "SEP001BD4A00004"]


def test_the_same_scenario_without_what_real_phones_have_not() -> None:
    given = _scenario(
        fault=[{"kind": "hang"}], probe={"when": "after"}, expect={"verdict": "fail"}, application=[{"user": "z"}]
    )
    made, notes = pilot_scenario(given, LAB)
    assert (made["name"], made["ground"], made["lab"]) == ("x-pilot", "lab", LAB["lab"])
    assert made["fleet"] == {"kind": "real", "csv": "pilot.csv", "authentication_url": "gateway"}
    assert made["witnesses"] == ["gateway", "callmanager", "wire"]
    assert not {"fault", "probe", "expect", "application"} & set(made)
    assert [note.partition(":")[0] for note in notes] == ["fault", "probe", "application", "expect", "thresholds"]
    assert made["thresholds"]["callmanager.authentications"] == "== 0"
    assert "phones.delivered_fraction" not in made["thresholds"]
    if metrics.known("push.executed_fraction"):
        assert made["thresholds"]["push.executed_fraction"] == "== 1"
    assert given["fleet"]["models"]


def test_a_callmanager_that_is_not_started_has_its_own_capacity_and_tells_nothing() -> None:
    lab = LAB | {"callmanager": {"kind": "external", "url": "http://10.9.0.40/CCMCIP/authenticate.asp"}}
    made, notes = pilot_scenario(_scenario(callmanager={"workers": 4, "user": [{"name": "agpush"}]}), lab)
    assert made["callmanager"] == lab["callmanager"]
    assert made["witnesses"] == ["gateway", "wire"]
    assert any("callmanager.authentications is not asked" in note for note in notes)


def test_what_the_lab_file_may_say() -> None:
    page = [{"audio": "announcement", "start_deadline_s": 2.0}]
    made, _ = pilot_scenario(_scenario(page=page), LAB | {"page": [{"start_deadline_s": 9.0}]})
    assert made["page"] == [{"audio": "announcement", "start_deadline_s": 9.0}]
    with pytest.raises(SiteError) as caught:
        pilot_scenario(_scenario(), {"seed": 3})
    assert caught.value.errors[0].startswith("--lab: seed: is the scenario's to say; known here: lab, gateway")
    assert caught.value.errors[1].startswith("--lab: no table [lab]")


def test_as_text_and_read_again() -> None:
    made, _ = pilot_scenario(
        _scenario(
            page=[{"audio": "a.wav", "at_s": 1}, {"audio": 'say "x"\n'}],
            callmanager={"service_ms": {"p50": 60, "p99": 300.5}, "user": [{"name": "agpush", "cti": True}]},
        ),
        LAB,
    )
    assert tomllib.loads(toml_text(made)) == made


_VALUES = st.one_of(st.booleans(), st.integers(-(2**31), 2**31), st.text(max_size=8), st.lists(st.text(max_size=4)))


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.one_of(_VALUES, st.dictionaries(st.text(), _VALUES))))
def test_any_table_as_text_is_read_again(table: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(table)) == table
