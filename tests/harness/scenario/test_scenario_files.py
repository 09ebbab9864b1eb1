import tomllib
import wave
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario import Scenario, ScenarioError, bundled, load, read_resolved, resolved_facts, write_resolved
from harness.scenario.file import build, files_of, parse
from harness.scenario.keys import MODELS, model_of
from harness.scenario.lines import key_lines, parts_of
from harness.scenario.model import CredentialPolicy, Directory, share_of
from harness.scenario.thresholds import Threshold, ThresholdSyntaxError

MINIMAL = 'name = "x"\npurpose = "y"\n'
HERE = Path("x.toml")


def errors_of(text: str, overrides: list[tuple[str, str]] | None = None, *, files: bool = False) -> tuple[str, ...]:
    with pytest.raises(ScenarioError) as caught:
        parse(text, HERE, overrides or [], files=files)
    assert caught.value.exit_code == 4
    return caught.value.errors


def read(text: str, *overrides: tuple[str, str]) -> Scenario:
    return parse(text, HERE, overrides, files=False)


def test_the_contracts_defaults() -> None:
    scenario = read(MINIMAL)
    assert scenario.seed == 1
    assert scenario.ground == "auto"
    assert scenario.witnesses == ("gateway", "phones", "callmanager", "wire")
    assert scenario.fleet.phones == 1000
    assert scenario.fleet.models == {"CP-7960G": 0.5, "CP-7961G": 0.3, "CP-7970G": 0.2}
    assert scenario.fleet.authentication_url == "gateway"
    assert scenario.fleet.authentication_timeout_s == 10
    assert (scenario.callmanager.workers, scenario.callmanager.queue) == (8, 500)
    assert (scenario.callmanager.service_ms.p50, scenario.callmanager.service_ms.p99) == (60, 300)
    assert scenario.callmanager.credential_cache_s == 0
    assert scenario.callmanager.credential_policy == CredentialPolicy(failures=3, lock_minutes=30, reset_minutes=30)
    assert [(u.name, u.cti, u.devices) for u in scenario.callmanager.users] == [("agpush", True, "all")]
    assert (scenario.gateway.kind, scenario.gateway.user, scenario.gateway.concurrency) == ("own", "agpush", 200)
    assert scenario.gateway.own_user_mismatch == "redirect"
    assert scenario.gateway.push_password == "right"
    page = scenario.pages[0]
    assert (page.at_s, page.audio, page.delivery, page.start) == (0, "announcement", "unicast", "together")
    assert (page.start_fraction, page.start_deadline_s, page.late_after_ms) == (1.0, 2.0, 2000)
    assert [limit.name for limit in scenario.integrity] == [
        "capture.dropped == 0",
        "lateness.callmanager_model_fraction.p99 <= 0.1",
        "lateness.pacer_ms.p99 <= 10",
    ]
    assert scenario.expect.verdict == "pass"
    assert scenario.capture.keep == "all"


def test_all_errors_of_a_file_at_once_with_place_and_nearest_name() -> None:
    text = """nme = "x"
name = "a b"
[fleet]
phones = 0
authentification_url = "gateway"
[[page]]
adio = "x"
[thresholds]
"push.anser_ms.p99" = "< 3"
"push.per_s" = "3"
"""
    errors = errors_of(text, [("gateway.concurency", "3")])
    wanted = [
        ("x.toml:1", "nme", "did you mean 'name'?"),
        ("x.toml:2", "name", "got 'a b'"),
        ("x.toml", "purpose", "missing"),
        ("x.toml:4", "fleet.phones", "from 1 to 32000, got 0"),
        ("x.toml:5", "fleet.authentification_url", "did you mean 'authentication_url'?"),
        ("x.toml:7", "page.0.adio", "did you mean 'audio'?"),
        ("x.toml:9", 'thresholds."push.anser_ms.p99"', "did you mean 'push.answer_ms.p99'?"),
        ("x.toml:10", 'thresholds."push.per_s"', "expected a comparison"),
        ("--set", "gateway.concurency", "did you mean 'concurrency'?"),
    ]
    assert len(errors) == len(wanted)
    for place, key, part in wanted:
        assert any(e.startswith(f"{place}: {key}: ") and part in e for e in errors), (place, key, errors)


LATER = [
    '[gateway]\nkind = "command"\ncommand = ["x"]\n[[page]]\n[[alert]]',
    '[gateway]\nset_up = "administration"\n[[page]]\nphones = 0.5\n[load]\nshape = "overlap"\npages = 2',
    '[gateway]\nkind = "command"\ncommand = ["x"]\n[[alert]]\nacknowledge = 0.5',
    '[gateway]\nkind = "command"\ncommand = ["x"]\n[[page]]\nphones = 0.5\n[load]\nshape = "overlap"\npages = 2',
]


@pytest.mark.parametrize("text", LATER)
def test_what_comes_later_says_so(text: str) -> None:
    errors = errors_of(MINIMAL + text)
    assert len(errors) == 1
    assert "not available yet" in errors[0]


WRONG = [
    ("[gateway]\nrestarted = true", 'only with set_up = "administration"'),
    ('[gateway]\nkind = "command"\ncommand = ["x"]\nset_up = "administration"', 'only of kind = "own"'),
    ("[fleet]\nphones = 32001", "from 1 to 32000"),
    ("[fleet]\nphones = 1.5", "a whole number"),
    ("[fleet]\nphones = true", "a whole number"),
    ('[fleet]\nmodels = { "CP-7960G" = 0.5 }', "sum to 1"),
    ('[fleet]\nmodels = { "CP-1" = 1.0 }', "'CP-1' is none"),
    ('[fleet]\nmodels = { "7960" = 0.5, "CP-7960G" = 0.5 }', "named twice"),
    ('[fleet]\nauthentication_url = "ftp://x"', "a URL such as"),
    ("[callmanager]\nservice_ms = { p50 = 300, p99 = 60 }", "p50 <= p99"),
    ("[callmanager]\ncredential_cache_s = 121", "to 120"),
    ('[[callmanager.user]]\nname = "agpush"\n[[callmanager.user]]\nname = "agpush"', "there already"),
    ('[[callmanager.user]]\nname = "other"', "expected a user of [[callmanager.user]] (other)"),
    ('[[callmanager.user]]\nname = "agpush"\ndevices = ["SEP1"]', "device names"),
    ('[[callmanager.user]]\nname = "agpush"\ndevices = ["SEP001BD4000001", "SEP001BD4000001"]', "each device once"),
    ('[gateway]\nkind = "command"', "a program and its arguments"),
    ('[gateway]\ncommand = ["x"]', 'only for kind = "command"'),
    ('[[application]]\nuser = "nobody"\nphones = 0.1', "expected a user of [[callmanager.user]]"),
    ('[[application]]\nuser = "agpush"\nphones = 0.1', "another user than the gateway's"),
    ("[[page]]\nstart_fraction = 0", "above 0"),
    ('[[alert]]\ntext = ""', "a text of 1 to 256 characters on one line"),
    (f'[[alert]]\ntitle = "{"t" * 33}"', "a text of 1 to 32 characters on one line"),
    ('[[alert]]\npriority = "background"', "'background'"),
    ("[[page]]\nstart_fraction = 1.1", "to 1"),
    ('[[fault]]\nkind = "flood"', "port-blocked"),
    ('[fleet]\nboot = "slowly"', "instant"),
    ('[fleet]\nauthentication_url_at_boot = "callmanager"', 'only with boot = "fetch"'),
    ('[[fault]]\nkind = "not-reset"', "set fleet.authentication_url_at_boot as well"),
    ('[[fault]]\nkind = "impairment"', "at least one of loss, duplicate, reorder, jitter_ms"),
    ('[[fault]]\nkind = "impairment"\nloss = 0.6\nreorder = 0.6', "more than all packets"),
    ('[[fault]]\nkind = "impairment"\nloss = 2', "from 0 to 1"),
    ('[[fault]]\nkind = "hang"\nloss = 0.1', "only for kind = 'impairment'"),
    ('[expect]\nverdict = "pass"\nchecks = ["x"]', "no check is named"),
    ("[fleet]\n[[fleet.x]]", "unknown key"),
    ("page = 3", "tables written [[page]]"),
    ("fleet = 3", "expected a table"),
    ("thresholds = 3", "expected a table"),
    ('[thresholds]\n"push.answer_ms" = "< 1"', "unknown metric"),
    ('[integrity]\n"capture.droped" = "== 0"', "did you mean 'capture.dropped'?"),
    ('[thresholds]\n"push.per_s" = 3', "in quotes"),
    ("witnesses = []", "a list of some of"),
    ("schema = 2", "from 1 to 1"),
]


@pytest.mark.parametrize(("text", "part"), WRONG)
def test_wrong_values(text: str, part: str) -> None:
    root = not text.startswith("[")
    errors = errors_of(text + "\n" + MINIMAL if root else MINIMAL + text)
    assert any(part in error for error in errors), errors


def test_more_faulty_phones_than_phones_and_every_other_error_at_once() -> None:
    text = """[fleet]
phones = 10
[[fault]]
kind = "hang"
phones = 0.6
[[fault]]
kind = "garbage"
phones = 0.5
jitter_ms = 3
[[fault]]
kind = "impairment"
[[fault]]
kind = "canary-blocked"
[expect]
checks = ["x"]
"""
    errors = errors_of(MINIMAL + text)
    assert len(errors) == 4
    for part in ("only for kind", "at least one of", "21 faulty phones in a fleet of 10", "no check is named"):
        assert any(part in error for error in errors), errors


def test_not_toml() -> None:
    assert "not TOML" in errors_of("a = ")[0]


def test_a_directory_server_and_who_is_not_in_it() -> None:
    scenario = read(
        MINIMAL + '[callmanager.directory]\nkind = "slapd"\ntls = "ldaps"\ntotal_s = 2\n'
        '[[callmanager.user]]\nname = "agpush"\nin_directory = false'
    )
    assert scenario.callmanager.directory == Directory(kind="slapd", tls="ldaps", connections=8, total_s=2.0)
    assert scenario.callmanager.directory.is_server
    assert not scenario.callmanager.users[0].in_directory
    assert not read(MINIMAL).callmanager.directory.is_server


@pytest.mark.parametrize(
    ("text", "key", "part"),
    [
        ('[[callmanager.user]]\nname = "agpush"\nin_directory = false', "in_directory", "there is no directory server"),
        ('[callmanager.directory]\nkind = "samba"\ntls = "none"', "tls", "expected starttls or ldaps"),
        ('[[fault]]\nkind = "directory-blocked"', "kind", "there is no directory server"),
        ('[callmanager.directory]\nkind = "slappd"', "kind", "builtin | slapd | samba"),
    ],
)
def test_directories_that_cannot_be(text: str, key: str, part: str) -> None:
    [error] = errors_of(MINIMAL + text)
    assert key in error
    assert part in error


def test_unreadable_files(tmp_path: Path) -> None:
    for path, part in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ScenarioError, match=part):
            load(f"{path}/" if path is tmp_path else str(path))
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("burst-ofload", "no scenario named 'burst-ofload'; did you mean 'burst-offload'? "),
        ("xyz", "no scenario named 'xyz'; a file is given by its path. pushlab scenarios lists the bundled ones"),
        ("floor", "no scenario named 'floor'; did you mean the file 'floor.toml'?"),
        ("flor.toml", "flor.toml: No such file or directory in {here}; did you mean 'floor.toml'?"),
        ("ci/probe.toml", "ci/probe.toml: neither a file nor a bundled scenario; did you mean 'ci/probe'?"),
        ("./probe.toml", "the bundled one is named without folder and ending: probe"),
        ("/nowhere/other.toml", "/nowhere/other.toml: No such file or directory"),
    ],
)
def test_a_misspelt_name_or_file_is_told_what_may_have_been_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "floor.toml").write_text(MINIMAL)
    with pytest.raises(ScenarioError) as raised:
        load(given)
    [error] = raised.value.errors
    assert told.format(here=tmp_path) in error


def test_a_wrong_fault_or_recording_is_told_what_there_is() -> None:
    [error] = errors_of(MINIMAL + '[[fault]]\nkind = "port-bloked"\nphones = 0.1\n')
    assert "did you mean 'port-blocked'?" in error
    [error] = errors_of(MINIMAL + '[[fault]]\nkind = "hang"\nphones = 2\n')
    assert "expected a share above 0 up to 1 (0.05 is five of a hundred), got 2" in error
    [error] = errors_of(MINIMAL + '[[page]]\naudio = "notise"\n', files=True)
    assert "the bundled recordings are announcement and notice, and a file of your own ends in .wav" in error


def test_a_mistyped_name_of_a_group_is_told_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError, match=r"neither a file nor a bundled .* mean 'ci/inventory'\?"):
        load("ci/inventry")
    # A folder of one's own goes before the group.
    (tmp_path / "ci").mkdir()
    with pytest.raises(ScenarioError, match="ci/inventry: No such file"):
        load("ci/inventry")


def write_wave(path: Path, *, width: int = 2, frames: int = 100, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(bytes(width * frames * channels))


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda _: None, "cannot be read: No such file"),
        (lambda path: path.write_bytes(b""), "not a PCM WAV file: it ends within its header"),
        (lambda path: path.write_bytes(b"ID3 no wave at all, but some text"), "not a PCM WAV file"),
        (lambda path: write_wave(path, width=3), "1 channels of 24 bit"),
        (lambda path: write_wave(path, channels=4), "4 channels of 16 bit"),
        (lambda path: write_wave(path, frames=0), "holds no sound"),
        (lambda path: write_wave(path, width=1, frames=8000 * 601), "lasts 601 s"),
    ],
)
def test_audio_that_cannot_be_paged_is_an_error_before_anything_runs(tmp_path: Path, make: object, part: str) -> None:
    assert callable(make)
    make(tmp_path / "a.wav")
    path = tmp_path / "s.toml"
    path.write_text(MINIMAL + '[[page]]\naudio = "a.wav"\n')
    with pytest.raises(ScenarioError) as caught:
        load(str(path))
    assert "page.0.audio" in caught.value.errors[0]
    assert part in caught.value.errors[0]


def test_a_wave_file_beside_the_scenario(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav")
    path = tmp_path / "s.toml"
    path.write_text(MINIMAL + '[[page]]\naudio = "a.wav"\n')
    assert load(str(path)).pages[0].audio_path == tmp_path / "a.wav"


# --- overrides


def test_options_and_settings_are_remembered() -> None:
    scenario = read(
        MINIMAL + "[[page]]\n",
        ("--phones", "50"),
        ("--seed", "7"),
        ("--ground", "loopback"),
        ("callmanager.service_ms", "{ p50 = 1, p99 = 2 }"),
        ("page.start", "each"),
        ("thresholds.push.answer_ms.p99", "< 5"),
        ('integrity."capture.dropped"', "<= 3"),
    )
    assert (scenario.fleet.phones, scenario.seed, scenario.ground) == (50, 7, "loopback")
    assert scenario.callmanager.service_ms.p99 == 2
    assert scenario.pages[0].start == "each"
    assert [t.name for t in scenario.thresholds] == ["push.answer_ms.p99 < 5"]
    assert scenario.integrity[0].name == "capture.dropped <= 3"
    origins = scenario.origins
    assert origins["fleet.phones"] == "--phones"
    assert origins["seed"] == "--seed"
    assert origins["ground"] == "--ground"
    assert origins["page.0.start"] == "--set"
    assert origins["callmanager.workers"] == "assumed (a)"
    assert origins["gateway.concurrency"] == "default"
    assert origins["name"] == "scenario"


@pytest.mark.parametrize("key", ["page.2.audio", "alert.title", "fleet.phones.x", "page.0", ""])
def test_settings_that_mean_nothing(key: str) -> None:
    assert errors_of(MINIMAL + "[[page]]\n[[page]]\n", [(key, "1")])[0].startswith("--set")


def test_a_setting_without_a_number_is_for_all_entries() -> None:
    scenario = read(MINIMAL + "[[page]]\n[[page]]\n", ("page.start_fraction", "0.5"), ("page.1.at_s", "3"))
    assert [(page.start_fraction, page.at_s) for page in scenario.pages] == [(0.5, 0), (0.5, 3)]
    assert [scenario.origins[f"page.{n}.start_fraction"] for n in (0, 1)] == ["--set", "--set"]


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_setting_breaks_the_reader(key: str, value: str) -> None:
    with suppress(ScenarioError):
        read(MINIMAL, (key, value))


JSON_LIKE = st.recursive(
    st.booleans() | st.integers(-5, 50) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TABLES = st.sampled_from(["fleet", "callmanager", "gateway", "page", "thresholds", "integrity", "expect", "capture"])


@given(st.dictionaries(TABLES, JSON_LIKE, max_size=4))
def test_no_content_breaks_the_reader(tables: dict[str, object]) -> None:
    with suppress(ScenarioError):
        build({"name": "x", "purpose": "y", **tables}, "", HERE, (), files=False)


# --- resolved


@pytest.mark.parametrize("name", [one.name for one in bundled()])
def test_bundled_scenarios_survive_being_written(tmp_path: Path, name: str) -> None:
    scenario = load(name, {"--phones": "50", "callmanager.workers": "4"})
    path = tmp_path / "scenario.toml"
    write_resolved(scenario, path, {"pushlab": "0.1.0", "odd \"name'": "\u20ac\n"}, {"cores": 2, "memory_bytes": 2**33})
    again = read_resolved(path)
    for field in Scenario.__dataclass_fields__:
        if field != "source":
            assert getattr(again, field) == getattr(scenario, field), field
    assert resolved_facts(path) == {
        "versions": {"pushlab": "0.1.0", "odd \"name'": "\u20ac\n"},
        "machine": {"cores": 2, "memory_bytes": 2**33},
    }
    text = path.read_text()
    assert "workers = 4  # --set" in text
    assert "queue = 500  # assumed (a)" in text
    assert "phones = 50  # --phones" in text


def test_a_run_folders_scenario_can_be_run_again(tmp_path: Path) -> None:
    scenario = load("burst-offload", {"--phones": "50"})
    path = tmp_path / "scenario.toml"
    write_resolved(scenario, path, {}, {})
    again = load(str(path))
    assert (again.fleet, again.gateway, again.pages) == (scenario.fleet, scenario.gateway, scenario.pages)


def test_every_bundled_scenario_says_its_purpose_and_sources() -> None:
    found = bundled()
    assert len({one.name for one in found}) == len(found) >= 20, "a name means one scenario, whatever its group"
    for one in found:
        assert one.path.stem == one.name
        assert one.path.parent.name == one.group
        assert one.purpose.endswith(".")
        assert "Sources of the numbers" in one.path.read_text()
        assert load(one.name).name == load(f"{one.group}/{one.name}").name == one.name


def test_a_group_is_its_files_unless_there_is_such_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert files_of("ci/") == files_of("ci") == [str(one.path) for one in bundled() if one.group == "ci"]
    assert files_of("burst-offload") == ["burst-offload"]
    own = tmp_path / "ci"
    own.mkdir()
    with pytest.raises(ScenarioError, match="ci/: a folder without scenario files"):
        files_of("ci/")
    (own / "mine.toml").write_text(MINIMAL)
    (own / "mine.txt").write_text("")
    assert files_of("ci/") == [str(Path("ci/mine.toml"))]


def test_the_twin_differs_by_its_url_and_is_expected_to_fail() -> None:
    offload, direct = load("burst-offload"), load("burst-direct")
    assert (offload.fleet.authentication_url, direct.fleet.authentication_url) == ("gateway", "callmanager")
    assert offload.pages == direct.pages
    assert direct.expect.verdict == "fail"
    assert set(direct.expect.checks) == {threshold.name for threshold in direct.thresholds}


def test_a_run_folders_scenario_needs_no_audio(tmp_path: Path) -> None:
    write_wave(tmp_path / "a.wav")
    source = tmp_path / "s.toml"
    source.write_text(MINIMAL + '[[page]]\naudio = "a.wav"\n')
    write_resolved(load(str(source)), tmp_path / "scenario.toml", {}, {})
    (tmp_path / "a.wav").unlink()
    assert read_resolved(tmp_path / "scenario.toml").pages[0].audio == str(tmp_path / "a.wav")


def test_a_scenario_file_is_no_run_folders_scenario(tmp_path: Path) -> None:
    for name, content, part in (
        ("a", MINIMAL, "no scenario of a run folder"),
        ("b", "x", "not TOML"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ScenarioError, match=part):
            read_resolved(tmp_path / name)
    with pytest.raises(ScenarioError, match="cannot be read"):
        read_resolved(tmp_path / "none")


# --- small things


def test_models_are_those_of_the_emulator() -> None:
    folder = Path(__file__).parents[3] / "emulator" / "models"
    assert {path.stem for path in folder.glob("*.toml")} == set(MODELS)


@pytest.mark.parametrize("alias", ["7960", "7960G", "cp-7960", "CP-7960G"])
def test_aliases_of_models(alias: str) -> None:
    assert model_of(alias) == "CP-7960G"


def test_shares_mean_whole_phones() -> None:
    assert [share_of(n, 0.05) for n in (1, 10, 50, 1000)] == [1, 1, 2, 50]


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [("== 0", 0, True), ("!= 0", 0, False), ("< 2000", 1999.9, True), ("<=2", 2, True), ("> 1e3", 1000, False)],
)
def test_thresholds(text: str, value: float, holds: object) -> None:
    assert Threshold.parse("x", text).holds(value) is holds


@pytest.mark.parametrize("text", ["", "0", "=> 1", "< ", "== nan", "< 1 and > 0", "__import__('os')"])
def test_texts_that_are_no_threshold(text: str) -> None:
    with pytest.raises(ThresholdSyntaxError):
        Threshold.parse("x", text)


@given(st.floats(-1e9, 1e9, allow_nan=False), st.sampled_from(["==", "<", ">="]))
def test_a_thresholds_expression_reads_back(bound: float, relation: str) -> None:
    one = Threshold.parse("x", f"{relation} {bound:.12g}")
    assert Threshold.parse("x", one.expression) == one


def test_lines_of_keys() -> None:
    text = 'a = 1\n[b]\n"c.d" = 2\n[[e]]\nf = 3\n[[e]]\nf = 4\n[e.g]\nh = 5\n'
    tomllib.loads(text)
    lines = key_lines(text)
    assert lines["a",] == 1
    assert lines["b", "c.d"] == 3
    assert lines["e", "1", "f"] == 7
    assert lines["e", "1", "g", "h"] == 9
    assert parts_of('thresholds."a.b".c') == ("thresholds", "a.b", "c")
