"""What settings may be: checked where they are entered, all errors at once, each with its reason."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from gateway.authentication import OwnUserMismatch
from gateway.configuration import MAX_SECRET, RTP_PORTS, Endpoint, callmanager_url_defect
from gateway.settings import Network, Settings, SettingsError

MAX_GROUPS: Final = 128
"""Addresses of a multicast pool. The modelled product takes no more either: a larger range turns multicast off and only
its log says so (CTX111485)."""
MAX_NETWORKS: Final = 100
MAX_AFTER_S: Final = 86_400.0


def check_settings(
    values: Mapping[str, object], current: Settings, *, phone_port: Endpoint, source: str | None
) -> dict[str, object]:
    """Check new values, as JSON or a form gives them, and return them as `SettingsStore.change` takes them.

    Args:
        values: setting to value; others stay as they are.
        current: what is in force.
        phone_port: where this gateway answers phones.
        source: the address that pushes leave from.

    Raises:
        SettingsError: with every error found.
    """
    known = {each.name for each in fields(Settings)}
    checks: dict[str, Callable[[object], object]] = {
        "push_user": _push_user,
        "push_password": _push_password,
        "callmanager_url": lambda value: _callmanager_url(value, phone_port, source),
        "own_user_mismatch": _own_user_mismatch,
        "multicast": _boolean,
        "multicast_first": _group,
        "multicast_last": _group,
        "multicast_port": _rtp_port,
        "phone_networks": _networks,
        "authorise": _authorise,
        "authorise_after_s": _after_s,
    }
    errors: dict[str, str] = {}
    checked: dict[str, object] = {}
    for name, value in values.items():
        if name not in known or name not in checks:
            near = difflib.get_close_matches(name, known, n=1)
            errors[name[:40]] = "is no setting" + (f", did you mean {near[0]}?" if near else "")
            continue
        try:
            checked[name] = checks[name](value)
        except ValueError as error:
            errors[name] = str(error)
    if not errors.keys() & {"multicast_first", "multicast_last"}:
        _check_pool(checked, current, errors)
    if errors:
        raise SettingsError(errors)
    return checked


def pool_size(first: str, last: str) -> int:
    """Addresses from `first` to `last`, both included; below 1 where they are the wrong way round."""
    return int(IPv4Address(last)) - int(IPv4Address(first)) + 1


def _check_pool(checked: Mapping[str, object], current: Settings, errors: dict[str, str]) -> None:
    first = str(checked.get("multicast_first", current.multicast_first))
    last = str(checked.get("multicast_last", current.multicast_last))
    if not checked.keys() & {"multicast", "multicast_first", "multicast_last"}:
        return
    if bool(first) != bool(last):
        errors["multicast_last" if first else "multicast_first"] = "is needed where the other end of the range is given"
    elif first and last:
        size = pool_size(first, last)
        if size < 1:
            errors["multicast_last"] = f"lies before the first address {first}"
        elif size > MAX_GROUPS:
            errors["multicast_last"] = (
                f"the range has {size} addresses, and at most {MAX_GROUPS} are taken: each page at once needs one, "
                "and a larger pool only takes groups away from others in the network"
            )
    elif checked.get("multicast", current.multicast):
        errors["multicast"] = "needs a range of group addresses"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004  a wrong value, told to who entered it
    return value.strip()


def _push_user(value: object) -> str:
    name = _text(value)
    if not name or ":" in name or not name.isprintable() or len(name.encode()) > MAX_SECRET:
        raise ValueError(f"must be 1 to {MAX_SECRET} printable bytes without a colon (RFC 7617)")
    return name


def _push_password(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable() or len(value.encode()) > MAX_SECRET:
        raise ValueError(f"must be 1 to {MAX_SECRET} printable bytes")
    return value


def _callmanager_url(value: object, phone_port: Endpoint, source: str | None) -> str:
    url = _text(value)
    defect = callmanager_url_defect(url, phone_port, source) if url else None
    if defect:
        raise ValueError(defect)
    return url


def _own_user_mismatch(value: object) -> OwnUserMismatch:
    if value not in tuple(OwnUserMismatch):
        raise ValueError('must be "redirect" or "refuse"')
    return OwnUserMismatch(str(value))


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004  a wrong value, told to who entered it
    return value


def _group(value: object) -> str:
    text = _text(value)
    if not text:
        return ""
    try:
        address = IPv4Address(text)
    except ValueError:
        raise ValueError("must be an IPv4 address such as 239.0.1.1") from None
    if not address.is_multicast or address < IPv4Address("224.0.1.0"):
        raise ValueError("must be from 224.0.1.0 to 239.255.255.255: those before it never leave a network segment")
    return str(address)


def _rtp_port(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in RTP_PORTS:
        raise ValueError("phones receive on even ports from 20480 to 32768")
    return value


def _networks(value: object) -> tuple[Network, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise ValueError("must be a list of networks, such as 10.20.0.0/17")
    if len(value) > MAX_NETWORKS:
        raise ValueError(f"at most {MAX_NETWORKS} networks are taken")
    networks = []
    for text in value:
        try:
            networks.append(ip_network(text.strip()))
        except ValueError:
            hint = ""
            try:
                ip_address(text.partition("/")[0].strip())
                hint = f", did you mean {ip_network(text.strip(), strict=False)}?"
            except ValueError:
                pass
            raise ValueError(f'"{text[:50]}" is no network, such as 10.20.0.0/17{hint}') from None
    return tuple(networks)


def _authorise(value: object) -> str:
    if value not in ("always", "in-flight"):
        raise ValueError('must be "always" or "in-flight"')
    return str(value)


def _after_s(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(float(value)):
        raise ValueError("must be a number of seconds")
    if not 0 <= value <= MAX_AFTER_S:
        raise ValueError(f"must be from 0 to {MAX_AFTER_S:g} seconds")
    return float(value)
