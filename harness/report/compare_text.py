"""A comparison for people: on the terminal, and as Markdown for a pull request."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import figures
from harness.report.compare import Comparison, Row, Side
from harness.report.markdown import cell


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the table and its reading; fits 80 columns, and says in words what it says in colour."""
    a, b = comparison.a, comparison.b
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column(Text(f"A\n{_heading(a)}"), justify="right")
    table.add_column(Text(f"B\n{_heading(b)}"), justify="right")
    table.add_column(Text("\nB against A"), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    verdict_is = "worse" if "verdict" in comparison.worse else ""
    table.add_row("Verdict", Text(_verdict(a)), Text(_verdict(b)), "", _judgement(verdict_is))
    for row in comparison.rows:
        change = Text(row.change, style="dim" if row.change == "same" else "")
        name = Text(figures.label(row.metric))
        if row.interval and row.change != "same":
            # Below the name is the only room that 80 columns leave.
            name.append(f"\n  {_interval(row)}", style="dim")
        table.add_row(
            name,
            Text(figures.show(row.metric, row.a)),
            Text(figures.show(row.metric, row.b), style="bold"),
            change,
            _judgement(row.judgement),
        )
    console.print()
    if comparison.differences:
        console.print(Text("Not the same on both sides", style="bold yellow"))
        for sentence in comparison.differences:
            console.print(Text(f"  {sentence}"))
        console.print()
    console.print(table)
    console.print()
    console.print(Text(comparison.reading, style="bold"))
    console.print(Text(comparison.surety, style="dim"))
    if comparison.worse:
        console.print(Text(_worse(comparison), style="red"))


def comparison_markdown(comparison: Comparison) -> str:
    """The same as Markdown (GitHub's tables): what came of it first, the table behind it."""
    return "\n".join(_markdown(comparison)) + "\n"


def _markdown(comparison: Comparison) -> Iterable[str]:
    a, b = comparison.a, comparison.b
    yield f"### pushlab: {cell(b.name)} against {cell(a.name)}"
    yield ""
    yield f"**{cell(_worse(comparison))}**" if comparison.worse else "**B is not worse than A.**"
    yield ""
    if comparison.differences:
        yield "Not the same on both sides:"
        yield ""
        yield from (f"- {cell(sentence)}" for sentence in comparison.differences)
        yield ""
    yield f"{cell(comparison.reading)}"
    yield ""
    sure = any(row.interval for row in comparison.rows)
    yield f"| | A | B | B against A |{' 95 % interval |' if sure else ''} |"
    yield f"|---|---:|---:|---:|{'---:|' if sure else ''}---|"
    verdicts = (cell(_verdict(side).replace("\n", ", ")) for side in (a, b))
    word = "**worse**" if "verdict" in comparison.worse else ""
    yield f"| Verdict | {' | '.join(verdicts)} | |{' |' if sure else ''} {word} |"
    for row in comparison.rows:
        judgement = f"**{row.judgement}**" if row.metric in comparison.worse else row.judgement
        interval = f" {cell(_interval(row))} |" if sure else ""
        figure_a, figure_b = figures.show(row.metric, row.a), figures.show(row.metric, row.b)
        yield (
            f"| {cell(figures.label(row.metric))} | {cell(figure_a)} | {cell(figure_b)} | {cell(row.change)} |"
            f"{interval} {judgement} |"
        )
    yield ""
    yield comparison.surety


def _heading(side: Side) -> str:
    return side.name.replace(", ", "\n")


def _worse(comparison: Comparison) -> str:
    told = []
    if "verdict" in comparison.worse:
        told.append(f"its verdict is {comparison.b.verdict}, which its scenario does not expect")
    names = "; ".join(figures.label(metric) for metric in comparison.worse if metric != "verdict")
    if names:
        own = " or their own tolerance" if comparison.tolerances.metrics else ""
        told.append(f"by more than {figures.share(comparison.tolerances.overall)}{own}: {names}")
    return f"B is worse: {'; and '.join(told)}"


def _interval(row: Row) -> str:
    """`-4,400 to -4,300 ms`."""
    if row.interval is None:
        return ""
    low, high = (figures.show(row.metric, end) for end in row.interval)
    unit = figures.unit(row.metric)
    return f"{low.removesuffix(unit).rstrip()} to {high}"


def _verdict(side: Side) -> str:
    return side.verdict if side.verdict == "pass" or not side.as_expected else f"{side.verdict}\nas expected"


def _judgement(word: str) -> Text:
    """Better and worse as words; what is the same within the tolerance needs none."""
    styles = {"better": "green", "worse": "bold red", "not measured": "bold red", "unclear": "yellow"}
    return Text("" if word == "same" else word, style=styles.get(word, ""))
