"""Canaries on loopback, with free ports instead of the reserved ones (in the lab: tests/harness/net)."""

import dataclasses
import socket

import pytest
import trio

from harness.bed.canary import PAYLOAD, send_canaries
from harness.bed.errors import BedError
from harness.bed.ground import LOOPBACK, Ground


async def test_each_clause_gets_one_from_the_reserved_address() -> None:
    receiver = trio.socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    gateway = trio.socket.socket()
    callmanager = trio.socket.socket()
    with receiver, gateway, callmanager:
        await receiver.bind((LOOPBACK.canary_phone, 0))
        await gateway.bind((LOOPBACK.gateway, 0))
        gateway.listen()
        port = gateway.getsockname()[1]
        callmanager.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await callmanager.bind((LOOPBACK.callmanager, port))
        callmanager.listen()
        addresses = dataclasses.replace(LOOPBACK, rtp_port=receiver.getsockname()[1], authentication_port=port)
        sent = await send_canaries(Ground(name="loopback", addresses=addresses, lab=None), "after")
        payload, source = await receiver.recvfrom(100)
        assert payload == PAYLOAD + b"after"
        assert [canary.clause for canary in sent] == ["rtp", "authentication-gateway", "authentication-callmanager"]
        assert sent[0].source == f"{source[0]}:{source[1]}"
        assert source[0] == "127.20.128.250"
        for canary, listener in zip(sent[1:], (gateway, callmanager), strict=True):
            accepted, peer = await listener.accept()
            with accepted:
                assert await accepted.recv(10) == b""
            assert canary.source == f"{peer[0]}:{peer[1]}"
            assert canary.answered
            assert canary.when == "after"


async def test_a_refused_connection_was_a_syn_all_the_same() -> None:
    with socket.socket() as unused:
        unused.bind((LOOPBACK.gateway, 0))
        addresses = dataclasses.replace(LOOPBACK, authentication_port=unused.getsockname()[1])
        (canary,) = await send_canaries(
            Ground(name="loopback", addresses=addresses, lab=None), "before", clauses=("authentication-gateway",)
        )
    assert not canary.answered
    assert canary.source.startswith("127.20.128.250:")
    assert not canary.source.endswith(":0")


async def test_a_source_that_is_not_there() -> None:
    addresses = dataclasses.replace(LOOPBACK, canary_source="192.0.2.1")
    with pytest.raises(BedError, match="the canary for rtp cannot be sent: Cannot assign requested address"):
        await send_canaries(Ground(name="loopback", addresses=addresses, lab=None), "before")
