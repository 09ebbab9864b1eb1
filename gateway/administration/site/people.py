"""Accounts, tokens and open sessions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from quart import Response

from gateway.accounts import AccountError, Role
from gateway.administration import actions
from gateway.administration.answers import rendered, see_other
from gateway.administration.api import MAX_DAYS
from gateway.administration.desk import Call
from gateway.administration.routes import Route


async def show(call: Call) -> Response:
    """Everybody."""
    return _page(call)


async def add(call: Call) -> Response:
    """Make an account."""
    form = call.form
    try:
        name = await actions.add_account(
            call, form.get("name", ""), actions.role_of(form.get("role")), form.get("password", "")
        )
    except AccountError as error:
        return _page(call, errors=[f"The {error.field} {error}."], form="account", values=form)
    return see_other(f"/accounts?done={name}")


async def change_role(call: Call) -> Response:
    """Another role."""
    try:
        await actions.change_role(call, call.path["name"], actions.role_of(call.form.get("role")))
    except AccountError as error:
        return _page(call, errors=[f"{error}."])
    return see_other("/accounts?done=1")


async def set_password(call: Call) -> Response:
    """Another password for somebody."""
    try:
        await actions.change_password(call, call.path["name"], call.form.get("password", ""))
    except AccountError as error:
        return _page(call, errors=[f"The {error.field} {error}."])
    return see_other("/accounts?done=1")


async def remove(call: Call) -> Response:
    """Remove an account."""
    try:
        await actions.remove_account(call, call.path["name"])
    except AccountError as error:
        return _page(call, errors=[f"{error}."])
    return see_other("/accounts?done=1")


async def add_token(call: Call) -> Response:
    """Make a token, and show it this once."""
    form, text = call.form, call.form.get("days", "").strip()
    try:
        if text and not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_DAYS):
            raise AccountError("days", f"must be from 1 to {MAX_DAYS}, or empty")
        secret = await actions.add_token(
            call, form.get("name", ""), actions.role_of(form.get("role")), int(text[:9]) if text else None
        )
    except AccountError as error:
        return _page(call, errors=[f"The {error.field} {error}."], form="token", values={"token_name": form["name"]})
    return _page(call, secret=secret)


async def remove_token(call: Call) -> Response:
    """Remove a token."""
    try:
        await actions.remove_token(call, call.path["name"])
    except AccountError as error:
        return _page(call, errors=[f"{error}."])
    return see_other("/accounts?done=1")


def _page(
    call: Call,
    *,
    errors: list[str] | None = None,
    form: str = "",
    values: Mapping[str, str] | None = None,
    secret: str = "",
) -> Response:
    accounts = call.desk.accounts
    return rendered(
        call,
        "accounts.html",
        status=400 if errors else 200,
        notice="Done." if call.query.get("done") else "",
        errors=errors or [],
        form=form,
        values={"name": "", "role": Role.OPERATOR, "token_name": "", **(values or {})},
        secret=secret,
        accounts=accounts.accounts(),
        tokens=accounts.tokens(),
        sessions=accounts.sessions(),
        all_roles=tuple(Role),
        now_s=time.time(),
    )


_ROLE = Role.ADMINISTRATOR
PEOPLE_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/accounts", handler=show, role=_ROLE, summary="Accounts and tokens"),
    Route(method="POST", path="/accounts", handler=add, role=_ROLE, summary="Add an account"),
    Route(method="POST", path="/accounts/{name}/role", handler=change_role, role=_ROLE, summary="Another role"),
    Route(method="POST", path="/accounts/{name}/password", handler=set_password, role=_ROLE, summary="New password"),
    Route(method="POST", path="/accounts/{name}/remove", handler=remove, role=_ROLE, summary="Remove an account"),
    Route(method="POST", path="/tokens", handler=add_token, role=_ROLE, summary="Make a token"),
    Route(method="POST", path="/tokens/{name}/remove", handler=remove_token, role=_ROLE, summary="Remove a token"),
)
