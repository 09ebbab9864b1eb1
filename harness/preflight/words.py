"""What both the terminal and the page say of a preflight. No I/O."""

from harness.preflight.checks import BY_NAME
from harness.preflight.finding import Result
from harness.preflight.outcome import Open, Outcome, Task


def phones_of(outcome: Outcome) -> str:
    """`1,000 phones`."""
    return f"{outcome.phones:,} phone{'' if outcome.phones == 1 else 's'}"


def why(outcome: Outcome) -> str:
    """The counts in a sentence."""
    stops = [task for task in outcome.tasks if task.stops]
    counts = outcome.counts
    phones = {result.subject for task in stops for result in task.results if BY_NAME[task.check].about == "phone"}
    if outcome.decision == "go":
        said = f"all {counts['ok']:,} checks hold"
    elif outcome.decision == "inconclusive":
        said = "no phone was found"
        if outcome.phones:
            said = "nothing wrong was found, and not all that is needed could be checked"
    else:
        things = f"{len(stops)} thing{'' if len(stops) == 1 else 's'} to do"
        said = f"{things}; {len(phones):,} of {outcome.phones:,} phones are concerned" if phones else things
    remarks = len(outcome.tasks) - len(stops)
    return said + (f"; {remarks} to look at" if remarks else "") + "."


def left_out(outcome: Outcome) -> list[Open]:
    """What was not checked of anything and is not needed: checks that hold or fail for others are in the files."""
    seen = {result.check for result in outcome.results if result.word != "not-checked"}
    return [point for point in outcome.open if not point.needed and point.check not in seen]


def told_of(result: Result, task: Task) -> str:
    """What is to be said of one result beside its line of the list."""
    if result.why and result.why != task.means:
        return result.why
    if result.observed and result.wanted:
        return f"{result.observed} instead of {result.wanted}"
    return result.observed
