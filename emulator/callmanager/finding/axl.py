"""A subset of AXL: phones and users, as provisioning programs read and write them. No I/O.

`POST /axl/`, operations `listPhone`, `getPhone`, `addUser`, `updateUser`, `getUser` and the three of application users.
The version is the one in the operation's namespace, `http://www.cisco.com/AXL/API/X`, and is echoed; SOAPAction is not
looked at. `associatedDevices` replaces the list: clients read it, append, and write it (AXL clients, seen).

End users and application users are one list here; of a user there is a name, a password, the CTI flag and the devices,
and everything else that a request sets is accepted and forgotten (assumed to be what a paging product needs). A tag of
the schema that is not modelled is left out of answers, as AXL leaves out what has no value.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from emulator.callmanager.finding.models import Model, model_of
from emulator.callmanager.finding.pattern import Pattern
from emulator.callmanager.finding.soap import ENVELOPE_END, Element, Fault, envelope_start, xml_text
from emulator.callmanager.registry import Device, Registry
from emulator.callmanager.users import Devices, User, UserError, Users

NAMESPACE: Final = re.compile(r"http://www\.cisco\.com/AXL/API/([0-9]{1,3}\.[0-9]{1,3})")
ANSWER_BYTES_MAX: Final = 8 * 1024 * 1024
"""AXL refuses to read more at once (AXLTHROTTLE)."""
_PHONES_A_PIECE: Final = 50
_COMPARISONS_A_PIECE: Final = 500
_UUIDS: Final = uuid.UUID("6f1f4d0e-0a4c-4f0e-9d7a-5b1f0c9d2e77")
"""The name space of our identifiers: the same phone has the same one after every start."""
GET_PAGE: Final = (
    b"<html><head><title>Cisco CallManager: AXL Web Service</title></head><body>"
    b"<h1>Cisco CallManager: AXL Web Service</h1><p>The AXL Web Service is working and accepting requests. "
    b"Use HTTP POST to send a request.</p></body></html>"
)
"""What a browser gets, and what clients look for to see whether AXL is there (MICROSOFTLAB, CUCMCONNECTOR)."""

Tag = Callable[[Device, Model], str]
"""Writes the content of one element of a phone."""
PHONE_TAGS: Final[dict[str, Tag]] = {
    "name": lambda device, _: device.name,
    "description": lambda device, _: xml_text(device.description),
    "product": lambda _, model: model.shown,
    "model": lambda _, model: model.shown,
    "class": lambda _, __: "Phone",
    "protocol": lambda _, model: model.protocol,
    "protocolSide": lambda _, __: "User",
    "callingSearchSpaceName": lambda _, __: "",
    "devicePoolName": lambda _, __: "Default",
    "commonPhoneConfigName": lambda _, __: "Standard Common Phone Profile",
    "locationName": lambda _, __: "Hub_None",
    "loadInformation": lambda _, model: model.load,
    "authenticationUrl": lambda device, _: xml_text(device.authentication_url),
    "secureAuthenticationUrl": lambda device, _: xml_text(device.secured_authentication_url),
    "servicesUrl": lambda device, _: xml_text(device.services_url),
}
"""In the schema's names; device pool, profile and location are those that CallManager is installed with."""
DETAIL_TAGS: Final[dict[str, Tag]] = {
    # 0 is enabled (UCM-DOC, the phone's configuration file; that AXL shows the same is inferred).
    "vendorConfig": lambda device, _: f"<webAccess>{0 if device.web_access else 1}</webAccess>",
    "lines": lambda device, _: (
        f"<line><index>1</index><dirn><pattern>{device.directory_number}</pattern></dirn></line>"
        if device.directory_number
        else ""
    ),
}
"""What getPhone has beyond listPhone."""
CRITERIA: Final = ("name", "description", "protocol", "callingSearchSpaceName", "devicePoolName")
"""What listPhone searches by; several must all fit (assumed)."""
USER_TAGS: Final = ("userid", "associatedDevices", "enableCti")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """What AXL reads and changes."""

    users: Users
    registry: Registry


def axl_fault(operation: str, code: int, text: str, *, who: str = "Client") -> Fault:
    """A fault in AXL's shape: the text twice, AXL's own code and the operation in the detail (as captured, GOAXL)."""
    shown = xml_text(text)
    detail = (
        f"<axlError><axlcode>{code}</axlcode><axlmessage>{shown}</axlmessage>"
        f"<request>{xml_text(operation)}</request></axlError>"
    )
    return Fault(f"soapenv:{who}", text, detail=detail)


def carry_out(database: Database, operation: Element) -> Generator[bytes, None, int]:
    """Carry out one operation and write its answer in pieces; empty pieces breathe. Returns how many objects it is.

    Raises:
        Fault: it cannot be; nothing has been changed then.
    """
    version = NAMESPACE.fullmatch(operation.namespace)
    if version is None:
        raise axl_fault(
            operation.name[:40], -1, "expected an operation in a namespace as http://www.cisco.com/AXL/API/12.5"
        )
    act = _OPERATIONS.get(operation.name)
    if act is None:
        # The words that clients of a version without the operation have met (CUCMGO).
        raise axl_fault(operation.name[:40], -1, "No method found for processing request")
    # Everything that can fail comes first: a fault cannot follow the beginning of an answer.
    pieces: list[bytes] = []
    total = count = 0
    for piece, objects in act(database, operation):
        total += len(piece)
        count += objects
        if total > ANSWER_BYTES_MAX:
            rows = yield from _rows(database, operation)
            raise axl_fault(
                operation.name,
                -1,
                f"Query request too large. Total rows matched: {rows} rows. "
                f"Suggestive Row Fetch: less than {max(1, count - objects)} rows",
                who="Server",
            )
        pieces.append(piece)
        yield b""
    name = f"ns:{operation.name}Response"
    yield f'{envelope_start()}<{name} xmlns:ns="{operation.namespace}"><return>'.encode()
    yield from pieces
    yield f"</return></{name}>{ENVELOPE_END}".encode()
    return count


def identifier(kind: str, name: str) -> str:
    """The `uuid` of an object: the same for the same name at every start."""
    return f"{{{uuid.uuid5(_UUIDS, f'{kind}:{name}')}}}".upper()


Pieces = Iterator[tuple[bytes, int]]
"""Of an answer, with the number of objects in each."""


def _rows(database: Database, operation: Element) -> Generator[bytes, None, int]:
    """How many phones a listPhone asks for."""
    count = 0
    for number, device in enumerate(_matching(database.registry, _criteria(operation))):
        if number % _COMPARISONS_A_PIECE == 0:
            yield b""
        count += device is not None
    return count


def _list_phone(database: Database, operation: Element) -> Pieces:
    criteria = _criteria(operation)
    tags = operation.child("returnedTags")
    if tags is None:
        raise axl_fault(operation.name, -1, "returnedTags is needed")
    wanted = [PHONE_TAGS[child.name] for child in tags.children if child.name in PHONE_TAGS]
    names = [child.name for child in tags.children if child.name in PHONE_TAGS]
    skip, first = _page(operation, "skip") or 0, _page(operation, "first")
    taken: list[Device] = []
    seen = 0
    for number, device in enumerate(_matching(database.registry, criteria), 1):
        if device is not None:
            seen += 1
            if seen > skip and (first is None or seen <= skip + first):
                taken.append(device)
        if len(taken) >= _PHONES_A_PIECE or number % _COMPARISONS_A_PIECE == 0:
            yield _phones(taken, names, wanted), len(taken)
            taken = []
        if first is not None and seen >= skip + first:
            break
    yield _phones(taken, names, wanted), len(taken)


def _phones(devices: Sequence[Device], names: Sequence[str], tags: Sequence[Tag]) -> bytes:
    return "".join(
        f'<phone uuid="{identifier("phone", device.name)}">{_written(device, names, tags)}</phone>'
        for device in devices
    ).encode("utf-8")


def _written(device: Device, names: Sequence[str], tags: Sequence[Tag]) -> str:
    model = model_of(device.model)
    return "".join(f"<{name}>{tag(device, model)}</{name}>" for name, tag in zip(names, tags, strict=True))


def _criteria(operation: Element) -> list[tuple[Tag, Pattern]]:
    asked = operation.child("searchCriteria")
    if asked is None or not asked.children:
        raise axl_fault(operation.name, -1, "searchCriteria is needed, as <name>SEP%</name>")
    criteria = []
    for child in asked.children:
        if child.name not in CRITERIA:
            raise axl_fault(
                operation.name, -1, f"searchCriteria: expected {', '.join(CRITERIA)}, got {child.name[:40]}"
            )
        try:
            # xml_text as the tags are written, so that a & is found.
            pattern = Pattern(xml_text(child.text.strip()), any_run="%", any_one="_")
        except ValueError as error:
            raise axl_fault(operation.name, -1, f"searchCriteria: {child.name}: {error}") from None
        criteria.append((PHONE_TAGS[child.name], pattern))
    return criteria


def _matching(registry: Registry, criteria: Sequence[tuple[Tag, Pattern]]) -> Iterator[Device | None]:
    """Every device, or None for one that does not fit: who counts can breathe."""
    for device in registry.all():
        model = model_of(device.model)
        fits = all(pattern.matches(tag(device, model)) for tag, pattern in criteria)
        yield device if fits else None


def _page(operation: Element, name: str) -> int | None:
    text = operation.value(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise axl_fault(operation.name, -1, f"{name}: a whole number is needed")
    return int(text)


def _get_phone(database: Database, operation: Element) -> Pieces:
    name, wanted = operation.value("name"), operation.value("uuid").upper()
    device = database.registry.get(name.upper())
    if wanted and not name:
        device = next((each for each in database.registry.all() if identifier("phone", each.name) == wanted), None)
    if device is None:
        raise _not_found(operation, name or wanted)
    known = {**PHONE_TAGS, **DETAIL_TAGS}
    tags = operation.child("returnedTags")
    names = [child.name for child in tags.children if child.name in known] if tags is not None else list(known)
    written = _written(device, names, [known[each] for each in names])
    yield f'<phone uuid="{identifier("phone", device.name)}">{written}</phone>'.encode(), 1


def _not_found(operation: Element, what: str) -> Fault:
    """5007 for what is read, as clients know it (CISCOAXL, TINYCUCM)."""
    return axl_fault(operation.name, 5007, f"Item not valid: The specified {what[:128]} was not found")


def _add_user(database: Database, operation: Element) -> Pieces:
    given = operation.child("user", "appUser")
    if given is None or not given.value("userid"):
        raise axl_fault(operation.name, -1, "a user with a userid is needed")
    name = given.value("userid")
    if database.users.get(name) is not None:
        # As captured (GOAXL).
        text = "Could not insert new row - duplicate value in a UNIQUE INDEX column (Unique Index:)."
        raise axl_fault(operation.name, -239, text)
    devices = _devices(database, operation, given)
    cti = _flag(operation, given, "enableCti")
    try:
        database.users.add(
            name=name,
            # Without one nobody can log on as this user, as in life until a password is set.
            password=_password(given) or secrets.token_hex(16),
            cti=True if cti is None else cti,
            devices=devices or Devices(),
        )
    except UserError as error:
        raise axl_fault(operation.name, -1, str(error)) from None
    yield identifier("user", name).encode(), 1


def _update_user(database: Database, operation: Element) -> Pieces:
    user = _user(database, operation)
    if user is None:
        # 5003 for what is written (TINYCUCM).
        raise axl_fault(operation.name, 5003, f"{_kind(operation)} not found")
    if operation.value("newUserid") not in {"", user.name}:
        raise axl_fault(operation.name, -1, "newUserid: this emulator renames no user")
    devices = _devices(database, operation, operation)
    cti = _flag(operation, operation, "enableCti")
    try:
        database.users.change(user.name, password=_password(operation) or None, cti=cti, devices=devices)
    except UserError as error:
        raise axl_fault(operation.name, -1, str(error)) from None
    yield identifier("user", user.name).encode(), 1


def _get_user(database: Database, operation: Element) -> Pieces:
    user = _user(database, operation)
    if user is None:
        raise _not_found(operation, _kind(operation))
    tags = operation.child("returnedTags")
    wanted = {child.name for child in tags.children} if tags is not None else set(USER_TAGS)
    element = "appUser" if operation.name.endswith("AppUser") else "user"
    yield f'<{element} uuid="{identifier("user", user.name)}">'.encode(), 1
    if "userid" in wanted:
        yield f"<userid>{xml_text(user.name)}</userid>".encode(), 0
    if "associatedDevices" in wanted:
        yield b"<associatedDevices>", 0
        if user.devices.everything:
            names = [device.name for device in database.registry.all()]
        else:
            names = sorted(user.devices.names)
        for start in range(0, len(names), _COMPARISONS_A_PIECE):
            listed = "".join(f"<device>{name}</device>" for name in names[start : start + _COMPARISONS_A_PIECE])
            yield listed.encode(), 0
        yield b"</associatedDevices>", 0
    if "enableCti" in wanted and element == "user":
        yield f"<enableCti>{str(user.cti).lower()}</enableCti>".encode(), 0
    yield f"</{element}>".encode(), 0


def _kind(operation: Element) -> str:
    return "AppUser" if operation.name.endswith("AppUser") else "User"


def _user(database: Database, operation: Element) -> User | None:
    name, wanted = operation.value("userid"), operation.value("uuid").upper()
    if not wanted or name:
        return database.users.get(name)
    known = (database.users.get(each) for each in database.users.names() if identifier("user", each) == wanted)
    return next(known, None)


def _password(given: Element) -> str:
    found = given.child("password")
    return found.text if found is not None else ""


def _flag(operation: Element, given: Element, name: str) -> bool | None:
    text = given.value(name).casefold()
    if text in {"", "true", "false", "t", "f", "1", "0"}:
        return text in {"true", "t", "1"} if text else None
    raise axl_fault(operation.name, -1, f"{name}: true or false is needed")


def _devices(database: Database, operation: Element, given: Element) -> Devices | None:
    """The list that replaces the user's; None: it stays. Empty: no device any more."""
    listed = given.child("associatedDevices")
    if listed is None:
        return None
    names = [child.text.strip() for child in listed.children if child.name == "device" and child.text.strip()]
    if len(database.registry):  # without a list of devices every name is as good as another
        for name in names:
            if database.registry.get(name) is None:
                raise _not_found(operation, name)
    try:
        return Devices.of(names)
    except UserError as error:
        raise axl_fault(operation.name, -1, str(error)) from None


_OPERATIONS: Final[dict[str, Callable[[Database, Element], Pieces]]] = {
    "listPhone": _list_phone,
    "getPhone": _get_phone,
    "addUser": _add_user,
    "updateUser": _update_user,
    "getUser": _get_user,
    "addAppUser": _add_user,
    "updateAppUser": _update_user,
    "getAppUser": _get_user,
}
OPERATIONS: Final = frozenset(_OPERATIONS)
