"""What the directory says, in CallManager's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.callmanager.directory import REASONS, DirectoryError, DirectorySettings, Kind, reason_of

AD = "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {}, v1db1"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("525", "user"),
        ("52e", "password"),
        ("52E", "password"),
        ("530", "restricted"),
        ("531", "restricted"),
        ("532", "password_expired"),
        ("533", "disabled"),
        ("701", "expired"),
        ("773", "must_change"),
        ("775", "locked"),
        ("999", "password"),
    ],
)
def test_sub_codes_of_active_directory(data: str, reason: str):
    assert reason_of(49, AD.format(data)) == reason


def test_success_is_no_reason_and_other_directories_have_no_sub_code():
    assert reason_of(0, AD.format("533")) is None
    assert reason_of(49, "") == "password"


@pytest.mark.parametrize("code", [1, 8, 32, 48, 51, 52, 53, 80, 4711])
def test_other_codes_say_nothing_about_the_person(code: int):
    with pytest.raises(DirectoryError) as caught:
        reason_of(code, AD.format("52e"))
    assert caught.value.kind == f"bind_result_{code}"


@given(st.text())
def test_no_text_is_taken_for_success(text: str):
    assert reason_of(49, text) in {*REASONS.values(), "password"}


def test_settings_show_no_password_and_have_defaults_by_kind():
    settings = DirectorySettings(server=("a", 389), base_dn="b", manager_dn="c", manager_password="geheim")
    assert "geheim" not in repr(settings)
    assert settings.names() == ("sAMAccountName", "userPrincipalName")
    plain = DirectorySettings(
        server=("a", 389), base_dn="b", manager_dn="c", manager_password="d", kind=Kind.LDAP, filter="(cn=x)"
    )
    assert (plain.names(), plain.persons()) == (("uid",), "(cn=x)")
