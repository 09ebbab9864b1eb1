"""What a ground says about itself, and the loopback ground (the other one: tests/harness/net)."""

import dataclasses
import socket

import pytest

from harness.bed import ground as grounds
from harness.bed.errors import BedError
from harness.bed.ground import LOOPBACK, NETNS, stand


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
