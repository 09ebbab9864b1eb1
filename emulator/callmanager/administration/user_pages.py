"""User > Add a New User, User > Global Directory, one user, and his Device Association."""

from __future__ import annotations

from urllib.parse import urlencode

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from emulator.callmanager.administration.actions import Actions, ConflictError
from emulator.callmanager.administration.device_pages import search_choices, search_in
from emulator.callmanager.administration.device_search import SEARCH_KEYS, search_of
from emulator.callmanager.administration.page import field_of, form, render, worded
from emulator.callmanager.directory import DirectoryError
from emulator.callmanager.users import USER_NAME_CHARACTERS_MAX, Devices, UserError

USERS_SHOWN_MAX = 200
"""Of one search: a longer beginning finds the others."""
STRANGERS_SHOWN_MAX = 20


def blueprint(actions: Actions) -> Blueprint:
    """The pages."""
    pages = Blueprint("user_pages", __name__, url_prefix="/ccmadmin/user")
    _add_new_user(pages, actions)
    _add_global_directory(pages, actions)
    _add_user(pages, actions)
    _add_association(pages, actions)
    return pages


def _to(page: str, name: str, done: str) -> WerkzeugResponse:
    return redirect(f"/ccmadmin/user/{page}?" + urlencode({"name": name, "done": done}), code=303)


def _password(password: str, again: str) -> str:
    if password != again:
        raise UserError("password: it and its confirmation differ")
    return password


def _add_new_user(pages: Blueprint, actions: Actions) -> None:
    @pages.get("/add")
    async def ask() -> Response:
        return await shown({"first_name": "", "last_name": "", "name": ""}, cti=False)

    @pages.post("/add")
    async def add() -> Response | WerkzeugResponse:
        given = form()
        given.require({"first_name", "last_name", "name", "password", "confirm"}, optional={"cti"})
        values = {key: given.text(key).strip() for key in ("first_name", "last_name", "name")}
        try:
            password = _password(given.text("password"), given.text("confirm"))
            user = actions.add_user(**values, password=password, cti=given.flag("cti"), devices=Devices())
        except UserError as error:
            return await shown(values, cti=given.flag("cti"), error=error)
        return _to("edit", user.name, "inserted")

    async def shown(values: dict[str, str], *, cti: bool, error: Exception | None = None) -> Response:
        return await render(
            "add_user.html",
            status=200 if error is None else 400,
            values=values,
            cti=cti,
            problem="" if error is None else worded(error),
            wrong="" if error is None else field_of(error),
        )


def _add_global_directory(pages: Blueprint, actions: Actions) -> None:
    @pages.get("/directory")
    async def find() -> Response:
        return await shown(request.args.get("search", "").strip()[:USER_NAME_CHARACTERS_MAX])

    @pages.post("/directory")
    async def associate() -> Response | WerkzeugResponse:
        given = form()
        given.require({"name", "search"}, optional={"cti"})
        try:
            user = await actions.add_person(given.text("name"), cti=given.flag("cti"), devices=Devices())
        except (UserError, ConflictError, DirectoryError) as error:
            return await shown(given.text("search"), error)
        return _to("edit", user.name, "inserted")

    async def shown(beginning: str, error: Exception | None = None) -> Response:
        wanted = beginning.casefold()
        users = [
            user
            for user in actions.users()
            if any(each.casefold().startswith(wanted) for each in (user.name, user.first_name, user.last_name))
        ]
        persons = []
        if actions.has_directory and beginning:
            try:
                persons = await actions.find_persons(beginning)
            except DirectoryError as unreachable:
                error = error or unreachable
        return await render(
            "global_directory.html",
            status=200 if error is None else 502 if isinstance(error, DirectoryError) else 400,
            search=beginning,
            users=[(user, actions.locked(user)) for user in users[:USERS_SHOWN_MAX]],
            users_more=max(0, len(users) - USERS_SHOWN_MAX),
            persons=persons,
            has_directory=actions.has_directory,
            problem="" if error is None else worded(error),
            urlencode=urlencode,
        )


def _add_user(pages: Blueprint, actions: Actions) -> None:
    @pages.get("/edit")
    async def user() -> Response:
        return await shown(request.args.get("name", ""))

    @pages.post("/edit")
    async def change() -> Response | WerkzeugResponse:
        given = form()
        given.require({"name", "first_name", "last_name"}, optional={"password", "confirm", "cti"})
        name = actions.user(given.text("name")).name
        try:
            password = _password(given.text("password"), given.text("confirm"))
            names = {key: given.text(key).strip() for key in ("first_name", "last_name")}
            actions.change_user(name, password=password or None, cti=given.flag("cti"), **names)
        except UserError as error:
            return await shown(name, error)
        return _to("edit", name, "updated")

    @pages.post("/unlock")
    async def unlock() -> WerkzeugResponse:
        given = form()
        given.require({"name"})
        return _to("edit", actions.unlock(given.text("name")).name, "unlocked")

    @pages.post("/delete")
    async def remove() -> Response | WerkzeugResponse:
        given = form()
        given.require({"name"}, optional={"confirmed"})
        name = actions.user(given.text("name")).name
        if not given.flag("confirmed"):
            return await render("confirm_delete.html", name=name)
        actions.remove_user(name)
        return redirect("/ccmadmin/user/directory?done=removed", code=303)

    async def shown(name: str, error: Exception | None = None) -> Response:
        user = actions.user(name)
        return await render(
            "user.html",
            status=200 if error is None else 400,
            user=user,
            locked=actions.locked(user),
            problem="" if error is None else worded(error),
            wrong="" if error is None else field_of(error),
        )


def _add_association(pages: Blueprint, actions: Actions) -> None:
    @pages.get("/association")
    async def devices() -> Response:
        user = actions.user(request.args.get("name", ""))
        search = search_of(request.args)
        only = request.args.get("associated", "") == "1"
        found = actions.find_devices(search, among=user.devices if only else None)
        strangers = actions.unknown_devices(user)
        return await render(
            "association.html",
            user=user,
            found=found,
            only=only,
            strangers=strangers[:STRANGERS_SHOWN_MAX],
            strangers_more=max(0, len(strangers) - STRANGERS_SHOWN_MAX),
            urlencode=urlencode,
            **search_choices(),
        )

    @pages.post("/association")
    async def update() -> WerkzeugResponse:
        given = form()
        given.require(
            {"name"},
            optional={"associated", "all_on_page", "all_in_search", *SEARCH_KEYS},
            many={"device", "shown"},
        )
        name, search = given.text("name"), search_in(given)
        shown = frozenset(given.many("shown"))
        checked = shown if given.flag("all_on_page") else shown & frozenset(given.many("device"))
        among = actions.user(name).devices if given.text("associated") else None
        add = frozenset(actions.matching_devices(search, among=among)) if given.flag("all_in_search") else checked
        actions.associate(name, add=Devices(names=actions.known_devices(add)), remove=Devices(names=shown - add))
        only = {"associated": "1"} if given.text("associated") else {}
        query = urlencode({"name": name, **search.query(), **only, "done": "updated"})
        return redirect(f"/ccmadmin/user/association?{query}", code=303)

    @pages.post("/association/each")
    async def each() -> WerkzeugResponse:
        given = form()
        given.require({"name"})
        return _to("association", actions.associate_each(given.text("name")).name, "listed")
