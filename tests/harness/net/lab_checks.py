"""Checks that run inside namespaces of their own: `lab_checks.py NAME`, started by test_lab.py.

Exit code 0 is right.
"""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import trio

from harness.bed.canary import send_canaries
from harness.bed.ground import NETNS, Ground, Host, HostName, lab_plan, stand
from harness.bed.processes import PartPlan
from harness.net.lab import Lab

TIMEOUT_S = 5.0


def _listen(host: Host, address: str, port: int) -> socket.socket:
    listener = host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    listener.settimeout(TIMEOUT_S)
    listener.bind((address, port))
    listener.listen()
    return listener


def _receive_at(host: Host, address: str, port: int) -> socket.socket:
    receiver = host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    receiver.settimeout(TIMEOUT_S)
    receiver.bind((address, port))
    return receiver


def _unbound(host: Host, kind: socket.SocketKind) -> socket.socket:
    made = host.call(lambda: socket.socket(socket.AF_INET, kind))
    made.settimeout(TIMEOUT_S)
    return made


def build_is_fast(ground: Ground) -> None:
    begun = time.monotonic()
    with stand("netns"):
        took = time.monotonic() - begun
    assert took < 1.0, f"a lab took {took:.3f} s"


def one_listener_is_every_phone(ground: Ground) -> None:
    with _listen(ground.host("phones"), "0.0.0.0", 80) as listener:
        for phone in ("10.20.0.1", "10.20.0.255", "10.20.77.8", "10.20.127.254"):
            with _unbound(ground.host("gateway"), socket.SOCK_STREAM) as client:
                client.connect((phone, 80))
                accepted, peer = listener.accept()
                with accepted:
                    assert accepted.getsockname() == (phone, 80)
                    assert peer == client.getsockname()
                    assert peer[0] == "10.20.128.10"


def phones_call_back_from_their_own_address(ground: Ground) -> None:
    servers: tuple[tuple[HostName, str], ...] = (("gateway", "10.20.128.10"), ("callmanager", "10.20.128.20"))
    for name, address in servers:
        with _listen(ground.host(name), address, 80) as listener:
            client = ground.host("phones").socket(socket.SOCK_STREAM, "10.20.3.4")
            with client:
                client.setblocking(True)
                client.settimeout(TIMEOUT_S)
                client.connect((address, 80))
                accepted, peer = listener.accept()
                accepted.close()
                assert peer[0] == "10.20.3.4"


def curl_comes_from_the_gateway(ground: Ground) -> None:
    seen: list[tuple[str, str]] = []

    def serve(listener: socket.socket) -> None:
        accepted, peer = listener.accept()
        with accepted:
            seen.append((peer[0], accepted.getsockname()[0]))
            accepted.recv(4096)
            accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK")

    with _listen(ground.host("phones"), "0.0.0.0", 80) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        gateway = ground.host("gateway")
        if shutil.which("curl"):
            argv = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5", "http://10.20.0.7/"]
            plan = gateway.placed(PartPlan(name="curl", argv=argv, log_path=Path(os.devnull)))
            answer = subprocess.run(plan.argv, pass_fds=tuple(plan.pass_fds), capture_output=True, check=True).stdout
        else:

            def ask() -> bytes:
                connection = http.client.HTTPConnection("10.20.0.7", timeout=TIMEOUT_S)
                connection.request("GET", "/")
                body = connection.getresponse().read()
                connection.close()
                return body

            answer = gateway.call(ask)
        thread.join()
    assert answer == b"OK"
    assert seen == [("10.20.128.10", "10.20.0.7")]


def blocked_phones_hear_nothing(ground: Ground) -> None:
    blocked = [f"10.20.{index // 250}.{index % 250 + 1}" for index in range(500)]
    with (
        _receive_at(ground.host("phones"), "0.0.0.0", 32674) as phones,
        _receive_at(ground.host("phones"), "0.0.0.0", 32676) as other_port,
        _unbound(ground.host("gateway"), socket.SOCK_DGRAM) as gateway,
        _unbound(ground.host("harness"), socket.SOCK_DGRAM) as harness,
    ):
        gateway.sendto(b"before", (blocked[0], 32674))
        assert phones.recv(100) == b"before"
        assert ground.dropped() == 0
        begun = time.monotonic()
        ground.block_udp(blocked, 32674)
        assert time.monotonic() - begun < 1.0
        for address in blocked:
            gateway.sendto(b"blocked", (address, 32674))
        harness.sendto(b"blocked from anywhere", (blocked[7], 32674))
        # What is not blocked arrives behind what is: in order on one path, so the first packet heard is the proof.
        gateway.sendto(b"free", ("10.20.100.1", 32674))
        assert phones.recv(100) == b"free"
        gateway.sendto(b"another port", (blocked[0], 32676))
        assert other_port.recv(100) == b"another port"
        assert ground.dropped() == 501


def blocked_host_is_silent_both_ways(ground: Ground) -> None:
    ground.block_host("10.20.0.9")
    with (
        _receive_at(ground.host("phones"), "0.0.0.0", 5000) as phones,
        _receive_at(ground.host("gateway"), "10.20.128.10", 5000) as gateway,
        _receive_at(ground.host("phones"), "10.20.0.9", 5001) as silenced,
    ):
        gateway.sendto(b"to it", ("10.20.0.9", 5000))
        gateway.sendto(b"to another", ("10.20.0.10", 5000))
        assert phones.recv(100) == b"to another"
        silenced.sendto(b"from it", ("10.20.128.10", 5000))
        phones.sendto(b"from another", ("10.20.128.10", 5000))
        assert gateway.recv(100) == b"from another"
        assert ground.dropped() == 2
        ground.unblock_host("10.20.0.9")
        gateway.sendto(b"to it again", ("10.20.0.9", 5000))
        assert phones.recv(100) == b"to it again"
        silenced.sendto(b"from it again", ("10.20.128.10", 5000))
        assert gateway.recv(100) == b"from it again"
        ground.block_host("10.20.0.9")
        gateway.sendto(b"to it once more", ("10.20.0.9", 5000))
        gateway.sendto(b"to another", ("10.20.0.10", 5000))
        assert phones.recv(100) == b"to another"
        assert ground.dropped() == 3


def unicast_reaches_one_host_only(ground: Ground) -> None:
    """A phone that never sends must not make the bridge copy its packets to CallManager's host."""
    sniffer = ground.host("callmanager").call(
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    )
    with (
        sniffer,
        _receive_at(ground.host("phones"), "0.0.0.0", 32674) as phones,
        _receive_at(ground.host("callmanager"), "10.20.128.20", 9) as mark,
        _unbound(ground.host("gateway"), socket.SOCK_DGRAM) as gateway,
    ):
        sniffer.settimeout(TIMEOUT_S)
        gateway.sendto(b"for a phone", ("10.20.0.5", 32674))
        assert phones.recv(100) == b"for a phone"
        gateway.sendto(b"for CallManager", ("10.20.128.20", 9))
        assert mark.recv(100) == b"for CallManager"
        first = sniffer.recv(2000)
        assert b"for CallManager" in first, first


def multicast_reaches_every_host(ground: Ground) -> None:
    membership = socket.inet_aton("239.1.1.1") + socket.inet_aton("10.20.128.30")
    with (
        _receive_at(ground.host("phones"), "239.1.1.1", 32674) as phones,
        _unbound(ground.host("gateway"), socket.SOCK_DGRAM) as gateway,
    ):
        phones.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        gateway.sendto(b"page", ("239.1.1.1", 32674))
        assert phones.recvfrom(100)[1][0] == "10.20.128.10"


def nothing_leaves(ground: Ground) -> None:
    for name in ("harness", "gateway", "callmanager", "phones"):
        with _unbound(ground.host(name), socket.SOCK_DGRAM) as sender:
            try:
                sender.sendto(b"out", ("192.0.2.1", 9))
            except OSError as error:
                assert "unreachable" in str(error).lower()  # noqa: PT017 - no pytest in here
            else:
                raise AssertionError(f"{name} has a way out")


def canaries_arrive(ground: Ground) -> None:
    with (
        _receive_at(ground.host("phones"), "0.0.0.0", 32674) as phones,
        _listen(ground.host("gateway"), "10.20.128.10", 80) as gateway,
        _listen(ground.host("callmanager"), "10.20.128.20", 80) as callmanager,
    ):
        sent = {canary.clause: canary for canary in trio.run(send_canaries, ground, "before")}
        payload, source = phones.recvfrom(100)
        assert payload == b"pushlab canary before"
        assert f"{source[0]}:{source[1]}" == sent["rtp"].source
        assert sent["rtp"].destination == "10.20.127.253:32674"
        for clause, listener in (("authentication-gateway", gateway), ("authentication-callmanager", callmanager)):
            accepted, peer = listener.accept()
            with accepted:
                assert accepted.recv(100) == b""
            assert f"{peer[0]}:{peer[1]}" == sent[clause].source  # type: ignore[index]
            assert peer[0] == NETNS.canary_source
            assert sent[clause].answered  # type: ignore[index]


def parts_start_on_their_host(ground: Ground) -> None:
    say_where = (
        "import json, socket, sys; s = socket.socket(); s.bind(('10.20.128.20', 80));"
        "print(json.dumps({'ready': True, 'urls': {'at': str(s.getsockname())}}), flush=True)\n"
        "sys.stdin.read(); s.close()"
    )

    async def main() -> None:
        plan = PartPlan(name="callmanager", argv=[sys.executable, "-c", say_where], log_path=Path("/dev/null"))
        async with trio.open_nursery() as nursery:
            part = await ground.host("callmanager").start(nursery, plan)
            assert part.urls == {"at": "('10.20.128.20', 80)"}
            assert part.process.stdin is not None
            part.stopping = True
            await part.process.stdin.aclose()
            await part.ended.wait()
            assert part.exit_status == 0

    trio.run(main)


def close_frees_the_namespaces(ground: Ground) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for _ in range(3):
        Lab(lab_plan(NETNS)).close()
    assert descriptors() == before


def a_site_in_several_networks_has_the_labs_usual_place(ground: Ground) -> None:
    own = ("control_phone", "canary_phone", "gateway", "callmanager", "phones", "harness", "canary_source")
    addresses = replace(
        NETNS,
        **{name: getattr(NETNS, name).replace("10.20.", "10.21.", 1) for name in own},
        phones_network="10.21.127.248/29",
        more_networks=("10.20.0.0/16", "192.168.7.0/24"),
    )
    with stand("netns", addresses=addresses) as built, _listen(built.host("phones"), "0.0.0.0", 80) as listener:
        for phone in ("10.20.128.10", "10.20.5.17", "192.168.7.5", "10.21.127.254"):
            with _unbound(built.host("gateway"), socket.SOCK_STREAM) as client:
                client.connect((phone, 80))
                accepted, peer = listener.accept()
                accepted.close()
                assert peer[0] == "10.21.128.10"
        with _unbound(built.host("gateway"), socket.SOCK_STREAM) as client:
            try:
                client.connect(("10.30.0.1", 80))
            except OSError:
                return
            raise AssertionError("a network that is not the site's was reached")


CHECKS = {
    check.__name__: check
    for check in (
        build_is_fast,
        one_listener_is_every_phone,
        phones_call_back_from_their_own_address,
        curl_comes_from_the_gateway,
        blocked_phones_hear_nothing,
        blocked_host_is_silent_both_ways,
        unicast_reaches_one_host_only,
        multicast_reaches_every_host,
        a_site_in_several_networks_has_the_labs_usual_place,
        nothing_leaves,
        canaries_arrive,
        parts_start_on_their_host,
        close_frees_the_namespaces,
    )
}

if __name__ == "__main__":
    with stand("netns") as built:
        CHECKS[sys.argv[1]](built)
