"""The scenario of a run folder: every value in force, with its origin, in the same format as a scenario file.

It can be run again as it is. The table `[resolved]` holds what a scenario file cannot: origins, versions, machine.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from harness.scenario.file import build
from harness.scenario.findings import ASSUMED, dotted
from harness.scenario.model import Fleet, Scenario, ScenarioError
from harness.scenario.outside import EMULATED_KEYS, EXTERNAL_KEYS
from harness.scenario.sites import SITE

_SCALARS: Final = ("name", "purpose", "seed", "ground", "witnesses")


def write_resolved(
    scenario: Scenario, path: Path, versions: Mapping[str, str], machine: Mapping[str, str | int | float]
) -> None:
    """Write the scenario as it is in force.

    Args:
        scenario: what is run.
        path: the file to write.
        versions: of pushlab and of what decides measurements (`pushlab`, `python`, `trio`, `kernel`).
        machine: facts of the machine (`cores`, `memory_bytes`).
    """
    lines = [
        "# The scenario as it was run: every value in force, and behind each where it came from.",
        f"# {ASSUMED}: no public source gives the figure.",
        "schema = 1",
    ]
    origins = scenario.origins
    lines += [_line((name,), getattr(scenario, name), origins) for name in _SCALARS]
    manager = scenario.callmanager
    lines += _table(("fleet",), _fleet(scenario.fleet), origins)
    service = {"p50": manager.service_ms.p50, "p99": manager.service_ms.p99}
    if manager.external:
        # Its capacity and its users are its own.
        lines += _table(("callmanager",), {"kind": manager.kind, "url": manager.url}, origins)
    else:
        capacity = _plain(manager, without=("service_ms", "credential_policy", "directory", "users"))
        lines += _table(("callmanager",), {**capacity, "service_ms": service}, origins)
        lines += _table(("callmanager", "credential_policy"), _plain(manager.credential_policy), origins)
        lines += _table(("callmanager", "directory"), _plain(manager.directory), origins)
        lines += _repeated(("callmanager", "user"), [_plain(user) for user in manager.users], origins)
    not_its = () if scenario.gateway.external else EXTERNAL_KEYS
    lines += _table(("gateway",), _plain(scenario.gateway, without=not_its), origins)
    if scenario.lab is not None:
        lines += _table(("lab",), _plain(scenario.lab), origins)
    lines += _repeated(("application",), [_plain(a) for a in scenario.applications], origins)
    pages = [_plain(page, without=("audio_path",)) for page in scenario.pages]
    for page, original in zip(pages, scenario.pages, strict=True):
        # A bundled recording keeps its name; a file is named so that it is found from the run folder.
        page["audio"] = original.audio if _is_bundled(original.audio) else str(original.audio_path.absolute())
    lines += _repeated(("page",), pages, origins)
    lines += _repeated(("alert",), [_plain(alert) for alert in scenario.alerts], origins)
    lines += _table(("load",), _plain(scenario.load), origins)
    lines += _repeated(("fault",), [_plain(fault) for fault in scenario.faults], origins)
    lines += _table(("probe",), _plain(scenario.probe), origins)
    lines += _table(("capture",), _plain(scenario.capture), origins)
    for table, conditions in (("integrity", scenario.integrity), ("thresholds", scenario.thresholds)):
        lines += _table((table,), {c.metric: c.expression for c in conditions}, origins)
    lines += _table(("expect",), _plain(scenario.expect), origins)
    lines += _table(("resolved",), {"source": str(scenario.source.absolute())}, {})
    for name, values in (("versions", versions), ("machine", machine), ("origins", origins)):
        lines += _table(("resolved", name), dict(values), {})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_resolved(path: Path) -> Scenario:
    """Read a run folder's scenario. Audio files need not be there any more.

    Raises:
        ScenarioError: the file is not there or was not written by `write_resolved`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw: dict[str, Any] = tomllib.loads(text)
    except OSError as error:
        raise ScenarioError((f"{path}: cannot be read: {error.strerror or error}",)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError((f"{path}: not TOML: {error}",)) from None
    resolved = raw.pop("resolved", None)
    if not isinstance(resolved, dict) or not isinstance(resolved.get("origins"), dict):
        raise ScenarioError((f"{path}: no [resolved.origins], so this is no scenario of a run folder",))
    scenario = build(raw, text, path, (), files=False)
    scenario_origins = {str(key): str(value) for key, value in resolved["origins"].items()}
    return _with_origins(scenario, scenario_origins)


def resolved_facts(path: Path) -> Mapping[str, Mapping[str, str | int | float]]:
    """The `versions` and `machine` of a run folder's scenario; empty where they are not given.

    Raises:
        ScenarioError: the file cannot be read.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScenarioError((f"{path}: cannot be read: {error}",)) from None
    resolved = raw.get("resolved", {})
    return {name: dict(resolved.get(name, {})) for name in ("versions", "machine")}


def _fleet(fleet: Fleet) -> dict[str, Any]:
    """A list of phones says how many there are, and lies beside the file."""
    if fleet.csv is None:
        return _plain(fleet, without=("csv", "site"))
    not_its = EMULATED_KEYS if fleet.real else ()
    return {"csv": SITE, **_plain(fleet, without=("csv", "site", "phones", "models", *not_its))}


def _with_origins(scenario: Scenario, origins: Mapping[str, str]) -> Scenario:
    values = {f.name: getattr(scenario, f.name) for f in fields(scenario)}
    return Scenario(**(values | {"origins": origins}))


def _is_bundled(audio: str) -> bool:
    return "/" not in audio and not audio.lower().endswith(".wav")


def _plain(item: object, without: tuple[str, ...] = ()) -> dict[str, Any]:
    assert is_dataclass(item)
    found = {f.name: getattr(item, f.name) for f in fields(item) if f.name not in without}
    # What is None was not given, and TOML has no word for it. Files are found from the run folder, too.
    return {k: str(v.absolute()) if isinstance(v, Path) else v for k, v in found.items() if v is not None}


def _table(path: tuple[str, ...], values: Mapping[str, object], origins: Mapping[str, str]) -> list[str]:
    lines = ["", f"[{dotted(path)}]"]
    for name, value in values.items():
        lines.append(_line((*path, name), value, origins))
    return lines


def _repeated(path: tuple[str, ...], entries: list[dict[str, Any]], origins: Mapping[str, str]) -> list[str]:
    lines = []
    for index, entry in enumerate(entries):
        lines += ["", f"[[{dotted(path)}]]"]
        lines += [_line((*path, str(index), name), value, origins) for name, value in entry.items()]
    return lines


def _line(path: tuple[str, ...], value: object, origins: Mapping[str, str]) -> str:
    origin = origins.get(dotted(path))
    name = path[-1]
    key = name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _text(name)
    return f"{key} = {toml_value(value)}" + (f"  # {origin}" if origin else "")


def toml_value(value: object) -> str:
    """A value as TOML on one line.

    Raises:
        TypeError: TOML has nothing like it.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case tuple() | list():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case Mapping():
            return "{ " + ", ".join(f"{_text(str(k))} = {toml_value(v)}" for k, v in value.items()) + " }"
        case _:
            raise TypeError(f"no TOML for {type(value).__name__}")


def _text(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
