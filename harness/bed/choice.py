"""Which ground each scenario takes: decided, and the lab's namespaces entered, before anything else is loaded.

Who enters is replaced by a waiter around a new process (`namespace.enter_lab`): whatever was loaded before that is
loaded twice.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.bed.errors import BedError
from harness.net import namespace
from harness.scenario.model import Scenario

GroundName = Literal["netns", "loopback", "lab"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which ground a run takes, and what to print about it."""

    ground: GroundName
    notice: str
    """One line on why and what is lost; empty where there is nothing to say."""


def choose(requested: Literal["auto", "netns", "loopback", "lab"]) -> Choice:
    """Choose before anything is started; `netns` then needs `namespace.enter_lab` unless already inside.

    Raises:
        BedError: `netns` was asked for and is not possible; with the command that would allow it.
    """
    if requested in ("loopback", "lab"):
        return Choice(ground=requested, notice="")
    if namespace.inside():
        return Choice(ground="netns", notice="")
    found = namespace.available()
    if found.possible:
        return Choice(ground="netns", notice="")
    if requested == "netns":
        raise BedError(f"ground netns is not possible here: {found.why}. To allow it: {found.remedy}")
    return Choice(
        ground="loopback",
        notice=f"ground: loopback, because {found.why}; lost: blocked ports, unbound clients' real addresses and, "
        f"without capture right, the wire. To allow netns: {found.remedy}",
    )


def choices(scenarios: Sequence[Scenario], command_line: Sequence[str]) -> list[Choice | BedError]:
    """Choose for each; where one needs `netns`, this process goes on inside of the lab, from the beginning.

    Args:
        scenarios: what is to be run.
        command_line: the arguments of `pushlab`, to run them again inside the lab's namespaces.

    Returns:
        For each scenario its ground, or why there is none.
    """
    chosen = [_chosen(scenario) for scenario in scenarios]
    if any(isinstance(one, Choice) and one.ground == "netns" for one in chosen) and not namespace.inside():
        namespace.enter_lab([sys.executable, "-P", "-m", "harness.cli", *command_line])
    return chosen


def _chosen(scenario: Scenario) -> Choice | BedError:
    try:
        return choose(scenario.ground)  # type: ignore[arg-type] # checked by its key
    except BedError as error:
        return error
