"""Gateways, CallManagers and phones that are not the run's own: absent witnesses, blind and not failed."""

from collections.abc import Callable

import pytest
from judge_synthetic import CONTROL, GATEWAY, Run, address_of, name_of

from harness.judge import Judgement, Verdict

Judged = Callable[[Run], Judgement]

HEAD = 'ground = "lab"'
LAB = """
[lab]
interface = "eth0"
harness = "10.20.128.40"
"""
EMULATED = 'phones_network = "10.20.0.0/17"\n'
EXTERNAL = f'[gateway]\nkind = "external"\nurl = "http://{GATEWAY}/cisco_auth/authenticate.html"\n'
OWN_MANAGER = 'callmanager = "10.20.128.20"\n'
MANAGER = '[callmanager]\nkind = "external"\nurl = "http://10.20.128.20/CCMCIP/authenticate.asp"\n'
THRESHOLDS = """
[thresholds]
"phones.delivered_fraction" = "== 1"
"callmanager.authentications" = "== 0"
"""


def external(*, manager: bool = False, url: str = "gateway") -> Run:
    """A right run of a gateway that is not ours; with `manager` of a CallManager that is not, too."""
    parts = EMULATED + (MANAGER if manager else OWN_MANAGER)
    run = Run(head=HEAD, url=url, scenario=LAB + parts + EXTERNAL + THRESHOLDS)
    silent = {"gateway", "callmanager"} if manager else {"gateway"}
    run.drop(lambda r: r["witness"] in silent or r["kind"] == "page.requested")
    return run


def verdict_of(judgement: Judgement, name: str) -> Verdict:
    return next(check.verdict for check in judgement.checks if check.name == name)


def test_an_external_gateway_is_judged_without_its_word(judged: Judged) -> None:
    judgement = judged(external())
    assert judgement.outcomes == {"delivered": 3}
    unasked = {c.name for c in judgement.checks if c.verdict is Verdict.NONE}
    assert unasked == {"gateway-agrees-with-phones", "gateway-count-agrees"}
    assert judgement.verdict is Verdict.PASS
    assert [blind.witness for blind in judgement.blind] == ["gateway"]


@pytest.mark.parametrize("url", ["gateway", "callmanager"])
def test_phones_and_wire_tell_of_a_callmanager_that_does_not(judged: Judged, url: str) -> None:
    judgement = judged(external(manager=True, url=url))
    assert verdict_of(judgement, "callmanager-count-agrees") is Verdict.PASS
    assert verdict_of(judgement, "positive-control") is Verdict.PASS
    zero = verdict_of(judgement, "callmanager.authentications == 0")
    assert zero is (Verdict.PASS if url == "gateway" else Verdict.FAIL)


def test_a_question_that_the_wire_saw_and_no_phone_is_found(judged: Judged) -> None:
    run = external(manager=True, url="callmanager")
    run.drop(lambda r: r["kind"].startswith("authentication.") and r["phone"] == name_of(1))
    assert verdict_of(judged(run), "callmanager-count-agrees") is Verdict.FAIL


def test_a_phone_that_it_leaves_out_is_a_failure_and_not_blindness(judged: Judged) -> None:
    run = external()
    run.drop(lambda r: r["witness"] == "phones" and r.get("phone") == name_of(2))
    run.packets = [packet for packet in run.packets if address_of(2) not in (packet.source, packet.destination)]
    judgement = judged(run)
    assert judgement.outcomes == {"delivered": 2, "unreachable": 1}
    assert verdict_of(judgement, "phones.delivered_fraction == 1") is Verdict.FAIL


def test_no_push_at_all_is_inconclusive_with_its_reason(judged: Judged) -> None:
    run = external()
    run.drop(lambda r: r["witness"] == "phones" and r.get("phone") not in (CONTROL, None))
    run.packets = [p for p in run.packets if not p.source.startswith("10.20.0.") and p.payload != b""]
    run.packets = [p for p in run.packets if p.source != GATEWAY]
    run.add(1, "harness", "gateway.awaited", ended="unseen", pushed_to=0, waited_s=120.0, wait_s=120.0)
    judgement = judged(run)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    (seen,) = (check for check in judgement.checks if check.name == "events-seen")
    assert f"no push came from {GATEWAY} within 120 s" in seen.why


def real() -> Run:
    """A right run with three real phones: gateway and wire."""
    parts = f'gateway = "{GATEWAY}"\n'
    own = '[gateway]\npassword_file = "password"\n[thresholds]\n"push.executed_fraction" = "== 1"\n'
    more = '"callmanager.authentications" = "== 0"\n'
    run = Run(
        head=HEAD, fleet='kind = "real"\ncsv = "site.csv"', scenario=LAB + parts + MANAGER + own + more
    )
    run.drop(lambda r: r["witness"] in ("phones", "callmanager") or r["kind"] == "control.pushed")
    run.drop(lambda r: r.get("clause") == "authentication-callmanager")
    run.facts["clauses"] = [c for c in run.facts["clauses"] if c["name"] != "authentication-callmanager"]
    run.packets = [p for p in run.packets if p.destination != "10.20.128.20"]
    run.one("harness", "lab.described").update(control_phone=None, unseen=["authentication-callmanager"])
    del run.roster[-1]
    return run


def test_of_real_phones_nobody_claims_that_they_were_heard(judged: Judged) -> None:
    judgement = judged(real())
    assert judgement.outcomes == {"indeterminate": 3}
    assert verdict_of(judgement, "push.executed_fraction == 1") is Verdict.PASS
    assert {c.name for c in judgement.checks if c.verdict > Verdict.PASS} == {"callmanager.authentications == 0"}
    assert not any(name.startswith(("phones.delivered", "phones.no_audio")) for name in judgement.metrics)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.ledger[0]["why"] == (
        "executed; 50 packets went out to it; only the phone knows whether it was heard"
    )
    (audio,) = (check for check in judgement.checks if check.name == "audio-is-the-source")
    assert audio.verdict is Verdict.PASS
    assert "Looked at 3." in audio.why


def test_a_real_phone_that_nothing_went_out_to_had_no_audio(judged: Judged) -> None:
    run = real()
    run.packets = [packet for packet in run.packets if packet.destination != address_of(1)]
    half = run.audio(2)[::2]
    run.packets = [packet for packet in run.packets if packet not in half]
    judgement = judged(run)
    assert judgement.outcomes == {"indeterminate": 1, "no_audio": 1, "partial_audio": 1}
    assert verdict_of(judgement, "audio-is-the-source") is Verdict.FAIL


def test_a_real_phone_that_refuses_is_told_as_the_gateway_was(judged: Judged) -> None:
    run = real()
    run.one("gateway", "push.ended", phone=name_of(0), action="start")["outcome"] = "refused_authentication"
    judgement = judged(run)
    assert judgement.outcomes == {"indeterminate": 2, "refused_authentication": 1}
    assert verdict_of(judgement, "push.executed_fraction == 1") is Verdict.FAIL
