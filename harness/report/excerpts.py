"""What failing phones leave to look at: its story, `evidence/SEP….txt`, and its packets, `evidence/SEP….pcap`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from harness.report import figures
from harness.report.result import PAGE, Result, first_of_each
from harness.report.story import Story, read_stories
from harness.run_folder import CAPTURE, CAPTURE_FACTS, EXCERPTS

PHONES_MAX: Final = 50
"""Failing phones with an excerpt: more are not read one by one, and 50 of 10 s of audio are 6 MB."""


def chosen(result: Result) -> tuple[Mapping[str, str], ...]:
    """Ledger rows of the phones to tell of: those that missed it, each end state in turn: none is crowded out."""
    by_state: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in first_of_each(result.missed):
        if _is_name(row.get("phone", "")):
            by_state[row.get("state", "")].append(row)
    found: list[Mapping[str, str]] = []
    for place in range(max(map(len, by_state.values()), default=0)):
        found += [rows[place] for rows in by_state.values() if place < len(rows)]
        if len(found) >= PHONES_MAX:
            break
    return tuple(sorted(found[:PHONES_MAX], key=lambda row: (row.get("state", ""), row.get("phone", ""))))


def stories_of(result: Result) -> Mapping[str, Story]:
    """The stories of the chosen phones."""
    return read_stories(result.folder, [row["phone"] for row in chosen(result)])


def write_excerpts(result: Result, stories: Mapping[str, Story]) -> None:
    """Write a transcript and, where there is a capture, a pcap file for each chosen phone; older ones are removed.

    Without a capture, as after `[capture] keep = "failing"`, the pcap files that there are stay.
    """
    folder = result.folder / EXCERPTS
    rows = chosen(result)
    has_capture = (result.folder / CAPTURE).is_file()
    for file in [*folder.glob("SEP*.txt"), *(folder.glob("SEP*.pcap") if has_capture else ())]:
        file.unlink()
    if not rows:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        return
    folder.mkdir(exist_ok=True)
    cut = dict(_write_packets(result.folder, folder, rows, stories)) if has_capture else {}
    for row in rows:
        text = "\n".join(_transcript(result, row, stories.get(row["phone"]), cut.get(row["phone"], "")))
        (folder / f"{row['phone']}.txt").write_text(text + "\n", encoding="utf-8")


def files_of(folder: Path, phone: str) -> tuple[str, ...]:
    """Excerpts of a phone there are, as paths beside the report."""
    names = (f"{EXCERPTS}/{phone}.txt", f"{EXCERPTS}/{phone}.pcap") if _is_name(phone) else ()
    return tuple(name for name in names if (folder / name).is_file())


def _is_name(phone: str) -> bool:
    """Whether it can be a file's name: a ledger may come from anywhere."""
    return phone.isascii() and phone.isalnum() and phone.startswith("SEP")


def _write_packets(
    run: Path, folder: Path, rows: Iterable[Mapping[str, str]], stories: Mapping[str, Story]
) -> Iterable[tuple[str, str]]:
    """Phone and what its pcap file holds, in words."""
    from harness.capture.excerpt import excerpt  # noqa: PLC0415 - numpy is only loaded where there is something to cut
    from harness.capture.pcap import CaptureError  # noqa: PLC0415 - as above
    from harness.capture.reader import DamagedCaptureError, read  # noqa: PLC0415 - as above

    try:
        packets = read(run / CAPTURE, json.loads((run / CAPTURE_FACTS).read_text(encoding="utf-8")))
    except DamagedCaptureError as error:
        packets = error.whole
    except (CaptureError, OSError, ValueError, AttributeError):
        return  # the verdict says what is wrong with the capture
    for row in rows:
        story = stories.get(row["phone"])
        try:
            cut = excerpt(packets, row.get("address", ""), story.groups if story else ())
        except ValueError:
            continue
        (folder / f"{row['phone']}.pcap").write_bytes(cut.pcap)
        more = f", {cut.left_out:,} more left out" if cut.left_out else ""
        yield row["phone"], f"{figures.counted(cut.packets, 'packet')}{more}"


def _transcript(result: Result, row: Mapping[str, str], story: Story | None, packets: str) -> Iterable[str]:
    yield f"{row['phone']}  {row.get('state', '')}"
    if result.several:
        for other in result.ledger:
            if other.get("phone") == row["phone"]:
                yield f"{other.get(PAGE, '')}: {other.get('state', '')}  {other.get('why', '')}".rstrip()
    for name in ("why", "whose", "directory_number", "model", "address", "authorised_by"):
        if row.get(name):
            yield f"{name.replace('_', ' ')}: {row[name]}"
    if packets:
        yield f"packets: {row['phone']}.pcap, {packets}"
    yield f"run: {result.title}"
    yield f"repeat: {result.command}"
    yield ""
    yield f"Milliseconds after {result.send}, who recorded it, what it says:"
    yield from story.lines if story else ("nothing was recorded of this phone",)
