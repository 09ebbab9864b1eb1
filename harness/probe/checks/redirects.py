"""Where a mismatch is sent on to, and who may steer that."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, urlsplit

from harness.probe.answer import place, same_place
from harness.probe.exchange import Exchange
from harness.probe.finding import Finding, ProbeCheck, failed, not_applicable, passed, undecided
from harness.probe.plan import Connector
from harness.probe.prober import Prober
from harness.probe.question import NOBODY, get, pair, post

GROUP: Final = "redirects"
ELSEWHERE: Final = "pushlab-probe.invalid"
"""A name that cannot exist (RFC 2606), so that nobody is ever sent anywhere."""
INJECTED: Final = "X-Pushlab-Probe"
SAYS_YES: Final = "it says AUTHORIZED to a user that nobody has"
FORBIDDEN: Final = 403
"""How an address that is not let in is refused (faults B11)."""
NO_REDIRECT: Final = "it refuses by itself and redirects nobody"


async def redirect_target(prober: Prober) -> Finding:
    """B2: to the configured URL only."""
    url = prober.plan.callmanager_url
    found = await prober.ask_nobody()
    if found.answer is None:
        return undecided(f"no answer: {found.problem}")
    if not found.answer.is_redirect:
        if url:
            return failed(f"expected a redirect to {place(url)}, got: {found.told}")
        return not_applicable(NO_REDIRECT)
    location = found.answer.location
    if location is None:
        return failed("a redirect without one single Location")
    if not url:
        return undecided(f"it redirects to {place(location)}; --callmanager-url says whether that is right")
    if not same_place(location, url):
        return failed(f"redirected to {place(location)}, expected {place(url)}")
    return passed(f"redirected by {found.answer.status} to {place(location)}")


async def redirect_parameters(prober: Prober) -> Finding:
    """CallManager is asked what the phone was asked."""
    values = {"UserID": f"{NOBODY} +&=%/?#", "Password": "pushlab \u00e4+&=%\u20ac", "devicename": prober.right.device}
    query = b"&".join(pair(name, value) for name, value in values.items())
    for request in (get(prober.target, query), post(prober.target, query)):
        found = await prober.send(request)
        if found.answer is None:
            return undecided(f"no answer: {found.problem}")
        if found.answer.is_redirect:
            wrong = _changed(found.answer.location or "", values)
            if wrong:
                return failed(wrong + (" of a POST" if request.startswith(b"POST") else ""))
        elif request.startswith(b"GET"):
            return not_applicable(NO_REDIRECT)
    return passed("all three parameters are kept and escaped")


def _changed(location: str, values: Mapping[str, str]) -> str:
    """What is wrong with the question in a redirect; empty where it is the one that was asked."""
    if not location.isascii() or any(character <= " " or character == "\x7f" for character in location):
        return "the Location has characters that belong escaped"
    try:
        kept = parse_qs(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        return "the Location's query is none"
    for name, value in values.items():
        if kept.get(name) != [value]:
            return f"{name} is {'changed' if name in kept else 'lost'} in the Location"
    return ""


async def _not_steered(prober: Prober, cases: Mapping[str, tuple[str, ...]], *, base: str = "") -> Finding:
    plain = await prober.ask_nobody()
    if plain.answer is None:
        return undecided(f"no answer: {plain.problem}")
    if plain.authorises:
        return not_applicable(SAYS_YES)
    for name, fields in cases.items():
        host = fields[0].partition(": ")[2] if fields and fields[0].startswith("Host: ") else ""
        found = await prober.ask_nobody(fields=fields[1:] if host else fields, host=host, base=base)
        if steered := _steered(plain, found, name):
            return steered
    return passed(
        f"the answer stays what it was: {plain.told}" if plain.answer.is_redirect else f"{plain.told}, not steered"
    )


def _steered(plain: Exchange, found: Exchange, name: str) -> Finding | None:
    if found.answer is None:
        return None if found.ended else undecided(f"{name}: {found.problem}")
    if ELSEWHERE.encode() in found.answer.raw.partition(b"\r\n\r\n")[0].lower():
        return failed(f"{name} comes back in the answer's header: {found.told}")
    if found.authorises:
        return failed(f"AUTHORIZED with {name}")
    assert plain.answer is not None
    if found.answer.is_redirect and found.answer.location != plain.answer.location:
        return failed(f"with {name} the redirect is another one: {found.told}")
    return None


async def redirect_host(prober: Prober) -> Finding:
    """B7, M09."""
    return await _not_steered(
        prober,
        {
            "another Host": (f"Host: {ELSEWHERE}",),
            "another Host and port": (f"Host: {ELSEWHERE}:8080",),
            "Host with a user's part": (f"Host: {prober.target.authority}@{ELSEWHERE}",),
        },
    )


async def redirect_forwarded(prober: Prober) -> Finding:
    """B7."""
    return await _not_steered(
        prober,
        {
            "X-Forwarded-Host": (f"X-Forwarded-Host: {ELSEWHERE}",),
            "X-Forwarded-Server and -Proto": (f"X-Forwarded-Server: {ELSEWHERE}", "X-Forwarded-Proto: https"),
            "Forwarded": (f"Forwarded: host={ELSEWHERE};proto=https",),
            "X-Original-URL": (f"X-Original-URL: http://{ELSEWHERE}/", f"X-Rewrite-URL: http://{ELSEWHERE}/"),
            "Referer": (f"Referer: http://{ELSEWHERE}/",),
        },
    )


async def redirect_absolute(prober: Prober) -> Finding:
    """B7, A21."""
    return await _not_steered(prober, {"an absolute URI of another host": ()}, base=f"http://{ELSEWHERE}")


async def redirect_parameter(prober: Prober) -> Finding:
    """B7: no open redirect."""
    plain = await prober.ask_nobody()
    if plain.answer is None:
        return undecided(f"no answer: {plain.problem}")
    if plain.authorises:
        return not_applicable(SAYS_YES)
    extra = b"&".join(pair(name, f"http://{ELSEWHERE}/") for name in ("url", "redirect", "next", "return", "target"))
    query = prober.question(user=NOBODY, password="pushlab+probe") + b"&" + extra  # noqa: S106 - nobody's
    found = await prober.send(get(prober.target, query))
    if found.answer is not None and found.answer.location is not None:
        if urlsplit(found.answer.location).hostname != urlsplit(plain.answer.location or "").hostname:
            return failed(f"parameters such as url= steer the redirect: {found.told}")
        return passed(f"the redirect's host stays: {found.told}")
    return undecided(f"no answer: {found.problem}") if found.answer is None else passed(f"{found.told}, not steered")


async def header_injection(prober: Prober) -> Finding:
    """B15's elder brother: CRLF in what comes back."""
    plain = await prober.ask_nobody()
    usual = plain.answer.problem if plain.answer is not None else ""
    for name in ("UserID", "Password", "devicename"):
        for line_end in (b"%0d%0a", b"%0a", b"%0d", b"%E5%98%8D%E5%98%8A"):
            injected = b"x" + line_end + f"{INJECTED}:%201".encode() + line_end * 2 + b"AUTHORIZED"
            values = {"UserID": NOBODY, "Password": "p", "devicename": prober.right.device}
            query = b"&".join(
                known.encode() + b"=" + injected if known == name else pair(known, value)
                for known, value in values.items()
            )
            found = await prober.send(get(prober.target, query))
            if found.answer is None:
                if found.ended:
                    continue
                return undecided(f"{name}: {found.problem}")
            head = found.answer.raw.partition(b"\r\n\r\n")[0].lower()
            lines = head.replace(b"\r", b"\n").split(b"\n")
            if any(
                line.strip().startswith(INJECTED.lower().encode()) for line in lines
            ) or found.answer.problem not in {"", usual}:
                return failed(f"a line's end in {name} becomes one in the answer's header")
            if found.authorises:
                return failed(f"AUTHORIZED for a line's end in {name}")
    return passed("twelve line ends stay where they were")


async def source_limits(prober: Prober) -> Finding:
    """B11, B12."""
    plan = prober.plan
    if plan.outside is None and prober.accepts:
        return await _not_believed(prober)
    if plan.outside is None and not plan.consent:
        # They may be wrong: each further question in the user's name would be one more failed logon.
        return undecided("right credentials are not accepted from here, and were not sent again: they may be wrong")
    connect = plan.outside or plan.connect
    plain = await _from(prober, connect, ())
    if plain.authorises:
        return not_applicable("it answers any address: there is no limit to get round")
    if plan.outside is None and (plain.answer is None or plain.answer.status != FORBIDDEN):
        return undecided(f"it is not the address that is refused ({plain.told}): there is no limit to get round")
    claimed = plan.inside_address or "127.0.0.1"
    for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "Forwarded"):
        value = f"for={claimed}" if name == "Forwarded" else claimed
        if (await _from(prober, connect, (f"{name}: {value}",))).authorises:
            return failed(f"an address that is refused is let in by {name}")
    return passed(f"refused ({plain.told}), whatever a header says of the address")


async def _not_believed(prober: Prober) -> Finding:
    """From an address that is let in: a header that claims another one must change nothing."""
    for address in ("203.0.113.7", "127.0.0.1"):
        found = await prober.ask_right(fields=(f"X-Forwarded-For: {address}", f"X-Real-IP: {address}"))
        if not found.authorises:
            return failed(f"X-Forwarded-For: {address} changes the answer: {found.told}")
    return passed("X-Forwarded-For changes nothing; whether it gets round a limit needs an address that is refused")


async def _from(prober: Prober, connect: Connector, fields: tuple[str, ...]) -> Exchange:
    return await prober.send(get(prober.target, prober.question(), fields=fields), connect=connect)


CHECKS: Final = (
    ProbeCheck(
        name="redirect-target",
        group=GROUP,
        sends="a user that nobody has",
        must="a redirect to exactly CallManager's authentication URL; not applicable where none redirects",
        source="CTX111243, no match; faults B2",
        finds="phones sent to a wrong server",
        needs_right=False,
        run=redirect_target,
    ),
    ProbeCheck(
        name="redirect-parameters",
        group=GROUP,
        sends="a mismatch with characters that need escaping, by GET and POST",
        must="the same three values in the Location, ASCII and escaped",
        source="CTX111243 (the phone is redirected with its question); RFC 3986",
        finds="another application's pushes that fail for some passwords",
        needs_right=False,
        run=redirect_parameters,
    ),
    ProbeCheck(
        name="redirect-host-header",
        group=GROUP,
        sends="a mismatch with another `Host`",
        must="the same redirect, or a refusal",
        source="faults B7; OWASP ASVS 3.7.2",
        finds="M09: the redirect's host comes from the Host header",
        needs_right=False,
        run=redirect_host,
    ),
    ProbeCheck(
        name="redirect-forwarded-host",
        group=GROUP,
        sends="a mismatch with X-Forwarded-Host, Forwarded, X-Original-URL, Referer",
        must="the same redirect, or a refusal",
        source="faults B7",
        finds="the same by a proxy's headers",
        needs_right=False,
        run=redirect_forwarded,
    ),
    ProbeCheck(
        name="redirect-absolute-uri",
        group=GROUP,
        sends="a mismatch with an absolute URI of another host",
        must="the same redirect, or a refusal",
        source="faults A21, B7; RFC 9112, 3.2.2",
        finds="the same by the request line",
        needs_right=False,
        run=redirect_absolute,
    ),
    ProbeCheck(
        name="redirect-parameter",
        group=GROUP,
        sends="a mismatch with `url=`, `redirect=`, `next=` and the like",
        must="a redirect to the same host, or a refusal",
        source="faults B7; CWE-601",
        finds="an open redirect",
        needs_right=False,
        run=redirect_parameter,
    ),
    ProbeCheck(
        name="header-injection",
        group=GROUP,
        sends="`%0d%0a`, `%0a`, `%0d` and look-alikes with a header line in each of the three parameters",
        must="no such line in the answer's header",
        source="CWE-113; faults B15",
        finds="response splitting",
        needs_right=False,
        run=header_injection,
    ),
    ProbeCheck(
        name="source-limits",
        group=GROUP,
        sends="right credentials with X-Forwarded-For and the like; in a lab from an address that is no phone's",
        must="the same answer as without them; no AUTHORIZED for an address that is refused",
        source="faults B11, B12",
        finds="limits that a header gets round",
        needs_right=False,
        run=source_limits,
    ),
)
