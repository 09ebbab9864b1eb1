"""The catalogue of faults: every kind of `[[fault]]`, what it does, and what must follow from it.

One entry says all about one kind: reader, bed, judge and docs/reference/faults.md go by it. End states and laws are
named as the judge names them; tests hold the names equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_AGREES: Final = "gateway-agrees-with-phones"
_AUTHORISED: Final = "executed-only-when-authorised"
_RIGHT_SERVER: Final = "authorised-by-the-right-server"
_LISTENERS: Final = "audio-only-to-listeners"
_SOURCE: Final = "audio-is-the-source"
"""Broken by every phone that executes and does not say so: it listens, and nobody sends."""
_WIRE: Final = "wire-agrees-with-phones"

IMPAIRMENT: Final = "impairment"
NOT_RESET: Final = "not-reset"
CREDENTIAL_DRIFT: Final = "credential-drift"
PLACES: Final = ("both", "gateway", "callmanager")
"""Where `where` of a credential drift may be."""
PARAMETERS: Final = ("loss", "duplicate", "reorder", "jitter_ms")
"""Keys of `[[fault]]` that kind = impairment takes: shares of the packets, and the longest delay in milliseconds."""


class Carrier(StrEnum):
    """Who makes a fault."""

    BARRIER = "barrier"
    """The lab's bridge: on ground netns alone."""
    ROSTER = "roster"
    """What the fleet is built from (roster.csv): a setting of the phone."""
    PROCEDURE = "procedure"
    """Something that an administrator should do and that the bed leaves undone."""
    CHANGE = "change"
    """Something that somebody changes while the page runs."""
    PHONES = "phones"
    """The phones themselves, told by `pushlab phones --faults`; they say so in their records, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One kind of fault."""

    name: str
    done: str
    """What is done, as the reference page says it."""
    carrier: Carrier
    follows: str = ""
    """What must follow, where the end states do not say it all."""
    states: tuple[str, ...] = ()
    """End states that its phones may have. Empty: it strikes no phone of the fleet."""
    breaks: frozenset[str] = frozenset()
    """Laws that it breaks by nature: its phones are excused from them, by name."""
    timed: bool = False
    """Whether it can begin while the page runs (`at_s`), and end again (`lasts_s`)."""

    @property
    def strikes_phones(self) -> bool:
        """Whether it has a share of the fleet."""
        return bool(self.states)

    @property
    def ground(self) -> str:
        """Where it can be made."""
        return "netns" if self.carrier is Carrier.BARRIER else "any"


def _kind(
    name: str,
    carrier: Carrier,
    states: str,
    done: str,
    *,
    breaks: tuple[str, ...] = (),
    follows: str = "",
    timed: bool = False,
) -> FaultKind:
    return FaultKind(
        name=name,
        done=done,
        carrier=carrier,
        follows=follows,
        states=tuple(states.split()),
        breaks=frozenset(breaks),
        timed=timed,
    )


_KINDS: Final = (
    _kind(
        "port-blocked",
        Carrier.BARRIER,
        "no_audio",
        "UDP to port 32674 of these phones is dropped on the way",
        breaks=(_SOURCE, _WIRE),
    ),
    _kind(
        "canary-blocked",
        Carrier.BARRIER,
        "",
        "everything from the canaries' address is dropped",
        follows="the taps are blind: inconclusive",
    ),
    _kind(
        "control-blocked",
        Carrier.BARRIER,
        "",
        "everything to the positive control phone is dropped",
        follows="a zero at CallManager is worth nothing: inconclusive",
    ),
    _kind(
        "callmanager-blocked",
        Carrier.BARRIER,
        "",
        "everything from and to CallManager is dropped",
        follows="whoever does not need it goes on; it and the control are blind, so say `witnesses` without it, "
        "unless it begins and ends between them",
        timed=True,
    ),
    _kind(
        "directory-blocked",
        Carrier.BARRIER,
        "",
        "everything from and to the directory server is dropped",
        follows="CallManager answers ERROR when its patience is over (`total_s`): every phone that asks it is refused",
        timed=True,
    ),
    _kind(
        CREDENTIAL_DRIFT,
        Carrier.CHANGE,
        "",
        "the push user's password is changed while the page runs: in CallManager, in the gateway, or in both (`where`)",
        follows="a gateway that answers phones itself accepts the former password for the pages begun with it; where "
        "phones ask CallManager and the gateway was not told, they are not stopped",
        timed=True,
    ),
    _kind(
        "web-access-disabled",
        Carrier.ROSTER,
        "web_access_disabled",
        "Web Access of these phones is off: their web server does not answer",
    ),
    _kind(
        NOT_RESET,
        Carrier.PROCEDURE,
        "delivered delivered_late",
        "the authentication URL is changed in CallManager (`authentication_url_at_boot`), these phones are not reset",
        breaks=(_RIGHT_SERVER,),
        follows="they ask the server that was configured when they booted; a page ends there as it ends",
    ),
    _kind("hang", Carrier.PHONES, "timed_out", "executes the push, and never answers", breaks=(_SOURCE,)),
    _kind("slow-drip", Carrier.PHONES, "timed_out", "sends a byte of the answer every 100 ms", breaks=(_SOURCE,)),
    _kind(
        "reset-before",
        Carrier.PHONES,
        "indeterminate",
        "executes, and resets the connection instead of answering",
        breaks=(_SOURCE,),
    ),
    _kind(
        "reset-within", Carrier.PHONES, "indeterminate", "resets it in the middle of the headers", breaks=(_SOURCE,)
    ),
    _kind("reset-after", Carrier.PHONES, "indeterminate", "resets it after the headers", breaks=(_SOURCE,)),
    _kind(
        "garbage", Carrier.PHONES, "garbled", "executes, and answers bytes that are no HTTP", breaks=(_AGREES, _SOURCE)
    ),
    _kind("truncated", Carrier.PHONES, "indeterminate", "closes in the middle of the body", breaks=(_SOURCE,)),
    _kind(
        "giant-body", Carrier.PHONES, "garbled", "announces 1 GiB and sends 16 MiB of it", breaks=(_AGREES, _SOURCE)
    ),
    _kind("wrong-length", Carrier.PHONES, "garbled", "the body is longer than announced", breaks=(_AGREES, _SOURCE)),
    _kind("two-answers", Carrier.PHONES, "delivered delivered_late", "answers twice"),
    _kind(
        "wrong-credentials-cached",
        Carrier.PHONES,
        "refused_authentication",
        "refuses from memory, whatever the credentials: asks nobody",
    ),
    _kind(
        "without-asking",
        Carrier.PHONES,
        "delivered delivered_late",
        "executes without asking whether the push is genuine",
        breaks=(_AUTHORISED, _RIGHT_SERVER),
    ),
    _kind(
        "answers-first",
        Carrier.PHONES,
        "delivered delivered_late",
        "says that it executed, then asks, then executes",
        breaks=(_AUTHORISED, _AGREES, _LISTENERS),
    ),
    _kind("asks-twice", Carrier.PHONES, "delivered delivered_late", "asks twice, and heeds the second answer"),
    _kind(
        "asks-late",
        Carrier.PHONES,
        "delivered delivered_late",
        "asks 3 s after the push came",
        follows="`delivered_late` with the default `late_after_ms`",
    ),
    _kind("reboots", Carrier.PHONES, "indeterminate", "starts again after it has asked, before it executes"),
    _kind(
        "refuses",
        Carrier.PHONES,
        "unreachable indeterminate",
        "resets every connection as soon as it stands",
        follows="which of the two depends on whether the reset is there before the request is sent",
    ),
    _kind("silent", Carrier.PHONES, "unreachable", "does not answer connections at all"),
    _kind(
        IMPAIRMENT,
        Carrier.PHONES,
        "delivered delivered_late partial_audio no_audio",
        "RTP packets are lost, doubled, put out of order or delayed at the phone's door, by "
        + ", ".join(f"`{name}`" for name in PARAMETERS),
        follows="the phone counts exactly what came less what was injected",
    ),
)
FAULTS: Final[Mapping[str, FaultKind]] = {kind.name: kind for kind in _KINDS}
"""All kinds by name."""
UNREMARKABLE: Final = frozenset({"delivered", "delivered_late"})
"""End states that a phone without any fault may have: by these alone no fault is seen."""


def document() -> str:
    """The table of docs/reference/faults.md; a test holds them equal."""
    lines = ["| kind | what is done | ground | end states of its phones | what else follows | excused laws |"]
    lines.append("|---|---|---|---|---|---|")
    none = "\N{EN DASH}"
    for kind in FAULTS.values():
        states, laws = (
            ", ".join(f"`{name}`" for name in names) or none for names in (kind.states, sorted(kind.breaks))
        )
        lines.append(f"| `{kind.name}` | {kind.done} | {kind.ground} | {states} | {kind.follows or none} | {laws} |")
    return "\n".join(lines)
