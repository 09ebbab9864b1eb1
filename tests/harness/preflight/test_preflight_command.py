"""The options of `pushlab preflight`: all that is wrong at once, and what is printed where."""

import json
from pathlib import Path

import pytest

from harness.cli import main

SITE = "device_name,directory_number,model,address\nSEP001BD4000001,2001,CP-7960G,127.0.0.77\n"
"""Nobody listens at port 1 of that address: the phone refuses."""


def _site(folder: Path, text: str = SITE) -> str:
    file = folder / "site.csv"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_everything_wrong_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--csv", _site(tmp_path), "--authentication-url", "ftp://x"]
    words += ["--secured-authentication-url", "http://10.1.1.1/"]
    words += ["--callmanager-url", "http://a:b@10.1.1.1/", "--dry-devices", "SEP1"]
    words += ["--active", "SEP001BD4000009"]
    words += ["--multicast", "10.1.1.1", "--ca-file", str(tmp_path / "none.pem")]
    assert main(["preflight", *words]) == 4
    said = capsys.readouterr().err.splitlines()
    for beginning in (
        "--authentication-url: expected a URL", "--secured-authentication-url: expected https",
        "--callmanager-url: ", "--dry-devices: SEP1: expected SEP", "--active: SEP001BD4000009 is not in the list",
        "--multicast 10.1.1.1: not a multicast", "--ca-file",
    ):  # fmt: skip
        assert any(line.startswith(beginning) for line in said), beginning


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--network", "10.0.0.0/8"], "16,777,216 addresses, expected at most 4,096"),
        ([], "expected either lists"),
        (["--csv", "missing.csv"], "missing.csv: cannot be read"),
        (["--network", "10.0.0.0/30", "--csv", "missing.csv"], "expected either lists"),
    ],
)
def test_which_phones(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", *words]) == 4
    assert said in capsys.readouterr().err


def test_a_list_of_another_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", "--risport", _site(tmp_path)]) == 4
    assert "this is phone list, expected RisPort" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--rate", "0"], ["--rate", "5000"], ["--network", "nonsense"], ["--port", "0"]])
def test_wrong_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["preflight", *words])
    assert ended.value.code == 2


def test_results_are_files_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "runs")
    words = ["preflight", "--csv", _site(tmp_path), "--port", "1", "--out", out]
    assert main(words) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1] == "NO-GO  1 phone"
    assert "Turn Web Access on for this phone" in shown.out
    assert shown.err.splitlines()[0] == "reading phones"
    folder = tmp_path / "runs" / "preflight" / "latest"
    assert {file.name for file in folder.iterdir()} == {"preflight.html", "preflight.csv", "preflight.json"}
    assert main([*words, "--json"]) == 1
    printed = capsys.readouterr()
    assert (json.loads(printed.out)["decision"], printed.err) == ("no-go", "")
    assert main([*words, "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_network_without_phones_is_inconclusive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--network", "127.0.0.76/31", "--port", "1", "--out", str(tmp_path)]
    assert main(["preflight", *words]) == 3
    assert "no phone was found" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["preflight", "--password", "Tr0ub4dor"], ["probe", "http://127.0.0.1:1/", "--password=Tr0ub4dor"]]
)
def test_a_password_on_the_command_line_is_refused_and_not_told(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "there is no --password" in said
    assert "Tr0ub4dor" not in said
