"""Options, markers and ini values, by pytest within pytest; nothing is run for them."""

import re
from pathlib import Path

import pytest

from harness.plugin.wishes import ARGUMENTS, MARKER, OPTIONS

pytest_plugins = ("pytester",)

SHOWS_RESOLVED = """
    import pytest
    from harness.plugin import wishes

    {mark}
    def test_it(request):
        marked = wishes.marked(request.node)
        assert wishes.resolve(request.config, "phones", {call}, marked.get("phones")) == {expected}
"""


def test_a_project_that_uses_nothing_loads_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.partition(".")[0] in {"harness", "gateway", "emulator"}}
            heavy = ours | {"trio", "numpy", "scapy", "rich"} & set(sys.modules)
            assert heavy == {
                "harness", "harness.plugin", "harness.plugin.keeping", "harness.plugin.wishes", "harness.pytest_plugin"
            }
        """
    )
    # Without the other plugins of this environment, which load what they like.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.runpytest_subprocess("-p", "harness.pytest_plugin").assert_outcomes(passed=1)


def test_it_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(request): assert not request.config.pluginmanager.has_plugin('pushlab')")
    pytester.runpytest_inprocess("-p", "no:pushlab").assert_outcomes(passed=1)


def test_the_marker_is_known_and_described(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.pushlab(phones=3)\ndef test_it(): pass")
    pytester.runpytest("--strict-markers").assert_outcomes(passed=1)
    assert f"@pytest.mark.{MARKER}" in pytester.runpytest("--markers").stdout.str()
    assert set(re.findall(r"(\w+)=", MARKER)) == set(ARGUMENTS)


def test_wrong_marker_arguments_are_told_at_once_with_the_nearest_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.pushlab(scenaro="burst-offload", phone=3)
        def test_one(): pass

        @pytest.mark.pushlab("burst-offload")
        def test_two(): pass
        """
    )
    ended = pytester.runpytest()
    assert ended.ret is pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(
        [
            "*::test_one: *no argument 'scenaro'; did you mean scenario?*no argument 'phone'; did you mean phones?*",
            "*::test_two: *expected arguments by name, such as scenario='burst-offload'*",
        ]
    )
    ended.assert_outcomes()


def test_the_nearest_marker_counts_and_keys_of_scenarios_are_let_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from harness.plugin import wishes

        pytestmark = pytest.mark.pushlab(phones=1, seed=1, **{"gateway.concurrency": 5})

        @pytest.mark.pushlab(phones=2)
        class TestIt:
            @pytest.mark.pushlab(phones=3)
            def test_it(self, request):
                marked = wishes.marked(request.node)
                assert marked == {"phones": 3, "seed": 1, "gateway.concurrency": 5}
                assert wishes.settings_of(marked) == {"gateway.concurrency": 5}
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "call", "words", "ini", "expected"),
    [
        ("@pytest.mark.pushlab(phones=3)", "4", ["--pushlab-phones=5"], "6", 5),
        ("@pytest.mark.pushlab(phones=3)", "4", [], "6", 4),
        ("@pytest.mark.pushlab(phones=3)", "None", [], "6", 3),
        ("", "None", [], "6", 6),
        ("", "None", [], "", None),
    ],
)
def test_command_line_before_call_before_marker_before_ini(
    pytester: pytest.Pytester, mark: str, call: str, words: list[str], ini: str, expected: int | None
) -> None:
    pytester.makeini(f"[pytest]\npushlab_phones = {ini}")
    pytester.makepyfile(SHOWS_RESOLVED.format(mark=mark, call=call, expected=expected))
    pytester.runpytest(*words).assert_outcomes(passed=1)


def test_wrong_ini_values_are_told_at_once_before_anything_runs(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npushlab_inconclusive = skp\npushlab_phones = many")
    pytester.makepyfile("def test_it(): pass")
    ended = pytester.runpytest()
    assert ended.ret is pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines(
        [
            "*pushlab_phones: expected a whole number, got 'many'",
            "*pushlab_inconclusive: expected fail or skip or xfail, got 'skp'; did you mean skip?",
        ]
    )


def test_the_reference_has_every_option_and_argument() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/pytest-plugin.md").read_text(encoding="utf-8")
    for option in OPTIONS:
        values = " \\| ".join(option.choices) or option.metavar
        assert f"| `--pushlab-{option.name}` | `{values}` | {option.help} |" in page
    for name, what in ARGUMENTS.items():
        assert f"| `{name}` | {what} |" in page
