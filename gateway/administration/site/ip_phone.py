"""Operation > Voice Office > IP Phone (row 7 of the modelled system)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quart import Response

from gateway.accounts import Role
from gateway.administration import actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.desk import Call
from gateway.administration.routes import Route
from gateway.settings import SettingsError
from gateway.settings_check import MAX_GROUPS

PATH: Final = "/operation/voice-office/ip-phone"
_TEXTS: Final = (
    "push_user",
    "callmanager_url",
    "own_user_mismatch",
    "authorise",
    "multicast_first",
    "multicast_last",
)


async def show(call: Call) -> Response:
    """The settings in force."""
    notice = "Saved, and in force from now on." if call.query.get("saved") else ""
    return _page(call, _shown(call), notice=notice)


def _shown(call: Call) -> dict[str, object]:
    current = call.desk.settings.current
    values = dict(actions.shown_settings(current))
    values["phone_networks"] = "\n".join(str(each) for each in current.phone_networks)
    values["authorise_after_s"] = f"{current.authorise_after_s:g}"
    return values


async def submit(call: Call) -> Response:
    """Take the form's values into force."""
    form = call.form
    try:
        wanted = _values(form, frozenset(call.desk.settings.fixed))
        await actions.change_settings(call, wanted)
    except SettingsError as error:
        values = {**actions.shown_settings(call.desk.settings.current), **form, "multicast": "multicast" in form}
        values.setdefault("phone_networks", "")
        if not isinstance(values["phone_networks"], str):
            values["phone_networks"] = "\n".join(str(each) for each in call.desk.settings.current.phone_networks)
        return _page(call, values, errors=error.errors, status=400)
    return see_other(f"{PATH}?saved=1")


async def check(call: Call) -> Response:
    """Ask CallManager about the push user, and show what it says."""
    return _page(call, _shown(call), notice=await actions.check_callmanager(call))


def _values(form: Mapping[str, str], fixed: frozenset[str]) -> dict[str, object]:
    """What the form says, as JSON values; fields that are fixed were not to be filled in."""
    wanted: dict[str, object] = {name: form[name] for name in _TEXTS if name in form}
    if not wanted.get("push_user"):
        wanted.pop("push_user", None)  # nothing has been entered yet, and nothing is taken away by an empty field
    if form.get("push_password"):
        wanted["push_password"] = form["push_password"]
    if "multicast_shown" in form:
        wanted["multicast"] = "multicast" in form
    if "multicast_port" in form:
        wanted["multicast_port"] = _whole(form["multicast_port"])
    if "authorise_after_s" in form:
        wanted["authorise_after_s"] = _seconds(form["authorise_after_s"])
    if "phone_networks" in form:
        wanted["phone_networks"] = form["phone_networks"].replace(",", " ").split()
    return {name: value for name, value in wanted.items() if name not in fixed}


def _whole(text: str) -> object:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _seconds(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _page(
    call: Call,
    values: Mapping[str, object],
    *,
    errors: Mapping[str, str] | None = None,
    notice: str = "",
    status: int = 200,
) -> Response:
    return rendered(
        call,
        "ip_phone.html",
        status=status,
        values=values,
        errors=errors or {},
        notice=notice,
        fixed=call.desk.settings.fixed,
        password_set=bool(actions.secrets_set(call.desk.settings.current)),
        authentication_url=call.desk.authentication_url,
        max_groups=MAX_GROUPS,
    )


IP_PHONE_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path=PATH, handler=show, role=Role.VIEWER, summary="IP Phone"),
    Route(
        method="POST",
        path=f"{PATH}/check",
        handler=check,
        role=Role.ADMINISTRATOR,
        summary="IP Phone: ask CallManager about the push user",
    ),
    Route(method="POST", path=PATH, handler=submit, role=Role.ADMINISTRATOR, summary="IP Phone: submit"),
)
