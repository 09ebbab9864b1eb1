"""Run folders: names, links, and a manifest that notices a changed byte."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import run_folder
from harness.run_folder import RunFolder, RunFolderError

NOON = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def evidence(tmp_path: Path) -> RunFolder:
    folder = RunFolder.create(tmp_path, "burst-offload", 1, NOON)
    for name in run_folder.EVIDENCE:
        folder.file(name).write_bytes(name.encode())
    folder.write_manifest()
    return folder


def test_a_folder_is_named_by_time_and_seed_and_linked(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "burst-offload", 7, NOON)
    assert folder.path == tmp_path / "burst-offload" / "20261123T120000Z-7"
    assert (tmp_path / "latest").resolve() == folder.path.resolve()
    assert (tmp_path / "burst-offload" / "latest").resolve() == folder.path.resolve()


def test_two_runs_in_one_second_do_not_share_a_folder(tmp_path: Path) -> None:
    first = RunFolder.create(tmp_path, "s", 1, NOON)
    second = RunFolder.create(tmp_path, "s", 1, NOON)
    third = RunFolder.create(tmp_path, "s", 1, NOON)
    assert len({first.path, second.path, third.path}) == 3
    assert (tmp_path / "latest").resolve() == third.path.resolve()


def test_untouched_evidence_is_accepted(tmp_path: Path) -> None:
    evidence(tmp_path).verify()


@pytest.mark.parametrize("name", run_folder.EVIDENCE)
def test_one_changed_byte_is_noticed(tmp_path: Path, name: str) -> None:
    folder = evidence(tmp_path)
    content = bytearray(folder.file(name).read_bytes())
    content[-1] ^= 1
    folder.file(name).write_bytes(content)
    with pytest.raises(RunFolderError, match=f"{name} was changed"):
        folder.verify()


def test_all_differences_are_named_at_once(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "s", 1, NOON)
    folder.file(run_folder.EVENTS).write_bytes(b"records")
    folder.file(run_folder.ROSTER).write_bytes(b"phones")
    folder.file(run_folder.SCENARIO).write_bytes(b"scenario")
    folder.write_manifest()
    folder.file(run_folder.EVENTS).unlink()
    folder.file(run_folder.ROSTER).write_bytes(b"Phones")
    folder.file(run_folder.CAPTURE).write_bytes(b"late")
    with pytest.raises(RunFolderError) as caught:
        folder.verify()
    message = str(caught.value)
    assert "events.jsonl.gz is missing" in message
    assert "roster.csv was changed" in message
    assert "capture.pcap.gz was added" in message


def test_results_may_be_written_again(tmp_path: Path) -> None:
    folder = evidence(tmp_path)
    folder.file(run_folder.VERDICT).write_text("{}")
    folder.verify()


@pytest.mark.parametrize("change", ["verdict.json", "ledger.csv", "gone"])
def test_results_that_were_changed_by_hand_are_not_shown(tmp_path: Path, change: str) -> None:
    folder = evidence(tmp_path)
    for name in run_folder.JUDGED:
        folder.file(name).write_text('{"metrics": {"phones.delivered": 9}}')
    folder.seal_results()
    folder.verify_beside_results()
    if change == "gone":
        folder.file(run_folder.LEDGER).unlink()
    else:
        folder.file(change).write_text('{"metrics": {"phones.delivered": 10}}')
    with pytest.raises(RunFolderError, match=r"changed after the run was judged.*pushlab judge"):
        folder.verify_beside_results()
    folder.verify()
    folder.drop_capture()
    with pytest.raises(RunFolderError, match="run the scenario again"):
        folder.verify_beside_results()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff"])
def test_a_broken_manifest_is_no_manifest(tmp_path: Path, content: bytes) -> None:
    folder = evidence(tmp_path)
    folder.file(run_folder.MANIFEST).write_bytes(content)
    with pytest.raises(RunFolderError, match="not a manifest"):
        folder.verify()


def test_a_folder_without_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no manifest\.json"):
        RunFolder(path=tmp_path).verify()


def test_too_little_room_is_said_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10 * 2**20

    monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(RunFolderError, match="needs about 311 MiB, 10 MiB are free"):
        run_folder.check_room(tmp_path, packets=1_000_000)
    with pytest.raises(RunFolderError, match="needs about 74 MiB"):
        run_folder.check_room(tmp_path, packets=0, audio_bytes=10 * 2**20)


def test_where_there_can_be_no_folder_another_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"file: no folder .* \(File exists\); choose another with --out"):
        run_folder.check_room(tmp_path / "file", packets=0)


def test_a_capture_that_was_not_kept_is_no_tampering_but_cannot_be_judged_again(tmp_path: Path) -> None:
    folder = evidence(tmp_path)
    folder.drop_capture()
    assert not folder.file(run_folder.CAPTURE).exists()
    with pytest.raises(RunFolderError, match=r"capture.pcap.gz was not kept.*keep = \"all\""):
        folder.verify()
    folder.verify_beside_results()
    folder.file(run_folder.ROSTER).write_bytes(b"another")
    with pytest.raises(RunFolderError, match=r"roster\.csv was changed"):
        folder.verify_beside_results()


def test_results_alone_can_be_shown(tmp_path: Path) -> None:
    (tmp_path / run_folder.VERDICT).write_text("{}")
    run_folder.verify_beside_results(tmp_path)
    (tmp_path / run_folder.ROSTER).write_text("")
    with pytest.raises(RunFolderError, match=r"no manifest\.json"):
        run_folder.verify_beside_results(tmp_path)


def test_each_run_below_a_folder_is_checked(tmp_path: Path) -> None:
    for number in range(2):
        folder = RunFolder.create(tmp_path, "s", number, NOON)
        for name in run_folder.NEEDED:
            folder.file(name).write_bytes(name.encode())
        folder.write_manifest()
        folder.file(run_folder.VERDICT).write_text("{}")
    run_folder.verify_beside_results(tmp_path)
    folder.file(run_folder.EVENTS).write_bytes(b"")
    with pytest.raises(RunFolderError, match="events"):
        run_folder.verify_beside_results(tmp_path)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_done_to_any_evidence_file_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    """A byte changed, cut, put in or put behind, at any place of any file; a file gone, emptied or put there."""
    folder = RunFolder(path=tmp_path)
    absent = data.draw(st.sets(st.sampled_from([n for n in run_folder.EVIDENCE if n not in run_folder.NEEDED])))
    for name in run_folder.EVIDENCE:
        folder.file(name).unlink(missing_ok=True)
        if name not in absent:
            folder.file(name).write_bytes(data.draw(st.binary(min_size=1, max_size=50)))
    folder.write_manifest()
    folder.verify()
    folder.verify_beside_results()
    file = folder.file(data.draw(st.sampled_from(run_folder.EVIDENCE)))
    if file.name in absent:
        file.write_bytes(data.draw(st.binary(max_size=5)))
    else:
        content = file.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1))
        flipped = bytes([content[at] ^ data.draw(st.integers(1, 255))])
        what = data.draw(st.sampled_from(["changed", "cut", "put in", "put behind", "emptied", "gone"]))
        changed = {
            "changed": content[:at] + flipped + content[at + 1 :],
            "cut": content[:at],
            "put in": content[:at] + flipped + content[at:],
            "put behind": content + flipped,
            "emptied": b"",
            "gone": None,
        }[what]
        if changed is None:
            file.unlink()
        else:
            file.write_bytes(changed)
    for verify in (folder.verify, folder.verify_beside_results):
        with pytest.raises(RunFolderError, match=file.name):
            verify()


def test_a_manifest_that_leaves_a_file_out_is_noticed(tmp_path: Path) -> None:
    folder = evidence(tmp_path)
    manifest = json.loads(folder.file(run_folder.MANIFEST).read_text())
    for name in run_folder.EVIDENCE:
        fewer = {key: digest for key, digest in manifest["sha256"].items() if key != name}
        folder.file(run_folder.MANIFEST).write_text(json.dumps(manifest | {"sha256": fewer}))
        with pytest.raises(RunFolderError, match=name):
            folder.verify()
    folder.file(run_folder.MANIFEST).write_text(json.dumps(manifest | {"sha256": manifest["sha256"] | {"x": "0"}}))
    with pytest.raises(RunFolderError, match="x is listed and no evidence"):
        folder.verify()
