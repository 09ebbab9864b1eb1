"""Log in and out of the pages."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlencode

import trio
from quart import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from emulator.callmanager.administration.entrance import COOKIE, Entrance, EntranceError
from emulator.callmanager.administration.page import form, render
from emulator.callmanager.administration.sessions import SESSION_S

_Answer = TypeVar("_Answer", Response, WerkzeugResponse)
FOLLOWING_CHARACTERS_MAX = 2000
"""A search has 300."""


def address(following: str) -> str:
    """Of the login page, which leads to another page afterwards."""
    return "/ccmadmin/login?" + urlencode({"next": _own(following)}) if _own(following) else "/ccmadmin/login"


def blueprint(entrance: Entrance) -> Blueprint:
    """The login form, and the button that ends the session."""
    pages = Blueprint("login_pages", __name__, url_prefix="/ccmadmin")

    @pages.get("/login")
    async def ask() -> Response:
        response = await render("login.html", following=_own(request.args.get("next", "")), name="", problem="")
        return _with_cookie(response, g.identity)

    @pages.post("/login")
    async def log_in() -> Response | WerkzeugResponse:
        given = form()
        given.require({"name", "password", "next"})
        following = _own(given.text("next"))
        try:
            admitted, problem, status = await entrance.admits(given.text("name"), given.text("password")), "", 403
        except EntranceError as error:
            admitted, problem, status = False, str(error), error.status
        if not admitted:
            problem = problem or "The name or the password is wrong."
            name = given.text("name")[:128]
            return await render("login.html", status=status, following=following, name=name, problem=problem)
        entrance.sessions.end(g.identity)
        identity = entrance.sessions.begin(trio.current_time())
        return _with_cookie(redirect(following or "/ccmadmin/", code=303), identity)

    @pages.post("/logout")
    async def log_out() -> WerkzeugResponse:
        form().require()
        entrance.sessions.end(g.identity)
        response = redirect("/ccmadmin/login", code=303)
        response.delete_cookie(COOKIE, path="/ccmadmin/", httponly=True, samesite="Lax")
        return response

    return pages


def _own(following: str) -> str:
    """The address of a page of ours, or nothing: a login leads nowhere else."""
    own = following.startswith("/ccmadmin/") and following.isprintable() and "\\" not in following
    return following if own and len(following) <= FOLLOWING_CHARACTERS_MAX else ""


def _with_cookie(response: _Answer, identity: str) -> _Answer:
    # Not `Secure`: this port speaks HTTP, as CallManager 4 did. Not `Strict`: who follows a link from a wiki would come
    # without his cookie, be sent to the login page, and there be given one that ends his session in every tab.
    response.set_cookie(COOKIE, identity, max_age=int(SESSION_S), path="/ccmadmin/", httponly=True, samesite="Lax")
    return response
