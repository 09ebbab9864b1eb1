from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.capture import command
from harness.capture.configuration import ConfigurationError, load, parse

RTP = {"name": "rtp", "kind": "rtp", "interface": "lo", "port": 32674}
SYN = {"name": "a", "kind": "syn", "interface": "lo", "port": 80, "address": "127.0.0.1"}


def test_a_good_file(tmp_path: Path):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"out": str(tmp_path), "clauses": [RTP, SYN], "canaries": ["127.0.0.2"]}))
    found = load(path)
    assert [clause.name for clause in found.clauses] == ["rtp", "a"]
    assert (found.pcap, found.description) == (tmp_path / "capture.pcap.gz", tmp_path / "capture.json")
    assert (found.clauses[0].block_bytes, found.clauses[1].block_bytes) == (1 << 20, 1 << 16)


def test_all_errors_are_listed_with_the_nearest_key():
    content = {
        "out": "/nowhere",
        "clause": [],
        "limit_bytes": -1,
        "canaries": ["x"],
        "clauses": [{**RTP, "prot": 1, "kind": ["rtp"], "port": True}, {"name": ""}, 7, {**SYN, "block_bytes": 5000}],
    }
    with pytest.raises(ConfigurationError) as caught:
        parse(content)
    assert caught.value.problems == [
        "clause: unknown key; did you mean clauses?",
        "out: '/nowhere' is not a folder",
        "limit_bytes: -1 is not a number of bytes",
        "canaries: ['x'] is not a list of IPv4 addresses",
        "clauses[0].prot: unknown key; did you mean port?",
        "clauses[0].kind: ['rtp'] is not rtp or syn",
        "clauses[0].port: True is not a port",
        "clauses[1].kind: missing",
        "clauses[1].interface: missing",
        "clauses[1].port: missing",
        "clauses[1].name: '' is not a text",
        "clauses[2]: not a JSON object",
        "clauses[3].block_bytes: 5000 is not a power of two from 4096",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "b", "address": None}, "both take syn to port 80"),
        ({"name": "b"}, "both take syn to port 80"),
        ({"address": "127.0.0.9"}, "the name a is used twice"),
        ({"name": "b", "port": 81, "blocks": 65536}, "a ring of 4294967296 bytes is more than"),
    ],
)
def test_clauses_that_do_not_go_together(tmp_path: Path, change: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        parse({"out": str(tmp_path), "clauses": [SYN, {**SYN, **change}]})


@pytest.mark.parametrize("content", ["[]", "{", "7"])
def test_a_wrong_file_ends_with_code_4(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "c.json"
    path.write_text(content)
    assert command.main(["--config", str(path)]) == 4
    assert capsys.readouterr().err.startswith("capture: ")


def test_a_missing_interface_ends_with_code_5(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert command.main(["--interface", "none9", "--out", str(tmp_path / "x")]) == 5
    assert "clause rtp: cannot capture on none9: " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
