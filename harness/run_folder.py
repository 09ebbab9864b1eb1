"""A run's folder: where evidence and results lie, and the manifest that shows whether evidence was changed.

Layout: contract of docs/reference/run-folder.md. Evidence is written once, while the run goes; results (`verdict.json`,
`ledger.csv`, `junit.xml`, `report.html`, `metrics.prom`) can be made again from it at any time.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from harness.scenario.model import MAX_RECORDINGS
from harness.scenario.sites import SITE

SCENARIO: Final = "scenario.toml"
ROSTER: Final = "roster.csv"
EVENTS: Final = "events.jsonl.gz"
CAPTURE: Final = "capture.pcap.gz"
CAPTURE_FACTS: Final = "capture.json"
AUDIO: Final = "audio.wav"
AUDIOS: Final = (AUDIO, *(f"audio-{number}.wav" for number in range(2, MAX_RECORDINGS + 1)))
"""Copies of the recordings that were paged, in the scenario's order."""
LOGS: Final = ("gateway.log", "phones.log", "callmanager.log", "directory.log", "capture.log")
MANIFEST: Final = "manifest.json"
VERDICT: Final = "verdict.json"
LEDGER: Final = "ledger.csv"
JUNIT: Final = "junit.xml"
REPORT: Final = "report.html"
INDEX: Final = "index.html"
SUMMARY: Final = "summary.md"
LATEST: Final = "latest"
SUITE: Final = "suite"
"""Folder of the merged results of commands with several scenarios, beside the scenarios' own."""
METRICS: Final = "metrics.prom"
EXCERPTS: Final = "evidence"
"""Folder of what is cut out of the evidence for single phones; a result, made again with the others."""

EVIDENCE: Final = (SCENARIO, ROSTER, SITE, EVENTS, CAPTURE, CAPTURE_FACTS, *AUDIOS, *LOGS)

JUDGED: Final = (VERDICT, LEDGER)
"""Results that others are made from: what was judged is told from what was changed by hand."""

NEEDED: Final = (SCENARIO, ROSTER, EVENTS)
"""Evidence of every run; the rest is there as far as the run got, or had a wire."""

BYTES_PER_PACKET: Final = 260
"""Room that one captured RTP packet may need while the run goes: ring frame, spool and pcap record (measured 230)."""
ROOM_BESIDE_CAPTURE: Final = 64 * 2**20
"""Room for records, logs and report, with a margin: 10,000 phones wrote 40 MiB."""


class RunFolderError(Exception):
    """A folder that is no run, or whose evidence is not what was written. Not: a run that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """One run's folder on disk."""

    path: Path

    @classmethod
    def create(cls, root: Path, scenario: str, seed: int, now: datetime) -> "RunFolder":
        """Make `root/<scenario>/<UTC time>-<seed>` and point `root/latest` and `root/<scenario>/latest` at it.

        A second run within the same second gets `.2`, `.3` and so on behind its name.
        """
        path = _fresh(root / scenario / f"{now:%Y%m%dT%H%M%SZ}-{seed}")
        _link(root / LATEST, path)
        _link(root / scenario / LATEST, path)
        return cls(path=path)

    def file(self, name: str) -> Path:
        """The path of one of the folder's files."""
        return self.path / name

    def write_manifest(self) -> None:
        """Record the SHA-256 of each evidence file there is."""
        present = [self.path / name for name in EVIDENCE if (self.path / name).is_file()]
        self._write_manifest({"schema": 1, "sha256": {file.name: _digest(file) for file in present}})

    def seal_results(self) -> None:
        """Record the SHA-256 of verdict and ledger as they were judged, beside that of the evidence."""
        if (self.path / MANIFEST).is_file():
            manifest = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
            self._write_manifest(manifest | {"results": {name: _digest(self.path / name) for name in JUDGED}})

    def drop_capture(self) -> None:
        """Delete the capture of a judged run (`[capture] keep = "failing"`), and say so in the manifest."""
        manifest = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        self._write_manifest(manifest | {"not_kept": [CAPTURE]})
        (self.path / CAPTURE).unlink(missing_ok=True)

    def _write_manifest(self, manifest: dict[str, object]) -> None:
        (self.path / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")

    def verify(self) -> None:
        """Check every evidence file against the manifest, to judge it.

        Raises:
            RunFolderError: with every file that is missing, changed or not listed.
        """
        listed, not_kept, _ = self._manifest()
        if not_kept:
            raise RunFolderError(
                f"{self.path}: {', '.join(not_kept)} was not kept, because the run went as expected and its scenario "
                'says [capture] keep = "failing"; its results stand, judging again needs keep = "all"'
            )
        self._compare(listed, not_kept)

    def verify_beside_results(self) -> None:
        """Check the evidence there is and that verdict and ledger are as judged, to show results.

        A capture that was not kept is no obstacle.

        A folder with results alone, as it may have been handed on, has nothing to check.

        Raises:
            RunFolderError: with every file that is missing, changed or not listed.
        """
        if (self.path / MANIFEST).exists() or any((self.path / name).exists() for name in EVIDENCE):
            listed, not_kept, judged = self._manifest()
            self._compare(listed, not_kept)
            changed = [name for name, digest in judged.items() if not _is(self.path / name, digest)]
            if changed:
                again = "without its capture it cannot be judged again: run the scenario again"
                raise RunFolderError(
                    f"{self.path}: {' and '.join(changed)} changed after the run was judged; "
                    + (again if not_kept else f"to judge it again: pushlab judge {self.path}")
                )

    def _manifest(self) -> tuple[dict[str, str], list[str], dict[str, str]]:
        """Digest of each file listed, the files that were deleted after judging, digest of each result."""
        manifest = self.path / MANIFEST
        if not self.path.is_dir():
            raise RunFolderError(f"{self.path}: no such folder; give a run's folder such as runs/latest")
        if not manifest.is_file():
            raise RunFolderError(
                f"{self.path}: no {MANIFEST}, so this is no finished run; give a folder such as runs/latest"
            )
        try:
            written = json.loads(manifest.read_text(encoding="utf-8"))
            listed = {str(name): str(digest) for name, digest in written["sha256"].items()}
            judged = {name: str(written["results"][name]) for name in JUDGED} if "results" in written else {}
            not_kept = [str(name) for name in written.get("not_kept", ()) if not (self.path / str(name)).is_file()]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RunFolderError(f"{manifest}: not a manifest ({error}); the folder cannot be trusted") from None
        return listed, not_kept, judged

    def _compare(self, listed: Mapping[str, str], not_kept: Sequence[str]) -> None:
        wrong = [f"{name} is listed and no evidence" for name in listed if name not in EVIDENCE]
        wrong += [f"{name} is not listed" for name in NEEDED if name not in listed]
        for name in EVIDENCE:
            file = self.path / name
            if name in listed and not file.is_file():
                wrong += [f"{name} is missing"] * (name not in not_kept)
            elif name in listed and not _is(file, listed[name]):
                wrong.append(f"{name} was changed after the run")
            elif name not in listed and name not in NEEDED and file.exists():
                wrong.append(f"{name} was added after the run")
        if wrong:
            raise RunFolderError(
                f"{self.path}: evidence does not match {MANIFEST}: {'; '.join(wrong)}. "
                "Take an unchanged copy of the folder, or run the scenario again"
            )


def create_suite_folder(root: Path, now: datetime) -> Path:
    """Make `root/suite/<UTC time>`, and point `root/suite/latest` at it."""
    path = _fresh(root / SUITE / f"{now:%Y%m%dT%H%M%SZ}")
    _link(root / SUITE / LATEST, path)
    return path


def is_suite(folder: Path) -> bool:
    """Whether a folder with a verdict.json holds the merged one of several scenarios, not that of a run."""
    return folder.parent.name == SUITE and (folder / INDEX).is_file()


def verify_beside_results(folder: Path) -> None:
    """Check the evidence of a run's folder, or of every run below a folder of runs.

    Raises:
        RunFolderError: of the first run whose evidence is not what was written.
    """
    runs = [folder] if (folder / VERDICT).is_file() else sorted({file.parent for file in folder.glob(f"**/{VERDICT}")})
    for run in runs:
        RunFolder(path=run).verify_beside_results()


def check_room(root: Path, packets: int, audio_bytes: int = 0) -> None:
    """Refuse to begin a run whose evidence would not fit on the disk.

    Args:
        root: where the run's folder goes.
        packets: RTP packets to be captured.
        audio_bytes: of the recording.

    Raises:
        RunFolderError: with what is needed and what is free, or why there can be no folder.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(
            f"{root}: no folder for the run's evidence can be made ({error.strerror or error}); "
            "choose another with --out"
        ) from None
    needed = packets * BYTES_PER_PACKET + audio_bytes + ROOM_BESIDE_CAPTURE
    free = shutil.disk_usage(root).free
    if free < needed:
        raise RunFolderError(
            f"{root}: the run's evidence needs about {needed // 2**20} MiB, {free // 2**20} MiB are free; "
            "choose another folder with --out, or fewer phones with --phones"
        )


def _fresh(base: Path) -> Path:
    """Make this folder, or the same with `.2`, `.3` and so on behind its name where it is there already."""
    path = base
    ordinal = 1
    while True:
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            ordinal += 1
            path = base.with_name(f"{base.name}.{ordinal}")
        else:
            return path


def _link(link: Path, target: Path) -> None:
    """Point a symbolic link at the run at once: a reader sees the old run or the new one, never none."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.replace(link)


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and _digest(file) == digest


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
