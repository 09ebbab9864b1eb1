"""Whole preflights: a clean fleet about which nothing is said, and every fault planted and found by name."""

import pytest

from .conftest import CALLMANAGER, GATEWAY_URL, Lab, name, row

pytestmark = pytest.mark.real
OPTIONS = ("--authentication-url", GATEWAY_URL, "--rate", "500", "--json")


def test_every_planted_fault_is_found_and_nothing_else(lab: Lab) -> None:
    phones = [row(index) for index in range(1, 31)]
    listed = [dict(phone) for phone in phones]
    phones[2]["web_access"] = "false"
    phones[4]["authentication_url"] = "http://10.20.128.10/old/authenticate.html"
    listed[6]["model"] = "CP-7970G"
    listed[8]["directory_number"] = "2999"
    listed[10]["address"], listed[11]["address"] = listed[11]["address"], listed[10]["address"]
    (ended,) = lab(
        [["--csv", lab.site(listed), *OPTIONS]],
        phones=phones,
        callmanager=CALLMANAGER,
        blocked_hosts=[phones[3]["address"]],
    )
    assert ended.code == 1, ended.stderr
    assert ended.faults() == {
        ("web-access", "silent", name(3)),
        ("reachable", "absent", name(4)),
        ("authentication-url", "stale", name(5)),
        ("authentication-server", "no-answer", name(5)),
        ("model", "other-model", name(7)),
        ("directory-number", "other-number", name(9)),
        ("identity", "another-phone", name(11)),
        ("identity", "another-phone", name(12)),
    }
