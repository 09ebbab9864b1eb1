"""Missing, empty, repeated and strangely written parameters."""

from typing import Final

from harness.probe.finding import Finding, ProbeCheck, failed, passed, undecided
from harness.probe.prober import Prober
from harness.probe.question import FORM_TYPE, NOBODY, get, other_password, pair, post

GROUP: Final = "parameters"


def _pairs(prober: Prober) -> dict[str, bytes]:
    right = prober.right
    return {
        "UserID": pair("UserID", right.user),
        "Password": pair("Password", right.password),
        "devicename": pair("devicename", right.device),
    }


async def missing_parameter(prober: Prober) -> Finding:
    """B4."""
    for name in ("UserID", "devicename", "Password"):
        query = b"&".join(text for known, text in _pairs(prober).items() if known != name)
        # Without the password the account's counter of failures may move.
        ask = prober.ask_wrong if name == "Password" else prober.send
        found = await ask(get(prober.target, query))
        if found.authorises:
            return failed(f"AUTHORIZED without {name}")
        if found.answer is None:
            return undecided(f"without {name}: {found.problem}")
    found = await prober.send(get(prober.target, b""))
    return failed("AUTHORIZED without any parameter") if found.authorises else passed("none may be missing", 4)


async def empty_parameter(prober: Prober) -> Finding:
    """B4."""
    for name in ("UserID", "devicename", "Password"):
        query = b"&".join(f"{known}=".encode() if known == name else text for known, text in _pairs(prober).items())
        ask = prober.ask_wrong if name == "Password" else prober.send
        found = await ask(get(prober.target, query))
        if found.authorises:
            return failed(f"AUTHORIZED with an empty {name}")
        if found.answer is None:
            return undecided(f"with an empty {name}: {found.problem}")
    return passed("none may be empty", 3)


async def repeated_parameter(prober: Prober) -> Finding:
    """Which of two values an application believes is how such checks are fooled."""
    pairs = _pairs(prober)
    for name in pairs:
        query = b"&".join((*pairs.values(), pairs[name]))
        # A server that joins the two sees a wrong password.
        found = await prober.ask_wrong(get(prober.target, query))
        if found.authorises:
            return failed(f"AUTHORIZED with {name} twice")
        if found.answer is None:
            return undecided(f"with {name} twice: {found.problem}")
    found = await prober.ask_wrong(post(prober.target, pairs["Password"], query=prober.question()))
    if found.authorises:
        return failed("AUTHORIZED with Password in the query and in the body")
    return passed("each may be there once, query and body together", 4)


def _get_with_body(prober: Prober, query: bytes, body: bytes) -> bytes:
    fields = (FORM_TYPE, f"Content-Length: {len(body)}")
    return get(prober.target, query, fields=fields) + body


async def conflicting_parameters(prober: Prober) -> Finding:
    """A wrong value beside the right one, in either order and place."""
    right, wrong = _pairs(prober)["Password"], pair("Password", other_password(prober.right.password))
    rest = b"&".join((_pairs(prober)["UserID"], _pairs(prober)["devicename"]))
    cases = {
        "wrong then right": get(prober.target, b"&".join((rest, wrong, right))),
        "right then wrong": get(prober.target, b"&".join((rest, right, wrong))),
        "wrong in the query, right in the body": post(prober.target, b"&".join((rest, right)), query=wrong),
        "right in the query, wrong in the body": post(prober.target, wrong, query=b"&".join((rest, right))),
        "wrong in the query, right in the body of a GET": _get_with_body(prober, wrong + b"&" + rest, right),
        "wrong in the query, all right in the body of a GET": _get_with_body(
            prober, wrong + b"&" + rest, b"&".join((rest, right))
        ),
    }
    for name, request in cases.items():
        found = await prober.ask_wrong(request)
        if found.authorises:
            return failed(f"AUTHORIZED with two passwords: {name}")
        if found.answer is None:
            return undecided(f"{name}: {found.problem}")
    return passed("two passwords are none", len(cases))


async def strange_encodings(prober: Prober) -> Finding:
    """In the name of nobody, so that no account is touched."""
    values = {
        "a broken escape": b"%zz%",
        "overlong UTF-8": b"%c0%af%c1%81",
        "bytes that are no UTF-8": b"%ff%fe",
        "an escape that only some servers know": b"%u0041",
        "Latin-1 as it is": b"\xe4\xf6",
        "a null byte": b"%00",
    }
    for name, value in values.items():
        query = b"&".join((pair("UserID", NOBODY), b"Password=" + value, pair("devicename", prober.right.device)))
        for request in (get(prober.target, query), post(prober.target, query)):
            found = await prober.send(request)
            if found.authorises:
                return failed(f"AUTHORIZED for {name}")
            if found.answer is not None and found.answer.status >= 500:
                return failed(f"{name} broke it: {found.told}", found.answer.status)
            if found.answer is None and not found.ended:
                return undecided(f"{name}: {found.problem}")
    trouble = await prober.trouble()
    return failed(trouble) if trouble else passed(f"{2 * len(values)} were refused, then it answered as before")


CHECKS: Final = (
    ProbeCheck(
        name="missing-parameter",
        group=GROUP,
        sends="each of the three left out, then all",
        must="anything but AUTHORIZED",
        source="faults B4",
        finds="a check that is skipped where nothing is to be checked",
        wrong_passwords=True,
        run=missing_parameter,
    ),
    ProbeCheck(
        name="empty-parameter",
        group=GROUP,
        sends="each of the three empty",
        must="anything but AUTHORIZED",
        source="faults B4",
        finds="the same",
        wrong_passwords=True,
        run=empty_parameter,
    ),
    ProbeCheck(
        name="repeated-parameter",
        group=GROUP,
        sends="each of the three twice with the right value, and the password in query and body",
        must="anything but AUTHORIZED",
        source="faults B4; OWASP ASVS 15.3.7",
        finds="parameter pollution",
        wrong_passwords=True,
        run=repeated_parameter,
    ),
    ProbeCheck(
        name="conflicting-parameters",
        group=GROUP,
        sends="a wrong and the right password, in both orders, in query and body, of a GET as well",
        must="anything but AUTHORIZED",
        source="faults B4; OWASP ASVS 15.3.7",
        finds="parameter pollution",
        wrong_passwords=True,
        run=conflicting_parameters,
    ),
)
HARMLESS: Final = (
    ProbeCheck(
        name="strange-encodings",
        group=GROUP,
        sends="broken and overlong escapes, `%u0041`, `%00`, raw Latin-1, for a user that nobody has, by GET and POST",
        must="no AUTHORIZED, no 5xx, answered as before afterwards",
        source="faults A12, B4",
        finds="decoders that break or guess",
        run=strange_encodings,
    ),
)
