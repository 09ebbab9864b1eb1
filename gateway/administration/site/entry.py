"""Coming in and going out: set-up, login, logout, the own account."""

from __future__ import annotations

from typing import Final

from quart import Response

from gateway.accounts import AccountError, LoginRefusedError, Role
from gateway.accounts.tables import normal_name
from gateway.administration import actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.routes import Route
from gateway.administration.session_cookie import ended_cookie, session_cookie

WRONG: Final = "The name or the password is wrong."


async def show_login(call: Call) -> Response:
    """The form, or that of the first start."""
    if call.principal is not None:
        return see_other("/")
    if call.desk.accounts.nobody_yet:
        return _first_start(call)
    return rendered(call, "login.html", error="", name="", wanted=local_path(call.query.get("next", "/")))


async def log_in(call: Call) -> Response:
    """Begin a session. A wrong name and a wrong password are answered alike."""
    name, wanted = call.form.get("name", ""), local_path(call.form.get("next", "/"))
    if call.desk.accounts.nobody_yet:
        return _first_start(call)
    try:
        secret = await call.desk.accounts.log_in(name, call.form.get("password", ""), call.address)
    except LoginRefusedError as error:
        call.desk.audit.note("nobody", call.address, "login.refused", normal_name(name)[:64])
        answer = rendered(
            call,
            "login.html",
            status=429 if error.wait_s > 0 else 403,
            error=f"{WRONG} {_wait(error.wait_s)}".strip(),
            name=name[:64],
            wanted=wanted,
        )
        return _with_wait(answer, error.wait_s)
    if call.principal is not None:
        await call.desk.accounts.log_out(call.principal)
    call.desk.audit.note(normal_name(name), call.address, "login.done")
    answer = see_other(wanted)
    answer.headers.add("Set-Cookie", session_cookie(secret))
    return answer


async def log_out(call: Call) -> Response:
    """End the session here and in the browser."""
    await call.desk.accounts.log_out(call.who)
    call.note("logout.done")
    answer = see_other("/login")
    answer.headers.add("Set-Cookie", ended_cookie())
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def show_set_up(call: Call) -> Response:
    """The form of the first start."""
    return _first_start(call) if call.desk.accounts.nobody_yet else see_other("/login")


async def set_up(call: Call) -> Response:
    """Make an administrator with the set-up token. The token counts, also where there are accounts already."""
    name, token, password = (call.form.get(field, "") for field in ("name", "token", "password"))
    if password != call.form.get("again", ""):
        return _first_start(call, "The two passwords differ.", status=400)
    wait_s = 0.0
    try:
        secret = await call.desk.accounts.set_up(token, name, password, call.address)
    except AccountError as error:
        text, status = f"{error.field.capitalize()}: {error}.", 403 if error.field == "token" else 400
    except LoginRefusedError as error:
        text, status, wait_s = f"Too many wrong tokens. {_wait(error.wait_s)}", 429, error.wait_s
    else:
        call.desk.audit.note(normal_name(name), call.address, "account.set-up", normal_name(name))
        await call.desk.audit.written()
        answer = see_other("/operation/voice-office/ip-phone")
        answer.headers.add("Set-Cookie", session_cookie(secret))
        return answer
    call.desk.audit.note("nobody", call.address, "account.set-up-refused", normal_name(name)[:64])
    return _with_wait(_first_start(call, text, status=status), wait_s)


async def show_account(call: Call) -> Response:
    """The own account."""
    return rendered(call, "account.html", errors=[])


async def change_own_password(call: Call) -> Response:
    """Another password, with the present one."""
    form, errors = call.form, []
    if call.who.session is None:
        errors = ["Only a person who has logged in has a password."]
    elif form.get("password", "") != form.get("again", ""):
        errors = ["The two new passwords differ."]
    else:
        try:
            await call.desk.accounts.confirm(call.who, form.get("present", ""), call.address)
            await actions.change_password(call, call.who.name, form.get("password", ""))
        except LoginRefusedError as error:
            errors = [f"The present password is wrong. {_wait(error.wait_s)}".strip()]
        except AccountError as error:
            errors = [f"The new password {error}."]
    if errors:
        return rendered(call, "account.html", status=400, errors=errors)
    answer = see_other("/login")
    answer.headers.add("Set-Cookie", ended_cookie())
    return answer


def local_path(path: str) -> str:
    """A path of ours to go on to; anything else is the start page: no open redirect."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isascii() and path.isprintable()
    return path if plain and "\\" not in path and not path.startswith(("/login", "/logout")) else "/"


def _first_start(call: Call, error: str = "", *, status: int = 200) -> Response:
    form = call.form
    return rendered(
        call,
        "first_start.html",
        status=status,
        error=error,
        name=form.get("name", "")[:64],
        token=form.get("token", "")[:64],
    )


def _wait(wait_s: float) -> str:
    return f"The next attempt is looked at in {max(1, round(wait_s))} s." if wait_s > 0 else ""


def _with_wait(answer: Response, wait_s: float) -> Response:
    if wait_s > 0:
        answer.headers["Retry-After"] = str(max(1, round(wait_s)))
    return answer


ENTRY_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/login", handler=show_login, role=None, summary="Log in"),
    Route(method="POST", path="/login", handler=log_in, role=None, summary="Log in"),
    Route(method="GET", path="/set-up", handler=show_set_up, role=None, summary="Make the first administrator"),
    Route(method="POST", path="/set-up", handler=set_up, role=None, summary="Make the first administrator"),
    Route(method="POST", path="/logout", handler=log_out, role=Role.VIEWER, summary="Log out"),
    Route(method="GET", path="/account", handler=show_account, role=Role.VIEWER, summary="The own account"),
    Route(method="POST", path="/account", handler=change_own_password, role=Role.VIEWER, summary="Another password"),
)
