"""Runs and labs in tests, by pytest within pytest; the bed is a stand-in that answers at once."""

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.plugin.running import RunError, alone_on_loopback

pytest_plugins = ("pytester",)

FAKE = Path(__file__).with_name("fake_pushlab.py")
STANDS_IN = f"""
import sys
from harness.plugin import running

running.COMMAND = (sys.executable, {str(FAKE)!r})
"""

ALONE = ("-p", "harness.pytest_plugin")
"""With PYTEST_DISABLE_PLUGIN_AUTOLOAD: ours, without this environment's other plugins, which take seconds to load."""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(STANDS_IN)
    pytester.makeini("[pytest]\npushlab_ground = netns")
    return pytester


def test_a_run_that_passes_is_true_and_listed(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_it(pushlab_run):
            result = pushlab_run("passes")
            assert result
            result.assert_pass()
            result.assert_as_expected()
            assert result.outcomes == {"delivered": 13, "no_audio": 0}
            assert result.metrics["phones.delivered"] == 13
            assert [row["state"] for row in result.ledger] == ["delivered"] * 13
            assert result.checks["phones.delivered_fraction == 1"].verdict == "pass"
            assert result.command_status is None
            assert result.report.name == "report.html"
        """
    )
    ended = project.runpytest()
    ended.assert_outcomes(passed=1)
    ended.stdout.re_match_lines([r"=+ pushlab runs =+", r"pass +passes  /.*/pushlab/passes/\d+/report\.html"])


def test_a_failure_shows_the_ledger_then_the_checks_then_where_to_look(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_it(pushlab_lab):
            assert pushlab_lab.run(["my-pager", "--once"], "fails")
        """
    )
    ended = project.runpytest()
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(
        [
            "E * assert <run of fails: fail; 1 delivered · 12 no_audio>",
            "*-- pushlab run of fails --*",
            "FAIL  fails · 13 phones · seed 1 · netns",
            "ledger: 1 delivered · 12 no_audio",
            "  SEP001BD4000001  10.20.0.1   no_audio  nothing came",
            "  SEP001BD4000010  10.20.0.10  no_audio  nothing came",
            "  and 2 more in ledger.csv",
            "checks that are not pass: 1 of 1",
            "  fail  phones.delivered_fraction == 1: it is 0.08; observed 7.69 %, expected == 100 %",
            "the command ended with 3; its last lines:",
            "  exec fails --json * -- my-pager --once",
            "report: */report.html",
            "again:  pushlab run */scenario.toml",
        ],
        consecutive=False,
    )
    # What is ours in the traceback is left out: it ends at the test's own line.
    assert "harness/plugin" not in ended.stdout.str().partition("pushlab run of")[0]


@pytest.mark.parametrize(("becomes", "outcome"), [("fail", "failed"), ("skip", "skipped"), ("xfail", "xfailed")])
def test_inconclusive_is_neither_and_its_reason_is_shown(project: pytest.Pytester, becomes: str, outcome: str) -> None:
    project.makepyfile(
        """
        def test_true(pushlab_run): assert pushlab_run("blind")
        def test_false(pushlab_run): assert not pushlab_run("blind")
        def test_pass(pushlab_run): pushlab_run("blind").assert_pass()
        def test_expected(pushlab_run): pushlab_run("blind").assert_as_expected()
        """
    )
    ended = project.runpytest("-ra", f"--pushlab-inconclusive={becomes}")
    ended.assert_outcomes(**{outcome: 4})
    ended.stdout.fnmatch_lines(["*inconclusive: phones.delivered_fraction == 1: gateway is blind: its pacer*"] * 4)


def test_the_verdict_itself_can_be_asked_for(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_it(pushlab_run):
            result = pushlab_run("blind")
            assert (result.verdict, result.as_expected) == ("inconclusive", False)
            assert result.blind == ("gateway: its pacer was held up",)
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_a_run_without_a_verdict_says_what_pushlab_said(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(pushlab_run): pushlab_run('misspelt')")
    ended = project.runpytest()
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(
        ["E *RunError: pushlab run ended with exit code 4 and no verdict:", "E *did you mean 'phones'?"]
    )


def test_marker_call_and_options_reach_the_command(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.pushlab(scenario="passes", phones=3, **{"gateway.concurrency": 5})
        def test_it(pushlab_run):
            log = pushlab_run(seed=4, **{"thresholds.push.answer_ms.p99": "< 500"}).gateway_log
            assert "--phones 3 --seed 9 --ground loopback" in log
            assert '--set gateway.concurrency=5 --set thresholds.push.answer_ms.p99="< 500"' in log
        """
    )
    project.runpytest("--pushlab-seed=9", "--pushlab-ground=loopback").assert_outcomes(passed=1)


def test_a_scenario_may_be_a_file_beside_the_test_or_a_dict(project: pytest.Pytester) -> None:
    project.mkdir("deeper").joinpath("mine.toml").write_text('name = "passes"')
    project.path.joinpath("deeper/test_it.py").write_text(
        "def test_file(pushlab_run): assert pushlab_run('mine.toml')\n"
        "def test_dict(pushlab_run): assert pushlab_run({'name': 'passes', 'fleet': {'phones': 3}})\n"
    )
    project.runpytest("deeper").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("pushlab_run()", "no scenario; name one"),
        ("pushlab_run('passes', phone=3)", "no argument 'phone'; did you mean phones?"),
        ("pushlab_lab.run('my-pager')", "expected a list such as"),
    ],
)
def test_wrong_calls_are_told(project: pytest.Pytester, call: str, said: str) -> None:
    project.makepyfile(f"def test_it(pushlab_run, pushlab_lab): {call}")
    ended = project.runpytest()
    ended.assert_outcomes(failed=1)
    assert said in ended.stdout.str()


def test_run_folders_go_where_they_are_wanted_and_stay_as_wanted(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_good(pushlab_run): assert pushlab_run("passes")
        def test_bad(pushlab_run): assert pushlab_run("passes") and pushlab_run("fails")
        """
    )
    project.runpytest("--pushlab-out=kept", "--pushlab-keep=failing").assert_outcomes(passed=1, failed=1)
    kept = sorted(path.parent.parent.name for path in (project.path / "kept").rglob("verdict.json"))
    assert kept == ["fails", "passes"]
    project.path.joinpath("good.pushlab.toml").write_text('name = "passes"')
    ended = project.runpytest("--pushlab-keep=failing", "good.pushlab.toml")
    ended.stdout.re_match_lines([r"pass +passes  \(not kept\)"])
    assert not list((project.path / "runs").rglob("verdict.json"))


def test_a_test_may_remove_its_run_folder(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import shutil

        def test_it(pushlab_run):
            result = pushlab_run("fails")
            shutil.rmtree(result.folder)
            assert result
        """
    )
    project.runpytest("--pushlab-keep=failing").assert_outcomes(failed=1)


def test_several_tests_share_a_run_and_each_shows_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="module")
        def page(pushlab_run_once):
            return pushlab_run_once("fails")

        def test_one(page): assert page.outcomes["delivered"] == 13
        def test_two(page): assert page.metrics["phones.delivered"] == 1
        """
    )
    ended = project.runpytest()
    ended.assert_outcomes(passed=1, failed=1)
    assert ended.stdout.str().count("ledger: 1 delivered") == 1


def test_scenario_files_are_tests(project: pytest.Pytester) -> None:
    for name in VERDICTS_BY_FILE:
        project.path.joinpath(f"{name}.pushlab.toml").write_text(f'name = "{name}"')
    ended = project.runpytest("-v", "-ra")
    ended.assert_outcomes(passed=1, failed=3)
    ended.stdout.fnmatch_lines(["passes.pushlab.toml::passes PASSED*"])
    ended.stdout.fnmatch_lines(
        ["fails: fail, not as expected: delivered: fail, expected pass", "*ledger: 1 delivered*"]
    )
    assert ended.stdout.str().count("ledger:") == 2
    assert "Traceback" not in ended.stdout.str()


VERDICTS_BY_FILE = ("passes", "fails", "blind", "misspelt")


@pytest.mark.slow
def test_junit_and_xdist_tell_of_runs_as_well(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(pushlab_run, number): assert pushlab_run("passes" if number else "fails")
        """
    )
    ended = project.runpytest_subprocess(*ALONE, "-p", "xdist", "-n2", "--junit-xml=junit.xml")
    ended.assert_outcomes(passed=3, failed=1)
    listed = re.findall(r"^(pass|fail) +(?:passes|fails)  /.*report\.html$", ended.stdout.str(), re.MULTILINE)
    assert sorted(listed) == ["fail", "pass", "pass", "pass"]
    assert (project.path / "junit.xml").read_text(encoding="utf-8").count('<property name="pushlab"') == 4


def test_a_run_that_takes_too_long_is_stopped(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_PUSHLAB_FOLDER", str(project.path))
    project.makepyfile("def test_it(pushlab_run): pushlab_run('sleeps', limit_s=2)")
    ended = project.runpytest()
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["E *RunError: the run did not end within 2 s and was stopped"])


@pytest.mark.slow
def test_ctrl_c_stops_the_run_in_order(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_PUSHLAB_FOLDER", str(project.path))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    project.makepyfile("def test_it(pushlab_run): pushlab_run('sleeps')")
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *ALONE],
        cwd=project.path,
        # Whoever started these tests in the background may have had it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread runs here
    ) as ours:
        deadline = time.monotonic() + 60
        while not (project.path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        ours.send_signal(signal.SIGINT)
        assert ours.wait(30) == pytest.ExitCode.INTERRUPTED
    assert (project.path / "stopped").exists()


def test_on_loopback_one_run_waits_for_the_other() -> None:
    begun, over = threading.Event(), threading.Event()

    def first() -> None:
        with alone_on_loopback():
            begun.set()
            over.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    with pytest.raises(RunError, match="in use by another run"), alone_on_loopback(within_s=0.05):
        pass
    over.set()
    with alone_on_loopback(within_s=10):
        thread.join()
