"""The command: help, misspelt names, and ends turned into exit codes."""

import errno
from pathlib import Path

import pytest

from harness import cli, commands


def test_without_a_command_the_help_is_shown_and_it_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage: pushlab COMMAND" in capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert f"  {name} " in out


def test_a_misspelt_command_is_told_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compair"]) == 2
    assert "did you mean compare?" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pushlab ")


@pytest.mark.parametrize(
    ("raised", "code"), [(KeyboardInterrupt(), 130), (ValueError("x"), 70)], ids=["interrupt", "defect"]
)
def test_ends_become_exit_codes(monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int) -> None:
    def command(_: object) -> int:
        raise raised

    monkeypatch.setattr(commands, "scenarios", command)
    assert cli.main(["scenarios"]) == code


def test_every_command_leads_somewhere() -> None:
    from importlib import import_module

    for name, (where, _) in cli.COMMANDS.items():
        module, _, function = where.partition(":")
        assert callable(getattr(import_module(module), function)), name


def test_an_abbreviated_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Options come to be: what abbreviates one today names another tomorrow."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["run", "burst-offload", "--phone", "3"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --phone 3" in capsys.readouterr().err


def test_check_lists_every_error_of_every_file_at_once(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "one.toml").write_text('schema = 1\nname = "one"\npurpose = "p"\n[fleet]\nphoness = 3\n')
    (folder / "two.toml").write_text(
        'schema = 1\nname = "two"\npurpose = "p"\n[thresholds]\n"push.anser_ms.p99" = "< 1"\n'
    )
    assert cli.main(["check", str(folder)]) == 4
    err = capsys.readouterr().err
    assert "phones" in err
    assert "push.answer_ms.p99" in err


def test_check_of_the_bundled_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "burst-offload", "burst-direct"]) == 0
    assert "burst-offload: valid, 1,000 phones" in capsys.readouterr().out


def test_exec_without_a_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["exec", "burst-direct"])
    assert ended.value.code == 2
    assert "behind --" in capsys.readouterr().err


def test_judging_what_is_no_run(tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(tmp_path_factory.mktemp("empty"))]) == 6
    assert "no finished run" in capsys.readouterr().err


def test_judging_and_comparing_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent = str(tmp_path / "absent")
    assert cli.main(["judge", absent]) == 6
    assert cli.main(["compare", absent, absent]) == 6
    assert capsys.readouterr().err.count("no such folder") == 2


def test_a_value_that_was_forgotten_is_told_the_form(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "burst-offload", "--set", "callmanager.workers"]) == 4
    assert "--set callmanager.workers: no value; expected KEY=VALUE" in capsys.readouterr().err


def test_one_threshold_is_no_thresholds(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "port-blocked-strict"]) == 0
    assert capsys.readouterr().out == "port-blocked-strict: valid, 60 phones, 1 threshold\n"


@pytest.mark.parametrize("command", ["judge", "report", "compare"])
def test_a_folder_that_may_not_be_read_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    assert cli.main([command, str(tmp_path), str(tmp_path)][: 3 if command == "compare" else 2]) == 6
    assert "cannot be read or written: Permission denied" in capsys.readouterr().err
