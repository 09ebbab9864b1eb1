"""HTTP that is wrong, old or wants to be another protocol: refused, and answered as before afterwards."""

from typing import Final

from harness.probe.exchange import Exchange
from harness.probe.finding import Finding, ProbeCheck, failed, passed, undecided
from harness.probe.prober import Prober
from harness.probe.question import FORM_TYPE, NOBODY, get, post

GROUP: Final = "protocol"
OVERLONG: Final = 70_000
"""Above the 64 KiB that the most generous servers take."""
BROKEN: Final = frozenset({500, 502, 503, 504})
BEHIND_S: Final = 0.25
"""How long a second answer is waited for."""
SHORT_S: Final = 3.0
"""How long an answer to a broken request is waited for."""


async def _refused(prober: Prober, request: bytes, *, redirect_ok: bool = False) -> Finding:
    """The request has to meet an error or a closed connection, and must not be believed."""
    found = await prober.send(request, answer_s=SHORT_S)
    verdict = _of(found, redirect_ok=redirect_ok)
    if verdict.verdict == "fail":
        return verdict
    trouble = await prober.trouble()
    return failed(trouble) if trouble else verdict


def _of(found: Exchange, *, redirect_ok: bool) -> Finding:
    if not found.connected:
        return undecided(found.problem)
    if found.answer is None:
        return passed(f"{found.problem}, no answer") if found.ended else undecided(found.problem)
    status = found.answer.status
    if found.authorises or status < 300 or (status < 400 and not redirect_ok):
        return failed(f"it was taken for a request: {found.told}", status)
    return passed(found.told, status)


async def length_and_chunks(prober: Prober) -> Finding:
    """A6."""
    body = prober.question()
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    fields = (FORM_TYPE, f"Content-Length: {len(chunked)}", "Transfer-Encoding: chunked")
    return await _refused(prober, post(prober.target, chunked, fields=fields))


async def two_lengths(prober: Prober) -> Finding:
    """A7."""
    body = prober.question()
    fields = (FORM_TYPE, f"Content-Length: {len(body)}", f"Content-Length: {len(body) + 4}")
    return await _refused(prober, post(prober.target, body + b"&x=1", fields=fields))


async def unknown_coding(prober: Prober) -> Finding:
    """A9."""
    body = prober.question()
    data = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    return await _refused(prober, post(prober.target, data, fields=(FORM_TYPE, "Transfer-Encoding: xchunked")))


async def host_missing(prober: Prober) -> Finding:
    """A13."""
    return await _refused(prober, get(prober.target, prober.question(), host=None))


async def old_without_host(prober: Prober) -> Finding:
    """A13: old phones."""
    found = await prober.send(get(prober.target, prober.question(), host=None, version="1.0"))
    return passed("AUTHORIZED") if found.authorises else failed(f"HTTP/1.0 without Host got: {found.told}")


async def version_0_9(prober: Prober) -> Finding:
    """A15: an answer without a header is none that a phone reads."""
    found = await prober.send(get(prober.target, prober.question(), version=""), answer_s=SHORT_S)
    if found.answer is None and not found.ended:
        return undecided(found.problem)
    if found.answer is None and found.received:
        return failed("it answers HTTP/0.9", found.received)
    if found.authorises:
        return failed(f"it answers HTTP/0.9: {found.told}")
    return passed(found.told)


async def version_3_7(prober: Prober) -> Finding:
    """A15."""
    return await _refused(prober, get(prober.target, prober.question(), version="3.7"))


async def trace(prober: Prober) -> Finding:
    """A21: TRACE sends back what was asked, a password with it."""
    return await _refused(prober, get(prober.target, prober.question(), method="TRACE"))


async def blank_before_colon(prober: Prober) -> Finding:
    """A12."""
    return await _refused(prober, get(prober.target, prober.question(), fields=("Content-Length : 0",)))


async def overlong(prober: Prober) -> Finding:
    """No phone writes more than some hundred bytes; a limit has to be there and nothing may break at it."""
    padding = b"x" * OVERLONG
    nobody = prober.question(user=NOBODY, password="pushlab+probe")  # noqa: S106 - nobody's
    requests = {
        "a question": get(prober.target, nobody + b"&x=" + padding),
        "a header line": get(prober.target, nobody, fields=(f"X-Padding: {padding.decode('ascii')}",)),
        "five thousand parameters": get(prober.target, b"&".join([nobody, *[b"a=b"] * 5000])),
    }
    told = []
    for name, request in requests.items():
        found = await prober.send(request, answer_s=SHORT_S)
        if found.answer is not None and found.answer.status in BROKEN:
            return failed(f"{name} of {len(request):,} bytes breaks it: {found.told}", found.answer.status)
        if trouble := await prober.trouble():
            return failed(f"after {name} of {len(request):,} bytes: {trouble}")
        told.append(f"{name}: {found.answer.status if found.answer is not None else found.problem}")
    return passed(", ".join(told))


async def pipelined(prober: Prober) -> Finding:
    """A question in another one's body, or right behind it: an answer that goes to the wrong one lets anybody in."""
    right = get(prober.target, prober.question())
    nobody = prober.question(user=NOBODY, password="pushlab+probe")  # noqa: S106 - nobody's
    hidden = get(prober.target, nobody, fields=(f"Content-Length: {len(right)}",)) + right
    found = await prober.send(hidden, answer_s=SHORT_S, linger_s=BEHIND_S)
    if found.authorises:
        return failed("AUTHORIZED for a user that nobody has, with a right question as the body")
    if found.answer is not None and found.answer.raw.count(b"HTTP/1.") > 1:
        return failed("the body of a GET is taken for a further question")
    found = await prober.send(get(prober.target, nobody) + right, answer_s=SHORT_S)
    if found.authorises:
        return failed("AUTHORIZED is the first answer where the right question came second")
    trouble = await prober.trouble()
    return failed(trouble) if trouble else passed(f"the first one's answer: {found.told}")


async def h2c_upgrade(prober: Prober) -> Finding:
    """A1, M37."""
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__/!bad")
    return await _survived(prober, get(prober.target, prober.question(), fields=fields))


async def h2_preface(prober: Prober) -> Finding:
    """A2: a path that is no ASCII."""
    return await _survived(prober, _h2(b"/\xff\xfe", prober.target.authority.encode("ascii")))


async def h2_query(prober: Prober) -> Finding:
    """A3: a query that is no UTF-8."""
    path = prober.target.path.encode("ascii") + b"?UserID=%FF\xff"
    return await _survived(prober, _h2(path, prober.target.authority.encode("ascii")))


async def websocket(prober: Prober) -> Finding:
    """A4."""
    fields = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return await _survived(prober, get(prober.target, prober.question(), fields=fields) + b"\x81")


async def _survived(prober: Prober, data: bytes) -> Finding:
    """Any answer will do but another protocol; what counts is that the server goes on."""
    found = await prober.send(data, answer_s=SHORT_S)
    if found.answer is not None and found.answer.status == 101:
        return failed("it changes to another protocol", 101)
    trouble = await prober.trouble()
    return failed(f"{trouble}; the request itself got: {found.told}") if trouble else passed(found.told)


def _h2(path: bytes, authority: bytes) -> bytes:
    """An HTTP/2 preface, SETTINGS, and HEADERS with literal fields that no table is needed for (RFC 9113, RFC 7541)."""
    block = b"\x82\x86" + b"\x04" + _literal(path) + b"\x01" + _literal(authority)
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    headers = len(block).to_bytes(3, "big") + b"\x01\x05\x00\x00\x00\x01" + block
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + headers


def _literal(value: bytes) -> bytes:
    assert len(value) < 255
    # RFC 7541, 5.1: from 127 on a second byte is needed, up to 254 one is enough.
    return (bytes([len(value)]) if len(value) < 127 else bytes([127, len(value) - 127])) + value


CHECKS: Final = (
    ProbeCheck(
        name="overlong-request",
        group=GROUP,
        sends="a question and a header line of 70,000 bytes and 5,000 parameters, for a user that nobody has",
        must="any answer but 500 or 502 to 504; a right question answered within a second afterwards",
        source="faults.md, known before the start, 2; CWE-770",
        finds="a server that breaks where its limit should be",
        run=overlong,
    ),
    ProbeCheck(
        name="pipelined-questions",
        group=GROUP,
        sends="a wrong question with the right one as its body, then right behind it, on one connection",
        must="no AUTHORIZED as the first answer, one answer for a question with a body",
        source="RFC 9112, 6 and 9.3.2; CWE-444",
        finds="request smuggling, answers to the wrong question",
        run=pipelined,
    ),
    ProbeCheck(
        name="length-and-chunks",
        group=GROUP,
        sends="right credentials in a body with both Content-Length and Transfer-Encoding",
        must="an error or a closed connection",
        source="faults A6; RFC 9112, 6.1",
        finds="request smuggling",
        run=length_and_chunks,
    ),
    ProbeCheck(
        name="two-lengths",
        group=GROUP,
        sends="right credentials in a body with two different Content-Lengths",
        must="an error or a closed connection",
        source="faults A7; RFC 9112, 6.3",
        finds="request smuggling",
        run=two_lengths,
    ),
    ProbeCheck(
        name="unknown-transfer-coding",
        group=GROUP,
        sends="right credentials with `Transfer-Encoding: xchunked`",
        must="an error or a closed connection",
        source="faults A9; RFC 9112, 6.1",
        finds="request smuggling",
        run=unknown_coding,
    ),
    ProbeCheck(
        name="missing-host",
        group=GROUP,
        sends="right credentials by HTTP/1.1 without Host",
        must="an error or a closed connection",
        source="faults A13; RFC 9112, 3.2",
        finds="requests that a proxy and a server read differently",
        run=host_missing,
    ),
    ProbeCheck(
        name="http-1.0-without-host",
        group=GROUP,
        sends="right credentials by HTTP/1.0 without Host",
        must="AUTHORIZED",
        source="faults A13 (old phones); RFC 1945",
        finds="an endpoint that old phones cannot ask",
        run=old_without_host,
    ),
    ProbeCheck(
        name="http-0.9",
        group=GROUP,
        sends="right credentials in a request line without a version",
        must="no bare AUTHORIZED",
        source="faults A15; RFC 9112, 2.3",
        finds="a server that speaks what no phone reads",
        run=version_0_9,
    ),
    ProbeCheck(
        name="http-3.7",
        group=GROUP,
        sends="right credentials by HTTP/3.7",
        must="an error or a closed connection",
        source="faults A15; RFC 9110, 15.6.6",
        finds="a parser that takes anything",
        run=version_3_7,
    ),
    ProbeCheck(
        name="trace",
        group=GROUP,
        sends="right credentials by TRACE",
        must="an error or a closed connection",
        source="faults A21; RFC 9110, 9.3.8",
        finds="passwords sent back",
        run=trace,
    ),
    ProbeCheck(
        name="blank-before-colon",
        group=GROUP,
        sends="right credentials with `Content-Length : 0`",
        must="an error or a closed connection",
        source="faults A12; RFC 9112, 5.1",
        finds="request smuggling",
        run=blank_before_colon,
    ),
    ProbeCheck(
        name="h2c-upgrade",
        group=GROUP,
        sends="right credentials with an upgrade to h2c and bad HTTP2-Settings",
        must="no other protocol; answered within a second afterwards",
        source="faults A1 (hypercorn 0.18)",
        finds="M37: a server that dies of one request",
        run=h2c_upgrade,
    ),
    ProbeCheck(
        name="h2-preface",
        group=GROUP,
        sends="an HTTP/2 preface and a request whose path is no ASCII",
        must="no other protocol; answered within a second afterwards",
        source="faults A2 (hypercorn 0.18)",
        finds="a server that dies of one request",
        run=h2_preface,
    ),
    ProbeCheck(
        name="h2-query",
        group=GROUP,
        sends="an HTTP/2 preface and a request whose query is no UTF-8",
        must="no other protocol; answered within a second afterwards",
        source="faults A3 (hypercorn 0.18)",
        finds="a server that dies of one request, or in its log",
        run=h2_query,
    ),
    ProbeCheck(
        name="websocket-upgrade",
        group=GROUP,
        sends="right credentials with a WebSocket upgrade and one byte behind it",
        must="no other protocol; answered within a second afterwards",
        source="faults A4 (hypercorn 0.18)",
        finds="a server that dies of one request",
        run=websocket,
    ),
)
