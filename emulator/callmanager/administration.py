"""JSON interface to the users of the mock CallManager. Passwords go in and never come out.

Every request carries `Authorization: Bearer TOKEN`. Documented in docs/reference/callmanager.md.
"""

import difflib
import hashlib
import hmac
import json
import logging
from typing import Any, Final

from quart import Response, jsonify, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from emulator.callmanager.cluster import GlobalDirectory
from emulator.callmanager.directory import DirectoryError
from emulator.callmanager.users import USER_NAME_CHARACTERS_MAX, Devices, User, UserError, Users
from emulator.callmanager.web import BODY_BYTES_MAX

_log = logging.getLogger("emulator.callmanager.administration")

_ADDED: Final = frozenset({"name", "password", "cti", "devices", "directory"})
_CHANGED: Final = frozenset({"password", "cti", "devices"})
_ASSOCIATED: Final = frozenset({"add", "remove"})


class _RequestError(Exception):
    """The request cannot be carried out; answered with its status and text. Its text quotes no value but names."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def application(users: Users, *, token: str, directory: GlobalDirectory | None = None) -> QuartTrio:
    """The ASGI application over these users; whoever has the token may do everything.

    Args:
        users: changed in place.
        token: asked of every request.
        directory: where User > Global Directory searches.
    """
    app = QuartTrio("emulator.callmanager.administration", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    expected = hashlib.sha256(token.encode()).digest()

    @app.before_request
    async def authorise() -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogatepass")).digest()
        if not hmac.compare_digest(digest, expected) or scheme.lower() != "bearer":
            raise _RequestError(401, "the bearer token is missing or wrong")

    @app.get("/api/users")
    async def list_users() -> Response:
        return jsonify({"users": [_shown(_known(users, name)) for name in users.names()]})

    @app.post("/api/users")
    async def add_user() -> tuple[Response, int]:
        body = await _body(_ADDED, needed=frozenset({"name", "password"}))
        body = {"cti": True, "devices": Devices(), **body}
        if not body.pop("directory", False):
            return jsonify(_shown(users.add(**body))), 201
        if "password" in body:
            raise _RequestError(400, "password: a user of the directory has none here")
        person = await _known_directory(directory).person(body["name"])
        if person is None:
            raise _RequestError(404, f"there is no {body['name']!r} in the directory")
        return jsonify(_shown(users.associate(**{**body, "name": person.name}))), 201

    @app.get("/api/directory")
    async def global_directory() -> Response:
        found = await _known_directory(directory).find(request.args.get("search", "")[:USER_NAME_CHARACTERS_MAX])
        known = [(person, users.of_directory(person.name)) for person in found]
        return jsonify(
            {"users": [{"name": one.name, "dn": one.dn, "associated": user is not None} for one, user in known]}
        )

    @app.get("/api/users/<name>")
    async def show_user(name: str) -> Response:
        return jsonify(_shown(_known(users, name)))

    @app.patch("/api/users/<name>")
    async def change_user(name: str) -> Response:
        _known(users, name)
        body = await _body(_CHANGED)
        return jsonify(_shown(users.change(name, **body)))

    @app.delete("/api/users/<name>")
    async def remove_user(name: str) -> tuple[str, int]:
        _known(users, name)
        users.remove(name)
        return "", 204

    @app.post("/api/users/<name>/devices")
    async def associate(name: str) -> Response:
        _known(users, name)
        body = await _body(_ASSOCIATED)
        devices = _known(users, name).devices  # read after the last await: nothing comes in between
        add, remove = body.get("add", Devices()), body.get("remove", Devices())
        if devices.everything and remove.names:
            raise _RequestError(409, "the user is associated with all devices: set a list of devices first")
        changed = Devices(
            everything=(devices.everything or add.everything) and not remove.everything,
            names=frozenset() if remove.everything else (devices.names | add.names) - remove.names,
        )
        return jsonify(_shown(users.change(name, devices=changed)))

    @app.errorhandler(_RequestError)
    async def refuse(error: _RequestError) -> Response:
        return _problem(error.status, str(error))

    @app.errorhandler(DirectoryError)
    async def directory_problem(error: DirectoryError) -> Response:
        return _problem(502, str(error))

    @app.errorhandler(UserError)
    async def cannot_be(error: UserError) -> Response:
        return _problem(400, str(error))

    @app.errorhandler(HTTPException)
    async def http_problem(error: HTTPException) -> Response:
        return _problem(error.code or 500, error.name)

    @app.errorhandler(Exception)
    async def defect(error: Exception) -> Response:
        # The text of the exception may quote the request.
        _log.error("administration failed: %s", type(error).__name__)
        return _problem(500, "a defect of this server")

    return app


def _shown(user: User) -> dict[str, Any]:
    shown = {"name": user.name, "cti": user.cti, "devices": user.devices.described()}
    return {**shown, "directory": True} if user.directory else shown


def _known_directory(directory: GlobalDirectory | None) -> GlobalDirectory:
    if directory is None:
        raise _RequestError(409, "there is no directory: see [directory] in docs/reference/callmanager.md")
    return directory


def _known(users: Users, name: str) -> User:
    user = users.get(name)
    if user is None:
        raise _RequestError(404, f"there is no user {name!r}")
    return user


def _problem(status: int, text: str) -> Response:
    response = jsonify({"error": text})
    response.status_code = status
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _body(known: frozenset[str], *, needed: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The JSON object of the request with checked values; `devices`, `add` and `remove` as `Devices`."""
    data = await request.get_data(as_text=False)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):  # wrong JSON or no UTF-8, or 100,000 brackets
        body = None
    if not isinstance(body, dict):
        raise _RequestError(400, "a JSON object is needed")
    if body.get("directory") is True:
        needed -= {"password"}
    problems = [f"{key}: is needed" for key in sorted(needed - body.keys())]
    values: dict[str, Any] = {}
    for key, value in body.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            problems.append(f"{key[:40]!r}: unknown key" + (f"; did you mean {near[0]}?" if near else ""))
        elif key in {"devices", "add", "remove"}:
            try:
                values[key] = Devices.of(value)
            except UserError as error:
                problems.append(f"{key}: {str(error).removeprefix('devices: ')}")
        elif key in {"cti", "directory"} and not isinstance(value, bool):
            problems.append(f"{key}: true or false is needed")
        elif key in {"name", "password"} and not isinstance(value, str):
            problems.append(f"{key}: a text is needed")
        else:
            values[key] = value
    if problems:
        raise _RequestError(400, "; ".join(problems))
    return values
