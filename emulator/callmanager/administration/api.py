"""The same actions as JSON, for programs. Passwords go in and never come out.

Every request carries `Authorization: Bearer TOKEN`, or the administrator's Basic credentials. Documented in
docs/reference/callmanager.md.
"""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from quart import Blueprint, Response, jsonify, request

from emulator.callmanager.administration.actions import Actions
from emulator.callmanager.administration.device_search import SEARCH_KEYS, SearchError, search_of
from emulator.callmanager.enterprise import LABELS
from emulator.callmanager.registry import CHANGEABLE, DEVICES_MAX, Device
from emulator.callmanager.users import Devices, User, UserError


class BodyError(Exception):
    """The body is not what this request takes; says every key that is wrong, and quotes no value."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BodyError("a text is needed")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BodyError("true or false is needed")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise BodyError("a whole number is needed")
    return value


def _devices(value: object) -> Devices:
    try:
        return Devices.of(value)
    except UserError as error:
        raise BodyError(str(error).removeprefix("devices: ")) from None


_Kinds = Mapping[str, Callable[[object], Any]]
_CHANGED_USER: Final[_Kinds] = {
    "password": _text,
    "cti": _flag,
    "devices": _devices,
    "first_name": _text,
    "last_name": _text,
}
_ADDED_USER: Final[_Kinds] = {"name": _text, **_CHANGED_USER, "directory": _flag}
_ASSOCIATED: Final[_Kinds] = {"add": _devices, "remove": _devices}
_CHANGED_DEVICE: Final[_Kinds] = {**dict.fromkeys(sorted(CHANGEABLE), _text), "web_access": _flag}
_PARAMETERS: Final[_Kinds] = {**dict.fromkeys(LABELS, _text), "url_idle_time_s": _whole}


def blueprint(actions: Actions) -> Blueprint:
    """Everything under `/api/`; who may come in is decided before."""
    pages = Blueprint("api", __name__, url_prefix="/api")
    _add_users(pages, actions)
    _add_devices(pages, actions)

    @pages.get("/enterprise")
    async def show_parameters() -> Response:
        return jsonify(asdict(actions.parameters))

    @pages.patch("/enterprise")
    async def change_parameters() -> Response:
        return jsonify(asdict(actions.change_parameters(**await _body(_PARAMETERS))))

    return pages


def _add_users(pages: Blueprint, actions: Actions) -> None:
    def shown(user: User) -> dict[str, Any]:
        return shown_user(user, locked=actions.locked(user))

    @pages.get("/users")
    async def list_users() -> Response:
        return jsonify({"users": [shown(user) for user in actions.users()]})

    @pages.post("/users")
    async def add_user() -> tuple[Response, int]:
        body = await _body(_ADDED_USER, needed=frozenset({"name", "password"}))
        body = {"cti": True, "devices": Devices(), **body}
        if not body.pop("directory", False):
            return jsonify(shown(actions.add_user(**body))), 201
        own = [key for key in ("first_name", "last_name", "password") if key in body]
        if own:
            raise BodyError(f"{own[-1]}: a user of the directory has none here")
        return jsonify(shown(await actions.add_person(**body))), 201

    @pages.get("/directory")
    async def global_directory() -> Response:
        found = await actions.find_persons(request.args.get("search", ""))
        return jsonify(
            {"users": [{"name": one.name, "dn": one.dn, "associated": user is not None} for one, user in found]}
        )

    @pages.get("/users/<path:name>")
    async def show_user(name: str) -> Response:
        return jsonify(shown(actions.user(name)))

    @pages.patch("/users/<path:name>")
    async def change_user(name: str) -> Response:
        actions.user(name)
        return jsonify(shown(actions.change_user(name, **await _body(_CHANGED_USER))))

    @pages.delete("/users/<path:name>")
    async def remove_user(name: str) -> tuple[str, int]:
        actions.remove_user(name)
        return "", 204

    @pages.post("/users/<path:name>/devices")
    async def associate(name: str) -> Response:
        actions.user(name)
        return jsonify(shown(actions.associate(name, **await _body(_ASSOCIATED))))

    @pages.post("/users/<path:name>/unlock")
    async def unlock(name: str) -> Response:
        return jsonify(shown(actions.unlock(name)))


def _add_devices(pages: Blueprint, actions: Actions) -> None:
    @pages.get("/devices")
    async def list_devices() -> Response:
        unknown = sorted(request.args.keys() - SEARCH_KEYS)
        if unknown:
            raise SearchError(f"{unknown[0][:40]!r}: unknown key; known are {', '.join(sorted(SEARCH_KEYS))}")
        found = actions.find_devices(search_of(request.args))
        return jsonify(
            {
                "devices": [shown_device(device) for device in found.devices],
                "total": found.total,
                "page": found.search.page,
                "pages": found.pages,
            }
        )

    @pages.get("/devices/<name>")
    async def show_device(name: str) -> Response:
        return jsonify(shown_device(actions.device(name)))

    @pages.patch("/devices/<name>")
    async def change_device(name: str) -> Response:
        actions.device(name)
        return jsonify(shown_device(actions.change_device(name, **await _body(_CHANGED_DEVICE))))

    @pages.post("/devices/<name>/reset")
    async def reset_one(name: str) -> Response:
        actions.device(name)
        return await reset([name])

    @pages.post("/reset")
    async def reset_several() -> Response:
        body = await _body({"devices": _devices}, needed=frozenset({"devices"}))
        if body["devices"].everything:
            return await reset(actions.matching_devices(search_of({})))
        return await reset(sorted(body["devices"].names))

    async def reset(names: list[str]) -> Response:
        assert len(names) <= DEVICES_MAX
        resets = await actions.reset(names)
        return jsonify({"told": len(resets.told), "failed": resets.failed})


def shown_user(user: User, *, locked: bool) -> dict[str, Any]:
    """A user as JSON; what is not usual is there only where it holds."""
    shown = {"name": user.name, "cti": user.cti, "devices": user.devices.described()}
    extra: dict[str, Any] = {"first_name": user.first_name, "last_name": user.last_name}
    extra |= {"directory": user.directory, "locked": locked}
    return {**shown, **{key: value for key, value in extra.items() if value}}


def shown_device(device: Device) -> dict[str, Any]:
    """A device as JSON; `registration_s` only where it is known."""
    shown = {**asdict(device), "registration": device.registration.name.lower()}
    return {key: value for key, value in shown.items() if key != "registration_s" or value}


async def _body(known: _Kinds, *, needed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The JSON object of the request, each value of its kind."""
    data = await request.get_data(as_text=False)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):  # wrong JSON or no UTF-8, or 100,000 brackets
        body = None
    if not isinstance(body, dict):
        raise BodyError("a JSON object is needed")
    if body.get("directory") is True:
        needed -= {"password"}
    problems = [f"{key}: is needed" for key in sorted(needed - body.keys())]
    values: dict[str, Any] = {}
    for key, value in body.items():
        check = known.get(key)
        if check is None:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            problems.append(f"{key[:40]!r}: unknown key" + (f"; did you mean {near[0]}?" if near else ""))
            continue
        try:
            values[key] = check(value)
        except BodyError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise BodyError("; ".join(problems))
    return values
