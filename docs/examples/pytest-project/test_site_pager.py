"""The pager's tests: one beside emulated phones, one with everything in a network of its own."""

import argparse

import pytest
from site_pager import push


def given(phones, callmanager, password_file=None):
    """The pager's options, for one push."""
    file = password_file or callmanager.password_file
    return argparse.Namespace(port=phones.port, user=callmanager.user, password_file=file)


def test_a_phone_executes_what_callmanager_authorises(pushlab_callmanager, pushlab_phones):
    phone = pushlab_phones.phones[0]

    assert push(phone.address, "RTPRx:Stop", given(pushlab_phones, pushlab_callmanager))

    [executed] = pushlab_phones.wait("push.executed", phone=phone.device_name)
    assert executed["action"] == "RTPRx:Stop"
    assert [asked["answer"] for asked in pushlab_callmanager.authentications] == ["authorized"]


@pytest.mark.pushlab(phones=1)
def test_a_wrong_password_is_noticed(pushlab_callmanager, pushlab_phones, tmp_path):
    wrong = tmp_path / "password"
    wrong.write_text("guessed")

    assert not push(pushlab_phones.address, "RTPRx:Stop", given(pushlab_phones, pushlab_callmanager, wrong))

    assert [asked["reason"] for asked in pushlab_callmanager.authentications] == ["password"]


@pytest.mark.pushlab(phones=6)
def test_every_phone_gets_its_page(pushlab_lab, pager):
    result = pushlab_lab.run(pager)

    assert result
    assert result.command_status == 0
    assert result.metrics["callmanager.authentications"] == 12  # each phone asks about the start and the stop
