"""The table of every key that a scenario file knows, with its default."""

from typing import Final

from harness.scenario.faults import FAULTS, PLACES
from harness.scenario.keys import (
    MAX_CONCURRENCY,
    MAX_PHONES,
    MAX_SECONDS,
    Key,
    Table,
    address,
    any_of,
    any_text,
    choice,
    devices,
    flag,
    models,
    network,
    number,
    service_ms,
    slug,
    some_of,
    text,
    text_of,
    texts,
    url_of_address,
    url_or,
    whole,
)
from harness.scenario.model import MAX_LOAD_S, MAX_PAGES, MAX_PAGES_PER_S
from harness.scenario.probe_checks import PROBE_CHECKS

WITNESSES: Final = ("gateway", "phones", "callmanager", "wire")
GROUNDS: Final = ("auto", "netns", "loopback", "lab")
INTEGRITY: Final = {
    "capture.dropped": "== 0",
    "lateness.callmanager_model_fraction.p99": "<= 0.1",
    "lateness.pacer_ms.p99": "<= 10",
}
"""Beyond these a witness is blind. Under a `[load]` `lateness.load_ms.p99` has a limit as well (`Load.late_ms`)."""

_ROOT: Final = {
    "schema": Key(accept=whole(1, 1), default=1, meaning="version of this format"),
    "name": Key(accept=slug, meaning="the scenario's name, also its folder's"),
    "purpose": Key(accept=text, meaning="one sentence: what it shows"),
    "seed": Key(accept=whole(0, 2**63 - 1), default=1, meaning="what is drawn at random is drawn from this"),
    "ground": Key(
        accept=choice(*GROUNDS),
        default="auto",
        meaning="where it runs; auto takes netns, or loopback with a line saying why; lab: your own network ([lab])",
    ),
    "witnesses": Key(
        accept=some_of(*WITNESSES),
        default=WITNESSES,
        meaning="who is there to see; what needs another witness is left to the ones there are",
    ),
}
_FLEET: Final = {
    "kind": Key(
        accept=choice("emulated", "real"),
        default="emulated",
        meaning="whose phones; real ones (ground lab) are listed in csv, and only page and capture tell of them",
    ),
    "phones": Key(accept=whole(1, MAX_PHONES), default=1000, meaning="size of the fleet"),
    "csv": Key(
        accept=text,
        default=None,
        meaning="instead of phones and models: a site's phones, as `pushlab site` lists them; beside the scenario",
    ),
    "models": Key(
        accept=models,
        default={"CP-7960G": 0.5, "CP-7961G": 0.3, "CP-7970G": 0.2},
        assumed=True,
        meaning="share of each phone model",
    ),
    "authentication_url": Key(
        accept=url_or("gateway", "callmanager"), default="gateway", meaning="whom phones ask whether a push is genuine"
    ),
    "authentication_timeout_s": Key(
        accept=number(0, MAX_SECONDS, above=True),
        default=10.0,
        assumed=True,
        meaning="how long a phone waits for that answer",
    ),
    "boot": Key(
        accept=choice("instant", "fetch"),
        default="instant",
        meaning="how phones come to their settings; fetch: configuration files from CallManager",
    ),
    "authentication_url_at_boot": Key(
        accept=url_or("same", "gateway", "callmanager"),
        default="same",
        meaning="with boot = fetch: what was configured when phones booted; it is then changed, and phones are reset",
    ),
}
_CALLMANAGER: Final = {
    "kind": Key(
        accept=choice("own", "external"),
        default="own",
        meaning="which CallManager: the emulated one, or (ground lab) one that is not started",
    ),
    "url": Key(accept=url_of_address, default=None, meaning="of kind = external: its authentication URL"),
    "workers": Key(accept=whole(1, 1024), default=8, assumed=True, meaning="requests worked on at once"),
    "service_ms": Key(
        accept=service_ms,
        default={"p50": 60.0, "p99": 300.0},
        assumed=True,
        meaning="log-normal time of one request; with 8 workers about 105 a second",
    ),
    "queue": Key(accept=whole(0, 100_000), default=500, assumed=True, meaning="requests waiting; beyond it 503"),
    "credential_cache_s": Key(
        accept=number(0, 120),
        default=0.0,
        assumed=True,
        meaning="how long a right answer is remembered; 0 is off, Unified CM may use up to 120",
    ),
}
_CREDENTIAL_POLICY: Final = {
    "failures": Key(accept=whole(0, 1000), default=3, meaning="failed logons that lock an account; 0 locks never"),
    "lock_minutes": Key(accept=number(0, 1_000_000), default=30.0, meaning="how long it is locked"),
    "reset_minutes": Key(accept=number(0, 1_000_000), default=30.0, meaning="when a failure is forgotten"),
}
_DIRECTORY: Final = {
    "kind": Key(
        accept=choice("builtin", "slapd", "samba"),
        default="builtin",
        meaning="where passwords are: CallManager's own, or a directory server that the bed starts",
    ),
    "tls": Key(
        accept=choice("starttls", "ldaps", "none"), default="starttls", meaning="how CallManager's connections are kept"
    ),
    "connections": Key(
        accept=whole(1, 1000), default=8, assumed=True, meaning="of CallManager to the directory at a time"
    ),
    "total_s": Key(
        accept=number(0.1, 60), default=5.0, assumed=True, meaning="how long one question to the directory may take"
    ),
}
_USER: Final = {
    "name": Key(accept=text, meaning="user name"),
    "cti": Key(accept=flag, default=True, meaning="Enable CTI Application Use"),
    "devices": Key(accept=devices, default="all", meaning="Device Association: all, none, a share, or a list"),
    "in_directory": Key(
        accept=flag, default=True, meaning="false: associated in CallManager, but nobody created him in the directory"
    ),
}
_GATEWAY: Final = {
    "kind": Key(
        accept=choice("own", "command", "external"),
        default="own",
        meaning="which gateway: this one, a command run in its place, or (ground lab) one that is not started",
    ),
    "command": Key(accept=texts, default=(), meaning="program and arguments of kind = command"),
    "url": Key(accept=url_of_address, default=None, meaning="of kind = external: its authentication URL, if any"),
    "address": Key(
        accept=address, default=None, meaning="of kind = external: where pushes and audio leave from, if not the URL's"
    ),
    "trigger": Key(
        accept=texts, default=(), meaning="of kind = external: program that starts its page; none: somebody does"
    ),
    "wait_s": Key(
        accept=number(1, MAX_SECONDS), default=120.0, meaning="of kind = external: how long to wait for its first push"
    ),
    "quiet_s": Key(
        accept=number(0.5, MAX_SECONDS),
        default=5.0,
        assumed=True,
        meaning="of kind = external: its page is over when all were pushed to and nothing came for so long",
    ),
    "limit_s": Key(
        accept=number(1, MAX_SECONDS),
        default=600.0,
        meaning="of kind = external: its page is over this long after its first push in any case",
    ),
    "password_file": Key(
        accept=text, default=None, meaning="on ground lab: holds the push user's password, where others know it already"
    ),
    "user": Key(accept=text, default="agpush", meaning="the push user; the name is the one that CTX111243 recommends"),
    "concurrency": Key(accept=whole(1, MAX_CONCURRENCY), default=200, meaning="pushes in flight at once"),
    "own_user_mismatch": Key(
        accept=choice("redirect", "refuse"),
        default="redirect",
        meaning="what happens to a wrong password of the push user itself",
    ),
    "push_password": Key(
        accept=choice("right", "wrong"),
        default="right",
        meaning="wrong: pushes carry another password than the one that gateway and CallManager know",
    ),
    "multicast_addresses": Key(
        accept=whole(1, 128),
        default=16,
        meaning="group addresses in its pool: as many pages by multicast at once, further ones go by unicast",
    ),
    "catch_up_ms": Key(
        accept=whole(20, 1000),
        default=60,
        meaning="audio that it sends at once after a stall of the machine; what is overdue beyond it is left out",
    ),
    "set_up": Key(
        accept=choice("file", "administration"),
        default="file",
        meaning="who tells it push user, URL and phones: its file, or an administrator while it runs",
    ),
    "restarted": Key(
        accept=flag, default=False, meaning="with set_up = administration: stopped and started again before the page"
    ),
}
_APPLICATION: Final = {
    "user": Key(accept=text, meaning="its CallManager user, one of [[callmanager.user]]"),
    "phones": Key(accept=number(0, 1, above=True), meaning="share of the fleet that it pushes to"),
    "at_s": Key(accept=number(0, MAX_SECONDS), default=0.0, meaning="when, seconds after the run's zero"),
}
_WHOM: Final = {
    "phones": Key(accept=number(0, 1, above=True), default=1.0, meaning="share of the fleet that it goes to"),
    "group": Key(
        accept=any_text(32),
        default="",
        meaning="name of its phones: one name, the same phones; two names, no phone in both; empty: drawn for it alone",
    ),
}
_PAGE: Final = {
    "at_s": Key(accept=number(0, MAX_SECONDS), default=0.0, meaning="when, seconds after the run's zero"),
    "audio": Key(accept=text, default="announcement", meaning="bundled recording or a WAV file"),
    "delivery": Key(
        accept=choice("unicast", "multicast"),
        default="unicast",
        meaning="how audio travels: to each phone by itself, or once to a group that all join",
    ),
    "start": Key(
        accept=choice("together", "each"),
        default="together",
        meaning="together: audio waits for start_fraction to listen, or the deadline; each: every phone its own",
    ),
    "start_fraction": Key(
        accept=number(0, 1, above=True), default=1.0, meaning="share of listening phones that audio waits for"
    ),
    "start_deadline_s": Key(accept=number(0, MAX_SECONDS), default=2.0, meaning="longest wait for them"),
    **_WHOM,
    "priority": Key(
        accept=choice("normal", "emergency"), default="normal", meaning="an emergency takes phones from normal pages"
    ),
    "busy": Key(
        accept=choice("usual", "now", "queue", "skip"),
        default="usual",
        meaning="what becomes of a phone that another page has; usual: skip, of an emergency now",
    ),
    "late_after_ms": Key(
        accept=number(0, MAX_SECONDS * 1000, above=True),
        default=2000.0,
        meaning="a phone that listens later than this after Send is delivered_late",
    ),
}
_ALERT: Final = {
    "at_s": Key(accept=number(0, MAX_SECONDS), default=0.0, meaning="when, seconds after the run's zero"),
    "text": Key(accept=text_of(256), default="A test. Nothing has to be done.", meaning="what phones show"),
    "title": Key(accept=text_of(32), default="Test alert", meaning="the line above it"),
    "priority": Key(
        accept=choice("emergency", "normal"), default="emergency", meaning="at once, or when the phone is idle"
    ),
    **_WHOM,
    "late_after_ms": Key(
        accept=number(0, MAX_SECONDS * 1000, above=True),
        default=2000.0,
        meaning="a phone that shows it later than this after Send is displayed_late",
    ),
    "acknowledge": Key(
        accept=number(0, 1), default=0.0, meaning="share of the phones where somebody presses Acknowledge in the end"
    ),
}
_LOAD: Final = {
    "shape": Key(
        accept=choice("once", "rate", "ramp", "overlap"),
        default="once",
        meaning="once: the pages as written; else the one [[page]] many times: at a rate, from a rate to a rate, or "
        "several over each other",
    ),
    "pages_per_s": Key(accept=number(0, MAX_PAGES_PER_S), default=0.0, meaning="of rate: pages that begin in a second"),
    "from_per_s": Key(accept=number(0, MAX_PAGES_PER_S), default=0.0, meaning="of ramp: the rate at its beginning"),
    "to_per_s": Key(accept=number(0, MAX_PAGES_PER_S), default=0.0, meaning="of ramp: the rate at its end"),
    "duration_s": Key(accept=number(0, MAX_LOAD_S), default=0.0, meaning="of rate and ramp: how long pages begin"),
    "pages": Key(accept=whole(0, MAX_PAGES), default=0, meaning="of overlap: how many"),
    "every_s": Key(
        accept=number(0, MAX_LOAD_S), default=0.0, meaning="of overlap: from one to the next; 0: all at once"
    ),
    "groups": Key(
        accept=choice("same", "disjoint"),
        default="disjoint",
        meaning="of overlap: all to the same phones, or no phone in two of them",
    ),
    "overlapping": Key(
        accept=flag,
        default=False,
        meaning="of rate and ramp: whether a phone may be asked for a page while it has another; the gateway's rules "
        "decide then",
    ),
}
_FAULT: Final = {
    "kind": Key(accept=choice(*FAULTS), meaning="which fault (faults.md)"),
    "phones": Key(accept=number(0, 1, above=True), default=1.0, meaning="share of the fleet that has it"),
    "loss": Key(accept=number(0, 1), default=0.0, meaning="of impairment: share of the RTP packets that are lost"),
    "duplicate": Key(accept=number(0, 1), default=0.0, meaning="of impairment: share that comes twice"),
    "reorder": Key(accept=number(0, 1), default=0.0, meaning="of impairment: share that comes behind the next one"),
    "jitter_ms": Key(
        accept=number(0, 1000), default=0.0, meaning="of impairment: each packet is up to this much later, evenly"
    ),
    "at_s": Key(
        accept=number(0, MAX_SECONDS),
        default=0.0,
        meaning="when it begins, seconds after the run's zero; 0: before anything is sent",
    ),
    "lasts_s": Key(
        accept=number(0, MAX_SECONDS), default=0.0, meaning="with at_s: how long it is in force; 0: until the end"
    ),
    "where": Key(accept=choice(*PLACES), default="both", meaning="of credential-drift: whose password is changed"),
}
_PORT: Final = whole(1, 65535)
_LAB: Final = {
    "interface": Key(accept=text, default=None, meaning="network interface by which the others are reached: the wire"),
    "harness": Key(accept=address, default=None, meaning="this machine's address: the harness's and the fleet's"),
    "gateway": Key(accept=address, default=None, meaning="this machine's address for a gateway that is started here"),
    "callmanager": Key(accept=address, default=None, meaning="this machine's address for the emulated CallManager"),
    "phones_network": Key(
        accept=network,
        default=None,
        meaning="of emulated phones, routed to this machine; its last four are kept",
    ),
    "first_phone": Key(accept=address, default=None, meaning="the first phone's; default: the network's first"),
    "phone_port": Key(accept=_PORT, default=80, meaning="of the phones' web servers"),
    "gateway_port": Key(accept=_PORT, default=8081, meaning="phones' questions to a gateway that is started here"),
    "callmanager_port": Key(accept=_PORT, default=8082, meaning="phones' questions to the emulated CallManager"),
    "gateway_administration_port": Key(accept=_PORT, default=8443, meaning="of our gateway's JSON interface"),
    "callmanager_administration_port": Key(accept=_PORT, default=8080, meaning="of the emulated CallManager's"),
    "configuration_port": Key(accept=_PORT, default=6970, meaning="where phones fetch their configuration (HTTP)"),
    "tftp_port": Key(accept=_PORT, default=69, meaning="and by TFTP"),
    "phones_control_port": Key(accept=_PORT, default=18090, meaning="of the fleet's control API"),
}
_PROBE: Final = {
    "when": Key(
        accept=choice("never", "before", "after"),
        default="never",
        meaning="the gateway's authentication endpoint is probed before or after the page; a command's while it runs",
    ),
    "leave_out": Key(accept=any_of(*PROBE_CHECKS), default=(), meaning="checks of the probe that are not asked"),
}
_CAPTURE: Final = {
    "keep": Key(
        accept=choice("all", "failing"), default="all", meaning="failing: deleted after a run that went as expected"
    ),
    "max_bytes": Key(
        accept=whole(2**20, 2**40), default=4 * 2**30, meaning="the capture ends here, and the wire is blind from there"
    ),
    "ring_bytes": Key(accept=whole(2**12, 2**30), default=64 * 2**20, meaning="ring of each tap in the kernel"),
}
_EXPECT: Final = {
    "verdict": Key(
        accept=choice("pass", "inconclusive", "fail", "error"), default="pass", meaning="how the run is to end"
    ),
    "checks": Key(accept=texts, default=(), meaning="the checks that must have that verdict, exactly these"),
}

SCHEMA: Final = Table(
    keys=_ROOT,
    tables={
        "fleet": Table(keys=_FLEET),
        "callmanager": Table(
            keys=_CALLMANAGER,
            tables={
                "credential_policy": Table(keys=_CREDENTIAL_POLICY),
                "directory": Table(keys=_DIRECTORY),
                "user": Table(keys=_USER, repeated=True),
            },
        ),
        "gateway": Table(keys=_GATEWAY),
        "lab": Table(keys=_LAB),
        "application": Table(keys=_APPLICATION, repeated=True),
        "page": Table(keys=_PAGE, repeated=True),
        "alert": Table(keys=_ALERT, repeated=True),
        "load": Table(keys=_LOAD),
        "fault": Table(keys=_FAULT, repeated=True),
        "probe": Table(keys=_PROBE),
        "capture": Table(keys=_CAPTURE),
        "expect": Table(keys=_EXPECT),
    },
)
"""Everything but [integrity] and [thresholds], whose keys are metrics."""

METRIC_TABLES: Final = ("integrity", "thresholds")
