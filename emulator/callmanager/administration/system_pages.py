"""The start page, and System > Enterprise Parameters."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, Response, redirect
from werkzeug.wrappers import Response as WerkzeugResponse

from emulator.callmanager.administration.actions import Actions
from emulator.callmanager.administration.device_search import Search
from emulator.callmanager.administration.page import field_of, form, render, worded
from emulator.callmanager.enterprise import LABELS
from emulator.callmanager.registry import DeviceError

GROUPS: Final = {
    "Phone URL Parameters": [name for name in LABELS if not name.startswith("secured_")],
    "Secured Phone URL Parameters": [name for name in LABELS if name.startswith("secured_")],
}
"""As on Unified CM's page."""


def blueprint(actions: Actions, *, authentication_url: str) -> Blueprint:
    """The pages; `authentication_url` is CallManager's own."""
    pages = Blueprint("system_pages", __name__, url_prefix="/ccmadmin")

    @pages.get("/")
    async def start() -> Response:
        users = actions.users()
        return await render(
            "start.html",
            users=len(users),
            cti=sum(user.cti for user in users),
            devices=actions.find_devices(Search()).total,
            parameters=actions.parameters,
            authentication_url=authentication_url,
            has_directory=actions.has_directory,
        )

    @pages.get("/system/parameters")
    async def parameters() -> Response:
        values = {name: str(getattr(actions.parameters, name)) for name in LABELS}
        return await shown(values)

    @pages.post("/system/parameters")
    async def change() -> Response | WerkzeugResponse:
        given = form()
        given.require(LABELS)
        values = {name: given.text(name).strip() for name in LABELS}
        idle = values["url_idle_time_s"]
        try:
            if not (idle.isascii() and idle.isdigit() and len(idle) <= 9):
                raise DeviceError("url_idle_time_s: a whole number of seconds is needed")
            changed: dict[str, str | int] = {**values, "url_idle_time_s": int(idle)}
            actions.change_parameters(**changed)
        except DeviceError as error:
            return await shown(values, error)
        return redirect("/ccmadmin/system/parameters?done=updated", code=303)

    async def shown(values: dict[str, str], error: Exception | None = None) -> Response:
        return await render(
            "parameters.html",
            status=200 if error is None else 400,
            groups=GROUPS,
            labels=LABELS,
            values=values,
            authentication_url=authentication_url,
            problem="" if error is None else worded(error),
            wrong="" if error is None else field_of(error),
        )

    return pages
