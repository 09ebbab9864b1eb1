"""What settings may be, and why not."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from gateway.configuration import Endpoint
from gateway.settings import Settings, SettingsError
from gateway.settings_check import check_settings

PORT = Endpoint(host="10.20.128.10", port=80)


def check(current: Settings | None = None, **values: object) -> dict[str, object]:
    return check_settings(values, current or Settings(), phone_port=PORT, source="10.20.128.10")


def errors(current: Settings | None = None, **values: object) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        check(current, **values)
    return caught.value.errors


def test_what_is_right_is_taken() -> None:
    assert check(
        push_user=" agpush ",
        push_password=" pass word ",
        callmanager_url="http://10.20.128.20/CCMCIP/authenticate.asp",
        own_user_mismatch="refuse",
        multicast=True,
        multicast_first="239.0.1.1",
        multicast_last="239.0.1.128",
        multicast_port=20480,
        phone_networks=["10.20.0.0/17"],
        authorise="in-flight",
        authorise_after_s=5,
    ) == {
        "push_user": "agpush",
        "push_password": " pass word ",
        "callmanager_url": "http://10.20.128.20/CCMCIP/authenticate.asp",
        "own_user_mismatch": "refuse",
        "multicast": True,
        "multicast_first": "239.0.1.1",
        "multicast_last": "239.0.1.128",
        "multicast_port": 20480,
        "phone_networks": (IPv4Network("10.20.0.0/17"),),
        "authorise": "in-flight",
        "authorise_after_s": 5.0,
    }


def test_more_than_128_group_addresses_are_refused_with_the_reason() -> None:
    found = errors(multicast_first="239.0.1.1", multicast_last="239.0.1.129")
    assert "129 addresses" in found["multicast_last"]
    assert "at most 128" in found["multicast_last"]
    current = Settings(multicast_first="239.0.1.1", multicast_last="239.0.1.10")
    assert "at most 128" in errors(current, multicast_last="239.0.9.1")["multicast_last"]


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"push_user": ""}, "push_user"),
        ({"push_user": "a:b"}, "push_user"),
        ({"push_user": 3}, "push_user"),
        ({"push_password": ""}, "push_password"),
        ({"push_password": "x" * 257}, "push_password"),
        ({"push_password": "line\nline"}, "push_password"),
        ({"callmanager_url": "ftp://10.0.0.1/"}, "callmanager_url"),
        ({"callmanager_url": "http://user@10.0.0.1/"}, "callmanager_url"),
        ({"own_user_mismatch": "maybe"}, "own_user_mismatch"),
        ({"multicast": "yes"}, "multicast"),
        ({"multicast": True}, "multicast"),
        ({"multicast_first": "10.0.0.1", "multicast_last": "239.0.0.2"}, "multicast_first"),
        ({"multicast_first": "224.0.0.5", "multicast_last": "239.0.0.6"}, "multicast_first"),
        ({"multicast_first": "239.0.0.5"}, "multicast_last"),
        ({"multicast_first": "239.0.0.5", "multicast_last": "239.0.0.4"}, "multicast_last"),
        ({"multicast_port": 32675}, "multicast_port"),
        ({"multicast_port": True}, "multicast_port"),
        ({"phone_networks": "10.0.0.0/8"}, "phone_networks"),
        ({"phone_networks": ["10.0.0.1/8"]}, "phone_networks"),
        ({"phone_networks": ["10.0.0.0/8"] * 101}, "phone_networks"),
        ({"authorise": "never"}, "authorise"),
        ({"authorise_after_s": float("nan")}, "authorise_after_s"),
        ({"authorise_after_s": -1}, "authorise_after_s"),
        ({"push_usr": "x"}, "push_usr"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, object], where: str) -> None:
    assert list(errors(**values)) == [where]


def test_b17_a_url_that_leads_back_here_is_refused_when_it_is_entered() -> None:
    for url in ("http://10.20.128.10/x", "http://10.20.128.10:80/cisco_auth/authenticate.html"):
        assert "in circles" in errors(callmanager_url=url)["callmanager_url"]


def test_all_errors_at_once_and_without_secrets() -> None:
    found = errors(push_user="", push_password="canary\n", authorise="never")
    assert set(found) == {"push_user", "push_password", "authorise"}
    assert "canary" not in str(found)


def test_a_host_address_is_told_its_network() -> None:
    assert "did you mean 10.0.0.0/8?" in errors(phone_networks=["10.0.0.1/8"])["phone_networks"]
