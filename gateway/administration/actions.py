"""What both the pages and the JSON interface do: each action once, with its entry in the audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields

from gateway.accounts import AccountError, Role
from gateway.administration.desk import Call, Json, PageStatus
from gateway.administration.page_request import PageRequest, RequestError, parse_page_request
from gateway.settings import SECRETS, Settings
from gateway.settings_check import check_settings


def shown_settings(settings: Settings) -> dict[str, object]:
    """Settings as JSON values, without secrets."""
    values: dict[str, object] = {}
    for each in fields(settings):
        value = getattr(settings, each.name)
        if each.name not in SECRETS:
            values[each.name] = [str(item) for item in value] if isinstance(value, tuple) else value
    return values


def secrets_set(settings: Settings) -> list[str]:
    """Names of the secrets that have a value."""
    return [name for name in sorted(SECRETS) if getattr(settings, name)]


async def change_settings(call: Call, values: Mapping[str, object]) -> Settings:
    """Check and take into force.

    Raises:
        SettingsError: what is wrong.
        StoreError: they cannot be kept; nothing is changed.
    """
    desk = call.desk
    before = desk.settings.current
    configuration = desk.configuration
    checked = check_settings(values, before, phone_port=configuration.phone_port, source=configuration.source)
    after = await desk.settings.change(checked)
    old, new = shown_settings(before), shown_settings(after)
    changes: dict[str, object] = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
    for name in SECRETS & checked.keys():
        if getattr(before, name) != getattr(after, name):
            changes[name] = "changed"
    if changes:
        call.note("settings.changed", "IP Phone", changes=changes)
        await desk.audit.written()
    return after


async def send_page(call: Call, document: object) -> str:
    """Begin a page; its number. Never waits for the audit trail.

    Raises:
        RequestError: what is wrong.
    """
    wish = parse_page_request(document)

    async def send() -> str:
        number = await call.desk.service.request_page(wish)
        call.note("page.sent", number, **_page_facts(wish))
        return number

    content = json.dumps(document, sort_keys=True)
    return await call.desk.repeats.once(call.who.name, call.key, content, send)


def _page_facts(wish: PageRequest) -> dict[str, object]:
    return {"audio": str(wish.audio), "phones": "all" if wish.phones is None else len(wish.phones)}


def known_page(call: Call) -> tuple[str, PageStatus]:
    """The page that the path names.

    Raises:
        RequestError: there is none.
    """
    number = call.path["number"]
    page = call.desk.service.page(number)
    if page is None:
        raise RequestError(["there is no such page"], status=404)
    return number, page


def stop_page(call: Call) -> tuple[str, PageStatus]:
    """Stop the page that the path names.

    Raises:
        RequestError: there is none.
    """
    number, page = known_page(call)
    page.interrupt()
    call.note("page.stopped", number)
    return number, page


def page_json(number: str, page: PageStatus) -> Json:
    """A page as the JSON interface shows it."""
    return {
        "page": number,
        "state": page.state,
        "reason": page.reason,
        "outcomes": page.outcomes,
        "phones": page.size,
    }


def role_of(text: object) -> Role:
    """A role by name.

    Raises:
        AccountError: there is none.
    """
    try:
        return Role(str(text))
    except ValueError:
        raise AccountError("role", f"must be one of {', '.join(Role)}") from None


async def add_account(call: Call, name: str, role: Role, password: str) -> str:
    """Make an account; its name. Raises AccountError, BusyError, StoreError."""
    name = await call.desk.accounts.add(name, role, password)
    call.note("account.added", name, role=role)
    await call.desk.audit.written()
    return name


async def change_role(call: Call, name: str, role: Role) -> None:
    """Give an account another role. Raises AccountError, StoreError."""
    await call.desk.accounts.set_role(name, role)
    call.note("account.role-changed", name, role=role)
    await call.desk.audit.written()


async def change_password(call: Call, name: str, password: str) -> None:
    """Give an account another password. Raises AccountError, BusyError, StoreError."""
    await call.desk.accounts.set_password(name, password)
    call.note("account.password-changed", name)
    await call.desk.audit.written()


async def remove_account(call: Call, name: str) -> None:
    """Remove an account. Raises AccountError, StoreError."""
    await call.desk.accounts.remove(name)
    call.note("account.removed", name)
    await call.desk.audit.written()


async def add_token(call: Call, name: str, role: Role, days: int | None) -> str:
    """Make a token; returns it. Raises AccountError, StoreError."""
    secret = await call.desk.accounts.add_token(name, role, None if days is None else days * 86_400, call.who.name)
    call.note("token.added", name.strip(), role=role, days=days)
    await call.desk.audit.written()
    return secret


async def remove_token(call: Call, name: str) -> None:
    """Remove a token. Raises AccountError, StoreError."""
    await call.desk.accounts.remove_token(name)
    call.note("token.removed", name)
    await call.desk.audit.written()
