"""What every page has: its frame, the token of its forms, and CallManager's words for what is wrong."""

from __future__ import annotations

from typing import Final

from quart import Response, g, render_template, request

from emulator.callmanager.administration.form import Form
from emulator.callmanager.enterprise import LABELS as PARAMETER_LABELS

LABELS: Final = {
    **PARAMETER_LABELS,
    "name": "Name",
    "password": "User Password",
    "cti": "Enable CTI Application Use",
    "devices": "Device Association",
    "first_name": "First Name",
    "last_name": "Last Name",
    "description": "Description",
    "directory_number": "Directory Number",
    "model": "Model",
    "authentication_url": "Authentication URL",
    "services_url": "Services URL",
}
"""Field to the word on the page; a phone's secured authentication URL is called as the enterprise's."""
DONE: Final = {
    "inserted": "Inserted.",
    "updated": "Updated.",
    "removed": "Deleted.",
    "unlocked": "Unlocked.",
    "listed": "The user is associated with each device of the list.",
}
"""What a page says after the form before it was carried out; addresses carry the key alone."""


def form() -> Form:
    """The form of this request, which the entrance has read and found genuine."""
    given: Form = g.form
    return given


def worded(error: Exception) -> str:
    """The text of an error with the page's word for the field."""
    field, colon, text = str(error).partition(": ")
    return f"{LABELS.get(field, field)}{colon}{text}"


def field_of(error: Exception) -> str:
    """The field that an error is about; empty where it names none."""
    field = str(error).partition(": ")[0]
    return field if field in LABELS else ""


async def render(template: str, *, status: int = 200, **values: object) -> Response:
    """One page."""
    text = await render_template(
        template,
        token=g.get("token", ""),
        logged_in=g.get("logged_in", False),
        with_session=g.get("identity", "") != "basic",
        path=request.path,
        done=DONE.get(request.args.get("done", ""), ""),
        **values,
    )
    return Response(text, status)
