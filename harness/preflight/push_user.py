"""Dry authentication: the question that a phone would ask, in its name, with the right password, without any push.

No wrong password is ever sent on purpose. A password that a server does not take for the right one is a failed logon
there all the same, and CallManager locks an account after 3: so never more than two refusals follow each other without
a question between them that was answered with yes before. Several URLs may lead to one account (CallManager's plain and
its secured page): refusals at one count at all.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from harness.preflight.addresses import told
from harness.preflight.asking import ask
from harness.preflight.checks import fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.pace import Pace
from harness.preflight.servers import look_up
from harness.probe.answer import Answer
from harness.probe.question import get, parameters
from harness.probe.target import Target

REFUSALS: Final = 2
"""In a row: CallManager locks an account after 3 failed logons by default."""
_ANSWER_S: Final = 10.0
_ENOUGH: Final = f"not asked after {REFUSALS} refusals: one more could lock the account"

Word = Literal["yes", "no", "neither", "nobody", "unasked"]


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
    urls: Sequence[str], user: str, password: str, devices: Sequence[str], pace: Pace, *, ca_file: Path | None = None
) -> tuple[list[Result], dict[str, frozenset[str]]]:
    """Ask each URL about each named device; the second is by URL, for whom it said yes.

    A server of https is told the password only where its certificate is trusted: by `ca_file`, or by the system's
    authorities. Every URL is asked until it refuses before any is asked after that, so that one which knows nobody
    yet does not use up what may be asked of the others.
    """
    trials: list[_Trial] = []
    for url in urls:
        target = Target.parse(url)
        tls = ssl.create_default_context(cafile=ca_file) if target.secured else None
        place = await look_up(target.host, target.port)
        ask_about = _Questions(target=target, address=place.address, tls=tls, user=user, password=password, pace=pace)
        trials.append(_Trial(questions=ask_about, left=list(devices) if place.address else []))
    for first in (True, False):
        for trial in trials:
            await _go_on(trial, trials, until_refused=first)
    results = [result for url, one in zip(urls, trials, strict=True) for result in judge(url, user, devices, one.said)]
    yes = [frozenset(name for name, one in trial.said.items() if one.word == "yes") for trial in trials]
    return results, dict(zip(urls, yes, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Questions:
    """A phone's question, to one URL."""

    target: Target
    address: str
    tls: ssl.SSLContext | None
    user: str
    password: str = field(repr=False)
    pace: Pace

    async def about(self, device: str) -> Said:
        target = self.target
        async with self.pace.turn():
            asked = await ask(
                self.address, target.port,
                get(target, parameters(self.user, self.password, device), fields=("Connection: close",)),
                tls=self.tls, server_name=target.host, answer_s=_ANSWER_S,
            )  # fmt: skip
        return Said(word="nobody", why=asked.why) if asked.answer is None else meaning(asked.answer)


@dataclass(slots=True, kw_only=True)
class _Trial:
    """One URL, and how far it was asked."""

    questions: _Questions
    left: list[str]
    said: dict[str, Said] = field(default_factory=dict)
    known: str = ""
    """A device that it said yes for."""
    refusals: int = 0
    """Since its own last yes, at any URL: no account that it may share with others has had more since a yes there."""


async def _go_on(trial: _Trial, trials: Sequence[_Trial], *, until_refused: bool) -> None:
    while trial.left:
        if trial.refusals >= REFUSALS:
            if not trial.known:
                if not until_refused:
                    _stop(trial)
                return
            if (await trial.questions.about(trial.known)).word != "yes":
                _count(trials)
                _stop(trial)
                return
            trial.refusals = 0
        device = trial.left.pop(0)
        said = trial.said[device] = await trial.questions.about(device)
        if said.word == "nobody":
            trial.left.clear()
        elif said.word == "yes":
            trial.refusals, trial.known = 0, trial.known or device
        else:
            _count(trials)
            if until_refused:
                return


def _count(trials: Sequence[_Trial]) -> None:
    for trial in trials:
        trial.refusals += 1


def _stop(trial: _Trial) -> None:
    for device in trial.left:
        trial.said[device] = Said(word="unasked", why=_ENOUGH)
    trial.left.clear()


def judge(url: str, user: str, devices: Sequence[str], said: dict[str, Said]) -> list[Result]:
    """Results of the user there, and of each device."""
    shown = told(url)
    words = {one.word for one in said.values()}
    first = next((one for one in said.values() if one.word not in ("yes", "unasked")), None)
    if "yes" in words:
        results = [ok("push-user", shown, observed="AUTHORIZED", why=f"{user} is authorised")]
    elif "no" in words:
        asked = [name for name, one in said.items() if one.word != "unasked"]
        why = f"{user} is refused for {', '.join(asked[:3])}: {first.why if first else ''}"
        observed = first.why if first else ""
        results = [fault("push-user", "refused", shown, observed=observed, why=why, user=user, url=shown)]
    elif "neither" in words:
        results = [fault("push-user", "error", shown, observed=first.why if first else "", url=shown)]
    else:
        why = _ENOUGH if "unasked" in words else "the server does not answer"
        results = [not_checked("push-user", shown, why)]
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
