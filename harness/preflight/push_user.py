"""Dry authentication: the question that a phone would ask, in its name, with the right password, without any push.

No wrong password is ever sent on purpose. A password that the server does not take for the right one is a failed logon
there
all the same, and CallManager locks an account after 3: so never more than two refusals follow each other without a
question between them that was answered with yes before.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harness.preflight.addresses import told
from harness.preflight.asking import ask
from harness.preflight.checks import fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.pace import Pace
from harness.preflight.servers import look_up
from harness.probe.answer import Answer
from harness.probe.question import Credentials, get, parameters
from harness.probe.target import Target

REFUSALS: Final = 2
"""In a row: CallManager locks an account after 3 failed logons by default."""
_ANSWER_S: Final = 10.0

Word = Literal["yes", "no", "neither", "nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a server said about one phone."""

    word: Word
    why: str


def meaning(answer: Answer) -> Said:
    """What an answer means to a phone."""
    if answer.exact:
        return Said(word="yes", why="AUTHORIZED")
    refused = answer.body.strip().upper() in (b"UN-AUTHORIZED", b"UNAUTHORIZED")
    if answer.is_redirect or refused:
        return Said(word="no", why=answer.told)
    return Said(word="neither", why=answer.told)


async def check_push_user(
    url: str, user: str, password: str, devices: Sequence[str], pace: Pace, *, ca_file: Path | None = None
) -> tuple[list[Result], frozenset[str]]:
    """Ask one URL about each named device; the second is for whom it said yes.

    A server of https is told the password only where its certificate is trusted: by `ca_file`, or by the system's
    authorities.
    """
    target = Target.parse(url)
    tls = ssl.create_default_context(cafile=ca_file) if target.secured else None
    said = await _ask_all(target, tls, user, password, devices, pace)
    return judge(url, user, devices, said), frozenset(name for name, one in said.items() if one.word == "yes")


async def _ask_all(
    target: Target,
    tls: ssl.SSLContext | None,
    user: str,
    password: str,
    devices: Sequence[str],
    pace: Pace,
) -> dict[str, Said]:
    place = await look_up(target.host, target.port)
    said: dict[str, Said] = {}
    if not place.address:
        return said

    async def ask_about(device: str) -> Said:
        credentials = Credentials(user=user, password=password, device=device)
        question = parameters(credentials.user, credentials.password, credentials.device)
        async with pace.turn():
            asked = await ask(
                place.address, target.port, get(target, question, fields=("Connection: close",)), tls=tls,
                server_name=target.host, answer_s=_ANSWER_S,
            )  # fmt: skip
        return Said(word="nobody", why=asked.why) if asked.answer is None else meaning(asked.answer)

    in_a_row, known = 0, ""
    for device in devices:
        if in_a_row >= REFUSALS:
            if not known or (await ask_about(known)).word != "yes":
                break
            in_a_row = 0
        said[device] = await ask_about(device)
        if said[device].word == "nobody":
            break
        if said[device].word == "yes":
            in_a_row, known = 0, known or device
        else:
            in_a_row += 1
    return said


def judge(url: str, user: str, devices: Sequence[str], said: dict[str, Said]) -> list[Result]:
    """Results of the user there, and of each device."""
    shown = told(url)
    words = {one.word for one in said.values()}
    first = next((one for one in said.values() if one.word != "yes"), None)
    if "yes" in words:
        results = [ok("push-user", shown, observed="AUTHORIZED", why=f"{user} is authorised")]
    elif "no" in words:
        why = f"{user} is refused for {', '.join(list(said)[:3])}: {first.why if first else ''}"
        observed = first.why if first else ""
        results = [fault("push-user", "refused", shown, observed=observed, why=why, user=user, url=shown)]
    elif "neither" in words:
        results = [fault("push-user", "error", shown, observed=first.why if first else "", url=shown)]
    else:
        results = [not_checked("push-user", shown, "the server does not answer")]
    for device in devices:
        one = said.get(device)
        if one is not None and one.word == "yes":
            results.append(ok("association", device, observed="AUTHORIZED", why=f"at {shown}"))
        elif one is not None and one.word == "no" and "yes" in words:
            results.append(fault("association", "not-associated", device, observed=one.why, user=user))
        elif "no" in words and "yes" not in words:
            results.append(not_checked("association", device, f"{user} is refused there for all that were asked"))
        else:
            results.append(not_checked("association", device, "the server does not answer" if one is None else one.why))
    return results
