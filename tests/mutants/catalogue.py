"""Every wrong gateway: its defect, how it is run, and the one observable that must reveal it.

Numbers M.. are those of the list of wrong gateways that the harness was built against; X.. are of no list, and show
that the laws are general. `caught_by` are checks of the verdict that must fail, each of them; `follows` may fail as
well, because the defect has that consequence; any other failed check would be an accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PAGE: Final = "burst-offload"
SEVERAL: Final = "ci/two-pages-at-once"
"""What these do wrong, one page alone does not show."""
SEVERAL_FOLLOWS: Final = ("phones.delivered == 16", "phones.preempted == 8")
DELIVERED: Final = "phones.delivered_fraction == 1"
ANYTHING: Final = ("*",)
"""Whoever comes later is not served any more: what else fails is no accident."""
REFUSED_BY_PHONES: Final = (
    "right-credentials",
    "executed-only-when-authorised",
    "phones.delivered_fraction == 1",
    "authentication.gateway == 20",
)
AUDIO_FOLLOWS: Final = ("phones.delivered_fraction == 1", "rtp.lost_fraction == 0")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A wrong gateway in a run of the bed, whose verdict must name it."""

    number: str
    name: str
    """Of the variant (gateway_variant.py)."""
    defect: str
    caught_by: tuple[str, ...]
    follows: tuple[str, ...] = ()
    scenario: str = PAGE
    phones: int = 20
    settings: tuple[str, ...] = ()
    twin: str = "clean"
    """The variant that passes at these very settings."""


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A wrong gateway that a good page does not reveal: the probe's check of this name must fail."""

    number: str
    name: str
    defect: str
    caught_by: tuple[str, ...]
    follows: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InTests:
    """A wrong gateway put in the place of ours in tests that take any: a test of this name must fail."""

    number: str
    name: str
    defect: str
    file: str
    caught_by: str
    """Part of the names of the tests that are run."""
    gateway: str
    """module:class."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A wrong gateway whose figure at two sizes of the fleet is compared."""

    number: str
    name: str
    defect: str
    metric: str
    small: int
    large: int
    least: float
    """The large fleet's figure must be at least so much of the small one's."""

    @property
    def caught_by(self) -> str:
        """The check."""
        return f"{self.metric}, {self.large} to {self.small} phones >= {self.least:g}"


HANGING: Final = ("fault hang is seen",)
"""Its phones end otherwise than they should: indeterminate and not timed out."""
_MISSED = ("thresholds.phones.delivered_fraction=>= 0.9",)
_GARBAGE = ('fault=[{kind="garbage",phones=0.1}]', *_MISSED)

MUTANTS: Final[tuple[Mutant | Probed | InTests | Compared, ...]] = (
    Probed(
        number="M01",
        name="any-password",
        defect="AUTHORIZED for any password",
        caught_by=("wrong-password",),
        follows=(
            "right-prefix",
            "password-case",
            "blanks-and-trailing",
            "null-byte",
            "decoded-twice",
            "plus-is-a-blank",
            "own-user-mismatch",
            "injected-query",
            "conflicting-parameters",
        ),
    ),
    Probed(
        number="M03",
        name="first-eight-characters",
        defect="compares the first 8 characters only",
        caught_by=("right-prefix",),
        follows=("blanks-and-trailing", "null-byte", "plus-is-a-blank", "decoded-twice"),
    ),
    Probed(
        number="M04",
        name="compares-by-character",
        defect="ends at the first wrong character, 1 ms each",
        caught_by=("timing",),
    ),
    Probed(
        number="M05",
        name="ends-the-line",
        defect="a line's end behind AUTHORIZED",
        caught_by=("answer-body",),
        follows=REFUSED_BY_PHONES,
    ),
    Probed(
        number="M05b",
        name="writes-it-small",
        defect="says Authorized",
        caught_by=("answer-body",),
        follows=REFUSED_BY_PHONES,
    ),
    Probed(
        number="M06",
        name="browser-headers",
        defect="X-Frame-Options and Set-Cookie on the phone port",
        caught_by=("answer-headers-69xx",),
    ),
    Probed(
        number="M09",
        name="redirects-to-host",
        defect="redirects to the request's Host",
        caught_by=("redirect-host-header",),
        follows=("redirect-target", "redirect-forwarded-host", "redirect-absolute-uri", "redirect-parameter"),
    ),
    Mutant(
        number="M10",
        name="asks-callmanager-first",
        defect="matches, and asks CallManager all the same",
        caught_by=("callmanager-count-agrees", "callmanager.authentications == 0"),
    ),
    Mutant(
        number="M11",
        name="relays-own-user",
        defect="relays its own user's wrong password in spite of `refuse`",
        caught_by=("authorised-by-the-right-server", "callmanager.authentications == 0"),
        follows=("authentication.redirected == 0",),
        scenario="wrong-password",
        settings=(
            "gateway.own_user_mismatch=refuse",
            "thresholds.callmanager.authentications=== 0",
            "thresholds.authentication.redirected=== 0",
        ),
    ),
    Probed(
        number="M12",
        name="locks-out",
        defect="locks the user after five failures",
        caught_by=("lockout",),
        follows=ANYTHING,
    ),
    Mutant(
        number="M13", name="logs-questions", defect="logs the question with its password", caught_by=("no-secret-told",)
    ),
    Mutant(
        number="M14",
        name="logs-authorization",
        defect="logs the Authorization field at debug",
        caught_by=("no-secret-told",),
    ),
    Mutant(
        number="M15",
        name="skips-last-phone",
        defect="leaves the last phone out",
        caught_by=("every-phone-one-end-state",),
        follows=(DELIVERED,),
    ),
    Mutant(
        number="M17",
        name="pushes-twice",
        defect="pushes one phone twice",
        caught_by=("attempts-bounded",),
        follows=(DELIVERED,),
    ),
    Mutant(
        number="M18",
        name="one-after-the-other",
        defect="serial instead of parallel",
        caught_by=("push.concurrent_max >= 5",),
        phones=40,
        settings=("thresholds.push.concurrent_max=>= 5",),
    ),
    Mutant(
        number="M19",
        name="all-at-once",
        defect="no limit on pushes in flight",
        caught_by=("push.concurrent_max <= 25",),
        phones=150,
        settings=("gateway.concurrency=10", "thresholds.push.concurrent_max=<= 25"),
    ),
    Mutant(
        number="M21",
        name="hung-phones-hold-slots",
        defect="a phone that hangs holds its slot for ever",
        caught_by=("every-phone-one-end-state",),
        follows=(
            *("phones.delivered_fraction >= 0.7", "gateway-agrees-with-phones", "every-start-stopped"),
            *("page.first_packet_ms.max < 2000", *HANGING),  # phones that had to wait for a slot
        ),
        settings=(
            "gateway.concurrency=4",
            'fault=[{kind="hang",phones=0.3}]',
            "thresholds.phones.delivered_fraction=>= 0.7",
        ),
    ),
    Mutant(
        number="M23",
        name="success-for-refused",
        defect="reports success for phones that refused",
        caught_by=("gateway-agrees-with-phones",),
        follows=(
            "audio-only-to-listeners",
            "phones.refused_authentication_fraction == 1",
            "rtp.packets_on_wire == 0",
        ),
        scenario="wrong-password",
    ),
    Mutant(
        number="M24",
        name="retries-for-ever",
        defect="tries again at once, without limit",
        caught_by=("attempts-bounded",),
        settings=_GARBAGE,
    ),
    Mutant(
        number="M26",
        name="length-off-by-one",
        defect="Content-Length one too small",
        caught_by=("pushes-well-formed",),
        follows=("gateway-agrees-with-phones", DELIVERED),
    ),
    Mutant(
        number="M27",
        name="does-not-escape",
        defect="an ampersand in a URL is not escaped",
        caught_by=("pushes-well-formed",),
        follows=("gateway-agrees-with-phones", "phones.displayed_fraction == 1"),
        scenario="alert",
    ),
    Mutant(
        number="M28", name="wrong-port", defect="audio to port 32676", caught_by=("pushes-well-formed",)
    ),
    Mutant(
        number="M28b",
        name="odd-port",
        defect="audio to port 32675",
        caught_by=("pushes-well-formed",),
        follows=(DELIVERED,),
    ),
    Mutant(
        number="M29",
        name="sends-a-law",
        defect="PCMA that says it is PCMU",
        caught_by=("audio-is-the-source",),
    ),
    Mutant(number="M30", name="drifts", defect="20.2 ms between packets", caught_by=("stream-well-formed",)),
    Mutant(number="M32", name="bursts", defect="five packets every 100 ms", caught_by=("stream-well-formed",)),
    Mutant(number="M34", name="forgets-to-stop", defect="sends no stop", caught_by=("every-start-stopped",)),
    InTests(
        number="M35",
        name="forgets-the-journal",
        defect="writes the journal after sending",
        file="tests/gateway/paging/test_crash.py",
        caught_by="killed_at_a_write_of_the_journal",
        gateway="tests.mutants.wrong_keeping:ForgetsTheJournal",
    ),
    Mutant(
        number="M36",
        name="wall-clock-deadlines",
        defect="deadlines by the wall clock, which is set meanwhile",
        caught_by=(DELIVERED,),
        follows=("audio-is-the-source", "rtp.lost_fraction == 0"),
        twin="clock-is-set",
    ),
    Probed(
        number="M37",
        name="dies-of-upgrade",
        defect="dies of a bad HTTP2-Settings",
        caught_by=("h2c-upgrade",),
        follows=ANYTHING,
    ),
    InTests(
        number="M39",
        name="takes-foreign-forms",
        defect="Administration Tool without a check of where forms come from",
        file="tests/gateway/administration/test_rights.py",
        caught_by="g3",
        gateway="tests.mutants.wrong_keeping:TakesForeignForms",
    ),
    Compared(
        number="M40",
        name="quadratic-beyond-500",
        defect="quadratic beyond 500 phones",
        metric="push.per_s",
        small=400,
        large=2400,
        least=0.5,
    ),
    # Of no list
    Mutant(
        number="X01",
        name="swaps-two-phones",
        defect="two phones' streams go to each other",
        caught_by=("audio-only-to-listeners",),
    ),
    Mutant(
        number="X02",
        name="audio-before-they-listen",
        defect="audio begins when a phone is pushed to",
        caught_by=("audio-only-to-listeners",),
    ),
    Mutant(
        number="X03",
        name="changes-ssrc",
        defect="another SSRC in the middle",
        caught_by=("stream-well-formed",),
        follows=("audio-is-the-source", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X04",
        name="stops-one-early",
        defect="one phone's page ends in the middle",
        caught_by=("audio-is-the-source",),
        follows=AUDIO_FOLLOWS,
    ),
    Mutant(
        number="X05",
        name="other-user",
        defect="pushes as another user",
        caught_by=("authorised-by-the-right-server", "callmanager.authentications == 0"),
        follows=(DELIVERED, "authentication.redirected == 0"),
    ),
    Mutant(
        number="X06",
        name="pages-the-control",
        defect="pushes to a phone that is in no page",
        caught_by=("gateway-agrees-with-phones",),
    ),
    Mutant(
        number="X07",
        name="sends-on",
        defect="audio goes on for half a second behind the end",
        caught_by=("audio-only-to-listeners",),
        follows=("stream-well-formed", "audio-is-the-source"),
    ),
    Mutant(
        number="X08",
        name="two-pages-at-once",
        defect="a second page takes the phones of the first",
        caught_by=("attempts-bounded",),
        follows=("stream-well-formed", "audio-is-the-source", "gateway-agrees-with-phones", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X09",
        name="sends-reports",
        defect="RTCP to the audio's port",
        caught_by=("stream-well-formed",),
        follows=("audio-is-the-source", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X10",
        name="sends-phones-to-itself",
        defect="a redirect to itself before the answer",
        caught_by=("authorised-by-the-right-server",),
        follows=("authentication.redirected == 0",),
    ),
    Mutant(
        number="X11",
        name="authorized-by-401",
        defect="AUTHORIZED with status 401",
        caught_by=("executed-only-when-authorised",),
        follows=(DELIVERED,),
    ),
    Mutant(
        number="X12",
        name="says-it-is-over-too-soon",
        defect="tells the page's end before its stops",
        caught_by=("gateway-agrees-with-phones",),
    ),
    Mutant(
        number="X13",
        name="sums-up-wrongly",
        defect="the page's result says that all executed",
        caught_by=("gateway-agrees-with-phones",),
        settings=_GARBAGE,
    ),
    Mutant(
        number="X14",
        name="stops-only-who-answered",
        defect="leaves phones listening that timed out",
        caught_by=("every-start-stopped",),
        settings=('fault=[{kind="slow-drip",phones=0.1}]', *_MISSED),
    ),
    Mutant(
        number="X15",
        name="dials-as-well",
        defect="presses a key of each phone",
        caught_by=("pushes-well-formed",),
    ),
    Mutant(
        number="X16",
        name="tells-a-password",
        defect="a percent-encoded password in its records",
        caught_by=("no-secret-told",),
    ),
    Mutant(
        number="X17",
        name="silent-second",
        defect="half a second of silence in the audio, by its own word the audio",
        caught_by=("audio-is-the-source",),
    ),
    Mutant(
        number="X18",
        name="one-phone-more",
        defect="audio to a phone that is in no page",
        caught_by=("audio-only-to-listeners",),
        follows=("every-phone-one-end-state",),
    ),
    Mutant(
        number="X19",
        name="sends-twice",
        defect="each packet twice",
        caught_by=("audio-is-the-source",),
        follows=("stream-well-formed", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X20",
        name="leaves-one-out",
        defect="one packet left out, numbers closed up",
        caught_by=("audio-is-the-source",),
        follows=("stream-well-formed", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X21", name="stops-the-clock", defect="the timestamp never moves", caught_by=("stream-well-formed",)
    ),
    Mutant(
        number="X22",
        name="other-port",
        defect="a second copy from another port",
        caught_by=("stream-well-formed",),
        follows=("audio-is-the-source", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X23",
        name="answers-slowly",
        defect="a third of a second for every question",
        caught_by=("authentication.answer_ms.p50 < 200",),
        settings=("thresholds.authentication.answer_ms.p50=< 200",),
    ),
    Mutant(
        number="X24",
        name="reports-before-it-knows",
        defect="a push counts as executed when it is sent",
        caught_by=("gateway-agrees-with-phones",),
    ),
    Mutant(
        number="X25",
        name="counts-twice",
        defect="every question is in its log twice",
        caught_by=("gateway-count-agrees",),
    ),
    Mutant(
        number="X26",
        name="skips-the-beginning",
        defect="the audio begins with its second second, by its own word all phones joined then",
        caught_by=("audio-is-the-source",),
        follows=("rtp.clipped_ms.max <= 100",),
    ),
    Mutant(
        number="X27",
        name="wanders",
        defect="23 ms between packets, then 17",
        caught_by=("stream-well-formed",),
        follows=("audio-is-the-source",),  # on a busy machine its timers overtake each other
    ),
    Mutant(
        number="X28",
        name="stays-near",
        defect="packets whose time to live is 1",
        caught_by=("stream-well-formed",),
    ),
    Mutant(
        number="X29",
        name="extends",
        defect="packets say that they have a header extension, and have none",
        caught_by=("stream-well-formed",),
        follows=("audio-is-the-source", *AUDIO_FOLLOWS),
    ),
    Mutant(
        number="X30",
        name="holds-one-for-away",
        defect="leaves a phone out as unreachable that was there",
        caught_by=("every-phone-one-end-state",),
        follows=(DELIVERED,),
    ),
    Probed(
        number="X31",
        name="last-eight-characters",
        defect="compares the last 8 characters only",
        caught_by=("right-prefix",),
        follows=("blanks-and-trailing",),
    ),
    Probed(
        number="X32",
        name="any-order",
        defect="compares the sum of the characters",
        caught_by=("right-prefix",),
    ),
    Probed(
        number="X33",
        name="user-ends-at-null",
        defect="takes a user's name up to a null byte",
        caught_by=("other-user",),
    ),
    Probed(
        number="X34",
        name="wildcard-password",
        defect="a password of `*` fits every user",
        caught_by=("injected-query",),
    ),
    Probed(
        number="X35",
        name="yes-in-refusal",
        defect="refuses in words that begin with AUTHORIZED, status 401",
        caught_by=("wrong-password",),
        follows=(
            "right-prefix",
            "password-case",
            "blanks-and-trailing",
            "null-byte",
            "decoded-twice",
            "plus-is-a-blank",
            "own-user-mismatch",
            "injected-query",
        ),
    ),
    Probed(
        number="X36",
        name="tells-the-password",
        defect="a refused question's redirect carries the stored password",
        caught_by=("password-not-told",),
        follows=("redirect-parameters",),
    ),
    Probed(
        number="X37",
        name="late-line-end",
        defect="a line's end behind AUTHORIZED, in a packet of its own",
        caught_by=("answer-framing",),
    ),
    Probed(
        number="X38",
        name="byte-order-mark",
        defect="a byte-order mark before AUTHORIZED",
        caught_by=("answer-body",),
        follows=REFUSED_BY_PHONES,
    ),
    Probed(
        number="X39",
        name="headers-on-redirects",
        defect="Set-Cookie on redirects only",
        caught_by=("answer-headers-69xx",),
    ),
    Probed(
        number="X40",
        name="hangs-after-a-hundred",
        defect="answers nothing more after a hundred questions",
        caught_by=("right-to-the-end",),
        follows=ANYTHING,
    ),
    Mutant(
        number="X41",
        name="mixes-up-pages",
        defect="of two pages at once, the second one's audio goes to the first one's phones",
        caught_by=("pages-kept-apart",),
        follows=(*SEVERAL_FOLLOWS, "audio-is-the-source", "stream-well-formed", "audio-only-to-listeners"),
        scenario=SEVERAL,
    ),
    Mutant(
        number="X42",
        name="drops-the-second-page",
        defect="says yes to a second page, and does nothing",
        caught_by=("every-phone-one-end-state",),
        follows=SEVERAL_FOLLOWS,
        scenario=SEVERAL,
    ),
)

CI: Final = ("M10", "M13", "M15", "M17", "M23", "M28", "M29", "M32", "M34", "X01", "X12", "X42")
"""Numbers of those that the second tier of the tests runs; `make mutants` runs all."""
