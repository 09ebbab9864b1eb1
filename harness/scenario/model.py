"""What a scenario says, as frozen objects. Keys and defaults: docs/reference/scenario.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.scenario.thresholds import Threshold
from harness.site.phone import Phone as SitePhone

EXIT_INVALID: Final = 4
SAME: Final = "same"
MAX_PAGES: Final = 500
"""Pages and alerts of one run: each is a row per phone in the ledger, and one more to watch while it goes."""
MAX_DELIVERIES: Final = 200_000
"""Pages times phones: a ledger that a browser still opens, and evidence that a judge reads within a minute."""
MAX_RECORDINGS: Final = 16
"""Different WAV files of one run: the folder keeps a copy of each, to be judged where the scenario's files are not."""
MAX_LOAD_S: Final = 3_600.0
"""An hour of 500 pages is one each seven seconds; longer runs measure the disk."""
MAX_PAGES_PER_S: Final = 50.0
"""The gateway runs eight pages of a priority at once (docs/reference/gateway.md): more only queue or are refused."""
LATE_SHARE: Final = 0.05
"""Of the interval between two pages: one that begins later is late, and with its p99 beyond that the load was not the
one that the scenario asked for."""
AT_ONCE_S: Final = 1.0
"""Pages that all begin at once have no interval; theirs is taken for a second (assumed)."""


class ScenarioError(Exception):
    """A scenario that cannot be run as written; carries every error of the file at once. Not: a run that failed."""

    exit_code = EXIT_INVALID

    def __init__(self, errors: tuple[str, ...]) -> None:
        """Keep the errors, one text each with place, expected, got and what to do."""
        super().__init__("\n".join(errors))
        self.errors = errors


def share_of(phones: int, share: float) -> int:
    """How many phones a share of the fleet means: rounded, at least one."""
    return max(1, round(phones * share))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The phones."""

    phones: int
    models: Mapping[str, float]
    """Model in its real spelling → share of the fleet; the shares sum to 1."""
    authentication_url: str
    """`gateway`, `callmanager` or a URL."""
    authentication_timeout_s: float
    boot: str
    """`instant`, or `fetch`: from CallManager."""
    authentication_url_at_boot: str
    """`SAME`, or as `authentication_url`: what phones booted with, before it was changed and they were reset."""
    kind: str = "emulated"
    """`emulated`, or `real`: they are not started and keep no diaries."""
    csv: Path | None = None
    """The list of a site's phones; None: they are made up."""
    site: tuple[SitePhone, ...] = ()
    """Its phones."""

    @property
    def real(self) -> bool:
        """Whether they are real phones."""
        return self.kind == "real"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTime:
    """Log-normal service time of one CallManager worker, milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of CallManager."""

    name: str
    cti: bool
    devices: str | float | tuple[str, ...]
    """`all`, `none`, a share of the fleet, or device names."""
    in_directory: bool = True
    """Whether the directory server has him; of no meaning where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPolicy:
    """When CallManager locks an account whose password is its own."""

    failures: int = 3
    """Failed logons that lock; 0 locks never."""
    lock_minutes: float = 30.0
    reset_minutes: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Where passwords are, and how CallManager asks."""

    kind: str = "builtin"
    """`builtin`: CallManager's own users; `slapd` or `samba`: a server that the bed starts."""
    tls: str = "starttls"
    connections: int = 8
    total_s: float = 5.0

    @property
    def is_server(self) -> bool:
        """Whether there is a directory server at all."""
        return self.kind != "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallManager:
    """The emulated CallManager and its capacity."""

    kind: str
    workers: int
    service_ms: ServiceTime
    queue: int
    credential_cache_s: float
    credential_policy: CredentialPolicy
    directory: Directory
    users: tuple[User, ...]
    url: str | None = None
    """The authentication URL of one that is `external`."""

    @property
    def external(self) -> bool:
        """Whether it is not started, and writes no records."""
        return self.kind == "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The system under test."""

    kind: str
    """`own`, `command`: a program run where a gateway would stand, or `external`: it is not started at all."""
    command: tuple[str, ...]
    user: str
    concurrency: int
    own_user_mismatch: str
    push_password: str
    """`right`, or `wrong`: pushes carry another password than the one that the gateway compares phones' questions
    with and that CallManager knows as the user's."""
    set_up: str = "file"
    """`file`, or `administration`: by an administrator, while it runs, through its own interface."""
    multicast_addresses: int = 16
    """Size of its pool: as many pages by multicast at once."""
    catch_up_ms: int = 60
    """Audio that it sends at once after a stall of the machine."""
    restarted: bool = False
    """Whether it is started again between being set up and the page."""
    url: str | None = None
    """The authentication URL of one that is `external`; None where it has none."""
    address: str | None = None
    """Where the pushes and the audio of an external one come from; None: from the URL's address."""
    trigger: tuple[str, ...] = ()
    """What starts the page of an external one; empty: a person."""
    wait_s: float = 120.0
    quiet_s: float = 5.0
    limit_s: float = 600.0
    password_file: Path | None = None
    """The push user's password, where others than the run know it; None: it is drawn."""

    @property
    def external(self) -> bool:
        """Whether it is neither started nor stopped by the run."""
        return self.kind == "external"

    @property
    def administered(self) -> bool:
        """Whether an administrator sets it up."""
        return self.set_up == "administration"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPlace:
    """Where a run on ground `lab` stands in its user's network; None: nothing of that kind stands there."""

    interface: str
    harness: str
    gateway: str | None
    callmanager: str | None
    phones_network: str | None
    first_phone: str | None
    phone_port: int
    gateway_port: int
    callmanager_port: int
    gateway_administration_port: int
    callmanager_administration_port: int
    configuration_port: int
    tftp_port: int
    phones_control_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Another application that pushes to phones with a CallManager user of its own."""

    user: str
    phones: float
    """Share of the fleet, at least one phone."""
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page."""

    at_s: float
    audio: str
    """As written: a bundled recording's name or a WAV file."""
    audio_path: Path
    """The file meant."""
    delivery: str
    start: str
    start_fraction: float
    start_deadline_s: float
    late_after_ms: float
    """A phone that listens later than this after Send is `delivered_late`."""
    phones: float = 1.0
    """Share of the fleet that it goes to."""
    group: str = ""
    """Name of these phones; empty: drawn for this page alone."""
    priority: str = "normal"
    busy: str = "usual"

    @property
    def busy_rule(self) -> str:
        """What becomes of a phone that another page has: `now`, `queue` or `skip`, as the gateway takes it."""
        if self.busy != "usual":
            return self.busy
        return "now" if self.priority == "emergency" else "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How often the page is sent."""

    shape: str = "once"
    """`once`: no load; `rate`, `ramp`, `overlap`."""
    pages_per_s: float = 0.0
    from_per_s: float = 0.0
    to_per_s: float = 0.0
    duration_s: float = 0.0
    pages: int = 0
    every_s: float = 0.0
    groups: str = "disjoint"
    overlapping: bool = False

    @property
    def open(self) -> bool:
        """Whether pages begin by a schedule, whatever became of those before."""
        return self.shape != "once"

    @property
    def interval_s(self) -> float:
        """Between two pages, at the highest rate."""
        highest = {"rate": self.pages_per_s, "ramp": max(self.from_per_s, self.to_per_s)}.get(self.shape, 0.0)
        return 1 / highest if highest else self.every_s or AT_ONCE_S

    @property
    def late_ms(self) -> float:
        """A page that begins later than this after its planned time is late."""
        return round(LATE_SHARE * self.interval_s * 1000, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One text alert."""

    at_s: float
    text: str
    title: str
    priority: str
    late_after_ms: float
    """A phone that shows it later than this after Send is `displayed_late`."""
    acknowledge: float
    """Share of the fleet where a person presses Acknowledge once all phones are settled; drawn by the seed."""
    phones: float = 1.0
    """Share of the fleet that it goes to."""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something made wrong on purpose."""

    kind: str
    """One of `faults.FAULTS`."""
    phones: float
    """Share of the fleet, at least one phone; of kinds that strike none it means nothing."""
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    jitter_ms: float = 0.0
    at_s: float = 0.0
    """When it begins, seconds after the run's zero; 0: before anything is sent. Of timed kinds alone."""
    lasts_s: float = 0.0
    """How long it is in force; 0: until the end."""
    where: str = "both"
    """Of a credential drift: `gateway`, `callmanager` or `both`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Checks of the gateway's authentication endpoint beside the page."""

    when: str = "never"
    """`never`, `before` or `after` the page."""
    leave_out: tuple[str, ...] = ()
    """Names of checks that are not asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The evidence from the wire."""

    keep: str
    """`all`, or `failing`: the capture is deleted after a run that went as expected."""
    max_bytes: int
    ring_bytes: int
    """Size of each tap's ring in the kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """How the run is to end."""

    verdict: str
    checks: tuple[str, ...]
    """Names of the checks that must have exactly that verdict; empty with `pass`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario with every value in force."""

    name: str
    purpose: str
    seed: int
    ground: str
    witnesses: tuple[str, ...]
    """Witnesses that this scenario has: what needs another is inconclusive by declaration."""
    fleet: Fleet
    callmanager: CallManager
    gateway: Gateway
    applications: tuple[Application, ...]
    pages: tuple[Page, ...]
    """Empty where there are alerts alone."""
    alerts: tuple[Alert, ...]
    load: Load
    faults: tuple[Fault, ...]
    probe: Probe
    capture: Capture
    integrity: tuple[Threshold, ...]
    thresholds: tuple[Threshold, ...]
    expect: Expect
    origins: Mapping[str, str]
    """Key path → `scenario`, `--set` and the like, `default`, or `assumed (a)`."""
    source: Path
    """The file it was read from."""
    lab: LabPlace | None = None
    """Of ground `lab` alone."""

    @property
    def recordings(self) -> tuple[Path, ...]:
        """The pages' audio files, each once, in the order in which they are first named."""
        return tuple(dict.fromkeys(page.audio_path for page in self.pages))
