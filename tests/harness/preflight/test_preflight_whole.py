"""Whole preflights: every planted fault is found, with the right phone and fix, and nothing else is said."""

from pathlib import Path

import pytest

from .conftest import CALLMANAGER, GATEWAY_URL, PASSWORD, Lab, name, row

pytestmark = pytest.mark.real
GOLDEN = Path(__file__).parents[2] / "golden" / "models" / "CP-7960G"
OPTIONS = ("--authentication-url", GATEWAY_URL, "--rate", "1000", "--json")
DRY = ("--password-file", "agpush.password")
SECURED_URL = "https://10.20.128.20:8443/ccmcip/authenticate.jsp"
OLD_FIRMWARE = "P00308000100"
AT_HARNESS = "10.20.128.40"
"""Stands for a phone with another firmware: the emulated ones of a model have all the same."""


def _old_phone(index: int) -> dict[str, str]:
    pages = {}
    files = {"/DeviceInformationX": "device-information", "/NetworkConfigurationX": "network-configuration"}
    for path, file in files.items():
        text = (GOLDEN / f"{file}.http").read_text(encoding="latin-1").replace("001BD4000001", name(index)[3:])
        text = text.replace("P00308000500", OLD_FIRMWARE).replace("<phoneDN>2001<", f"<phoneDN>{2000 + index}<")
        text = text.replace("http://10.20.128.10/cisco_auth/authenticate.html", GATEWAY_URL)
        body = text.partition("\n\n")[2]
        pages[path] = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    return pages


def test_faults_that_reading_finds(lab: Lab) -> None:
    phones = [row(index) for index in range(1, 41)]
    listed = [dict(phone) for phone in phones]
    by = {index: listed[index - 1] for index in range(1, 41)}
    real = {index: phones[index - 1] for index in range(1, 41)}
    real[1]["web_access"] = "false"
    real[3]["authentication_url"] = "http://10.20.128.20/ccmcip/authenticate.jsp"
    real[4]["authentication_url"] = "http://10.20.128.10:81/cisco_auth/authenticate.html"
    real[5]["authentication_url"] = "http://paging.example/auth"
    real[6]["authentication_url"] = ""
    by[7]["model"] = "CP-7970G"
    by[8]["directory_number"] = "2999"
    by[9]["address"], by[10]["address"] = by[10]["address"], by[9]["address"]
    by[11]["address"] = by[12]["address"]
    real[13]["directory_number"] = by[13]["directory_number"] = by[14]["directory_number"]
    by[15] |= {"address": AT_HARNESS, "model": "CP-7960G"}
    by[16]["address"] = "10.20.128.10"
    by[17]["address"] = "10.99.0.1"
    by[18]["address"] = "10.20.100.1"
    real[19]["directory_number"] = ""
    ended, looked_through = lab(
        [["--csv", lab.site(listed), *OPTIONS], ["--network", "10.20.0.32/29", *OPTIONS]],
        phones=phones,
        callmanager=CALLMANAGER,
        blocked_hosts=[real[2]["address"]],
        web={"harness": _old_phone(15)},
    )
    assert ended.code == 1, ended.stderr
    assert ended.faults() == {
        ("web-access", "silent", name(1)),
        ("reachable", "absent", name(2)),
        ("authentication-url", "stale", name(3)),
        ("authentication-url", "stale", name(4)),
        ("authentication-server", "no-answer", name(4)),
        ("authentication-url", "stale", name(5)),
        ("authentication-name", "no-name-server", name(5)),
        ("authentication-url", "none", name(6)),
        ("model", "other-model", name(7)),
        ("directory-number", "other-number", name(8)),
        ("identity", "another-phone", name(9)),
        ("identity", "another-phone", name(10)),
        ("listed-once", "address-twice", name(11)),
        ("listed-once", "address-twice", name(12)),
        ("identity", "another-phone", name(11)),
        ("directory-number", "shared", name(13)),
        ("directory-number", "shared", name(14)),
        ("firmware", "mixed", name(15)),
        ("web-access", "refused", name(16)),
        ("reachable", "no-route", name(17)),
        ("web-access", "no-phone", name(18)),
        ("directory-number", "no-number", name(19)),
    }
    assert ended.to_do("authentication-url", "stale")["do"] == "Reset these 3 phones"
    assert ended.to_do("web-access", "silent")["fix"].startswith("Device > Phone, the phone, Product Specific")
    assert OLD_FIRMWARE not in ended.to_do("firmware", "mixed")["do"]
    assert "address instead of the name paging.example" in ended.to_do("authentication-name", "no-name-server")["do"]
    # The hosts of the network are the phones 32 to 37.
    assert (looked_through.code, looked_through.document["phones"], looked_through.faults()) == (0, 6, set())


def test_servers_the_push_user_and_what_named_phones_hear(lab: Lab) -> None:
    phones = [row(index) for index in range(1, 13)]
    site = lab.site(phones)
    users = CALLMANAGER.replace('name = "agpush"', f'name = "agpush"\ndevices = {[name(i) for i in range(1, 11)]}')
    users += '[[user]]\nname = "renamed"\npassword = "another one"\n'
    csv = ("--csv", site)
    hear = (*csv, *OPTIONS, *DRY)
    sound, down, wrong, not_associated, silence, multicast = lab(
        [
            [*hear, "--active", f"{name(1)},{name(2)},{name(3)}", "--multicast", "239.10.10.1"],
            [*csv, "--authentication-url", "http://10.20.128.10/a.html", *OPTIONS[2:],
             "--callmanager-url", "http://10.20.128.20/wrong.asp",
             "--secured-authentication-url", "https://10.20.128.20:8444/ccmcip/authenticate.jsp"],
            [*hear, "--user", "renamed", "--dry-devices", ",".join(name(i) for i in range(1, 8)), "--active", name(1)],
            [*hear, "--dry-devices", ",".join(name(i) for i in (12, 1, 11, 2))],
            [*hear, "--active", f"{name(4)},{name(5)},{name(11)}"],
            [*hear, "--active", name(6), "--multicast", "239.10.10.2",
             "--callmanager-url", "http://10.20.128.40/CCMCIP/authenticate.asp"],
        ],
        phones=phones,
        callmanager=users,
        blocked_udp=[phones[3]["address"], "239.10.10.2"],
        events=[f"{name(5)}/ring", f"{name(5)}/call"],
    )  # fmt: skip
    assert sound.faults() == set(), sound.stderr
    assert (sound.code, sound.needed()) == (0, set())
    results = [r for r in sound.document["results"] if r["check"] in {"audio", "multicast"}]
    assert {(r["subject"], r["result"]) for r in results} == {
        (name(1), "ok"), (name(2), "ok"), (name(3), "ok"), ("10.20.0.0/17", "ok"),
    }  # fmt: skip

    # Every phone asks another server than the one that is wanted there, and is to be reset.
    stale = {("authentication-url", "stale", name(index)) for index in range(1, 13)}
    assert down.faults() - stale == {
        ("gateway-url", "no-answer", "http://10.20.128.10/a.html"),
        ("callmanager-url", "no-such-page", "http://10.20.128.20/wrong.asp"),
        ("certificate", "no-answer", "https://10.20.128.20:8444/ccmcip/authenticate.jsp"),
    }
    assert down.to_do("authentication-url", "stale")["do"] == "Reset these 12 phones"

    assert wrong.faults() == {("push-user", "refused", GATEWAY_URL)}
    assert ("audio", "the push user is not authorised for it") in wrong.needed()
    log = (lab.work / "callmanager.jsonl").read_text(encoding="utf-8")
    assert 1 <= log.count('"reason": "password"') + log.count('"reason":"password"') <= 2

    assert not_associated.faults() == {
        ("association", "not-associated", name(11)), ("association", "not-associated", name(12)),
    }  # fmt: skip
    assert silence.faults() == {("audio", "blocked", name(4)), ("association", "not-associated", name(11))}
    assert {("audio", "its line is in use (connected)"), ("audio", "the push user is not authorised for it")} <= (
        silence.needed()
    )
    assert multicast.faults() == {
        ("multicast", "blocked", "10.20.0.0/17"),
        ("callmanager-url", "no-answer", "http://10.20.128.40/CCMCIP/authenticate.asp"),
    }
    for file in lab.work.rglob("*"):
        if file.is_file() and file.name not in {"agpush.password", "callmanager.toml", "lab.json"}:
            assert PASSWORD not in file.read_text(encoding="utf-8", errors="replace"), file


@pytest.mark.slow
def test_nothing_is_said_of_a_clean_fleet_of_a_thousand(lab: Lab) -> None:
    phones = [row(index) for index in range(1, 1001)]
    named = f"{name(1)},{name(500)},{name(1000)}"
    words = ["--csv", lab.site(phones), *OPTIONS, *DRY, "--callmanager-url", GATEWAY_URL, "--dry-devices", named]
    words += ["--secured-authentication-url", SECURED_URL, "--ca-file", "callmanager-certificate.pem"]
    secured = f'secured_listen = "10.20.128.20:8443"{CALLMANAGER}'
    (ended,) = lab([[*words, "--active", name(7)]], phones=phones, callmanager=secured)
    assert (ended.code, ended.faults(), ended.needed()) == (0, set(), set()), ended.stderr
    assert ended.document["decision"] == "go"
    assert ended.document["counts"]["ok"] > 9000
