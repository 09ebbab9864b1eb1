"""The tables of docs/reference/probe.md, from the table of checks; a test holds them equal."""

from collections.abc import Iterator

from harness.probe.checks import CHECKS


def check_tables() -> str:
    """One Markdown table per group, in the order of the first check of each."""
    return "\n".join(_tables())


def _tables() -> Iterator[str]:
    for group in dict.fromkeys(check.group for check in CHECKS):
        yield f"### {group[0].upper()}{group[1:]}"
        yield ""
        yield "| check | what is sent | what must come | what it finds | source |"
        yield "|---|---|---|---|---|"
        for check in CHECKS:
            if check.group == group:
                mark = " \N{DAGGER}" if check.wrong_passwords else ""
                yield f"| `{check.name}`{mark} | {check.sends} | {check.must} | {check.finds} | {check.source} |"
        yield ""
