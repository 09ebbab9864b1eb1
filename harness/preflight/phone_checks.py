"""From what was read of a phone to results: every check about one phone, and those over the whole list. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.preflight.addresses import host_of, is_address, same_url, told
from harness.preflight.checks import fault
from harness.preflight.finding import Result, not_checked, ok
from harness.preflight.listing import subject_of
from harness.preflight.reading import Reading
from harness.site import models
from harness.site.listed import Listed

SAYS_NOTHING: Final = "the list does not say"
_UNREAD: Final = "its pages could not be read"
_AFTER_WEB: Final = (
    "identity", "directory-number", "model", "firmware",
    "authentication-url", "authentication-name", "authentication-server",
)  # fmt: skip

NameState = Literal["found", "unknown", "not-asked"]
ServerState = Literal["answers", "no-answer", "no-such-page", "not-asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What is known of a server that some authentication URL names."""

    name: NameState = "found"
    state: ServerState = "answers"
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the rollout wants."""

    authentication_url: str = ""
    """Empty: not given, so that nothing can be compared."""
    secured_url: str = ""
    callmanager_url: str = ""

    def is_wanted(self, url: str) -> bool:
        """Whether a phone that asks there is as it is to be."""
        return any(same_url(url, wanted) for wanted in (self.authentication_url, self.secured_url) if wanted)

    def is_named(self, url: str) -> bool:
        """Whether it is one of the URLs that are checked by themselves."""
        return self.is_wanted(url) or bool(self.callmanager_url and same_url(url, self.callmanager_url))


def check_phone(listed: Listed, reading: Reading, wanted: Wanted, servers: Mapping[str, Server]) -> list[Result]:
    """Every check that asks one phone, but for those over the whole list.

    Args:
        listed: as the list has it.
        reading: what was read.
        wanted: what the rollout wants.
        servers: by authentication URL in force, as far as they were asked.
    """
    subject, address = subject_of(listed), listed.address
    reached = _reach(listed, reading)
    if reading.information is None:
        rest = [not_checked(name, subject, _UNREAD, address=address, needed=False) for name in _AFTER_WEB]
        return [*reached, *rest]
    return [*reached, *_identity(listed, reading), *_authentication(listed, reading, wanted, servers)]


def _reach(listed: Listed, reading: Reading) -> list[Result]:
    subject, address = subject_of(listed), listed.address
    there = ok("reachable", subject, address=address)
    if reading.information is not None:
        return [there, ok("web-access", subject, address=address)]
    says = {True: "; the list says that Web Access is on", False: "; the list says that Web Access is off", None: ""}
    told = says[listed.web_access] if _exported(listed) else ""
    match reading.reach:
        case "not-asked":
            names = ("reachable", "web-access")
            return [not_checked(name, subject, reading.why, address=address, needed=False) for name in names]
        case "refused":
            observed = f"{reading.why}{told}"
            return [there, fault("web-access", "refused", subject, address=address, observed=observed)]
        case "timed-out" if reading.pinged:
            observed = f"a ping is answered, TCP port 80 is not{told}"
            return [there, fault("web-access", "silent", subject, address=address, observed=observed)]
        case "timed-out":
            ping = ", nor to a ping" if reading.pinged is False else "; a ping could not be sent"
            observed = f"no answer to TCP port 80{ping}"
            gone = fault("reachable", "absent", subject, address=address, observed=observed)
        case "no-route":
            gone = fault("reachable", "no-route", subject, address=address, observed=reading.why)
        case _:
            cause = "secured-only" if reading.secured_only else "no-phone"
            return [there, fault("web-access", cause, subject, address=address, observed=reading.why)]
    return [gone, not_checked("web-access", subject, "nothing answers at its address", address=address, needed=False)]


def _exported(listed: Listed) -> bool:
    """Whether the list has seen the phone's registration: our own list says of every phone that Web Access is on."""
    return listed.registered is not None or listed.web_access is False


def _identity(listed: Listed, reading: Reading) -> list[Result]:
    found = reading.information
    assert found is not None
    subject, address = subject_of(listed), listed.address
    pair = {"observed": f"SEP{found.mac}", "wanted": listed.device_name}
    if f"SEP{found.mac}" != listed.device_name:
        why = f"SEP{found.mac} is there now"
        return [
            fault("identity", "another-phone", subject, address=address, why=why, **pair),
            *(
                not_checked(name, subject, "another phone is there", address=address, needed=False)
                for name in ("directory-number", "model")
            ),
        ]
    results = [ok("identity", subject, address=address, **pair)]
    number = {"observed": found.directory_number, "wanted": listed.directory_number}
    if not listed.directory_number:
        results.append(not_checked("directory-number", subject, SAYS_NOTHING, address=address, needed=False))
    elif found.directory_number == listed.directory_number:
        results.append(ok("directory-number", subject, address=address, **number))
    else:
        cause = "other-number" if found.directory_number else "no-number"
        why = f"it has {found.directory_number or 'no number'}, the list {listed.directory_number}"
        results.append(fault("directory-number", cause, subject, address=address, why=why, **number))
    model = {"observed": found.model, "wanted": listed.model}
    if not listed.model:
        results.append(not_checked("model", subject, SAYS_NOTHING, address=address, needed=False))
    elif not found.model:
        results.append(not_checked("model", subject, "its page does not say", address=address, needed=False))
    elif same_model(found.model, listed.model):
        results.append(ok("model", subject, address=address, **model))
    else:
        why = f"it is a {found.model}, the list says {listed.model}"
        results.append(fault("model", "other-model", subject, address=address, why=why, **model))
    return results


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one model: pages and lists write `Cisco 7960`, `CP-7960G` and `7960` for the same."""
    return models.of_name(one).casefold() == models.of_name(other).casefold()


def _authentication(
    listed: Listed, reading: Reading, wanted: Wanted, servers: Mapping[str, Server]
) -> list[Result]:
    subject, address = subject_of(listed), listed.address
    names = ("authentication-url", "authentication-name", "authentication-server")
    network = reading.network
    url = None if network is None else network.authentication_url
    if network is None or url is None:
        why = reading.network_why or "its page does not say"
        return [not_checked(name, subject, why, address=address) for name in names]
    if not url:
        url_wanted = told(wanted.authentication_url) or "the wanted one"
        none = fault(
            "authentication-url", "none", subject, address=address, wanted=url_wanted, wanted_url=url_wanted
        )
        rest = [not_checked(name, subject, "it has no URL", address=address, needed=False) for name in names[1:]]
        return [none, *rest]
    server = servers.get(url)
    return [
        _url(subject, address, url, wanted),
        _name(subject, address, url, network.name_servers, server),
        _server(subject, address, url, wanted, server),
    ]


def _url(subject: str, address: str, url: str, wanted: Wanted) -> Result:
    pair = {"observed": told(url), "wanted": told(wanted.authentication_url)}
    if not wanted.authentication_url and not wanted.secured_url:
        return not_checked("authentication-url", subject, "no --authentication-url was given", address=address)
    if wanted.is_wanted(url):
        return ok("authentication-url", subject, address=address, **pair)
    return fault("authentication-url", "stale", subject, address=address, **pair)


def _name(
    subject: str, address: str, url: str, name_servers: tuple[str, ...] | None, server: Server | None
) -> Result:
    host = host_of(url)
    if not host:
        return fault("authentication-name", "unknown-name", subject, address=address, host=told(url))
    if is_address(host):
        return ok("authentication-name", subject, address=address, observed=host, why="an address")
    if name_servers == ():
        return fault("authentication-name", "no-name-server", subject, address=address, host=host, observed=host)
    if server is None or server.name == "not-asked":
        why = "it was not asked for" if server is None else server.why
        return not_checked("authentication-name", subject, why, address=address)
    if server.name == "unknown":
        return fault("authentication-name", "unknown-name", subject, address=address, host=host, observed=host)
    return ok("authentication-name", subject, address=address, observed=host)


def _server(subject: str, address: str, url: str, wanted: Wanted, server: Server | None) -> Result:
    if wanted.is_named(url) and (server is None or server.state != "answers"):
        # Said once, by the check of that URL, and not of each phone.
        why = "does not answer: see the URL itself"
        return not_checked("authentication-server", subject, why, address=address, needed=False)
    if server is None or server.state == "not-asked":
        why = "it was not asked" if server is None else server.why
        return not_checked("authentication-server", subject, why, address=address)
    if server.state == "answers":
        return ok("authentication-server", subject, address=address, observed=server.why)
    return fault(
        "authentication-server", server.state, subject, address=address, observed=server.why, url=told(url)
    )


def check_list(phones: Sequence[Listed]) -> list[Result]:
    """What can be seen from the list alone: an address that two phones have, and who is not registered."""
    by_address: dict[str, list[Listed]] = defaultdict(list)
    for phone in phones:
        by_address[phone.address].append(phone)
    results = []
    for phone in phones:
        subject, address = subject_of(phone), phone.address
        others = [subject_of(other) for other in by_address[address] if other is not phone] if address else []
        if others:
            why = f"{address} is listed for {', '.join(others[:3])}, too"
            results.append(fault("listed-once", "address-twice", subject, address=address, why=why))
        else:
            results.append(ok("listed-once", subject, address=address))
        results.append(_registered(phone))
    return results


def _registered(phone: Listed) -> Result:
    subject, address = subject_of(phone), phone.address
    if phone.registered is False:
        why = phone.status or "not registered"
        return fault("registered", "not-registered", subject, address=address, observed=why)
    if not address:
        return fault("registered", "no-address", subject)
    if phone.registered is None:
        return not_checked("registered", subject, SAYS_NOTHING, address=address, needed=False)
    return ok("registered", subject, address=address)


def check_fleet(phones: Iterable[tuple[Listed, Reading]]) -> list[Result]:
    """Shared numbers, and models with more than one firmware: results of those that stand out, and `ok` of firmware.

    Of a model, the firmware that most phones have is taken for the one that is meant; with a tie, the one that sorts
    last.
    """
    read = [(listed, reading.information) for listed, reading in phones if reading.information is not None]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    numbers: dict[str, list[Listed]] = defaultdict(list)
    for listed, found in read:
        assert found is not None
        if found.firmware:
            counts[found.model][found.firmware] += 1
        if found.directory_number:
            numbers[found.directory_number].append(listed)
    results = []
    for listed, found in read:
        assert found is not None
        place = {"address": listed.address}
        if not found.firmware:
            why = "its page does not say"
            results.append(not_checked("firmware", subject_of(listed), why, needed=False, **place))
            continue
        usual = max(counts[found.model].items(), key=lambda pair: (pair[1], pair[0]))[0]
        if found.firmware == usual:
            results.append(ok("firmware", subject_of(listed), observed=found.firmware, wanted=usual, **place))
        else:
            why = f"{found.firmware}, most of {found.model} have {usual}"
            results.append(
                fault(
                    "firmware",
                    "mixed",
                    subject_of(listed),
                    observed=found.firmware,
                    wanted=usual,
                    why=why,
                    firmware=usual,
                    **place,
                )
            )
    for number, sharing in numbers.items():
        if len({listed.address for listed in sharing}) > 1:
            results += [
                fault(
                    "directory-number",
                    "shared",
                    subject_of(listed),
                    address=listed.address,
                    observed=number,
                    why=f"{number} is also that of {_others(sharing, listed)}",
                )
                for listed in sharing
            ]
    return results


def _others(sharing: Sequence[Listed], listed: Listed) -> str:
    names = [subject_of(other) for other in sharing if other is not listed]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
