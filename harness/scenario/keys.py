"""What a value may be, and the table of every key that a scenario file knows.

One `Key` says all about one key: what it accepts, its default, whether that default is an assumption, and which values
are written down in the contract but cannot be run yet. Reader, resolved file and reference page all go by this table.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv4Network
from typing import Final
from urllib.parse import urlsplit

MAX_PHONES: Final = 32_000
"""The lab's phone network 10.20.0.0/17 has 32,766 addresses; some are reserved for control and canaries."""
MAX_CONCURRENCY: Final = 10_000
"""More pushes in flight than that only queue (docs/design/performance.md), and would run out of descriptors."""
MAX_USERS: Final = 1_000
MAX_SECONDS: Final = 3_600.0
WIDEST_BITS: Final = 16
"""Of a lab's phones' network: twice the largest fleet. A wider one is somebody's whole site by mistake."""
NARROWEST_BITS: Final = 29
"""Four addresses are kept for controls, two are no host's."""
REQUIRED: Final = object()

MODELS: Final = (
    "CP-6941", "CP-7905G", "CP-7940G", "CP-7941G", "CP-7942G", "CP-7960G", "CP-7961G", "CP-7965G", "CP-7970G",
    "CP-7975G", "CP-8841", "CP-8851", "CP-8861",
)  # fmt: skip
"""Phone models that the emulator has, in their real spelling; a test holds them equal to emulator/models."""


class WrongValueError(ValueError):
    """The value is not what the key takes; the text says what is expected."""


class NotYetError(ValueError):
    """The value is right, but this version cannot run it."""


Accept = Callable[[object], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a scenario file."""

    accept: Accept
    """Value as TOML gives it → value in force.

    Raises:
        WrongValueError: what is expected.
        NotYetError: what cannot be run yet.
    """
    default: object = REQUIRED
    assumed: bool = False
    """No public source gives the default."""
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a scenario file."""

    keys: Mapping[str, Key]
    tables: Mapping[str, "Table"] = field(default_factory=dict)
    repeated: bool = False
    """Written `[[name]]`."""
    later: str = ""
    """Why the whole table cannot be used yet."""


def text(value: object) -> object:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError("a text that is not empty")
    return value


def text_of(most: int) -> Accept:
    """A text that is not empty and has at most so many characters, on one line."""

    def accept(value: object) -> object:
        if not isinstance(value, str) or not value.strip() or len(value) > most or not value.isprintable():
            raise WrongValueError(f"a text of 1 to {most} characters on one line")
        return value

    return accept


def any_text(most: int) -> Accept:
    """A text of at most so many characters on one line; the empty one, too."""

    def accept(value: object) -> object:
        if not isinstance(value, str) or len(value) > most or not (value == "" or value.isprintable()):
            raise WrongValueError(f"a text of at most {most} characters on one line")
        return value.strip()

    return accept


def flag(value: object) -> object:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongValueError("true or false")
    return value


def slug(value: object) -> object:
    """A name that can be a folder."""
    if not isinstance(value, str) or re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", value) is None:
        raise WrongValueError("a name of lower-case letters, digits and '-', at most 64 characters")
    return value


def choice(*values: str, later: Mapping[str, str] | None = None) -> Accept:
    """One of these texts; those of `later` are known but cannot be run yet."""
    known = dict.fromkeys(values, "") | dict(later or {})

    def accept(value: object) -> object:
        if not isinstance(value, str) or value not in known:
            near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise WrongValueError(" | ".join(known) + hint)
        if known[value]:
            raise NotYetError(f"{value!r} is not available yet: {known[value]}")
        return value

    return accept


def whole(low: int, high: int) -> Accept:
    """A whole number within limits, both included."""

    def accept(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WrongValueError(f"a whole number from {low} to {high}")
        return value

    return accept


def number(low: float, high: float, *, above: bool = False) -> Accept:
    """A number within limits, both included, or with `above` the lower one left out; from 0 to 1 it is a share."""
    share = (low, high) == (0, 1)

    def accept(value: object) -> object:
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if not numeric or not low <= float(str(value)) <= high or (above and float(str(value)) == low):
            raise WrongValueError(
                f"a {'share' if share else 'number'} {'above' if above else 'from'} {low:g} "
                f"{'up ' if above else ''}to {high:g}{' (0.05 is five of a hundred)' if share else ''}"
            )
        return float(str(value))

    return accept


def texts(value: object) -> object:
    """A list of texts without repetition."""
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise WrongValueError("a list of texts")
    return tuple(value)


def some_of(*values: str) -> Accept:
    """A list of some of these texts, each at most once, at least one."""

    def accept(value: object) -> object:
        if (
            not isinstance(value, list)
            or not value
            or any(item not in values for item in value)
            or len(set(value)) != len(value)
        ):
            raise WrongValueError(f"a list of some of {', '.join(values)}, each at most once")
        return tuple(item for item in values if item in value)

    return accept


def any_of(*values: str) -> Accept:
    """A list of any of these texts, none too, each at most once."""

    def accept(value: object) -> object:
        if not isinstance(value, list) or len({str(item) for item in value}) != len(value):
            raise WrongValueError("a list of texts, each at most once")
        for item in value:
            if item not in values:
                near = get_close_matches(str(item), values, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise WrongValueError(f"a list of some of {', '.join(values)}; {item!r} is none{hint}")
        return tuple(value)

    return accept


def address(value: object) -> object:
    """An IPv4 address of one machine."""
    try:
        found = IPv4Address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.is_multicast or found.is_unspecified:
        raise WrongValueError("an IPv4 address such as 10.9.0.20")
    return str(found)


def network(value: object) -> object:
    """An IPv4 network with room for phones and reserved addresses."""
    expected = f"a network such as 10.9.128.0/17, of 8 to {2 ** (32 - WIDEST_BITS)} addresses"
    try:
        found = IPv4Network(value) if isinstance(value, str) else None
    except ValueError as error:
        raise WrongValueError(f"{expected} ({error})") from None
    if found is None or not WIDEST_BITS <= found.prefixlen <= NARROWEST_BITS:
        raise WrongValueError(expected)
    return str(found)


def url_of_address(value: object) -> object:
    """An http URL whose host is an IPv4 address: evidence names servers by their addresses."""
    expected = "a URL with an IPv4 address, such as http://10.9.0.30/cisco_auth/authenticate.html"
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is None or parts.scheme != "http" or parts.username is not None or parts.fragment:
            raise ValueError(expected)
        IPv4Address(parts.hostname or "")
        if parts.port == 0:
            raise ValueError(expected)
    except ValueError:
        raise WrongValueError(expected) from None
    return value


def models(value: object) -> object:
    """Shares by phone model; `7960` and the like are taken for `CP-7960G`."""
    if not isinstance(value, dict) or not value:
        raise WrongValueError("a table of model = share")
    shares: dict[str, float] = {}
    for name, share in value.items():
        model = model_of(str(name))
        if model is None:
            raise WrongValueError(f"models out of {', '.join(MODELS)}; {name!r} is none")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
            raise WrongValueError(f"a share above 0 up to 1 for {name}")
        if model in shares:
            raise WrongValueError(f"each model once; {model} is named twice")
        shares[model] = float(share)
    if abs(sum(shares.values()) - 1) > 1e-6:  # 1e-6: shares are written with a few digits
        raise WrongValueError(f"shares that sum to 1; these sum to {sum(shares.values()):g}")
    return shares


def model_of(name: str) -> str | None:
    """The real spelling of a model's name or alias: `7960`, `7960G`, `CP-7960` → `CP-7960G`."""
    short = name.upper().removeprefix("CP-").removesuffix("G")
    for model in MODELS:
        if model.removeprefix("CP-").removesuffix("G") == short:
            return model
    return None


def service_ms(value: object) -> object:
    """Median and 99th percentile of a log-normal time."""
    expected = "{ p50 = milliseconds, p99 = milliseconds } with 0 < p50 <= p99 <= 60000"
    if not isinstance(value, dict) or set(value) != {"p50", "p99"}:
        raise WrongValueError(expected)
    p50, p99 = value["p50"], value["p99"]
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in (p50, p99)) or not 0 < p50 <= p99 <= 60_000:
        raise WrongValueError(expected)
    return {"p50": float(p50), "p99": float(p99)}


_DEVICE: Final = re.compile(r"SEP[0-9A-F]{12}")


def devices(value: object) -> object:
    """Which phones a user is associated with."""
    if value in ("all", "none"):
        return value
    if isinstance(value, float) and 0 < value <= 1:
        return value
    if isinstance(value, list) and value and all(isinstance(v, str) and _DEVICE.fullmatch(v) for v in value):
        if len(set(value)) != len(value):
            raise WrongValueError("each device once")
        return tuple(value)
    raise WrongValueError(
        "all | none | a share above 0 up to 1.0 | a list of device names (SEP + 12 upper-case hex digits)"
    )


def url_or(*values: str) -> Accept:
    """One of these words, or an http URL."""

    def accept(value: object) -> object:
        if isinstance(value, str) and (
            value in values or re.fullmatch(r"https?://[^\s/?#@]+(/[^\s#]*)?", value) is not None
        ):
            return value
        raise WrongValueError(f"{' | '.join(values)} | a URL such as http://10.20.128.10/cisco_auth/authenticate.html")

    return accept
