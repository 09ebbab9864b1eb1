"""Packets dropped in the middle of the path: nftables over netlink, in the bridge's own namespace.

The table is of the `bridge` family and hooks forwarding: whatever one host sends to another passes it; the receiving
host, its sockets and its taps never see what is dropped, and the sender notices nothing. Each call makes one set of
addresses and a rule, so that the cost of a packet does not grow with the number of blocked phones.

Expressions are written as the kernel wants them (include/uapi/linux/netfilter/nf_tables.h): load, compare, look up,
count, drop.
"""

import itertools
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pyroute2.netlink.nfnetlink.nftsocket import (
    DATA_TYPE_NAME_TO_INFO,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    nft_set_elem_list_msg,
    nft_set_msg,
)
from pyroute2.nftables.expressions import genex, verdict
from pyroute2.nftables.main import NFTables

from harness.net.netns import NetNamespace

_FAMILY_BRIDGE: Final = 7
_TABLE: Final = "pushlab"
_CHAIN: Final = "forward"
_REGISTER: Final = 1
_VERDICT_DROP: Final = 0
_BASE_NETWORK: Final = 1
_BASE_TRANSPORT: Final = 2
_META_PROTOCOL: Final = 1
_META_L4PROTO: Final = 16
_ETHERTYPE_IPV4: Final = b"\x08\x00"
_PROTOCOL_UDP: Final = b"\x11"
_IPV4_SOURCE: Final = 12
_IPV4_DESTINATION: Final = 16
_UDP_DESTINATION_PORT: Final = 2
_ELEMENTS_A_MESSAGE: Final = 1000
"""A netlink attribute holds 64 KiB; an element takes 20 bytes."""

Expression = dict[str, Any]


class Barrier:
    """Drops packets between the hosts of one lab. All methods block for milliseconds."""

    def __init__(self, switch: NetNamespace) -> None:
        """Make the table, empty.

        Raises:
            pyroute2.NetlinkError: where this kernel has no nftables for bridges (CONFIG_NF_TABLES_BRIDGE).
        """
        self._switch = switch
        self._numbers = itertools.count(1)
        self._hosts: dict[str, list[str]] = {}
        """Blocked host → the sets that it is in."""
        self._switch.call(self._make_table)

    def block_udp(self, destinations: Sequence[str], port: int) -> None:
        """Drop every UDP packet to that port of those addresses, from now on."""
        self._switch.call(lambda: self._block_udp(destinations, port))

    def block_host(self, address: str) -> None:
        """Drop everything from and to that address, from now on."""
        self._switch.call(lambda: self._block_host(address))

    def unblock_host(self, address: str) -> None:
        """Let everything from and to that address pass again, from now on; nothing where it was not blocked."""
        self._switch.call(lambda: self._unblock_host(address))

    def dropped(self) -> int:
        """How many packets were dropped since the barrier was made."""
        return self._switch.call(self._count)

    def _make_table(self) -> None:
        with _nftables() as nft:
            nft.table("add", name=_TABLE)
            # Drops nothing by itself: what no rule names passes.
            nft.chain("add", table=_TABLE, name=_CHAIN, hook="forward", type="filter", policy=1)

    def _block_udp(self, destinations: Sequence[str], port: int) -> None:
        with _nftables() as nft:
            name = self._make_set(nft, destinations)
            expressions = [
                *_equal_meta(_META_PROTOCOL, _ETHERTYPE_IPV4),
                *_equal_meta(_META_L4PROTO, _PROTOCOL_UDP),
                _load(_BASE_TRANSPORT, _UDP_DESTINATION_PORT, 2),
                _equal(struct.pack("!H", port)),
                _load(_BASE_NETWORK, _IPV4_DESTINATION, 4),
                _look_up(name),
            ]
            _add_rule(nft, expressions)

    def _block_host(self, address: str) -> None:
        with _nftables() as nft:
            name = self._make_set(nft, [address])
            self._hosts.setdefault(address, []).append(name)
            for offset in (_IPV4_SOURCE, _IPV4_DESTINATION):
                expressions = [
                    *_equal_meta(_META_PROTOCOL, _ETHERTYPE_IPV4),
                    _load(_BASE_NETWORK, offset, 4),
                    _look_up(name),
                ]
                _add_rule(nft, expressions)

    def _unblock_host(self, address: str) -> None:
        # The rules stay, with a set that nobody is in, and their counters with them.
        with _nftables() as nft:
            for name in self._hosts.pop(address, ()):
                element = {"table": _TABLE, "set": name, "elements": [_element(socket.inet_aton(address))]}
                _change(nft, nft_set_elem_list_msg, NFT_MSG_DELSETELEM, "del", element)

    def _make_set(self, nft: NFTables, addresses: Sequence[str]) -> str:
        name = f"blocked{next(self._numbers)}"
        key_type, key_length, _ = DATA_TYPE_NAME_TO_INFO["ipv4_addr"]
        made = {"table": _TABLE, "name": name, "key_type": key_type, "key_len": key_length, "id": 1}
        _add(nft, nft_set_msg, NFT_MSG_NEWSET, made)
        keys = [socket.inet_aton(address) for address in sorted(set(addresses))]
        for start in range(0, len(keys), _ELEMENTS_A_MESSAGE):
            elements = [_element(key) for key in keys[start : start + _ELEMENTS_A_MESSAGE]]
            _add(nft, nft_set_elem_list_msg, NFT_MSG_NEWSETELEM, {"table": _TABLE, "set": name, "elements": elements})
        return name

    def _count(self) -> int:
        packets = 0
        with _nftables() as nft:
            for rule in nft.get_rules():
                for expression in rule.get_attr("NFTA_RULE_EXPRESSIONS") or ():
                    if expression.get_attr("NFTA_EXPR_NAME") == "counter":
                        packets += expression.get_attr("NFTA_EXPR_DATA").get_attr("NFTA_COUNTER_PACKETS")
        return packets


@contextmanager
def _nftables() -> Iterator[NFTables]:
    nft = NFTables(nfgen_family=_FAMILY_BRIDGE)
    try:
        yield nft
    finally:
        nft.close()


def _add(nft: NFTables, message: type, number: int, attributes: dict[str, Any]) -> None:
    _change(nft, message, number, "add", attributes)


def _change(nft: NFTables, message: type, number: int, verb: str, attributes: dict[str, Any]) -> None:
    # `NFTables.sets` of pyroute2 0.9.7 fails after the kernel has agreed (it awaits a list): what it calls works.
    nft._command(message, {verb: number}, verb, attributes)  # noqa: SLF001 - as said


def _element(key: bytes) -> Expression:
    return {"attrs": [("NFTA_SET_ELEM_KEY", {"attrs": [("NFTA_DATA_VALUE", key)]})]}


def _load(base: int, offset: int, length: int) -> Expression:
    loaded: Expression = genex("payload", {"dreg": _REGISTER, "base": base, "offset": offset, "len": length})
    return loaded


def _equal(value: bytes) -> Expression:
    compared: Expression = genex("cmp", {"sreg": _REGISTER, "op": 0, "data": {"attrs": [("NFTA_DATA_VALUE", value)]}})
    return compared


def _equal_meta(key: int, value: bytes) -> list[Expression]:
    return [genex("meta", {"dreg": _REGISTER, "key": key}), _equal(value)]


def _look_up(name: str) -> Expression:
    looked_up: Expression = genex("lookup", {"set": name, "sreg": _REGISTER})
    return looked_up


def _add_rule(nft: NFTables, expressions: Sequence[Expression]) -> None:
    whole = [*expressions, genex("counter", {}), *verdict(_VERDICT_DROP)]
    nft.rule("add", table=_TABLE, chain=_CHAIN, expressions=[whole])
