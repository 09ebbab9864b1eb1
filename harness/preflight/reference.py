"""The tables of docs/reference/preflight.md, from the table of checks; a test holds them equal."""

from collections.abc import Iterator
from typing import Final

from harness.preflight.checks import CHECKS
from harness.preflight.outcome import these

_ABOUT: Final = {"phone": "Each phone", "subnet": "Each subnet", "site": "The site"}


def check_tables() -> str:
    """A table of what holds, and one of what to do; by what the checks are about."""
    return "\n".join(_tables())


def _tables() -> Iterator[str]:
    for about, heading in _ABOUT.items():
        checks = [check for check in CHECKS if check.about == about]
        yield f"### {heading}"
        yield ""
        yield "| check | what holds | what is asked | source |"
        yield "|---|---|---|---|"
        for check in checks:
            yield f"| `{check.name}` | {check.holds} | {check.asks} | {check.source} |"
        yield ""
        yield "| check | cause | what it means | what to do |"
        yield "|---|---|---|---|"
        for check in checks:
            for cause in check.causes:
                mark = "" if cause.stops else " \N{DAGGER}"
                do = cause.do.replace("{these}", these(1))
                told = f"**{_plain(do)}.** {_plain(cause.fix)}"
                yield f"| `{check.name}` | `{cause.name}`{mark} | {_plain(cause.means)} | {told} |"
        yield ""


def _plain(text: str) -> str:
    """What the findings fill in, as what stands in its place."""
    return text.replace("{", "*").replace("}", "*").replace("_url*", " URL*")
