"""Wrong passwords: refused, all of them, and nobody locked out."""

from collections.abc import Mapping
from typing import Final

import trio

from harness.probe.exchange import Exchange
from harness.probe.finding import Finding, ProbeCheck, failed, not_applicable, passed, undecided
from harness.probe.prober import NotAskedError, Prober
from harness.probe.question import NOBODY, get, other_password, pair, post

GROUP: Final = "wrong credentials"
FIRST: Final = 8
"""Characters that the DES crypt(3) and its relatives look at."""
FEW: Final = 20
"""Failures in a row below which a slow-down need not have begun (faults B8: after 10)."""
PER_S: Final = 12.0
"""Failures a second that count as slowed: 10 (faults B8) and a margin."""
SLOWER_MS: Final = 40.0
"""A failure that takes this much longer than a right answer was slowed on purpose."""
INJECTIONS: Final = {
    "* (LDAP, shells)": "*",
    "% (SQL)": "%",
    "a filter that is closed and always true (LDAP)": "*)(objectClass=*",
    "a condition that is always true (SQL)": "' OR '1'='1",
    "a condition that is always true and a comment (SQL)": "' OR 1=1 -- ",
    "a pattern of any characters": ".*",
}
AT_ONCE: Final = 8
"""Failures in flight beside a right question."""


async def _all_refused(prober: Prober, passwords: Mapping[str, str | bytes]) -> Finding:
    for name, password in passwords.items():
        if password in (prober.right.password, prober.right.password.encode()):
            continue
        found = await prober.ask_wrong(get(prober.target, prober.question(password=password)))
        if (wrong := _not_refused(found, name)) is not None:
            return wrong
    return passed(f"{len(passwords)} refused: {', '.join(passwords)}", len(passwords))


def _not_refused(found: Exchange, name: str) -> Finding | None:
    if found.authorises:
        return failed(f"AUTHORIZED for {name}")
    if found.says_yes:
        return failed(f"{name} got {found.told}: a body that begins so is no refusal, whatever the status")
    if found.answer is None:
        return undecided(f"{name}: {found.problem}")
    if found.answer.status >= 500:
        return undecided(f"{name}: {found.told} is no refusal")
    return None


async def wrong_password(prober: Prober) -> Finding:
    """B2, M01."""
    password = other_password(prober.right.password)
    question = prober.question(password=password)
    for name, request in {"GET": get(prober.target, question), "POST": post(prober.target, question)}.items():
        found = await prober.ask_wrong(request)
        if (wrong := _not_refused(found, f"a wrong password by {name}")) is not None:
            return wrong
    return passed(f"refused by GET and POST: {found.told}")


async def other_user(prober: Prober) -> Finding:
    """The right password under other names, none of which anybody has."""
    right = prober.right.user.encode()
    other = NOBODY.encode()
    for name, user in {
        "another name": other,
        "the user's name and more behind it": right + b"-" + other,
        "the user's name and more before it": other + b"-" + right,
        "the user's name, a null byte and more": right + b"\0" + other,
    }.items():
        found = await prober.send(get(prober.target, prober.question(user=user)))
        if (wrong := _not_refused(found, f"the right password under {name}")) is not None:
            return wrong
    return passed(f"refused: {found.told}")


async def wrong_rest(prober: Prober) -> Finding:
    """M03."""
    right = prober.right.password
    if len(right) < 2:
        return not_applicable("the password has one character")
    cases = {"all but the last character": right[:-1], "another last character": right[:-1] + other_password(right[-1])}
    half = len(right) // 2
    cases["a right half and a wrong one"] = right[:half] + other_password(right[half:])
    cases["a wrong half and a right one"] = other_password(right[:half]) + right[half:]
    cases["another first character"] = other_password(right[0]) + right[1:]
    cases["its characters in another order"] = right[::-1]
    if len(right) > FIRST:
        cases[f"the first {FIRST} characters"] = right[:FIRST]
        cases[f"the first {FIRST} characters and a wrong rest"] = right[:FIRST] + other_password(right[FIRST:])
    return await _all_refused(prober, cases)


async def password_case(prober: Prober) -> Finding:
    """Passwords have a case."""
    right = prober.right.password
    if right.swapcase() == right:
        return not_applicable("the password has no letters")
    found = await prober.ask_wrong(get(prober.target, prober.question(password=right.swapcase())))
    return _not_refused(found, "the password in the other case") or passed(f"refused: {found.told}")


async def blanks_and_more(prober: Prober) -> Finding:
    """What a trim or a cut would let through."""
    right = prober.right.password
    return await _all_refused(
        prober,
        {
            "a blank before": f" {right}",
            "a blank behind": f"{right} ",
            "a tabulator behind": f"{right}\t",
            "a line's end behind": f"{right}\r\n",
            "a character behind": f"{right}x",
            "two hundred behind": right + "x" * 200,
            "it twice": right * 2,
        },
    )


async def null_byte(prober: Prober) -> Finding:
    """Strings of C end there."""
    right = prober.right.password.encode()
    return await _all_refused(prober, {"a null byte behind": right + b"\0", "a null byte and more": right + b"\0x"})


async def decoded_twice(prober: Prober) -> Finding:
    """`%2541` is `%41`, not `A`."""
    once = "".join(f"%{byte:02X}" for byte in prober.right.password.encode())
    found = await prober.ask_wrong(get(prober.target, prober.question(password=once)))
    return _not_refused(found, "a password that is right when decoded twice") or passed(f"refused: {found.told}")


async def injected(prober: Prober) -> Finding:
    """What a query of a directory or of a database, or a loose comparison, takes for anything."""
    for name, password in INJECTIONS.items():
        found = await prober.ask_wrong(get(prober.target, prober.question(password=password)))
        if (wrong := _not_refused(found, name)) is not None:
            return wrong
    for name, written in {
        "Password as a list": b"Password%5B%5D=",
        "Password as a table": b"Password%5Bx%5D=x",
    }.items():
        query = b"&".join((pair("UserID", prober.right.user), written, pair("devicename", prober.right.device)))
        found = await prober.ask_wrong(get(prober.target, query))
        if (wrong := _not_refused(found, name)) is not None:
            return wrong
    return passed(f"{len(INJECTIONS) + 2} refused", len(INJECTIONS) + 2)


async def plus_is_a_blank(prober: Prober) -> Finding:
    """A `+` that is not escaped means a blank."""
    if "+" not in prober.right.password:
        return not_applicable("the password has no +")
    raw = pair("Password", prober.right.password).replace(b"%2B", b"+")
    query = b"&".join((pair("UserID", prober.right.user), raw, pair("devicename", prober.right.device)))
    found = await prober.ask_wrong(get(prober.target, query))
    return _not_refused(found, "a + that means a blank") or passed(f"refused: {found.told}")


async def own_user_mismatch(prober: Prober) -> Finding:
    """M11: relaying the own user's wrong passwords lets anybody lock that user in CallManager."""
    wanted = prober.plan.own_user_mismatch
    if not wanted:
        return not_applicable("nobody said what is to happen: --own-user-mismatch redirect or refuse")
    found = await prober.ask_wrong(get(prober.target, prober.question(password=other_password(prober.right.password))))
    if found.answer is None:
        return undecided(f"no answer: {found.problem}")
    if found.authorises or found.answer.is_redirect != (wanted == "redirect"):
        return failed(f"expected to {wanted}, got: {found.told}")
    return passed(f"as wanted: {found.told}")


async def right_not_slowed(prober: Prober) -> Finding:
    """B9: the telephone next to the attacker's port."""
    at_once = min(AT_ONCE, prober.plan.care.lockout_failures)
    if not at_once:
        return not_applicable("no failures in a row were wanted (--lockout-failures 0)")
    wrong = get(prober.target, prober.question(password=other_password(prober.right.password)))
    await prober.guard()
    stopped: list[str] = []

    async def fail() -> None:
        try:
            await prober.ask_wrong(wrong, guarded=False)
        except NotAskedError as error:
            stopped.append(str(error))

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(fail)
        await trio.lowlevel.checkpoint()
        found, took_s, limit_s = await prober.timed_right()
    if stopped:
        raise NotAskedError(stopped[0])
    if not found.authorises:
        return failed(f"a right question beside {at_once} failures got: {found.told}")
    told = f"{took_s * 1000:.0f} ms beside {at_once} failures"
    observed = round(took_s * 1000, 1)
    return passed(f"AUTHORIZED in {told}", observed) if took_s <= limit_s else failed(f"it took {told}", observed)


async def lockout(prober: Prober) -> Finding:
    """M12: a lock would silence the next emergency page."""
    wanted = prober.plan.care.lockout_failures
    if prober.locked:
        return failed(prober.locked, prober.wrong_sent)
    if not wanted:
        return not_applicable("no failures in a row were wanted (--lockout-failures 0)")
    wrong = get(prober.target, prober.question(password=other_password(prober.right.password)))
    for _ in range(wanted):
        found = await prober.ask_wrong(wrong, guarded=False)
        if found.authorises:
            return undecided("a wrong password was AUTHORIZED: nothing failed")
        prober.failure_times.append(found.answer_ms)
    found, took_s, limit_s = await prober.timed_right()
    if not found.authorises:
        prober.locked = f"after {wanted} failures in a row right credentials got: {found.told}"
        return failed(prober.locked, wanted)
    told = f"after {wanted} failures in a row the right answer came in {took_s * 1000:.0f} ms"
    return passed(told, wanted) if took_s <= limit_s else failed(told, wanted)


async def failures_slowed(prober: Prober) -> Finding:
    """B8: guessing has to be slow."""
    times = prober.failure_times
    if prober.locked:
        return passed("guessing is ended by a lock, see lockout")
    if len(times) < FEW:
        return undecided(f"{len(times)} failures in a row are too few to tell; --lockout-failures {FEW + 4} tells")
    last = sorted(times[10:])
    median_ms = last[len(last) // 2]
    rate = 1000 / max(median_ms, 0.001)
    if rate <= PER_S or median_ms >= prober.usual_ms + SLOWER_MS:
        return passed(f"from the eleventh on, {rate:.0f} failures a second", round(rate, 1))
    return failed(f"{rate:,.0f} guesses a second on one connection after another: nothing slows them", round(rate, 1))


CHECKS: Final = (
    ProbeCheck(
        name="other-user",
        group=GROUP,
        sends="the right password under names that nobody has, three of them made of the user's",
        must="anything but AUTHORIZED",
        source="faults B2",
        finds="an endpoint that compares passwords only, or a part of the name",
        run=other_user,
    ),
    ProbeCheck(
        name="wrong-password",
        group=GROUP,
        sends="a password without a right character, by GET and POST",
        must="anything but AUTHORIZED",
        source="faults B2, B4",
        finds="M01: AUTHORIZED for any password",
        wrong_passwords=True,
        run=wrong_password,
    ),
    ProbeCheck(
        name="right-prefix",
        group=GROUP,
        sends="the right beginning and a wrong rest or none, the right end, another order; the first 8 characters, "
        "with and without a rest",
        must="anything but AUTHORIZED",
        source="faults M03",
        finds="M03: only a part of the password is compared",
        wrong_passwords=True,
        run=wrong_rest,
    ),
    ProbeCheck(
        name="password-case",
        group=GROUP,
        sends="the password in the other case",
        must="anything but AUTHORIZED",
        source="CTX111243 (match with the stored credentials)",
        finds="a comparison without case",
        wrong_passwords=True,
        run=password_case,
    ),
    ProbeCheck(
        name="blanks-and-trailing",
        group=GROUP,
        sends="the password with blanks, a tabulator, a line's end, a character, two hundred around it; doubled",
        must="anything but AUTHORIZED",
        source="CTX111243 (match with the stored credentials)",
        finds="trimming and truncation",
        wrong_passwords=True,
        run=blanks_and_more,
    ),
    ProbeCheck(
        name="null-byte",
        group=GROUP,
        sends="the password and `%00`, with and without more behind it",
        must="anything but AUTHORIZED",
        source="CWE-158",
        finds="a comparison that ends at a null byte",
        wrong_passwords=True,
        run=null_byte,
    ),
    ProbeCheck(
        name="decoded-twice",
        group=GROUP,
        sends="the password escaped twice",
        must="anything but AUTHORIZED",
        source="CWE-174",
        finds="double decoding",
        wrong_passwords=True,
        run=decoded_twice,
    ),
    ProbeCheck(
        name="injected-query",
        group=GROUP,
        sends="`*`, `%`, `.*`, quotes and conditions of LDAP and SQL as the password; `Password[]=`",
        must="anything but AUTHORIZED, no 5xx",
        source="CWE-90, CWE-89, CWE-943",
        finds="a password that becomes part of a directory's or a database's query",
        wrong_passwords=True,
        run=injected,
    ),
    ProbeCheck(
        name="plus-is-a-blank",
        group=GROUP,
        sends="a `+` of the password without escaping it; not applicable without one",
        must="anything but AUTHORIZED",
        source="WHATWG URL, urlencoded",
        finds="an endpoint that does not decode forms",
        wrong_passwords=True,
        run=plus_is_a_blank,
    ),
    ProbeCheck(
        name="own-user-mismatch",
        group=GROUP,
        sends="a wrong password of the real user; not applicable where nobody says what is wanted",
        must="a redirect, or none with `refuse`",
        source="faults B3; `[gateway] own_user_mismatch`",
        finds="M11: wrong passwords relayed although `refuse` is set",
        wrong_passwords=True,
        run=own_user_mismatch,
    ),
)

LAST_CHECKS: Final = (
    ProbeCheck(
        name="lockout",
        group=GROUP,
        sends="24 failures in a row (6 to an endpoint that is not ours), then the right question",
        must="AUTHORIZED within a second",
        source="faults B9, M12; faults.md, known before the start, 4",
        finds="M12: an account that anybody can lock, and with it the next emergency page",
        wrong_passwords=True,
        run=lockout,
    ),
    ProbeCheck(
        name="failures-slowed",
        group=GROUP,
        sends="nothing more: the times of those failures",
        must="at most 10 a second from the eleventh on, or a lock",
        source="faults B8",
        finds="passwords that can be guessed at full speed",
        wrong_passwords=True,
        run=failures_slowed,
    ),
    ProbeCheck(
        name="right-not-slowed",
        group=GROUP,
        sends="a right question beside 8 wrong ones (6 where the endpoint is not ours)",
        must="AUTHORIZED within a second",
        source="faults B9",
        finds="right answers that wait behind failures",
        wrong_passwords=True,
        run=right_not_slowed,
    ),
)
