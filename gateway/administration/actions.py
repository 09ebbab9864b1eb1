"""What both the pages and the JSON interface do: each action once, with its entry in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from hashlib import sha256
from typing import Final

import trio

from gateway.accounts import AccountError, Role
from gateway.administration.desk import Call, Json
from gateway.administration.page_request import PageRequest, RequestError, parse_page_request
from gateway.callmanager_check import check_push_user
from gateway.media import AudioError
from gateway.paging import PageRecord, RecordingError
from gateway.paging.pages import AnyPage
from gateway.push import PhoneResult
from gateway.settings import SECRETS, Settings
from gateway.settings_check import check_settings
from gateway.store import StoreError
from gateway.store.watch import STORE_ALARM

MAX_KEY: Final = 255
"""Characters of an idempotency key."""
AWAITED: Final = "awaited"
"""Instead of an outcome, of a phone that has not answered yet."""


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
    key = call.key if call.key is not None else wish.idempotency_key
    if key is not None:
        # Callers do not know each other's keys.
        wish = replace(wish, idempotency_key=own_key(call.who.name, key))
    number = await call.desk.pages.request(wish, requested_by=call.who.name)
    call.note("page.sent", number, **_page_facts(wish))
    return number


def own_key(who: str, key: str) -> str:
    """A caller's idempotency key as it is kept: nobody knows another's.

    Raises:
        RequestError: it is none.
    """
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise RequestError([f"Idempotency-Key must be 1 to {MAX_KEY} printable characters"])
    return sha256(f"{who}\0{key}".encode()).hexdigest()


def _page_facts(wish: PageRequest) -> dict[str, object]:
    if wish.phones is not None:
        phones: object = len(wish.phones)
    else:
        phones = "" if wish.zones or wish.lists else "all"
    facts = {
        "recording": wish.recording or str(wish.audio),
        "phones": phones,
        "zones": list(wish.zones),
        "lists": list(wish.lists),
        "priority": str(wish.priority),
        "delivery": str(wish.delivery),
    }
    return {name: value for name, value in facts.items() if value}


def known_page(call: Call) -> AnyPage:
    """The page that the path names.

    Raises:
        RequestError: there is none.
    """
    page = call.desk.pages.page(call.path["number"])
    if page is None:
        raise RequestError(["there is no such page"], status=404)
    return page


def stop_page(call: Call) -> AnyPage:
    """Stop the page that the path names.

    Raises:
        RequestError: there is none.
    """
    page = known_page(call)
    call.desk.pages.stop(page.number)
    call.note("page.stopped", page.number)
    return page


def page_json(page: AnyPage) -> Json:
    """A page as the JSON interface shows it."""
    return {
        "page": page.number,
        "state": page.state,
        "reason": page.reason,
        "outcomes": page.outcomes,
        "phones": page.size,
        "priority": page.priority,
        "delivery": page.delivery,
        "note": page.note,
    }


async def phone_results(call: Call, outcome: str, limit: int) -> tuple[list[PhoneResult], int]:
    """How the page that the path names stands at its phones: what is amiss first; and how many there are.

    Args:
        call: names the page.
        outcome: only these; `awaited`: not answered yet; empty: all.
        limit: at most so many.
    """
    results = await call.desk.pages.results(known_page(call).number)
    if outcome:
        results = [each for each in results if (each.outcome or AWAITED) == outcome]
    order = {"executed": 2, None: 1}
    results.sort(key=lambda each: (order.get(each.outcome, 0), each.phone))
    return results[:limit], len(results)


async def check_callmanager(call: Call) -> str:
    """Ask CallManager about the push user; what it says. Raises RequestError."""
    settings, phones = call.desk.settings.current, call.desk.phonebook.phones
    if not (settings.callmanager_url and settings.push_user and settings.push_password):
        raise RequestError(["the push user, its password and CallManager's authentication URL are needed"])
    if not phones:
        raise RequestError(["the inventory has no phone that could be asked about"])
    said = await check_push_user(
        settings.callmanager_url, settings.push_user, settings.push_password, phones[0].device_name, call.desk.alarms
    )
    call.note("system.callmanager-asked", phones[0].device_name, said=said)
    return said


def acknowledge_alarm(call: Call, name: str) -> None:
    """End an alarm that tells of something that has happened. Raises RequestError."""
    if not call.desk.alarms.acknowledge(name):
        raise RequestError([f"there is no alarm {name[:64]} that could be acknowledged"], status=404)
    call.note("system.alarm-acknowledged", name)


async def history(call: Call, before: int | None, limit: int) -> list[PageRecord]:
    """Pages, the newest first. Where the store cannot be read: none, and an alarm says so."""
    try:
        return await call.desk.pages.history(before=before, limit=limit)
    except StoreError as error:
        call.desk.alarms.sound(STORE_ALARM, f"the history cannot be read: {error}")
        return []


async def keep_recording(call: Call, name: str, wav: bytes) -> None:
    """Keep a recording. Raises RequestError."""
    try:
        await trio.to_thread.run_sync(call.desk.recordings.keep, name, wav)
    except (RecordingError, AudioError) as error:
        raise RequestError([str(error)]) from None
    call.note("recording.kept", name, bytes=len(wav))


async def delete_recording(call: Call, name: str) -> None:
    """Delete a recording. Raises RequestError."""
    try:
        await trio.to_thread.run_sync(call.desk.recordings.delete, name)
    except RecordingError as error:
        raise RequestError([str(error)], status=404) from None
    call.note("recording.deleted", name)


async def recordings(call: Call) -> list[str]:
    """Names of the recordings that are kept."""
    return await trio.to_thread.run_sync(call.desk.recordings.names)


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
