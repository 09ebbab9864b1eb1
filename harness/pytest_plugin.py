"""The pytest plugin: phones, a CallManager, a lab and runs of the bed as fixtures (docs/reference/pytest-plugin.md).

pytest loads this module in every project of an environment where pushlab is installed. So nothing but names and help
texts is loaded until a fixture is used, and a project that uses none sees a marker and a group of options, no more.
"""

import contextlib
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from harness.plugin import wishes
from harness.plugin.keeping import PROPERTY, RUNS

if TYPE_CHECKING:
    from harness.plugin.callmanager import CallManager
    from harness.plugin.collecting import ScenarioFile
    from harness.plugin.phones import Phones
    from harness.plugin.result import RunResult
    from harness.plugin.runner import Lab, Runner

SCENARIO_SUFFIX: Final = ".pushlab.toml"
_PASSED: Final = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pushlab-…` and the ini values of the same names."""
    group = parser.getgroup("pushlab", "pushlab: paging to emulated IP phones")
    for each in wishes.OPTIONS:
        shown: dict[str, Any] = {"choices": each.choices} if each.choices else {"metavar": each.metavar}
        group.addoption(f"--pushlab-{each.name}", dest=f"pushlab_{each.name}", type=each.kind, help=each.help, **shown)
        parser.addini(f"pushlab_{each.name}", f"as --pushlab-{each.name}: {each.help}", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and look at the ini values before anything runs.

    Raises:
        pytest.UsageError: with everything that is wrong with them.
    """
    config.addinivalue_line("markers", wishes.MARKER)
    wishes.check_ini(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Take scenario files that are tests by their name."""
    if not file_path.name.endswith(SCENARIO_SUFFIX):
        return None
    from harness.plugin.collecting import ScenarioFile  # noqa: PLC0415 - see the module's docstring

    found: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check all markers before anything is run.

    Raises:
        pytest.UsageError: with everything that is wrong with them.
    """
    wrong = []
    for item in items:
        try:
            wishes.marked(item)
        except pytest.UsageError as error:
            wrong += [str(argument) for argument in error.args]
    if wrong:
        raise pytest.UsageError(*wrong)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the runs of a test that did not pass: their checks, the ledger's rows, and where the report is."""
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed
        if report.failed and (runs := _runs_of(item)):
            report.sections += [(f"pushlab run of {run.scenario}", run.describe()) for run in runs]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Remove the run folders of a test that passed, where only those of others are wanted."""
    yield
    passed: bool = item.stash.get(_PASSED, False)
    if passed and RUNS in item.stash and wishes.option(item.config, "keep") == "failing":
        for run in item.stash[RUNS]:
            shutil.rmtree(run.folder)


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401 - pytest does not export its type
    """List what was run, its verdict and its report."""
    lines: dict[str, None] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, line in getattr(report, "user_properties", ()):
                if name == PROPERTY:
                    what, _, page = str(line).rpartition("  ")
                    lines[f"{what}  {page if Path(page).exists() else '(not kept)'}"] = None
    if lines:
        terminalreporter.section("pushlab runs")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def pushlab_start_phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Callable[..., Phones]"]:
    """Start emulated phones that stand until the session ends: `pushlab_start_phones(count=50, ...)`."""
    from harness.plugin.phones import Phones  # noqa: PLC0415 - see the module's docstring

    with contextlib.ExitStack() as running:

        def start(**wished: Any) -> Phones:  # noqa: ANN401 - as Phones has them
            return running.enter_context(Phones(tmp_path_factory.mktemp("pushlab-phones"), **wished))

        yield start


@pytest.fixture(scope="session")
def pushlab_start_callmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Callable[..., CallManager]"]:
    """Start a mock CallManager that stands until the session ends: `pushlab_start_callmanager(users={...})`."""
    from harness.plugin.callmanager import CallManager  # noqa: PLC0415 - see the module's docstring

    with contextlib.ExitStack() as running:

        def start(**wished: Any) -> CallManager:  # noqa: ANN401 - as CallManager has them
            return running.enter_context(CallManager(tmp_path_factory.mktemp("pushlab-callmanager"), **wished))

        yield start


@pytest.fixture(scope="session")
def pushlab_run_once(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> "Runner":
    """Run scenarios for several tests: for fixtures of a module or of the session; no marker counts."""
    from harness.plugin.runner import Runner  # noqa: PLC0415 - see the module's docstring

    return Runner(config=pytestconfig, out=_out(pytestconfig, tmp_path_factory), item=None, results=lambda _: None)


@pytest.fixture
def pushlab_callmanager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator["CallManager"]:
    """A mock CallManager beside the test, with a user `agpush` of a random password, or the marker's `users`."""
    from harness.plugin.callmanager import CallManager  # noqa: PLC0415 - see the module's docstring

    marked = wishes.marked(request.node)
    with CallManager(_fresh(tmp_path / "pushlab-callmanager"), users=marked.get("users")) as running:
        yield running


@pytest.fixture
def pushlab_phones(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator["Phones"]:
    """Emulated phones beside the test; they ask `pushlab_callmanager` where the test has it, else nobody."""
    from harness.plugin.phones import Phones  # noqa: PLC0415 - see the module's docstring

    config, marked = request.config, wishes.marked(request.node)
    asked = marked.get("authentication_url")
    if asked is None and "pushlab_callmanager" in request.fixturenames:
        asked = request.getfixturevalue("pushlab_callmanager").url
    with Phones(
        _fresh(tmp_path / "pushlab-phones"),
        count=wishes.resolve(config, "phones", marked.get("phones"), default=wishes.PHONES),
        authentication_url=asked or "",
        models=marked.get("models", ""),
        misbehaviour=marked.get("misbehaviour", ()),
        seed=wishes.resolve(config, "seed", marked.get("seed"), default=wishes.SEED),
    ) as running:
        yield running


@pytest.fixture
def pushlab_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Runner":
    """What runs scenarios in this test; call it with a name, a file or a dict."""
    from harness.plugin.runner import runner_of  # noqa: PLC0415 - see the module's docstring

    return runner_of(request.node, _out(request.config, tmp_path_factory))


@pytest.fixture
def pushlab_lab(pushlab_run: "Runner") -> "Lab":
    """Run a gateway under test in a lab: `assert pushlab_lab.run(["my-pager", "--once"])`."""
    from harness.plugin.runner import Lab  # noqa: PLC0415 - see the module's docstring

    return Lab(runner=pushlab_run)


def _runs_of(item: pytest.Item) -> "list[RunResult]":
    """What a test has run, and the runs of others that its fixtures gave it."""
    own = item.stash.get(RUNS, [])
    values = getattr(item, "funcargs", {}).values()
    # Looked at by name: a test that used nothing of ours must not make us load it.
    shared = [value for value in values if type(value).__qualname__ == "RunResult" and hasattr(value, "describe")]
    return [*own, *(value for value in shared if value not in own)]


def _out(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    return wishes.out(config) or factory.getbasetemp() / "pushlab"


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder
