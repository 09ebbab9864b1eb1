"""A run's result as the reports read it: `verdict.json` and `ledger.csv` of a run folder."""

import csv
import json
import math
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.report import figures
from harness.run_folder import LEDGER, SCENARIO, VERDICT
from harness.scenario.lines import parts_of
from harness.scenario.sites import SITE

SCHEMA: Final = 1
"""The only schema of verdict.json there is."""

VERDICTS: Final = ("none", "pass", "inconclusive", "fail", "error")
"""From best to worst; a run has the worst of its checks."""

PAGE: Final = "page"
"""Column of ledger.csv that is there in runs with several pages and alerts."""
_EXCUSED_NAMED: Final = 10
"""Excused phones named with a check; verdict.json names all."""
_LEDGER_BYTES: Final = 256 * 2**20
"""A ledger of a million phones: more is not one of ours, and would not fit into a page."""


class ReportError(Exception):
    """A folder without a result that can be read. Not: a run that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of the verdict."""

    name: str
    kind: str
    """law, threshold, probe or control"""
    verdict: str
    observed: str
    """for people, see `figures.observed`"""
    expected: str
    """"" where the name says it all, as for laws"""
    witnesses: tuple[str, ...]
    why: str
    sent: str = ""
    """What the probe asked; "" for other checks"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run's folder says about the run."""

    folder: Path
    scenario: str
    verdict: str
    as_expected: bool
    seed: int
    phones: int
    deliveries: int
    """phones of each page and alert; of one page to all, as many as phones"""
    ground: str
    outcomes: Mapping[str, int]
    """end state → deliveries"""
    metrics: Mapping[str, float]
    """without those that were not measured"""
    checks: tuple[Check, ...]
    blind: tuple[str, ...]
    """one sentence each"""
    ledger: tuple[Mapping[str, str], ...]
    """the rows of ledger.csv; a column that is empty is ``""``"""
    url: str
    """What a probe of its own asked; "" for a run"""
    command: str
    """repeats the run"""
    unexpected: tuple[str, ...]
    """checks that did not end as the scenario expects, one sentence each"""

    @property
    def title(self) -> str:
        """Which run this is, in a line."""
        if self.url:
            return f"{self.scenario} · {self.url}"
        return f"{self.scenario} · {self.fleet} · seed {self.seed} · {self.ground}"

    @property
    def fleet(self) -> str:
        """How many phones, and of several pages how many deliveries."""
        phones = figures.counted(self.phones, "phone")
        return f"{phones} · {self.counted(self.deliveries)}" if self.several else phones

    @property
    def several(self) -> bool:
        """Whether the run has several pages and alerts: then each row of the ledger says which one it is about."""
        return bool(self.ledger) and PAGE in self.ledger[0]

    @property
    def send(self) -> str:
        """What a phone's story is told after."""
        return "the first Send" if self.several else "Send"

    def counted(self, rows: int) -> str:
        """Rows of the ledger in words: phones, or of several pages deliveries."""
        return figures.counted(rows, "delivery", "deliveries") if self.several else figures.counted(rows, "phone")

    @property
    def why(self) -> str:
        """The reason of the verdict, in a line."""
        if not self.checks:
            return "nothing was judged"
        worst = [check for check in self.checks if check.verdict == self.verdict]
        if self.verdict == "pass":
            count = len(self.asked)
            hold = f"all {count:,} checks hold" if count > 1 else "1 check holds"
            if not self.missed:
                return hold
            missed = self.counted(len(self.missed))
            if self.unheard:
                return f"{hold}; whether {missed} heard it, nobody but they knows"
            return f"{hold}; {missed} {'not' if self.several else 'did not get it'} in time, as the scenario allows"
        if not worst:
            return "no single check says so"
        first = worst[0]
        text = f"{first.name}: {first.why or first.observed}".rstrip(". ")
        return text if len(worst) == 1 else f"{text}; and {figures.counted(len(worst) - 1, 'more check')}"

    @property
    def expectation(self) -> str:
        """How the verdict stands to what the scenario expects; empty where a pass was expected, come or not."""
        if self.as_expected:
            return "" if self.verdict == "pass" else "as the scenario expects"
        return "not what the scenario expects" if self.verdict == "pass" or self.unexpected else ""

    @property
    def asked(self) -> tuple[Check, ...]:
        """Checks that this scenario asks; the others' verdict is none, such as a law about audio in a run without."""
        return tuple(check for check in self.checks if check.verdict != "none")

    @property
    def open_checks(self) -> tuple[Check, ...]:
        """Checks that were asked and do not say pass, worst first."""
        found = [check for check in self.asked if check.verdict != "pass"]
        return tuple(sorted(found, key=lambda check: -_rank(check.verdict)))

    @property
    def missed(self) -> tuple[Mapping[str, str], ...]:
        """Ledger rows of the phones that did not get what was sent, or got it late."""
        rows = [row for row in self.ledger if row.get("state") not in figures.WORKED]
        return tuple(sorted(rows, key=lambda row: (row.get("state", ""), row.get("phone", ""), row.get(PAGE, ""))))

    @property
    def unheard(self) -> bool:
        """Whether nobody could tell what came out of the phones: they were real ones."""
        return bool(self.phones and self.metrics) and "phones.delivered" not in self.metrics

    @property
    def missed_title(self) -> str:
        """What the phones of `missed` have in common."""
        what = "Phones not known to have got it in time" if self.unheard else "Phones that did not get it in time"
        return f"{what} ({len(self.missed):,})"

    def show(self, metric: str) -> str:
        """One of the run's metrics for people."""
        return figures.show(metric, self.metrics.get(metric))

    def outcome_text(self) -> str:
        """`990 delivered · 10 no_audio`; what worked first."""
        ordered = sorted(self.outcomes.items(), key=lambda item: (item[0] not in figures.WORKED, -item[1], item[0]))
        return " · ".join(f"{count:,} {state}" for state, count in ordered if count) or "no phones"


def first_of_each(rows: Iterable[Mapping[str, str]]) -> tuple[Mapping[str, str], ...]:
    """Rows of a ledger, of each phone the first one alone: a phone has one story, whatever it missed."""
    first: dict[str, Mapping[str, str]] = {}
    for row in rows:
        first.setdefault(row.get("phone", ""), row)
    return tuple(first.values())


def read_result(folder: Path) -> Result:
    """Read a finished run.

    Raises:
        ReportError: no verdict there, one that is not of this schema, or one that contradicts itself or the ledger.
    """
    result = _result(folder, _read_verdict(folder / VERDICT))
    wrong = _contradiction(result)
    if wrong:
        raise ReportError(
            f"{folder / VERDICT}: {wrong}, which no judgement says; write it again with: pushlab judge RUN"
        )
    return result


def _contradiction(result: Result) -> str:
    """Where a verdict was changed by hand and does not follow from what is beside it; empty where it does."""
    worst = max((check.verdict for check in result.checks), key=_rank, default="none")
    if _rank(result.verdict) < _rank(worst):
        return f"the verdict is {result.verdict} and a check says {worst}"
    if result.outcomes and result.verdict != "error" and sum(result.outcomes.values()) != result.deliveries:
        whose = "the fleet has" if result.deliveries == result.phones else "deliveries are"
        return f"{sum(result.outcomes.values()):,} phones have an end state, {whose} {result.deliveries:,}"
    if result.ledger:
        counted = Counter(row.get("state", "") for row in result.ledger)
        told = {state: count for state, count in result.outcomes.items() if count}
        if counted != told:
            return f"{LEDGER} has other end states"
    return ""


def _result(folder: Path, verdict: Mapping[str, Any]) -> Result:
    try:
        name = figures.clean(str(verdict["scenario"]))
        phones, seed, ground = int(verdict["phones"]), int(verdict["seed"]), figures.clean(str(verdict["ground"]))
        return Result(
            folder=folder,
            scenario=name,
            verdict=_known_verdict(verdict["verdict"]),
            as_expected=bool(verdict["as_expected"]),
            seed=seed,
            phones=phones,
            deliveries=int(verdict.get("deliveries", phones)),
            ground=ground,
            outcomes={figures.clean(str(state)): int(count) for state, count in verdict["outcomes"].items()},
            metrics={
                str(metric): value
                for metric, value in verdict["metrics"].items()
                if isinstance(value, int | float) and math.isfinite(value)
            },
            checks=tuple(_check(each) for each in verdict["checks"]),
            blind=tuple(_sentence(each) for each in verdict["blind"]),
            ledger=_read_ledger(folder / LEDGER),
            # A result that no scenario stands behind says itself how to repeat it.
            url=figures.clean(str(verdict.get("url") or "")),
            command=figures.clean(str(verdict.get("command") or ""))
            or _command(folder, read_settings(folder), name, phones, seed, ground),
            unexpected=tuple(figures.clean(str(each)) for each in verdict.get("unexpected") or ()),
        )
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ReportError(
            f"{folder / VERDICT}: not a verdict of schema {SCHEMA} ({type(error).__name__}: {error}); "
            "write it again with: pushlab judge RUN"
        ) from None


def read_settings(folder: Path) -> Mapping[str, Any]:
    """The run's scenario as resolved; empty where the folder has none that can be read."""
    try:
        return tomllib.loads((folder / SCENARIO).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _command(folder: Path, settings: Mapping[str, Any], name: str, phones: int, seed: int, ground: str) -> str:
    """The command that runs the same again, with every value that the command line had changed."""
    resolved = settings.get("resolved", {})
    source = Path(str(resolved.get("source") or name))
    # A bundled scenario goes by its name, so that the command works on any machine.
    is_bundled = source.parent.name == "" or source.parent.parent.name == "scenarios"
    words = ["pushlab", "run", name if is_bundled else str(source)]
    origins = resolved.get("origins", {})
    if "csv" not in settings.get("fleet", {}):
        words += ["--phones", str(phones)]
    elif origins.get("fleet.csv") in {"--csv", "--set"}:
        # The list that the run keeps is the one that was used, whatever became of the one that was named.
        words += ["--csv", str(folder / SITE)]
    words += ["--seed", str(seed), "--ground", ground]
    changed = [parts_of(key) for key, origin in origins.items() if origin == "--set" and key != "fleet.csv"]
    for path in changed:
        # Of a table that was set as a whole, the whole is given again, and its values not a second time.
        if any(path[:length] in changed for length in range(1, len(path))):
            continue
        with suppress(LookupError, TypeError, ValueError):  # a file changed by hand costs its part of the command
            words += ["--set", f"{'.'.join(path)}={_toml(lookup(settings, path))}"]
    return shlex.join(words)


def lookup(settings: Any, path: Sequence[str]) -> object:  # noqa: ANN401 - any node of a TOML document
    """The value behind a key's parts; numbers enter repeated tables, names of metrics hold dots themselves."""
    parts = list(path)
    node = settings
    while parts:
        if isinstance(node, Mapping) and ".".join(parts) in node:
            return node[".".join(parts)]
        step = parts.pop(0)
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def _toml(value: object) -> str:
    """A value as TOML on one line; texts that need no quotes go without, as on the command line."""
    return value if isinstance(value, str) and not _reads_as_value(value) else _quoted(value)


def _reads_as_value(text: str) -> bool:
    """Whether the command line would take this text for something else than a text: `2024`, `true`, `[1]`."""
    try:
        tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _quoted(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_quoted(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(_quoted(each) for each in value)}]"
    return json.dumps(value)


def _read_verdict(file: Path) -> dict[str, Any]:
    try:
        verdict = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReportError(
            f"{file}: not there, so this is no judged run; give a folder such as runs/latest, or judge it first"
        ) from None
    except (OSError, ValueError) as error:
        raise ReportError(f"{file}: cannot be read ({error}); write it again with: pushlab judge RUN") from None
    if not isinstance(verdict, dict) or verdict.get("schema") != SCHEMA:
        found = verdict.get("schema") if isinstance(verdict, dict) else type(verdict).__name__
        raise ReportError(f"{file}: expected schema {SCHEMA}, got {found}; judge the run again with this version")
    return verdict


def _check(given: Mapping[str, Any]) -> Check:
    name = figures.clean(str(given["name"]))
    expected = given.get("expected")
    return Check(
        name=name,
        kind=figures.clean(str(given["kind"])),
        verdict=_known_verdict(given["verdict"]),
        observed=figures.observed(name, given.get("observed")),
        expected=figures.bound(name) if expected is None else figures.observed(name, expected),
        witnesses=tuple(figures.clean(str(each)) for each in given.get("witnesses") or ()),
        why=figures.clean(" ".join(filter(None, (str(given.get("why") or ""), _excused(given.get("excused") or ()))))),
        sent=figures.clean(str(given.get("sent") or "")),
    )


def _excused(phones: Sequence[object]) -> str:
    """Phones that a law leaves out because a fault of the scenario breaks it by nature: named, never silent."""
    if not phones:
        return ""
    names = ", ".join(str(phone) for phone in phones[:_EXCUSED_NAMED])
    more = f" and {len(phones) - _EXCUSED_NAMED:,} more" if len(phones) > _EXCUSED_NAMED else ""
    return f"(excused by a fault: {names}{more})"


def _sentence(blind: object) -> str:
    """Who was blind and why, in a line; a reader of files by others takes a sentence as well."""
    if not isinstance(blind, Mapping):
        return figures.clean(str(blind))
    scope = f" ({blind['scope']})" if blind.get("scope") else ""
    return figures.clean(f"{blind.get('witness', 'a witness')}{scope}: {blind.get('why', 'no reason given')}")


def _known_verdict(text: object) -> str:
    if text not in VERDICTS:
        raise ValueError(f"verdict is {text!r}, expected one of {', '.join(VERDICTS)}")
    return str(text)


def _rank(verdict: str) -> int:
    return VERDICTS.index(verdict)


def _read_ledger(file: Path) -> tuple[Mapping[str, str], ...]:
    """The ledger's rows; none where the run was not judged so far as to have one."""
    if not file.is_file():
        return ()
    if file.stat().st_size > _LEDGER_BYTES:
        raise ReportError(f"{file}: larger than {_LEDGER_BYTES // 2**20} MiB, which no run of this project writes")
    with file.open(encoding="utf-8", newline="") as stream:
        return tuple(
            {str(column): figures.clean(value or "") for column, value in row.items() if column is not None}
            for row in csv.DictReader(stream)
        )
