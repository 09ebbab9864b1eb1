"""Which ground is chosen, what it says about itself, and the loopback ground (the other one: tests/harness/net)."""

import dataclasses
import socket

import pytest

from harness.bed import ground as grounds
from harness.bed.errors import BedError
from harness.bed.ground import LOOPBACK, NETNS, choose, stand
from harness.net import namespace
from harness.net.namespace import Availability

REFUSED = Availability(
    possible=False, why="unshare(CLONE_NEWUSER): Operation not permitted", remedy="sudo sysctl -w x=1"
)
ALLOWED = Availability(possible=True, why="", remedy="")


def _set(monkeypatch: pytest.MonkeyPatch, *, inside: bool, found: Availability) -> None:
    monkeypatch.setattr(namespace, "inside", lambda: inside)
    monkeypatch.setattr(namespace, "available", lambda: found)


def test_auto_takes_netns_where_it_is_possible(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=ALLOWED)
    assert choose("auto") == grounds.Choice(ground="netns", notice="")


def test_inside_the_question_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=True, found=REFUSED)
    assert choose("auto").ground == choose("netns").ground == "netns"


def test_auto_falls_back_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=REFUSED)
    choice = choose("auto")
    assert choice.ground == "loopback"
    assert "\n" not in choice.notice
    assert REFUSED.why in choice.notice
    assert choice.notice.endswith("To allow netns: sudo sysctl -w x=1")


def test_netns_that_is_not_possible_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=REFUSED)
    with pytest.raises(BedError, match="sudo sysctl -w x=1") as caught:
        choose("netns")
    assert caught.value.exit_code == 5


def test_loopback_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, inside=False, found=REFUSED)
    assert choose("loopback") == grounds.Choice(ground="loopback", notice="")


def test_urls_hide_the_default_port() -> None:
    assert NETNS.gateway_authentication_url == "http://10.20.128.10/cisco_auth/authenticate.html"
    assert NETNS.callmanager_authentication_url == "http://10.20.128.20/CCMCIP/authenticate.asp"
    assert LOOPBACK.gateway_authentication_url == "http://127.20.128.10:18081/cisco_auth/authenticate.html"
    assert LOOPBACK.callmanager_authentication_url == "http://127.20.128.20:18081/CCMCIP/authenticate.asp"


def test_both_grounds_differ_in_the_first_byte_and_ports_only() -> None:
    for field in dataclasses.fields(NETNS):
        lab, loopback = getattr(NETNS, field.name), getattr(LOOPBACK, field.name)
        if isinstance(lab, str):
            assert loopback == lab.replace("10.20.", "127.20.", 1)


def test_loopback_hosts_bind_their_own_address() -> None:
    with stand("loopback") as ground:
        assert (ground.name, ground.hermetic, ground.can_block) == ("loopback", False, False)
        host = ground.host("gateway")
        assert (host.address, host.interface, host.descriptor) == ("127.20.128.10", "lo", None)
        with (
            host.socket(socket.SOCK_DGRAM, host.address) as sender,
            ground.host("phones").socket(socket.SOCK_DGRAM, "127.20.0.1") as receiver,
        ):
            receiver.setblocking(True)
            receiver.settimeout(5)
            sender.sendto(b"x", receiver.getsockname())
            assert receiver.recvfrom(10)[1][0] == "127.20.128.10"


def test_loopback_cannot_block() -> None:
    with stand("loopback") as ground:
        with pytest.raises(BedError, match="ground netns only"):
            ground.block_udp(["127.20.0.1"], 32674)
        with pytest.raises(BedError, match="ground netns only"):
            ground.block_host("127.20.0.1")
        assert ground.dropped() == 0


def test_lab_that_cannot_be_built_is_a_bed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(plan: object) -> None:
        raise PermissionError(1, "unshare(CLONE_NEWNET): Operation not permitted")

    monkeypatch.setattr(grounds, "Lab", refuse)
    with pytest.raises(BedError, match="the lab cannot be built"), stand("netns"):
        pass
