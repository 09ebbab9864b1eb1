"""Runs wrong gateways and says what caught them."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.mutants.catalogue import ANYTHING, Compared, InTests, Mutant, Probed

ROOT: Final = Path(__file__).parents[2]
VARIANT: Final = str(Path(__file__).with_name("gateway_variant.py"))
RUN_LIMIT_S: Final = 400
AUDIO_S: Final = 3
TRIES: Final = 3
"""A run whose judge says that the machine held its parts up says nothing of a gateway: it is run again, and told."""
HELD_UP: Final = ("held up", "lateness.", "too noisy", "not measured")
UNHURRIED: Final = (
    "page.late_after_ms=30000",
    "integrity.lateness.pacer_ms.p99=<= 1000",
    "integrity.lateness.callmanager_model_fraction.p99=<= 100",
    "thresholds.push.answer_ms.p99=< 30000",
)
"""What is shown here is not speed."""
LEFT_OUT: Final = ("failures-slowed", "slow-headers", "slow-body", "idle-connections", "slow-client-closed")
"""Checks of the probe that take long and that no wrong gateway here is about."""
PROBE: Final = (
    "probe",
    10,
    (f"probe.leave_out={json.dumps(LEFT_OUT)}", "thresholds.authentication.gateway=== 20"),
)
"""Scenario, phones and settings under which wrong gateways are probed."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a wrong gateway came to, or a clean one."""

    verdict: str
    """The run's, or `fail` and `pass` of tests."""
    failed: tuple[str, ...]
    """Checks that failed."""
    why: str = ""
    """In the words of the first of the checks that were to fail, or what made the run inconclusive."""
    seconds: float = 0.0
    runs: int = 1


def caught(mutant: Mutant | Probed | InTests | Compared, found: Outcome) -> str:
    """Empty where the named observables failed and nothing else did; otherwise what is wrong."""
    named = (mutant.caught_by,) if isinstance(mutant, InTests | Compared) else mutant.caught_by
    missing = [name for name in named if name not in found.failed]
    if missing:
        return f"survived: {', '.join(missing)} did not fail"
    follows = mutant.follows if isinstance(mutant, Mutant | Probed) else ()
    accidents = [name for name in found.failed if name not in (*named, *follows) and follows != ANYTHING]
    return f"unexpected: {', '.join(accidents)}" if accidents else ""


def play(mutant: Mutant | Probed | InTests | Compared, work: Path) -> Outcome:
    """Run one."""
    began = time.monotonic()
    try:
        found = _play(mutant, work)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        found = Outcome(verdict="error", failed=(), why=str(error)[-300:])
    return replace(found, seconds=time.monotonic() - began)


def _play(mutant: Mutant | Probed | InTests | Compared, work: Path) -> Outcome:
    match mutant:
        case Mutant():
            return _run_until_seen(
                mutant.name, mutant.scenario, mutant.phones, mutant.settings, mutant.caught_by, work
            )
        case Probed():
            return _run_until_seen(mutant.name, *PROBE, mutant.caught_by, work)
        case InTests():
            return _test(mutant)
        case Compared():
            return _compare(mutant, mutant.name, work)


def play_clean(
    work: Path, *, scenario: str, phones: int, settings: Sequence[str] = (), variant: str = "clean"
) -> Outcome:
    """Run a right gateway, once."""
    began = time.monotonic()
    verdict = _run(variant, scenario, phones, settings, work)
    return Outcome(
        verdict=verdict["verdict"],
        failed=_failed(verdict),
        why=_why(verdict, ()),
        seconds=time.monotonic() - began,
    )


def _run_until_seen(
    name: str, scenario: str, phones: int, settings: Sequence[str], wanted: Sequence[str], work: Path
) -> Outcome:
    runs = 0
    while True:
        runs += 1
        verdict = _run(name, scenario, phones, settings, work)
        failed = _failed(verdict)
        if set(wanted) <= set(failed) or not _held_up(verdict) or runs == TRIES:
            break
    return Outcome(verdict=verdict["verdict"], failed=failed, why=_why(verdict, wanted), runs=runs)


def _run(name: str, scenario: str, phones: int, settings: Sequence[str], work: Path) -> dict[str, Any]:
    """One run of the bed; its verdict.json."""
    out = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work))
    gateway = ["gateway.kind=command", f"gateway.command={json.dumps([sys.executable, VARIANT, name])}"]
    own = [] if scenario == "alert" else [f"page.audio={audio(work)}"]
    late = [text for text in UNHURRIED if scenario != "alert" or not text.startswith("page.")]
    options = [word for text in (*own, *gateway, *late, *settings) for word in ("--set", text)]
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "harness.cli", "run", scenario, "--phones", str(phones), "--quiet"),
            *("--out", str(out), *options),
        ],
        cwd=work,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    try:
        return dict(json.loads((out / "latest" / "verdict.json").read_text(encoding="utf-8")))
    except OSError:
        raise RuntimeError(f"{name} in {scenario}: exit code {ended.returncode}: {ended.stderr[-2000:]}") from None


def _failed(verdict: dict[str, Any]) -> tuple[str, ...]:
    return tuple(check["name"] for check in verdict["checks"] if check["verdict"] in ("fail", "error"))


def _held_up(verdict: dict[str, Any]) -> bool:
    open_checks = [check for check in verdict["checks"] if check["verdict"] == "inconclusive"]
    return any(word in str([verdict["blind"], open_checks]) for word in HELD_UP)


def _why(verdict: dict[str, Any], wanted: Sequence[str]) -> str:
    told = [check["why"] for check in verdict["checks"] if check["name"] in wanted and check["verdict"] == "fail"]
    told += [blind["why"] for blind in verdict["blind"]]
    told += [f"{c['name']}: {c['why']}" for c in verdict["checks"] if c["verdict"] not in ("pass", "none")]
    return str(told[0]) if told else ""


def _test(mutant: InTests) -> Outcome:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.file),
            *("-k", mutant.caught_by),
        ],
        cwd=ROOT,
        env=os.environ | {"PUSHLAB_TEST_GATEWAY": mutant.gateway},
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    why = failed[0].partition("::")[2] if failed else ended.stdout[-300:]
    # Exit code 1 is a test that failed; anything else is a test that could not be run.
    return Outcome(
        verdict="fail" if ended.returncode == 1 else "pass" if ended.returncode == 0 else "error",
        failed=(mutant.caught_by,) if ended.returncode == 1 and mutant.caught_by in why else (),
        why=why,
    )


def _compare(mutant: Compared, name: str, work: Path) -> Outcome:
    figures = {}
    for phones in (mutant.small, mutant.large):
        verdict = _run(name, "burst-offload", phones, ("page.start_deadline_s=30",), work)
        figures[phones] = float(verdict["metrics"][mutant.metric])
    ratio = figures[mutant.large] / figures[mutant.small]
    why = f"{figures[mutant.small]:.0f} at {mutant.small} phones, {figures[mutant.large]:.0f} at {mutant.large}"
    broken = ratio < mutant.least
    return Outcome(verdict="fail" if broken else "pass", failed=(mutant.caught_by,) if broken else (), why=why)


def compare_clean(mutant: Compared, work: Path) -> Outcome:
    """The right gateway at both sizes."""
    began = time.monotonic()
    return replace(_compare(mutant, "clean", work), seconds=time.monotonic() - began)


def audio(work: Path) -> Path:
    """A rising tone: no two frames are alike, so that a frame twice or left out shows."""
    path = work / "rising.wav"
    if path.exists():
        return path
    seconds = (n / 8000 for n in range(8000 * AUDIO_S))
    samples = (int(12000 * math.sin(2 * math.pi * (300 * t + 200 * t * t))) for t in seconds)
    work.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path
