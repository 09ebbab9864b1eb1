"""Gateways with one defect each, brought up where the harness expects a foreign gateway.

    python gateway_variant.py NAME          page once (or send the alert) with the variant, then end
    python gateway_variant.py NAME serve    the variant itself, as `pushlab gateway serve`

A scenario runs one with `[gateway] kind = "command"`. All it needs is in PUSHLAB_* variables (docs/reference/exec.md).
`clean` has no defect: it shows that a verdict of another variant comes from the defect and not from the way it is run.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import trio

from gateway.command import main as gateway_main
from gateway.product import Gateway
from tests.mutants import wrong_answers, wrong_audio, wrong_comparisons, wrong_keeping, wrong_pushes

PATIENCE_S = 30.0
"""A page that has not ended by then is interrupted, as an operator would do."""
PROBE_S = 240.0

VARIANTS: dict[str, type[Gateway]] = {
    "clean": Gateway,
    "any-password": wrong_comparisons.AnyPassword,
    "first-eight-characters": wrong_comparisons.FirstEightCharacters,
    "compares-by-character": wrong_comparisons.ComparesByCharacter,
    "ends-the-line": wrong_answers.EndsTheLine,
    "writes-it-small": wrong_answers.WritesItSmall,
    "browser-headers": wrong_answers.BrowserHeaders,
    "redirects-to-host": wrong_answers.RedirectsToHost,
    "asks-callmanager-first": wrong_pushes.AsksCallManagerFirst,
    "relays-own-user": wrong_answers.RelaysOwnUser,
    "locks-out": wrong_answers.LocksOut,
    "logs-questions": wrong_answers.LogsQuestions,
    "logs-authorization": wrong_pushes.LogsAuthorization,
    "skips-last-phone": wrong_pushes.SkipsLastPhone,
    "pushes-twice": wrong_pushes.PushesTwice,
    "one-after-the-other": wrong_pushes.OneAfterTheOther,
    "all-at-once": wrong_pushes.AllAtOnce,
    "hung-phones-hold-slots": wrong_pushes.HungPhonesHoldSlots,
    "success-for-refused": wrong_pushes.SuccessForRefused,
    "retries-for-ever": wrong_pushes.RetriesForEver,
    "length-off-by-one": wrong_pushes.LengthOffByOne,
    "does-not-escape": wrong_pushes.DoesNotEscape,
    "wrong-port": wrong_audio.WrongPort,
    "odd-port": wrong_audio.OddPort,
    "sends-a-law": wrong_audio.SendsALaw,
    "drifts": wrong_audio.Drifts,
    "bursts": wrong_audio.Bursts,
    "forgets-to-stop": wrong_pushes.ForgetsToStop,
    "forgets-the-journal": wrong_keeping.ForgetsTheJournal,
    "clock-is-set": wrong_keeping.ClockIsSet,
    "wall-clock-deadlines": wrong_keeping.WallClockDeadlines,
    "dies-of-upgrade": wrong_answers.DiesOfUpgrade,
    "takes-foreign-forms": wrong_keeping.TakesForeignForms,
    "quadratic-beyond-500": wrong_pushes.QuadraticBeyond500,
    # Of no list
    "swaps-two-phones": wrong_audio.SwapsTwoPhones,
    "audio-before-they-listen": wrong_audio.AudioBeforeTheyListen,
    "changes-ssrc": wrong_audio.ChangesSsrc,
    "stops-one-early": wrong_pushes.StopsOneEarly,
    "other-user": wrong_pushes.OtherUser,
    "pages-the-control": wrong_pushes.PagesTheControl,
    "sends-on": wrong_audio.SendsOn,
    "two-pages-at-once": wrong_pushes.TwoPagesAtOnce,
    "sends-reports": wrong_audio.SendsReports,
    "sends-phones-to-itself": wrong_answers.SendsPhonesToItself,
    "authorized-by-401": wrong_answers.AuthorizedBy401,
    "says-it-is-over-too-soon": wrong_pushes.SaysItIsOverTooSoon,
    "sums-up-wrongly": wrong_pushes.SumsUpWrongly,
    "stops-only-who-answered": wrong_pushes.StopsOnlyWhoAnswered,
    "dials-as-well": wrong_pushes.DialsAsWell,
    "tells-a-password": wrong_pushes.TellsAPassword,
    "silent-second": wrong_audio.SilentSecond,
    "one-phone-more": wrong_audio.OnePhoneMore,
    "sends-twice": wrong_audio.SendsTwice,
    "leaves-one-out": wrong_audio.LeavesOneOut,
    "stops-the-clock": wrong_audio.StopsTheClock,
    "other-port": wrong_audio.OtherPort,
    "answers-slowly": wrong_answers.AnswersSlowly,
    "reports-before-it-knows": wrong_pushes.ReportsBeforeItKnows,
    "counts-twice": wrong_answers.CountsTwice,
    "skips-the-beginning": wrong_audio.SkipsTheBeginning,
    "wanders": wrong_audio.Wanders,
    "stays-near": wrong_audio.StaysNear,
    "extends": wrong_audio.Extends,
    "holds-one-for-away": wrong_pushes.HoldsOneForAway,
    "last-eight-characters": wrong_comparisons.LastEightCharacters,
    "any-order": wrong_comparisons.AnyOrder,
    "user-ends-at-null": wrong_comparisons.UserEndsAtNull,
    "wildcard-password": wrong_comparisons.WildcardPassword,
    "yes-in-refusal": wrong_answers.YesInRefusal,
    "tells-the-password": wrong_answers.TellsThePassword,
    "late-line-end": wrong_answers.LateLineEnd,
    "byte-order-mark": wrong_answers.ByteOrderMark,
    "headers-on-redirects": wrong_answers.HeadersOnRedirects,
    "hangs-after-a-hundred": wrong_answers.HangsAfterAHundred,
    "mixes-up-pages": wrong_audio.MixesUpPages,
    "drops-the-second-page": wrong_pushes.DropsTheSecondPage,
}


def main(name: str, mode: str = "page") -> int:
    config, events = os.environ["PUSHLAB_GATEWAY_CONFIG"], os.environ["PUSHLAB_EVENTS"]
    if mode == "serve":
        if name == "wall-clock-deadlines":
            _go_by_wall_clock()
        return gateway_main(["serve", "--config", config, "--events", events], VARIANTS[name])
    server = subprocess.Popen([sys.executable, __file__, name, "serve"], stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        if not server.stdout.readline():
            return server.wait()
        _wait_for_probe(server)
        began = time.monotonic()
        pages = []
        for at_s, wish in _wishes():
            time.sleep(max(0.0, began + at_s - time.monotonic()))
            pages.append(
                subprocess.Popen([sys.executable, "-m", "harness.cli", "gateway", *wish, "--config", config])
            )
        return max(_wait(page) for page in pages)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=90)


def _wait(page: subprocess.Popen[bytes]) -> int:
    try:
        return page.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        page.send_signal(signal.SIGINT)  # it has the gateway interrupt the page
        return page.wait(2 * PATIENCE_S)


def _wishes() -> list[tuple[float, list[str]]]:
    """What is sent when, in order."""
    if "PUSHLAB_PAGES" not in os.environ:
        return [(0.0, _wish())]
    pages = json.loads(Path(os.environ["PUSHLAB_PAGES"]).read_text(encoding="utf-8"))
    pages.sort(key=lambda page: page["at_s"])
    return [(page["at_s"], _of_page(page)) for page in pages]


def _of_page(page: dict[str, Any]) -> list[str]:
    rules = ["--priority", page["priority"], "--busy", page["busy"], "--delivery", page["delivery"]]
    return ["page", page["audio"], *rules, "--phones", *page["phones"]]


def _wish() -> list[str]:
    if "PUSHLAB_AUDIO" in os.environ:
        return ["page", os.environ["PUSHLAB_AUDIO"]]
    return ["alert", os.environ["PUSHLAB_ALERT"], "--title", os.environ["PUSHLAB_ALERT_TITLE"], "--wait-s", "5"]


def _wait_for_probe(server: subprocess.Popen[bytes]) -> None:
    """Where the scenario has a probe, the page comes when it is done, or when the gateway did not survive it."""
    done = os.environ.get("PUSHLAB_PROBE_DONE")
    until = time.monotonic() + PROBE_S
    while done and not Path(done).exists() and server.poll() is None and time.monotonic() < until:
        time.sleep(0.1)


def _go_by_wall_clock() -> None:
    genuine = trio.run
    trio.run = lambda function, *arguments: genuine(function, *arguments, clock=wrong_keeping.WallClock())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
