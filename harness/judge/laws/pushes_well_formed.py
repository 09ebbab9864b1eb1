"""A push is a request that a phone can read, and asks for the page and nothing else."""

from typing import Final

from harness.judge.diaries import RTP_GROUP_START, RTP_START, PushDiary
from harness.judge.evidence import RTP_PORT, Evidence, is_group
from harness.judge.laws.law import Case, Finding, Law

OVERREACH: Final = ("Dial", "EditDial", "SendDigits", "Key", "SoftKey", "App", "Init", "Device", "RTPTx", "RTPMTx")
"""Items that place a call, press a key, open something or make a phone's microphone heard. No page needs one."""
_STOP: Final = "Stop"


def find(case: Case) -> Finding:
    """A page's push that its phone could not read, or that asks for another port, another source, or something else."""
    finding = Finding()
    for phone, story in case.fleet():
        for name, push in story.pushes.items():
            if name not in story.page_pushes or push.received is None:
                continue
            finding.looked_at += 1
            why = _wrong(case.evidence, push)
            if why:
                finding.add(why, phone.name)
    return finding


def _wrong(evidence: Evidence, push: PushDiary) -> str:
    assert push.received is not None
    if not push.received.flag("well_formed"):
        return "was sent a push that it cannot read"
    for item in push.received.texts("items"):
        kind, _, rest = item.partition(":")
        if kind in (RTP_START, RTP_GROUP_START) and rest != _STOP:
            # What was asked and not what was done: a phone refuses an odd port, and the wrong port is the gateway's.
            source, _, port = rest.partition(":")
            port = port.partition(":")[0]
            if port != str(RTP_PORT):
                return f"was told to listen on port {port}, not {RTP_PORT}"
            if kind == RTP_START and evidence.gateway_address and source != evidence.gateway_address:
                return f"was told to listen to {source}, the gateway is {evidence.gateway_address}"
            if kind == RTP_GROUP_START and not is_group(source):
                return f"was told to join {source}, which is no group"
        elif kind in OVERREACH and rest != _STOP:
            return f"was told to do {kind}, which no page needs"
    return ""


LAW = Law(
    name="pushes-well-formed",
    sentence=f"Every push could be read by its phone, and asked for the gateway's audio at port {RTP_PORT} or its end.",
    witnesses=("phones",),
    essential=("phones",),
    find=find,
)
