"""What a test wishes for: options of pytest's command line, arguments of a call, of markers, values of the ini file.

One order for all of them: the command line goes before a call's arguments, these before the test's marker, its class's
and module's, and these before the ini file. What nobody names is as the scenario or the fixture says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option `--pushlab-NAME`, and the ini value `pushlab_NAME` that stands in for it."""

    name: str
    kind: type
    help: str
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    default: str | None = None


PHONES: Final = 10
"""Phones of a lab, and of emulated phones beside a test, where nobody says how many."""
SEED: Final = 1

OPTIONS: Final = (
    Option(
        name="ground",
        kind=str,
        choices=("auto", "netns", "loopback"),
        help="where runs stand: a network of their own, or 127.20.x.y; auto: the first where it is possible",
    ),
    Option(name="phones", kind=int, metavar="N", help="this many phones in every fleet and run"),
    Option(name="seed", kind=int, metavar="N", help="another seed for every fleet and run"),
    Option(
        name="out",
        kind=str,
        metavar="DIR",
        help="where run folders go (default: pytest's temporary folder, which keeps those of the last three sessions)",
    ),
    Option(
        name="keep",
        kind=str,
        choices=("all", "failing"),
        default="all",
        help="which run folders stay: all, or those of tests that did not pass",
    ),
    Option(
        name="inconclusive",
        kind=str,
        choices=("fail", "skip", "xfail"),
        default="fail",
        help="what becomes of a test that rests on an inconclusive run: fail, skip or xfail, with the reason",
    ),
)
ARGUMENTS: Final[Mapping[str, str]] = {
    "scenario": "`pushlab_run`, `pushlab_lab`: a bundled name, a file beside the test, or a whole scenario as a dict",
    "phones": "all but `pushlab_callmanager`: how many",
    "seed": "all but `pushlab_callmanager`: what is drawn at random is drawn from it",
    "ground": "`pushlab_run`, `pushlab_lab`: `auto`, `netns` or `loopback`",
    "models": "`pushlab_phones`: a model's name, or a dict of shares",
    "misbehaviour": '`pushlab_phones`: shares that misbehave, such as `["hang=0.1"]`',
    "authentication_url": '`pushlab_phones`: whom phones ask; `""`: nobody',
    "users": "`pushlab_callmanager`: a dict of names and passwords, or of names and tables",
}
"""What a marker may say, beside keys of a scenario with a dot in them (`**{"gateway.concurrency": 50}`)."""

MARKER: Final = (
    f"pushlab({', '.join(f'{name}=' for name in ARGUMENTS)}, **{{'table.key': value}}): "
    "what the pushlab fixtures of this test give"
)


def unknown(names: Iterable[str]) -> list[str]:
    """One line for each name that no marker has: what it is, what was expected, the nearest."""
    found = []
    for name in names:
        if name in ARGUMENTS or "." in name:
            continue
        near = get_close_matches(name, ARGUMENTS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        found.append(
            f"pushlab marker: no argument {name!r}{hint} Expected one of {', '.join(ARGUMENTS)}, or a scenario's key "
            'with its table: **{"gateway.concurrency": 50}'
        )
    return found


def marked(item: pytest.Item) -> dict[str, Any]:
    """The arguments of an item's `pushlab` markers, the nearest one's first in force.

    Raises:
        pytest.UsageError: arguments that do not exist, all of them at once.
    """
    wishes: dict[str, Any] = {}
    wrong: list[str] = []
    for mark in item.iter_markers("pushlab"):
        if mark.args:
            wrong.append(f"pushlab marker: expected arguments by name, such as scenario={mark.args[0]!r}")
        wrong += unknown(mark.kwargs)
        wishes = dict(mark.kwargs) | wishes
    if wrong:
        raise pytest.UsageError(f"{item.nodeid}: " + "; ".join(wrong))
    return wishes


def settings_of(wishes: Mapping[str, Any]) -> dict[str, object]:
    """The keys of a scenario among a marker's or a call's arguments."""
    return {name: value for name, value in wishes.items() if "." in name}


def commanded(config: pytest.Config, name: str) -> Any:  # noqa: ANN401 - of the option's kind
    """The value of an option on the command line; None where it is not there."""
    return config.getoption(f"pushlab_{name}")


def configured(config: pytest.Config, name: str) -> Any:  # noqa: ANN401 - of the option's kind
    """The value of an option in the ini file, else its default.

    Raises:
        pytest.UsageError: a value that the option does not have.
    """
    option = next(option for option in OPTIONS if option.name == name)
    text = config.getini(f"pushlab_{name}")
    if not text:
        return option.default
    if option.choices and text not in option.choices:
        near = get_close_matches(text, option.choices, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise pytest.UsageError(f"ini value pushlab_{name}: expected {' or '.join(option.choices)}, got {text!r}{hint}")
    try:
        return option.kind(text)
    except ValueError:
        raise pytest.UsageError(f"ini value pushlab_{name}: expected a whole number, got {text!r}") from None


def check_ini(config: pytest.Config) -> None:
    """Look at the ini values of all options.

    Raises:
        pytest.UsageError: with everything that is wrong with them.
    """
    wrong: list[str] = []
    for each in OPTIONS:
        try:
            configured(config, each.name)
        except pytest.UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise pytest.UsageError("\n".join(wrong))


def option(config: pytest.Config, name: str) -> Any:  # noqa: ANN401 - of the option's kind
    """An option that no call and no marker has: command line, ini file, default."""
    said = commanded(config, name)
    return configured(config, name) if said is None else said


def resolve(config: pytest.Config, name: str, *nearer: object, default: object = None) -> Any:  # noqa: ANN401 - as above
    """A value in force: command line, then `nearer` (a call's argument, a marker's), then ini file, then default."""
    values = (commanded(config, name), *nearer, configured(config, name), default)
    return next((value for value in values if value is not None), None)


def beside(item: pytest.Item, scenario: Any) -> Any:  # noqa: ANN401 - a name, a path or a mapping, as it came
    """A scenario's file is looked for beside the test first, then where pytest was started."""
    if not isinstance(scenario, str | Path) or Path(scenario).is_absolute():
        return scenario
    near = item.path.parent / scenario
    if near.is_file():
        return near
    return Path(scenario) if isinstance(scenario, Path) or Path(scenario).is_file() else scenario


def out(config: pytest.Config) -> Path | None:
    """Where run folders go, as far as anybody says."""
    said = option(config, "out")
    return (config.invocation_params.dir / said).absolute() if said else None
