"""Right credentials, however a phone writes them, and the answer's exact bytes."""

from typing import Final

from harness.probe.answer import ENDLESS, Answer
from harness.probe.finding import Finding, ProbeCheck, failed, not_applicable, passed, undecided
from harness.probe.prober import Prober
from harness.probe.question import FORM_TYPE, every_byte_escaped, get, pair, post

GROUP: Final = "right credentials"
TO_LOOK_AT: Final = "is it this user's password, this path, and a --device that the user is associated with?"
END_MS: Final = 500.0
"""An answer without a length ends with its connection, which is closed at once and not by some limit of time."""
LINGER_S: Final = 0.25
"""How long bytes behind a whole answer are waited for: they come with it or not at all."""

PLAIN_FIELDS: Final = frozenset({"content-type", "content-length", "connection", "date", "server"})
"""Header fields that a 69xx is known to read (UPLINX: it cannot parse CallManager's answer with its further fields and
does parse a plain server's; which of them do harm is inferred)."""
STRICT_MODELS: Final = frozenset({"CP-6941"})
"""Models of that family."""
HEADS: Final = (
    ("7960", "1.0", ("User-Agent: Allegro-Software-WebClient/3.12", "Accept: x-CiscoIPPhone/*, text/*, */*")),
    ("7961", "1.1", ("User-Agent: Allegro-Software-WebClient/4.34", "x-CiscoIPPhoneModelName: CP-7961G")),
    ("6941", "1.1", ("User-Agent: Cisco-CP-6941", "x-CiscoIPPhoneDisplay: 396,81,1,G")),
    ("8841", "1.1", ("Accept-Charset: utf-8,iso-8859-1;q=0.8", "x-CiscoIPPhoneSDKVersion: 8.5.1")),
)
"""Requests as generations of phones write them (cited in chan-sccp issue 377; 7960 after a CP-7921G's, CUAE; that the
authentication client is the same is inferred)."""


async def right_credentials(prober: Prober) -> Finding:
    """B1."""
    found = await prober.ask_right()
    if not found.connected:
        return undecided(f"nothing was seen: {found.problem}")
    if found.answer is None or not found.authorises:
        return failed(f"right credentials got: {found.told}" + (f"; {TO_LOOK_AT}" if found.answer is not None else ""))
    if not found.ended and found.answer.problem == ENDLESS:
        return failed(f"{found.told}, but no length and no end: a phone waits for more until its time is up")
    return passed(f"AUTHORIZED in {found.whole_ms:.1f} ms")


async def right_by_post(prober: Prober) -> Finding:
    """Documents say GET and POST."""
    found = await prober.send(post(prober.target, prober.question()))
    return passed("AUTHORIZED") if found.authorises else failed(f"the same as a form got: {found.told}")


async def phone_requests(prober: Prober) -> Finding:
    """Heads of several generations, HTTP/1.0 and 1.1."""
    for model, version, fields in HEADS:
        for request in (
            get(prober.target, prober.question(), version=version, fields=fields),
            post(
                prober.target,
                prober.question(),
                version=version,
                fields=(*fields, FORM_TYPE, f"Content-Length: {len(prober.question())}"),
            ),
        ):
            found = await prober.send(request)
            if not found.authorises:
                return failed(f"a request as a {model} writes it got: {found.told}")
    return passed(f"{2 * len(HEADS)} requests as phones write them were answered AUTHORIZED", 2 * len(HEADS))


async def _right_answer(prober: Prober) -> Answer | None:
    return (await prober.ask_right()).answer


async def answer_body(prober: Prober) -> Finding:
    """M05."""
    answer = await _right_answer(prober)
    if answer is None:
        return undecided("no answer came")
    if answer.body == b"AUTHORIZED":
        return passed("exactly AUTHORIZED, 10 bytes", 10)
    return failed(f"the body has {answer.body_told}; expected exactly the 10 of AUTHORIZED", len(answer.body))


async def answer_framing(prober: Prober) -> Finding:
    """A parser of 2001 has to read it."""
    found = await prober.ask_right(linger_s=LINGER_S)
    answer = found.answer
    if answer is None:
        return undecided("no answer came")
    if answer.problem:
        return failed(answer.problem)
    if found.whole_ms - found.answer_ms > END_MS and not answer.values("content-length"):
        behind_s = (found.whole_ms - found.answer_ms) / 1000
        return failed(f"no length, and the end comes {behind_s:.1f} s behind the beginning: a phone waits for it")
    if answer.status != 200:
        return failed(f"status {answer.status}, expected 200", answer.status)
    if answer.values("transfer-encoding"):
        return failed("chunked: an HTTP/1.0 client cannot read that")
    if answer.values("content-encoding"):
        return failed("compressed, and nobody asked for that")
    return passed("status 200, one length, nothing behind it")


async def answer_headers_69xx(prober: Prober) -> Finding:
    """M06."""
    if prober.plan.models and not prober.plan.models & STRICT_MODELS:
        return not_applicable("no 69xx among the models that matter")
    answer = await _right_answer(prober)
    if answer is None:
        return undecided("no answer came")
    mismatch = (await prober.ask_nobody()).answer
    for what, each in (("an answer", answer), ("a redirect", mismatch)):
        if each is None or (each is mismatch and not each.is_redirect):
            continue
        strange = sorted(
            {name for name, _ in each.fields} - PLAIN_FIELDS - ({"location"} if each.is_redirect else set())
        )
        if strange:
            return failed(f"a 69xx cannot read {what} with {', '.join(strange)}", len(strange))
    return passed(f"only {', '.join(name for name, _ in answer.fields)}", 0)


async def user_case(prober: Prober) -> Finding:
    """Directories compare users without case; the modelled gateway compares bytes."""
    other = prober.right.user.swapcase()
    if other == prober.right.user:
        return not_applicable("the user's name has no letters")
    found = await prober.send(get(prober.target, prober.question(user=other)))
    if found.authorises:
        return not_applicable("users are compared without case, as directories do")
    if found.answer is None:
        return undecided(f"no answer: {found.problem}")
    return passed(f"another user to this endpoint: {found.told}")


async def percent_encoding(prober: Prober) -> Finding:
    """Each escape means its byte, whatever the byte and the case of its digits."""
    for upper in (True, False):
        password = every_byte_escaped(prober.right.password, upper=upper)
        query = b"&".join(
            (pair("UserID", prober.right.user), b"Password=" + password, pair("devicename", prober.right.device))
        )
        found = await prober.send(get(prober.target, query))
        if not found.authorises:
            return failed(f"every byte as %XX ({'upper' if upper else 'lower'} case) got: {found.told}")
    return passed("every byte as %XX means the same, in digits of either case")


async def blank_as_plus(prober: Prober) -> Finding:
    """Phones write `+`, programs `%20`."""
    if " " not in prober.right.password + prober.right.user:
        return not_applicable("neither user nor password has a blank")
    for blank in (b"+", b"%20"):
        query = prober.question().replace(b"+", blank)
        found = await prober.send(get(prober.target, query))
        if not found.authorises:
            return failed(f"a blank as {blank.decode('ascii')} got: {found.told}")
    return passed("a blank may be + or %20")


async def beyond_ascii(prober: Prober) -> Finding:
    """UTF-8 has to do; Latin-1 is what old phones write."""
    text = prober.right.password + prober.right.user
    if text.isascii():
        return not_applicable("user and password are ASCII")
    found = await prober.send(get(prober.target, prober.question()))
    if not found.authorises:
        return failed(f"characters beyond ASCII as UTF-8 got: {found.told}")
    try:
        query = prober.question(
            user=prober.right.user.encode("latin-1"), password=prober.right.password.encode("latin-1")
        )
    except UnicodeEncodeError:
        return passed("UTF-8 is understood; Latin-1 cannot write these characters")
    # In Latin-1 it is another password to many servers.
    latin = await prober.ask_wrong(get(prober.target, query))
    return passed(f"UTF-8 is understood; as Latin-1, as old phones write it: {latin.told}")


async def extra_parameters(prober: Prober) -> Finding:
    """A configured URL may bring its own; phones add some."""
    found = await prober.send(get(prober.target, b"locale=English_United_States&" + prober.question() + b"&name=x"))
    return passed("other parameters are ignored") if found.authorises else failed(f"with two more: {found.told}")


CHECKS: Final = (
    ProbeCheck(
        name="right-credentials",
        group=GROUP,
        sends="user, password and device by GET",
        must="AUTHORIZED, and an end of it",
        source="CTX111243, match; faults B1",
        finds="an endpoint that is not there, or does not know its user",
        needs_right=False,
        run=right_credentials,
    ),
    ProbeCheck(
        name="right-by-post",
        group=GROUP,
        sends="the same in a form body",
        must="AUTHORIZED",
        source="CME command reference (GET/POST); VOIPINFO (POST)",
        finds="an endpoint that reads only the query",
        run=right_by_post,
    ),
    ProbeCheck(
        name="phone-requests",
        group=GROUP,
        sends="GET and POST with the header lines of four generations of phones, HTTP/1.0 and 1.1",
        must="AUTHORIZED each time",
        source="chan-sccp issue 377, CUAE (headers); that the authentication client is the same is inferred",
        finds="an endpoint that refuses old clients",
        run=phone_requests,
    ),
    ProbeCheck(
        name="answer-body",
        group=GROUP,
        sends="right credentials",
        must="exactly the 10 bytes `AUTHORIZED`",
        source="UCM-DOC phone services; VOIPINFO; faults B1",
        finds="M05: a line's end or another case, which phones take for a refusal",
        run=answer_body,
    ),
    ProbeCheck(
        name="answer-framing",
        group=GROUP,
        sends="right credentials",
        must="status 200, well-formed header lines, a length that is the body's, nothing behind it, not chunked, not "
        "compressed",
        source="RFC 9112, 6",
        finds="answers that an embedded client cannot read",
        run=answer_framing,
    ),
    ProbeCheck(
        name="answer-headers-69xx",
        group=GROUP,
        sends="right credentials, and a user that nobody has",
        must="no header fields but Content-Type, Content-Length, Connection, Date, Server, in a redirect Location; "
        "other models take any",
        source="UPLINX (69xx and CallManager's answer); which fields do harm, and that redirects are read alike, is "
        "inferred",
        finds="M06: browser security headers and cookies on the phones' port",
        run=answer_headers_69xx,
    ),
    ProbeCheck(
        name="user-case",
        group=GROUP,
        sends="the user in the other case",
        must="a definite answer; AUTHORIZED makes it not applicable: directories compare without case",
        source="CTX111243 (Active Directory)",
        finds="nothing by itself: it tells which way it is",
        run=user_case,
    ),
    ProbeCheck(
        name="percent-encoding",
        group=GROUP,
        sends="every byte of the password as `%XX`, upper and lower case",
        must="AUTHORIZED",
        source="RFC 3986, 2.1; WHATWG URL, urlencoded",
        finds="an endpoint that compares what was sent instead of what was meant",
        run=percent_encoding,
    ),
    ProbeCheck(
        name="blank-as-plus",
        group=GROUP,
        sends="a blank as `+` and as `%20`; not applicable without one in user or password",
        must="AUTHORIZED",
        source="SCCPRS, CUAE (both are seen)",
        finds="passwords with blanks that work from some phones only",
        run=blank_as_plus,
    ),
    ProbeCheck(
        name="beyond-ascii",
        group=GROUP,
        sends="characters beyond ASCII as UTF-8, then as Latin-1; not applicable without any",
        must="UTF-8: AUTHORIZED; Latin-1: told",
        source="inferred (Accept-Charset of phones names both)",
        finds="passwords that no phone can send",
        wrong_passwords=True,
        run=beyond_ascii,
    ),
    ProbeCheck(
        name="extra-parameters",
        group=GROUP,
        sends="right credentials among other parameters",
        must="AUTHORIZED",
        source="CME (a configured URL with a query of its own); chan-sccp issue 377 (`locale`, `name`)",
        finds="an endpoint that counts parameters",
        run=extra_parameters,
    ),
)
