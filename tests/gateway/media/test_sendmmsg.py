from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Iterator

import pytest

from gateway.media.sendmmsg import PacketSender, socket_address

DISCARD = socket_address("127.77.0.1", 9)
IMPOSSIBLE = socket_address("127.77.0.2", 0)  # the kernel refuses port 0 with EINVAL


@pytest.fixture
def source() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(("127.77.0.9", 0))
        yield sock


def test_each_address_gets_the_packet_once_and_a_failing_one_is_stepped_over(source: socket.socket):
    sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    addresses = []
    for index, sink in enumerate(sinks):
        sink.bind((f"127.77.0.{index + 1}", 0))
        sink.setblocking(False)
        addresses.append(socket_address(*sink.getsockname()))
    failed: list[tuple[int, int]] = []
    wanted = [addresses[0], IMPOSSIBLE, addresses[1], socket_address("255.255.255.255", 9), addresses[2], IMPOSSIBLE]
    sent = PacketSender(source).send(b"packet", b"".join(wanted), lambda *each: failed.append(each))
    assert sent == 3
    assert failed == [(1, errno.EINVAL), (3, errno.EACCES), (5, errno.EINVAL)]
    for sink in sinks:
        assert sink.recvfrom(99) == (b"packet", source.getsockname())
        with pytest.raises(BlockingIOError):
            sink.recv(99)
        sink.close()


def test_more_addresses_than_one_call_takes(source: socket.socket):
    addresses = [DISCARD] * 2_500
    bad = [0, 1_023, 1_024, 2_047, 2_048, 2_499]
    for index in bad:
        addresses[index] = IMPOSSIBLE
    failed: list[int] = []
    assert PacketSender(source).send(b"x", b"".join(addresses), lambda index, _: failed.append(index)) == 2_500 - 6
    assert failed == bad


def test_nobody_is_nothing(source: socket.socket):
    assert PacketSender(source).send(b"x", b"", lambda *_: pytest.fail("nothing can fail")) == 0


class Stubborn(PacketSender):
    """A kernel that says the given errno some times before it sends."""

    def __init__(self, sock: socket.socket, number: int, times: int) -> None:
        super().__init__(sock)
        self.number, self.times = number, times

    def _send_from(self, at: int, count: int) -> int:
        if self.times:
            self.times -= 1
            ctypes.set_errno(self.number)
            return -1
        return count - at


@pytest.mark.parametrize(
    ("number", "times", "failed"),
    [
        (errno.EAGAIN, 1, []),  # a full queue is waited for once
        (errno.EAGAIN, 3, [0, 1]),
        (errno.EINTR, 3, []),
        (errno.ENOBUFS, 1, [0]),
        (errno.ECONNREFUSED, 2, [0, 1]),
        (errno.EPERM, 4, [0, 1, 2, 3]),
    ],
)
def test_errors_of_the_kernel_cost_at_most_their_own_packets(
    source: socket.socket, number: int, times: int, failed: list[int]
):
    seen: list[tuple[int, int]] = []
    sent = Stubborn(source, number, times).send(b"x", DISCARD * 4, lambda *each: seen.append(each))
    assert seen == [(index, number) for index in failed]
    assert sent == 4 - len(failed)


def test_a_packet_that_does_not_fit_is_refused(source: socket.socket):
    with pytest.raises(ValueError, match="1501"):
        PacketSender(source).send(bytes(1_501), DISCARD, lambda *_: None)


def test_addresses_are_ipv4():
    assert socket_address("10.20.0.1", 32_674)[2:8].hex() == "7fa20a140001"
    with pytest.raises(ValueError, match="Expected 4 octets"):
        socket_address("::1", 1)
