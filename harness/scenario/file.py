"""Reads scenario files: TOML to frozen objects, every error of a file at once."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from harness.scenario import outside, sites
from harness.scenario.audio import AudioError, audio_path, audio_seconds, scenarios_folder
from harness.scenario.contradictions import check_together
from harness.scenario.faults import FAULTS, IMPAIRMENT, NOT_RESET, PARAMETERS
from harness.scenario.findings import Findings, checked
from harness.scenario.keys import MAX_USERS
from harness.scenario.lines import key_lines
from harness.scenario.model import (
    SAME,
    Alert,
    Application,
    CallManager,
    Capture,
    CredentialPolicy,
    Directory,
    Expect,
    Fault,
    Fleet,
    Gateway,
    LabPlace,
    Load,
    Page,
    Probe,
    Scenario,
    ScenarioError,
    ServiceTime,
    User,
    share_of,
)
from harness.scenario.outside import LAB
from harness.scenario.overrides import Overrides, overlay
from harness.scenario.schedule_errors import contradictions, load_limit, too_often
from harness.site import Phone

MAX_FILE_BYTES: Final = 2**20
"""A scenario is a page of text; a megabyte is somebody's mistake."""


GROUPS: Final = {
    "ci": "small and quick: all of them end within minutes, and a build rests on them",
    "load": "bursts: hundreds of phones, a thousand and more",
    "faults": "what goes wrong in phones, on the network, in CallManager",
    "lab": "needs more than pushlab: directory servers, phones or gateways of others",
}
"""The folders of the bundled scenarios, and what lies there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """One scenario that travels with pushlab."""

    name: str
    """Its own, unique among all groups."""
    group: str
    """One of GROUPS."""
    path: Path
    purpose: str


def bundled() -> list[Bundled]:
    """The scenarios that travel with pushlab, by group and name."""
    found = []
    for group in GROUPS:
        for path in sorted((scenarios_folder() / group).glob("*.toml"), key=lambda file: file.stem):
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            name, purpose = str(raw.get("name", path.stem)), str(raw.get("purpose", ""))
            found.append(Bundled(name=name, group=group, path=path, purpose=purpose))
    return found


def files_of(name: str) -> list[str]:
    """The scenarios that a word of the command line means: a folder's files, those of a bundled group, or itself.

    A folder of one's own goes before a bundled group of its name.

    Raises:
        ScenarioError: a folder without scenario files, or one that cannot be read.
    """
    folder = Path(name)
    if not _is(folder.is_dir, name):
        group = name.rstrip("/")
        if group not in GROUPS:
            return [name]
        folder = scenarios_folder() / group
    try:
        # Not glob: it takes a folder that may not be read for an empty one.
        found = sorted((file for file in folder.iterdir() if file.suffix == ".toml"), key=lambda file: file.stem)
    except OSError as error:
        raise ScenarioError((f"{name}: cannot be read: {error.strerror or error}",)) from None
    if not found:
        raise ScenarioError((f"{name}: a folder without scenario files (*.toml)",))
    return [str(file) for file in found]


def _is(asked: Callable[[], bool], name: str) -> bool:
    """`Path.is_dir` and `Path.is_file`, which raise where a folder on the way may not be entered.

    Raises:
        ScenarioError: as said.
    """
    try:
        return asked()
    except OSError as error:
        raise ScenarioError((f"{name}: cannot be read: {error.strerror or error}",)) from None


def load(name_or_path: str, overrides: Overrides = ()) -> Scenario:
    """Read a scenario by its file or its bundled name, with values from the command line laid over it.

    Args:
        name_or_path: `burst-offload` or `load/burst-offload`, or a path (with a `/` or ending in `.toml`).
        overrides: pairs of key path and text, in order: `("fleet.phones", "50")`. `--phones`, `--seed` and
            `--ground` are taken for their keys, and their names kept as the values' origin.

    Raises:
        ScenarioError: with every error of the file.
    """
    path = _find(name_or_path)
    text = _text(path)
    return parse(text, path, overrides, files=True)


def parse(text: str, path: Path, overrides: Overrides = (), *, files: bool) -> Scenario:
    """Read a scenario's text.

    Args:
        text: TOML.
        path: the file it came from; audio files are looked for beside it.
        overrides: as in `load`.
        files: whether the audio must be there and be readable.

    Raises:
        ScenarioError: with every error.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError((f"{path}: not TOML: {error}",)) from None
    # A run folder's scenario can be run again: what it says of versions and origins is of the run before.
    raw.pop("resolved", None)
    return build(raw, text, path, overrides, files=files)


def build(raw: dict[str, Any], text: str, path: Path, overrides: Overrides, *, files: bool) -> Scenario:
    """A scenario from parsed TOML; `text` serves for line numbers only."""
    given, errors = overlay(raw, overrides)
    sites.prefer(raw, given)
    findings = Findings(file=str(path), lines=key_lines(text), given=given, errors=errors, whole=not errors)
    values = checked(raw, findings)
    site = sites.read(values, path, findings, files=files)
    if findings.whole:
        _limit_load(values, findings)
        _contradictions(values, findings)
        check_together(values, findings)
    if findings.errors:
        raise ScenarioError(tuple(findings.errors))
    scenario = _scenario(values, path, findings, site)
    if files:
        _audio(scenario, findings)
        if not findings.errors:
            too_often(scenario, findings)
        outside.files(scenario, findings)
    if findings.errors:
        raise ScenarioError(tuple(findings.errors))
    return scenario


def _limit_load(values: dict[str, Any], findings: Findings) -> None:
    """A load has a limit of `[integrity]` more."""
    limit = load_limit(Load(**values["load"]), values["integrity"], findings.origins)
    values["integrity"] = (*values["integrity"], *limit)


def _find(name: str) -> Path:
    # Not `bundled`: for a name no file has to be read. A test holds names and files' names equal.
    paths = [path for group in GROUPS for path in sorted((scenarios_folder() / group).glob("*.toml"))]
    found = {path.stem: path for path in paths} | {f"{path.parent.name}/{path.stem}": path for path in paths}
    is_file = _is(Path(name).is_file, name)
    if name in found and not ("/" in name and is_file):
        return found[name]
    if "/" in name or name.endswith(".toml") or is_file:
        near = [] if _is(Path(name).exists, name) else get_close_matches(name, found, n=1)
        if near and not _is(Path(name).parent.is_dir, name):
            raise ScenarioError((f"{name}: neither a file nor a bundled scenario; did you mean {near[0]!r}?",))
        return Path(name)
    raise ScenarioError((f"no scenario named {name!r}; {_unnamed(name, found)}",))


def _unnamed(name: str, found: Mapping[str, Path]) -> str:
    """What may have been meant by a word that is no bundled name: a file that lies here, or the nearest name."""
    beside = f"{name}.toml"
    if _is(Path(beside).is_file, beside):
        return f"did you mean the file {beside!r}?"
    near = get_close_matches(name, found, n=1)
    known = f"did you mean {near[0]!r}?" if near else "a file is given by its path."
    return f"{known} pushlab scenarios lists the bundled ones"


def _absent(path: Path) -> str:
    """Of a file that is not there: where it was looked for, and what may have been meant."""
    bundled_names = {file.stem for group in GROUPS for file in (scenarios_folder() / group).glob("*.toml")}
    if path.stem in bundled_names:
        hint = f"; the bundled one is named without folder and ending: {path.stem}"
    else:
        near = get_close_matches(path.name, _scenarios_in(path.parent), n=1)
        hint = f"; did you mean {str(path.parent / near[0])!r}?" if near else ""
    where = "" if path.is_absolute() else f" in {Path.cwd()}"
    return f"{path}: No such file or directory{where}{hint}"


def _scenarios_in(folder: Path) -> list[str]:
    try:
        return [file.name for file in folder.iterdir() if file.suffix == ".toml"]
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ScenarioError((f"{path}: {size} bytes; a scenario has at most {MAX_FILE_BYTES}",))
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScenarioError((_absent(path),)) from None
    except OSError as error:
        raise ScenarioError((f"{path}: cannot be read: {error.strerror or error}",)) from None
    except UnicodeDecodeError as error:
        raise ScenarioError((f"{path}: not UTF-8 at byte {error.start}",)) from None


def _contradictions(values: Mapping[str, Any], findings: Findings) -> None:
    """What each key alone allows, but not together."""
    manager, gateway = values["callmanager"], values["gateway"]
    names = [user["name"] for user in manager["user"]] or [gateway["user"]]
    if len(names) > MAX_USERS:
        findings.wrong(("callmanager", "user"), f"at most {MAX_USERS} users, got {len(names)}")
    for index, name in enumerate(names):
        if name in names[:index]:
            findings.wrong(("callmanager", "user", str(index), "name"), f"user {name!r} is there already")
    _directory(manager, findings)
    if gateway["user"] not in names:
        findings.wrong(("gateway", "user"), f"expected a user of [[callmanager.user]] ({', '.join(names)})")
    for index, application in enumerate(values["application"]):
        where = ("application", str(index), "user")
        if application["user"] not in names:
            findings.wrong(
                where, f"expected a user of [[callmanager.user]] ({', '.join(names)}), got {application['user']!r}"
            )
        elif application["user"] == gateway["user"]:
            findings.wrong(where, "another application needs another user than the gateway's")
    if gateway["kind"] == "command" and not gateway["command"]:
        findings.wrong(("gateway", "command"), 'expected a program and its arguments: command = ["/usr/bin/x"]')
    if gateway["kind"] == "own" and gateway["command"]:
        findings.wrong(("gateway", "command"), 'only for kind = "command"')
    if gateway["kind"] != "own" and gateway["set_up"] != "file":
        findings.wrong(("gateway", "set_up"), 'only of kind = "own": another gateway is set up by its own means')
    if gateway["restarted"] and gateway["set_up"] == "file":
        findings.wrong(("gateway", "restarted"), 'only with set_up = "administration"')
    if values["fleet"]["boot"] != "fetch" and values["fleet"]["authentication_url_at_boot"] != SAME:
        findings.wrong(("fleet", "authentication_url_at_boot"), 'only with boot = "fetch"')
    contradictions(values, findings)
    if gateway["kind"] != "own" and any(alert["acknowledge"] for alert in values["alert"]):
        findings.wrong(("alert", "0", "acknowledge"), "not available yet: keys pressed on alerts of another gateway")
    _faults(values, findings)
    outside.contradictions(values, findings)
    expect = values["expect"]
    if expect["verdict"] == "pass" and expect["checks"]:
        findings.wrong(("expect", "checks"), 'with verdict = "pass" no check is named: all of them pass')


def _directory(manager: Mapping[str, Any], findings: Findings) -> None:
    kind, tls = manager["directory"]["kind"], manager["directory"]["tls"]
    for index, user in enumerate(manager["user"]):
        if kind == "builtin" and not user["in_directory"]:
            where = ("callmanager", "user", str(index), "in_directory")
            findings.wrong(where, "there is no directory server: [callmanager.directory] kind = slapd or samba")
    if kind == "samba" and tls == "none":
        where_tls = ("callmanager", "directory", "tls")
        findings.wrong(where_tls, "a domain controller refuses passwords in clear: expected starttls or ldaps")


def _faults(values: Mapping[str, Any], findings: Findings) -> None:
    phones, struck = values["fleet"]["phones"], 0
    for index, fault in enumerate(values["fault"]):
        where = ("fault", str(index))
        given = [name for name in PARAMETERS if fault[name]]
        if fault["kind"] == IMPAIRMENT:
            if not given:
                findings.wrong(where, f"an impairment needs at least one of {', '.join(PARAMETERS)}")
            elif sum(fault[name] for name in PARAMETERS[:3]) > 1 + 1e-9:  # 1e-9: written with a few digits
                findings.wrong(where, "loss, duplicate and reorder are more than all packets together")
        for name in given if fault["kind"] != IMPAIRMENT else ():
            findings.wrong((*where, name), f"only for kind = {IMPAIRMENT!r}")
        if fault["kind"] == "directory-blocked" and values["callmanager"]["directory"]["kind"] == "builtin":
            findings.wrong((*where, "kind"), "there is no directory server: [callmanager.directory] kind")
        if fault["kind"] == NOT_RESET and values["fleet"]["authentication_url_at_boot"] == SAME:
            findings.wrong((*where, "kind"), "nothing is changed: set fleet.authentication_url_at_boot as well")
        if FAULTS[fault["kind"]].strikes_phones:
            struck += share_of(phones, fault["phones"])
    if struck > phones:
        findings.wrong(
            ("fault",),
            f"{struck} faulty phones in a fleet of {phones}: each phone has at most one fault, and each fault at least "
            "one phone",
        )


def _audio(scenario: Scenario, findings: Findings) -> None:
    for index, page in enumerate(scenario.pages):
        try:
            audio_seconds(page.audio_path)
        except AudioError as error:
            findings.wrong(
                ("page", str(index), "audio"), f"{page.audio_path}: {error}{_bundled_audio(page.audio_path)}"
            )


def _bundled_audio(path: Path) -> str:
    """Where a name without `.wav` is no bundled recording: which there are."""
    if path.is_file() or path.parent != scenarios_folder() / "audio":
        return ""
    names = " and ".join(sorted(file.stem for file in path.parent.glob("*.wav")))
    return f"; the bundled recordings are {names}, and a file of your own ends in .wav"


def _scenario(values: Mapping[str, Any], path: Path, findings: Findings, site: tuple[Phone, ...]) -> Scenario:
    origins = findings.origins
    fleet, manager, gateway = values["fleet"], values["callmanager"], values["gateway"]
    users = manager["user"] or [{"name": gateway["user"], "cti": True, "devices": "all"}]
    bare = values["alert"] and values["load"]["shape"] == "once"
    pages = values["page"] or ([] if bare else [_default_page(origins)])
    return Scenario(
        name=values["name"],
        purpose=values["purpose"],
        seed=values["seed"],
        ground=values["ground"],
        witnesses=outside.witnesses(values),
        fleet=Fleet(
            phones=fleet["phones"],
            models=fleet["models"],
            authentication_url=fleet["authentication_url"],
            authentication_timeout_s=fleet["authentication_timeout_s"],
            boot=fleet["boot"],
            authentication_url_at_boot=fleet["authentication_url_at_boot"],
            csv=sites.place(fleet["csv"], path, findings) if fleet["csv"] else None,
            site=site,
            kind=fleet["kind"],
        ),
        callmanager=CallManager(
            kind=manager["kind"],
            workers=manager["workers"],
            service_ms=ServiceTime(**manager["service_ms"]),
            queue=manager["queue"],
            credential_cache_s=manager["credential_cache_s"],
            credential_policy=CredentialPolicy(**manager["credential_policy"]),
            directory=Directory(**manager["directory"]),
            users=tuple(User(**user) for user in users),
            url=manager["url"],
        ),
        gateway=Gateway(
            kind=gateway["kind"],
            command=gateway["command"],
            user=gateway["user"],
            concurrency=gateway["concurrency"],
            own_user_mismatch=gateway["own_user_mismatch"],
            push_password=gateway["push_password"],
            multicast_addresses=gateway["multicast_addresses"],
            catch_up_ms=gateway["catch_up_ms"],
            set_up=gateway["set_up"],
            restarted=gateway["restarted"],
            url=gateway["url"],
            address=gateway["address"],
            trigger=gateway["trigger"],
            wait_s=gateway["wait_s"],
            quiet_s=gateway["quiet_s"],
            limit_s=gateway["limit_s"],
            password_file=_beside(gateway["password_file"], path),
        ),
        applications=tuple(Application(**application) for application in values["application"]),
        pages=tuple(Page(**page, audio_path=audio_path(page["audio"], path.parent)) for page in pages),
        alerts=tuple(Alert(**alert) for alert in values["alert"]),
        load=Load(**values["load"]),
        faults=tuple(Fault(**fault) for fault in values["fault"]),
        probe=Probe(**values["probe"]),
        capture=Capture(**values["capture"]),
        integrity=values["integrity"],
        thresholds=values["thresholds"],
        expect=Expect(**values["expect"]),
        origins=origins,
        source=path,
        lab=LabPlace(**values["lab"]) if values["ground"] == LAB else None,
    )


def _beside(name: str | None, path: Path) -> Path | None:
    """A file that a scenario names is looked for beside it."""
    return None if name is None else path.parent / name


def _default_page(origins: dict[str, str]) -> dict[str, Any]:
    findings = Findings(file="", lines={}, given={})
    values: dict[str, Any] = checked({"name": "x", "purpose": "x", "page": [{}]}, findings)
    origins.update({key: value for key, value in findings.origins.items() if key.startswith("page.")})
    page: dict[str, Any] = values["page"][0]
    return page
