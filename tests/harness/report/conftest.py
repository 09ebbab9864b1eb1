"""Run folders made up for the reports: a thousand phones with believable numbers, in four kinds.

`offload` passes, `direct` is the control whose phones come late, `failing` has blocked phones and a broken law,
`blind` lost packets in its capture.
"""

import csv
import gzip
import json
import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COLUMNS = (
    "phone",
    "directory_number",
    "model",
    "address",
    "state",
    "whose",
    "gateway_says",
    "phone_truth",
    "authorised_by",
    "sent_ms",
    "authentication_asked_ms",
    "authentication_answered_ms",
    "executed_ms",
    "answered_ms",
    "listening_ms",
    "first_packet_ms",
    "last_packet_ms",
    "stopped_ms",
    "packets_expected",
    "packets_heard",
    "lost",
    "gap_ms",
    "attempts",
    "why",
)
MODELS = ("CP-7960G", "CP-7961G", "CP-7970G")
FRAMES = 400
ZERO_NS = 5_000_000_000_000
GATEWAY, CALLMANAGER = "10.20.128.10:80", "10.20.128.20:80"
CONTROL = "SEP001BD4FFFFFE"

MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(kind, phones=…, seed=…, name=…, **verdict fields that replace those made up)` → the folder."""

    def make(kind: str = "offload", *, phones: int = 1000, seed: int = 1, name: str = "", **given: object) -> Path:
        return write_run(tmp_path / (name or f"{kind}-{seed}"), kind, phones=phones, seed=seed, **given)

    return make


@pytest.fixture(scope="session")
def add_events() -> Callable[..., None]:
    """`add_events(folder, record, …)`: more records for a folder, in order of time."""

    def add(folder: Path, *records: dict[str, Any]) -> None:
        with gzip.open(folder / "events.jsonl.gz", "rt") as stream:
            found = [json.loads(line) for line in stream]
        with gzip.open(folder / "events.jsonl.gz", "wt") as stream:
            for record in sorted([*found, *records], key=lambda record: record["t_ns"]):
                stream.write(json.dumps(record) + "\n")

    return add


def write_run(folder: Path, kind: str, *, phones: int = 1000, seed: int = 1, **given: object) -> Path:
    """Write a whole run folder (without a capture)."""
    folder.mkdir(parents=True)
    rows, events, figures = _page(kind, phones, random.Random(seed))
    outcomes = Counter(row["state"] for row in rows)
    verdict = _verdict(kind, phones, seed, dict(outcomes), figures) | given
    (folder / "verdict.json").write_text(json.dumps(verdict, indent=1))
    with (folder / "ledger.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    with gzip.open(folder / "events.jsonl.gz", "wt") as stream:
        for event in sorted(events, key=lambda event: event["t_ns"]):
            stream.write(json.dumps(event) + "\n")
    (folder / "scenario.toml").write_text(f'name = "{verdict["scenario"]}"\n[callmanager]\nworkers = 8\n')
    return folder


def _page(
    kind: str, phones: int, rng: random.Random
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, list[float]]]:
    """One page: the gateway sends as slots come free, each phone asks, listens, hears, and is stopped."""
    direct = kind == "direct"
    server = CALLMANAGER if direct else GATEWAY
    slots = [0.0] * 200
    workers = [0.0] * 8
    rows, events = [], [
        _event(0, "harness", "page.requested", page="1", audio="announcement"),
        _event(
            -500, "harness", "lab.described", control_phone=CONTROL,
            authentication_servers={"gateway": GATEWAY, "callmanager": CALLMANAGER},
        ),
    ]  # fmt: skip
    figures: dict[str, list[float]] = {"push": [], "listening": [], "authentication": [], "callmanager": [], "sent": []}
    for n in range(1, phones + 1):
        name = f"SEP001BD4{n:06X}"
        slot = min(range(len(slots)), key=slots.__getitem__)
        sent = max(slots[slot] + 0.3, n * 0.5)
        asked = sent + 1 + rng.expovariate(1 / 2)
        if direct:
            worker = min(range(8), key=workers.__getitem__)
            begun = max(asked, workers[worker])
            service = rng.lognormvariate(math.log(60), 0.69)
            workers[worker] = begun + service
            authorised = begun + service
            figures["callmanager"].append(authorised - asked)
            events.append(
                _event(
                    authorised,
                    "callmanager",
                    "authentication.answered",
                    phone=name,
                    answer="authorized",
                    arrived_ns=_ns(asked),
                    wait_ms=begun - asked,
                    service_ms=service,
                    answer_ms=authorised - asked,
                )
            )
        else:
            authorised = asked + 1.5 + rng.expovariate(1 / 3)
            events.append(_event(authorised, "gateway", "authentication.answered", phone=name, answer="authorized"))
        executed = authorised + 0.4
        answered = executed + 1 + rng.expovariate(1 / 2)
        slots[slot] = answered
        blocked = kind == "failing" and n % 80 == 0
        late = executed > 2000
        state = "no_audio" if blocked else "delivered_late" if late else "delivered"
        stop = max(executed, 600) + FRAMES * 20
        first = max(executed, 600) + rng.uniform(0, 20)
        row = dict.fromkeys(COLUMNS, "") | {
            "phone": name, "directory_number": str(2000 + n), "model": rng.choice(MODELS),
            "address": f"10.20.{n >> 8}.{n & 255}", "state": state, "whose": "network or gateway" if blocked else "",
            "gateway_says": "executed", "phone_truth": "received nothing" if blocked else "heard it",
            "authorised_by": "callmanager" if direct else "gateway", "sent_ms": f"{sent:.1f}",
            "authentication_asked_ms": f"{asked:.1f}", "authentication_answered_ms": f"{authorised:.1f}",
            "executed_ms": f"{executed:.1f}", "answered_ms": f"{answered:.1f}", "listening_ms": f"{executed:.1f}",
            "first_packet_ms": "" if blocked else f"{first:.1f}", "last_packet_ms": "" if blocked else f"{stop:.1f}",
            "stopped_ms": f"{stop + 5:.1f}",
            "packets_expected": FRAMES, "packets_heard": 0 if blocked else FRAMES, "lost": FRAMES if blocked else 0,
            "gap_ms": "" if blocked else f"{20 + rng.random():.1f}", "attempts": 1,
            "why": "listened on 32674 for 8.0 s and received no packet" if blocked else
                   f"listened {executed:.0f} ms after Send, later than 2,000 ms" if late else "",
        }  # fmt: skip
        rows.append(row)
        push = f"10.20.128.10:{20000 + n}"
        events += [
            _event(sent, "gateway", "push.sent", phone=name, push=push, action="start", attempt=1),
            _event(sent + 0.5, "phones", "push.received", phone=name, push=push, well_formed=True,
                   items=["RTPRx:10.20.128.10:32674"]),
            _event(answered, "gateway", "push.ended", phone=name, action="start", outcome="executed",
                   answer_ms=answered - sent),
            _event(authorised + 0.2, "phones", "authentication.answered", phone=name, server=server,
                   answer="authorized", answer_ms=authorised - asked),
            _event(executed, "phones", "stream.listening", phone=name, port=32674),
            _event(stop + 5, "phones", "stream.stopped", phone=name, reason="push"),
        ]  # fmt: skip
        if not direct:
            events.append(_event(stop + 3, "gateway", "authentication.answered", phone=name, answer="authorized"))
        figures["sent"].append(sent)
        figures["push"].append(answered - sent)
        figures["listening"].append(executed)
        figures["authentication"].append(authorised - asked)
    # The control phone is in the records and must be in no figure.
    events.append(_event(-100, "callmanager", "authentication.answered", phone=CONTROL, arrived_ns=_ns(-160),
                         answer="authorized", wait_ms=0.0, answer_ms=60.0))  # fmt: skip
    return rows, events, figures


def _ns(ms: float) -> int:
    return ZERO_NS + int(ms * 1e6)


def _event(ms: float, witness: str, kind: str, **fields: object) -> dict[str, Any]:
    return {"t_ns": _ns(ms), "witness": witness, "kind": kind} | fields


def _spread(name: str, values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    ranks = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "max": 1.0}
    found = {f"{name}.{key}": round(ordered[math.ceil(share * len(ordered)) - 1], 3) for key, share in ranks.items()}
    return found | {f"{name}.count": len(ordered)}


def _verdict(
    kind: str, phones: int, seed: int, outcomes: dict[str, int], figures: dict[str, list[float]]
) -> dict[str, Any]:
    direct = kind == "direct"
    delivered, silent = outcomes.get("delivered", 0), outcomes.get("no_audio", 0)
    ended = [sent + answer for sent, answer in zip(figures["sent"], figures["push"], strict=True)]
    metrics: dict[str, float] = {
        "phones.delivered": delivered,
        "phones.delivered_fraction": delivered / phones,
        "push.per_s": round(phones / (max(ended) - min(figures["sent"])) * 1000, 3),
        "page.activation_spread_ms": round(max(figures["listening"]) - min(figures["listening"]), 3),
        "authentication.gateway": 0 if direct else 2 * phones,
        "authentication.redirected": 0,
        "authentication.refused": 0,
        "callmanager.authentications": 2 * phones if direct else 0,
        "callmanager.authentications_peak_per_s": 312 if direct else 0,
        "callmanager.concurrent_max": 200 if direct else 0,
        "callmanager.queue_max": 192 if direct else 0,
        "callmanager.rejected": 0,
        "callmanager.busy_s": 18.274 if direct else 0,
        "rtp.packets_expected": phones * FRAMES,
        "rtp.packets_on_wire": (phones - silent) * FRAMES,
        "rtp.packets_at_phones": (phones - silent) * FRAMES,
        "rtp.lost_fraction": silent / phones,
        "rtp.foreign_packets": 0,
        "capture.received": (phones - silent) * FRAMES + 2 * phones + 6,
        "capture.dropped": 41 if kind == "blind" else 0,
        "lateness.callmanager_model_fraction.p99": 0.031,
        "loop.lag_ms.gateway.p99": 3.412,
        **_spread("push.answer_ms", figures["push"]),
        **_spread("page.listening_ms", figures["listening"]),
        **_spread("authentication.answer_ms", figures["authentication"]),
    }
    if direct:
        metrics |= _spread("callmanager.answer_ms", figures["callmanager"])
    laws = ("every-phone-one-end-state", "gateway-agrees-with-phones", "executed-only-when-authorised",
            "authorised-by-the-right-server", "callmanager-count-agrees", "audio-only-to-listeners",
            "every-start-stopped", "stream-well-formed", "audio-is-the-source", "no-foreign-audio",
            "attempts-bounded", "wire-agrees-with-phones", "nothing-leaves-the-lab")  # fmt: skip
    witnesses = ["gateway", "phones", "wire"]
    checks = [
        {"name": law, "kind": "law", "verdict": "pass", "observed": 0, "witnesses": witnesses, "why": "no exception"}
        for law in laws
    ]
    checks.append({"name": "positive-control", "kind": "control", "verdict": "pass", "observed": 1,
                   "witnesses": ["callmanager", "phones", "wire"], "why": "seen exactly once by each"})  # fmt: skip
    fraction = delivered / phones
    checks.append(
        {"name": "phones.delivered_fraction == 1", "kind": "threshold", "verdict": "pass" if fraction == 1 else "fail",
         "observed": fraction, "witnesses": ["gateway", "phones"],
         "why": "" if fraction == 1 else f"{phones - delivered} of {phones:,} phones are not delivered"}
    )  # fmt: skip
    checks.append(
        {"name": "callmanager.authentications == 0", "kind": "threshold", "verdict": "fail" if direct else "pass",
         "observed": metrics["callmanager.authentications"], "witnesses": ["callmanager", "phones", "wire"],
         "why": "its log, the diaries and the wire agree"}
    )  # fmt: skip
    if kind == "blind":
        for check in checks:
            if check["name"] in {"wire-agrees-with-phones", "stream-well-formed"}:
                check |= {"verdict": "inconclusive", "why": "the wire was blind: its capture dropped 41 packets"}
    verdict = {"failing": "fail", "direct": "fail", "blind": "inconclusive"}.get(kind, "pass")
    return {
        "schema": 1, "verdict": verdict, "as_expected": kind in {"offload", "direct"},
        "scenario": "burst-direct" if direct else "burst-offload", "seed": seed, "phones": phones, "ground": "netns",
        "outcomes": outcomes, "metrics": metrics, "checks": checks,
        "blind": ["wire: capture.dropped is 41, expected 0"] if kind == "blind" else [],
    }  # fmt: skip
