"""Device > Phone: find and list, one phone, reset."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from emulator.callmanager.administration.actions import Actions, Resets
from emulator.callmanager.administration.device_search import (
    COLUMNS,
    FIELDS,
    PER_PAGE,
    SEARCH_KEYS,
    Match,
    Search,
    search_of,
)
from emulator.callmanager.administration.form import Form, FormError
from emulator.callmanager.administration.page import field_of, form, render, worded
from emulator.callmanager.enterprise import settings_of
from emulator.callmanager.registry import DeviceError

URLS = ("authentication_url", "secured_authentication_url", "services_url")
TEXTS = ("description", "directory_number", "model", *URLS)
FAILURES_SHOWN_MAX = 200
"""Nobody reads more; the JSON interface has them all."""
USERS_SHOWN_MAX = 20


def search_in(given: Form) -> Search:
    """The search that a form's hidden fields carry."""
    return search_of({key: given.text(key) for key in SEARCH_KEYS})


def search_choices() -> dict[str, Any]:
    """What the template of a search offers."""
    return {"fields": FIELDS, "matches": [match.value for match in Match], "columns": COLUMNS, "counts": PER_PAGE}


def blueprint(actions: Actions) -> Blueprint:
    """The pages."""
    pages = Blueprint("device_pages", __name__, url_prefix="/ccmadmin/device")

    @pages.get("/phones")
    async def phones() -> Response:
        return await render(
            "phones.html", found=actions.find_devices(search_of(request.args)), urlencode=urlencode, **search_choices()
        )

    @pages.get("/phone")
    async def phone() -> Response:
        device = actions.device(request.args.get("name", ""))
        values = {name: str(getattr(device, name)) for name in TEXTS}
        return await shown(device.name, {**values, "web_access": "enabled" if device.web_access else "disabled"})

    @pages.post("/phone")
    async def change() -> Response | WerkzeugResponse:
        given = form()
        given.require({"name", "web_access", *TEXTS})
        name = actions.device(given.text("name")).name
        values = {key: given.text(key).strip() for key in TEXTS}
        if given.text("web_access") not in {"enabled", "disabled"}:
            raise FormError(400, "web_access: enabled or disabled is needed")
        try:
            actions.change_device(name, **values, web_access=given.text("web_access") == "enabled")
        except DeviceError as error:
            return await shown(name, {**values, "web_access": given.text("web_access")}, error)
        return redirect("/ccmadmin/device/phone?" + urlencode({"name": name, "done": "updated"}), code=303)

    async def shown(name: str, values: dict[str, str], error: Exception | None = None) -> Response:
        device = actions.device(name)
        users = [user.name for user in actions.users() if name in user.devices]
        return await render(
            "phone.html",
            status=200 if error is None else 400,
            device=device,
            values=values,
            settings=settings_of(device, actions.parameters),
            users=users[:USERS_SHOWN_MAX],
            users_more=max(0, len(users) - USERS_SHOWN_MAX),
            problem="" if error is None else worded(error),
            wrong="" if error is None else field_of(error),
        )

    @pages.post("/reset")
    async def reset() -> Response:
        given = form()
        given.require({"scope"}, optional={"confirmed", "all_on_page", *SEARCH_KEYS}, many={"device", "shown"})
        search = search_in(given)
        scope = given.text("scope")
        if scope == "search":
            names = actions.matching_devices(search)
            if not given.flag("confirmed"):
                return await render("confirm_reset.html", count=len(names), search=search)
        elif scope == "selected":
            names = given.many("shown") if given.flag("all_on_page") else given.many("device")
        else:
            raise FormError(400, "scope: selected or search is needed")
        return await reset_shown(await actions.reset(names), search)

    async def reset_shown(resets: Resets, search: Search) -> Response:
        failed = list(resets.failed.items())
        return await render(
            "reset.html",
            told=resets.told[:FAILURES_SHOWN_MAX],
            told_count=len(resets.told),
            failed=failed[:FAILURES_SHOWN_MAX],
            failed_count=len(failed),
            back="/ccmadmin/device/phones?" + urlencode(search.query()),
        )

    return pages
