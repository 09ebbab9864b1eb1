"""The command `pushlab`: finds the subcommand, runs it, and turns every end into an exit code.

Subcommands are imported when they are called, so that a phone fleet does not load what a report needs.
"""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
EXIT_OWN_DEFECT: Final = 70
EXIT_INTERRUPTED: Final = 130

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    # name: (module:function, what it does)
    "run": ("harness.commands:run", "run scenarios and judge them"),
    "exec": ("harness.commands:exec_", "run your own command where a gateway would stand, judge what it did"),
    "site": ("harness.site.command:main", "a site's phones from CallManager's exports, as one list"),
    "twin": ("harness.twin.command:main", "a scenario on a site's twin and on a pilot group of its real phones"),
    "scenarios": ("harness.commands:scenarios", "list the bundled scenarios"),
    "check": ("harness.commands:check", "validate scenario files, run nothing"),
    "judge": ("harness.commands:judge", "judge a run again from its evidence"),
    "report": ("harness.commands:report", "write a run's report again"),
    "compare": ("harness.commands:compare", "two runs, or two folders of runs, side by side"),
    "capacity": ("harness.capacity.command:main", "the largest fleet and rate with which a scenario passes here"),
    "probe": ("harness.probe.command:main", "checks of an authentication endpoint, ours or anybody's"),
    "preflight": ("harness.preflight.command:main", "readiness of a real lab before a rollout, read-only by default"),
    "gateway": ("harness.bed.parts:gateway", "the paging gateway alone"),
    "phones": ("harness.bed.parts:phones", "emulated phones alone"),
    "callmanager": ("harness.bed.parts:callmanager", "a mock CallManager alone"),
    "capture": ("harness.capture.command:main", "wire evidence alone"),
}


def own_version() -> str:
    """The installed version of pushlab, or `unknown` in a bare source tree."""
    try:
        return version("pushlab")
    except PackageNotFoundError:
        return "unknown"


def usage() -> str:
    """The help text: one line a command."""
    lines = [f"  {name:<12} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: pushlab COMMAND ...",
            "",
            "Pages emulated or real Cisco IP phones, and shows whether CallManager was spared.",
            "",
            *lines,
            "",
            "pushlab COMMAND --help says more. First steps: pushlab run burst-offload --phones 50",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand.

    Returns:
        Its exit code (docs/reference/exit-codes.md).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(usage())  # noqa: T201 - this is the command's output
        return EXIT_OK if arguments else EXIT_USAGE
    if arguments[0] in {"-V", "--version"}:
        print(f"pushlab {own_version()}")  # noqa: T201 - this is the command's output
        return EXIT_OK
    name, *rest = arguments
    if name not in COMMANDS:
        _complain(_unknown(name))
        return EXIT_USAGE
    module, _, function = COMMANDS[name][0].partition(":")
    try:
        command: Callable[[Sequence[str]], int] = getattr(import_module(module), function)
        return command(rest)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error of ours, and nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    except Exception:  # noqa: BLE001 - the last line of defence: whatever arrives here is a defect of ours
        traceback.print_exc()
        _complain(f"pushlab {own_version()}: this is a defect of pushlab itself, not of what was tested")
        return EXIT_OWN_DEFECT


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only a misspelt command needs it

    near = get_close_matches(name, COMMANDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"pushlab: no command {name!r}{hint} The commands are: {', '.join(COMMANDS)}"


def _complain(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - this is the command's error output


if __name__ == "__main__":
    sys.exit(main())
