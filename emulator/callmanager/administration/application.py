"""The ASGI application at the administration address: pages under /ccmadmin/, JSON under /api/."""

import logging
from pathlib import Path
from typing import Final

from jinja2 import BytecodeCache, StrictUndefined
from jinja2.bccache import Bucket
from quart import Response, g, jsonify, redirect, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from emulator.callmanager.administration import api, device_pages, login_pages, system_pages, user_pages
from emulator.callmanager.administration.actions import Actions, ConflictError, UnknownError
from emulator.callmanager.administration.device_search import SearchError
from emulator.callmanager.administration.entrance import Entrance, EntranceError, require_own_page
from emulator.callmanager.administration.form import SESSION_TOKEN, Form, FormError
from emulator.callmanager.administration.page import render, worded
from emulator.callmanager.cluster import Accounts, Cluster
from emulator.callmanager.directory import DirectoryError
from emulator.callmanager.registry import DeviceError
from emulator.callmanager.users import UserError
from emulator.callmanager.web import BODY_BYTES_MAX

_log = logging.getLogger("emulator.callmanager.administration")

STATIC: Final = {"administration.css": "text/css", "check-all.js": "text/javascript", "icon.svg": "image/svg+xml"}
PUBLIC: Final = frozenset({"/ccmadmin/login", *(f"/ccmadmin/static/{name}" for name in STATIC)})
"""What can be had without a login."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: browsers then say `Origin: null` with a form, which is what another site's page could say too.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATUSES: Final[dict[type[Exception], int]] = {
    UnknownError: 404,
    ConflictError: 409,
    DirectoryError: 502,
    UserError: 400,
    DeviceError: 400,
    SearchError: 400,
    api.BodyError: 400,
}


class _CompiledTemplates(BytecodeCache):
    """The templates' code, kept for the process: several applications compile once."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        code = self._code.get(bucket.key)
        if code is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED: Final = _CompiledTemplates()


def application(
    cluster: Cluster, *, token: str | None = None, accounts: Accounts | None = None, authentication_url: str = ""
) -> QuartTrio:
    """The application over one CallManager; its administrator may do everything, and so may who has the token.

    Args:
        cluster: changed in place.
        token: asked of programs; None: they need the administrator's credentials.
        accounts: who knows which users are locked.
        authentication_url: CallManager's own, which the pages show.
    """
    app = QuartTrio("emulator.callmanager.administration", static_folder=None, template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.jinja_options = {
        "undefined": StrictUndefined,
        "trim_blocks": True,
        "lstrip_blocks": True,
        "bytecode_cache": _COMPILED,
    }
    for name in app.jinja_env.list_templates():  # now and not at the first visit: compiling holds up phones' answers
        app.jinja_env.get_template(name)
    actions = Actions(cluster, accounts)
    entrance = Entrance(cluster.administrator, cluster.attempts, token=token)
    app.register_blueprint(api.blueprint(actions))
    app.register_blueprint(login_pages.blueprint(entrance))
    app.register_blueprint(user_pages.blueprint(actions))
    app.register_blueprint(device_pages.blueprint(actions))
    app.register_blueprint(system_pages.blueprint(actions, authentication_url=authentication_url))
    _add_static(app)

    @app.before_request
    async def let_in() -> Response | WerkzeugResponse | None:
        g.identity, g.logged_in = "", False
        if request.path.startswith("/api/"):
            await entrance.require_program()
        elif request.path.startswith("/ccmadmin/"):
            return await _let_into_pages(entrance)
        return None

    @app.after_request
    async def guard(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    _add_problems(app)
    return app


async def _let_into_pages(entrance: Entrance) -> Response | WerkzeugResponse | None:
    if request.path.startswith("/ccmadmin/static/"):
        return None
    if not entrance.has_administrator:
        return await render("unconfigured.html", status=403)
    if request.path in PUBLIC:
        g.identity = entrance.cookie() or entrance.sessions.new_identity()
    else:
        identity = await entrance.page_identity()
        if identity is None:
            following = request.full_path.removesuffix("?") if request.method == "GET" else ""
            return redirect(login_pages.address(following), code=303)
        g.identity, g.logged_in = identity, True
    g.token = entrance.sessions.token(g.identity)
    if request.method == "POST":
        require_own_page()
        data = await request.get_data(as_text=False)
        assert isinstance(data, bytes), type(data)
        g.form = Form(data, content_type=request.headers.get("Content-Type", ""))
        if not entrance.sessions.is_token(g.identity, g.form.text(SESSION_TOKEN)):
            raise EntranceError(403, "the form is not one of this session: open its page again")
    return None


def _add_static(app: QuartTrio) -> None:
    folder = Path(__file__).parent / "static"
    files = {name: (folder / name).read_bytes() for name in STATIC}

    @app.get("/ccmadmin/static/<name>")
    async def static(name: str) -> Response:
        if name not in files:
            raise UnknownError("there is no such file")
        response = Response(files[name], content_type=f"{STATIC[name]}; charset=utf-8")
        response.headers["Cache-Control"] = "no-cache"  # asked again each time, and answered 304
        await response.add_etag()
        await response.make_conditional(request)
        return response

    @app.get("/")
    @app.get("/CCMAdmin/")
    @app.get("/CCMAdmin/main.asp")
    async def start() -> WerkzeugResponse:
        return redirect("/ccmadmin/", code=303)


def _add_problems(app: QuartTrio) -> None:
    async def answer(status: int, text: str) -> Response:
        if request.path.startswith("/ccmadmin/"):
            response = await render("problem.html", status=status, problem=text)
        else:
            response = jsonify({"error": text})
            response.status_code = status
        if status == 401:
            basic = request.path.startswith("/ccmadmin/")
            response.headers["WWW-Authenticate"] = 'Basic realm="CallManager", charset="UTF-8"' if basic else "Bearer"
        return response

    async def known(error: Exception) -> Response:
        on_page = request.path.startswith("/ccmadmin/")
        return await answer(STATUSES[type(error)], worded(error) if on_page else str(error))

    for kind in STATUSES:
        app.register_error_handler(kind, known)

    @app.errorhandler(EntranceError)
    @app.errorhandler(FormError)
    async def refuse(error: EntranceError | FormError) -> Response:
        return await answer(error.status, str(error))

    @app.errorhandler(HTTPException)
    async def http_problem(error: HTTPException) -> Response:
        return await answer(error.code or 500, error.name)

    @app.errorhandler(Exception)
    async def defect(error: Exception) -> Response:
        # The text of the exception may quote the request.
        _log.error("administration failed: %s", type(error).__name__)
        response = jsonify({"error": "a defect of this server"})
        response.status_code = 500
        return response
