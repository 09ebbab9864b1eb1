"""The JSON interface's routes and their handlers."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final

from quart import Response

from gateway.accounts import Role
from gateway.administration import actions, schemas
from gateway.administration.answers import json_answer
from gateway.administration.api_alerts import ALERT_ROUTES
from gateway.administration.api_phones import PHONE_ROUTES
from gateway.administration.desk import Call
from gateway.administration.documents import read_document, whole_number
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Parameter, Route
from gateway.administration.schemas import answer, document, listed
from gateway.paging import PageRecord
from gateway.paging.recordings import MAX_BYTES

MAX_ENTRIES: Final = 1000
MAX_DAYS: Final = 3650
MAX_RESULTS: Final = 100_000


async def status(call: Call) -> Response:
    """Version, counters, alarms."""
    desk = call.desk
    return json_answer(
        {
            "version": desk.version,
            "began_s": desk.began_s,
            "counters": desk.counters(),
            "alarms": [asdict(alarm) for alarm in desk.alarms.active()],
        }
    )


async def acknowledge_alarm(call: Call) -> Response:
    """End an alarm that stays."""
    actions.acknowledge_alarm(call, call.path["name"])
    return await status(call)


async def check_callmanager(call: Call) -> Response:
    """Ask CallManager about the push user."""
    return json_answer({"said": await actions.check_callmanager(call)})


async def show_settings(call: Call) -> Response:
    """Settings without secrets."""
    settings = call.desk.settings
    return json_answer(
        {
            "settings": actions.shown_settings(settings.current),
            "secrets_set": actions.secrets_set(settings.current),
            "fixed": sorted(settings.fixed),
            "authentication_url": call.desk.authentication_url,
        }
    )


async def change_settings(call: Call) -> Response:
    """Change some settings."""
    if not isinstance(call.body, dict) or not call.body:
        raise RequestError(["the body must be a JSON object with at least one setting"])
    await actions.change_settings(call, call.body)
    return await show_settings(call)


async def begin_page(call: Call) -> Response:
    """Send a page."""
    return json_answer({"page": await actions.send_page(call, call.body)}, 202)


async def show_pages(call: Call) -> Response:
    """The history of pages."""
    before = whole_number(call.query.get("before"), "before", 0, 0, 10**15)
    limit = whole_number(call.query.get("limit"), "limit", 50, 1, MAX_ENTRIES)
    records = await actions.history(call, before or None, limit)
    return json_answer({"pages": [record_json(record) for record in records]})


def record_json(record: PageRecord) -> dict[str, object]:
    """A page of the history."""
    return {
        "page": str(record.number),
        "state": record.state,
        "reason": record.reason,
        "outcomes": dict(record.outcomes),
        "phones": record.phones,
        "priority": record.priority,
        "delivery": record.delivery,
        "note": record.note,
        "audio": record.audio,
        "requested_s": record.requested_s,
        "requested_by": record.requested_by,
        "ended_s": record.ended_s,
    }


async def show_page(call: Call) -> Response:
    """One page."""
    return json_answer(actions.page_json(actions.known_page(call)))


async def show_page_phones(call: Call) -> Response:
    """How a page stands at each phone."""
    limit = whole_number(call.query.get("limit"), "limit", MAX_RESULTS, 1, MAX_RESULTS)
    results, total = await actions.phone_results(call, call.query.get("outcome", ""), limit)
    shown = [
        {"phone": each.phone, "address": each.address, "outcome": each.outcome, "words": each.words, "stop": each.stop}
        for each in results
    ]
    return json_answer({"phones": shown, "total": total})


async def stop_page(call: Call) -> Response:
    """Stop a page."""
    return json_answer(actions.page_json(actions.stop_page(call)), 202)


async def show_recordings(call: Call) -> Response:
    """Names of the recordings."""
    return json_answer({"recordings": await actions.recordings(call)})


async def keep_recording(call: Call) -> Response:
    """Keep a WAV file."""
    await actions.keep_recording(call, call.path["name"], call.files[""])
    return json_answer({"name": call.path["name"]}, 201)


async def delete_recording(call: Call) -> Response:
    """Delete a recording."""
    await actions.delete_recording(call, call.path["name"])
    return json_answer({"name": call.path["name"]})


async def show_audit(call: Call) -> Response:
    """Entries of the audit trail."""
    before = whole_number(call.query.get("before"), "before", 0, 0, 10**15)
    entries = await call.desk.audit.entries(
        before=before or None,
        limit=whole_number(call.query.get("limit"), "limit", 100, 1, MAX_ENTRIES),
        action=call.query.get("action", ""),
        who=call.query.get("who", ""),
    )
    return json_answer({"entries": [{**asdict(entry), "detail": json.loads(entry.detail)} for entry in entries]})


async def verify_audit(call: Call) -> Response:
    """Check the audit trail's chain."""
    count, found = await call.desk.audit.verify()
    return json_answer({"entries": count, "whole": found is None, "break": found})


async def show_accounts(call: Call) -> Response:
    """All accounts."""
    shown = [
        {"name": each.name, "role": each.role, "created_s": each.created_s, "changed_s": each.changed_s}
        for each in call.desk.accounts.accounts()
    ]
    return json_answer({"accounts": shown})


async def add_account(call: Call) -> Response:
    """Make an account."""
    values = read_document(call.body, {"name": str, "role": str, "password": str})
    name = await actions.add_account(
        call, str(values["name"]), actions.role_of(values["role"]), str(values["password"])
    )
    return json_answer({"name": name}, 201)


async def change_account(call: Call) -> Response:
    """Change an account's role or password."""
    values = read_document(call.body, {}, {"role": str, "password": str})
    if not values:
        raise RequestError(["the body must hold role, password or both"])
    name = _known_account(call)
    if "role" in values:
        await actions.change_role(call, name, actions.role_of(values["role"]))
    if "password" in values:
        await actions.change_password(call, name, str(values["password"]))
    return json_answer({"name": name})


async def remove_account(call: Call) -> Response:
    """Remove an account."""
    name = _known_account(call)
    await actions.remove_account(call, name)
    return json_answer({"name": name})


def _known_account(call: Call) -> str:
    name = call.path["name"]
    if all(account.name != name for account in call.desk.accounts.accounts()):
        raise RequestError([f"there is no account {name[:64]}"], status=404)
    return name


async def show_tokens(call: Call) -> Response:
    """All tokens, without themselves."""
    shown = [
        {
            "name": each.name,
            "role": each.role,
            "created_by": each.created_by,
            "created_s": each.created_s,
            "expires_s": each.expires_s,
        }
        for each in call.desk.accounts.tokens()
    ]
    return json_answer({"tokens": shown})


async def add_token(call: Call) -> Response:
    """Make a token."""
    values = read_document(call.body, {"name": str, "role": str}, {"days": int})
    days = values.get("days")
    if days is not None and not (isinstance(days, int) and 1 <= days <= MAX_DAYS):
        raise RequestError([f"days must be from 1 to {MAX_DAYS}, or missing: the token has no end then"])
    name, role = str(values["name"]), actions.role_of(values["role"])
    secret = await actions.add_token(call, name, role, days if isinstance(days, int) else None)
    return json_answer({"name": name.strip(), "token": secret}, 201)


async def remove_token(call: Call) -> Response:
    """Remove a token."""
    name = call.path["name"]
    if all(token.name != name for token in call.desk.accounts.tokens()):
        raise RequestError([f"there is no token {name[:64]}"], status=404)
    await actions.remove_token(call, name)
    return json_answer({"name": name})


async def openapi(call: Call) -> Response:
    """This interface's description."""
    from gateway.administration.openapi import openapi_document  # noqa: PLC0415  describes the table that holds this

    return json_answer(openapi_document(call.desk.version))


VIEWER, OPERATOR, ADMINISTRATOR = Role
API_ROUTES: Final[tuple[Route, ...]] = (
    *PHONE_ROUTES,
    *ALERT_ROUTES,
    Route(
        method="GET", path="/api/status", handler=status, role=VIEWER, summary="Version, counters and alarms",
        answer=schemas.STATUS,
    ),
    Route(
        method="POST", path="/api/alarms/{name}/acknowledge", handler=acknowledge_alarm, role=OPERATOR,
        summary="End an alarm that tells of something that has happened; the others end by themselves",
        answer=schemas.STATUS, refusals={404: "no such alarm, or one that ends by itself"},
    ),
    Route(
        method="GET", path="/api/settings", handler=show_settings, role=VIEWER,
        summary="Settings in force; of secrets only whether they are set", answer=schemas.SETTINGS,
    ),
    Route(
        method="PATCH", path="/api/settings", handler=change_settings, role=ADMINISTRATOR,
        summary="Change some settings, at once; those that the configuration file gives are refused",
        body=schemas.SETTINGS_CHANGE, answer=schemas.SETTINGS, refusals={503: "the store takes no changes"},
    ),
    Route(
        method="POST", path="/api/callmanager/check", handler=check_callmanager, role=ADMINISTRATOR,
        summary="Ask CallManager once whether it authorises the push user; an alarm where it does not",
        answer=answer(said=schemas.TEXT),
    ),
    Route(
        method="POST", path="/api/pages", handler=begin_page, role=OPERATOR, summary="Send a page", status=202,
        parameters=(schemas.IDEMPOTENCY_KEY,), body=schemas.PAGE_WISH, answer=answer(page=schemas.TEXT),
        refusals={
            409: "the Idempotency-Key was used for another page",
            429: "too many pages run and wait already",
            503: "the gateway is ending",
        },
    ),
    Route(
        method="GET", path="/api/pages", handler=show_pages, role=VIEWER, background=True,
        summary="The history of pages, the newest first, running ones included",
        parameters=(
            Parameter(name="before", description="only pages with a smaller number", schema=schemas.WHOLE),
            Parameter(
                name="limit", description="how many", schema={"type": "integer", "minimum": 1, "maximum": MAX_ENTRIES}
            ),
        ),
        answer=answer(pages=listed(schemas.RECORD)),
    ),
    Route(
        method="GET", path="/api/pages/{number}", handler=show_page, role=VIEWER, background=True,
        summary="One page: outcomes so far while it runs", answer=schemas.PAGE, refusals={404: "no such page"},
    ),
    Route(
        method="GET", path="/api/pages/{number}/phones", handler=show_page_phones, role=VIEWER, background=True,
        summary="How a page stands or ended at each phone, in words; what is amiss first",
        parameters=(
            Parameter(name="outcome", description="only these; `awaited`: not answered yet"),
            Parameter(
                name="limit", description="at most", schema={"type": "integer", "minimum": 1, "maximum": MAX_RESULTS}
            ),
        ),
        answer=answer(phones=listed(schemas.RESULT), total=schemas.WHOLE), refusals={404: "no such page"},
    ),
    Route(
        method="POST", path="/api/pages/{number}/stop", handler=stop_page, role=OPERATOR, summary="Stop a page",
        status=202, answer=schemas.PAGE, refusals={404: "no such page"},
    ),
    Route(
        method="GET", path="/api/recordings", handler=show_recordings, role=VIEWER, summary="Names of the recordings",
        answer=answer(recordings=listed(schemas.TEXT)),
    ),
    Route(
        method="POST", path="/api/recordings/{name}", handler=keep_recording, role=OPERATOR, takes_bytes=True,
        summary="Keep a WAV file under a name, in place of what had it before", status=201,
        answer=answer(name=schemas.TEXT), max_body=MAX_BYTES, refusals={413: "larger than 64 MiB"},
    ),
    Route(
        method="DELETE", path="/api/recordings/{name}", handler=delete_recording, role=OPERATOR,
        summary="Delete a recording", answer=answer(name=schemas.TEXT), refusals={404: "no such recording"},
    ),
    Route(
        method="GET", path="/api/audit", handler=show_audit, role=VIEWER,
        summary="Entries of the audit trail, the newest first", answer=answer(entries=listed(schemas.ENTRY)),
        parameters=(
            Parameter(name="before", description="only entries with a smaller number", schema=schemas.WHOLE),
            Parameter(
                name="limit", description="how many", schema={"type": "integer", "minimum": 1, "maximum": MAX_ENTRIES}
            ),
            Parameter(name="action", description="only actions that begin so, such as `page.`"),
            Parameter(name="who", description="only by this one"),
        ),
        refusals={503: "the store cannot be read"},
    ),
    Route(
        method="GET", path="/api/audit/verify", handler=verify_audit, role=VIEWER,
        summary="Whether the audit trail's chain is whole",
        answer=answer(entries=schemas.WHOLE, whole=schemas.TRUTH, **{"break": schemas.nullable(schemas.TEXT)}),
        refusals={503: "the store cannot be read"},
    ),
    Route(
        method="GET", path="/api/accounts", handler=show_accounts, role=ADMINISTRATOR, summary="All accounts",
        answer=answer(accounts=listed(schemas.ACCOUNT)),
    ),
    Route(
        method="POST", path="/api/accounts", handler=add_account, role=ADMINISTRATOR, summary="Make an account",
        status=201, answer=answer(name=schemas.TEXT),
        body=document({"name": schemas.TEXT, "role": schemas.ROLE, "password": {"type": "string", "writeOnly": True}}),
    ),
    Route(
        method="PATCH", path="/api/accounts/{name}", handler=change_account, role=ADMINISTRATOR,
        summary="Change an account's role or password; a new password ends its sessions",
        body=document({}, {"role": schemas.ROLE, "password": {"type": "string", "writeOnly": True}}),
        answer=answer(name=schemas.TEXT), refusals={404: "no such account"},
    ),
    Route(
        method="DELETE", path="/api/accounts/{name}", handler=remove_account, role=ADMINISTRATOR,
        summary="Remove an account and end its sessions", answer=answer(name=schemas.TEXT),
        refusals={404: "no such account"},
    ),
    Route(
        method="GET", path="/api/tokens", handler=show_tokens, role=ADMINISTRATOR,
        summary="All tokens, without the secrets themselves", answer=answer(tokens=listed(schemas.TOKEN)),
    ),
    Route(
        method="POST", path="/api/tokens", handler=add_token, role=ADMINISTRATOR, status=201,
        summary="Make a token; the answer is the only place where it is shown",
        body=document(
            {"name": schemas.TEXT, "role": schemas.ROLE},
            {"days": {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}},
        ),
        answer=answer(name=schemas.TEXT, token=schemas.TEXT),
    ),
    Route(
        method="DELETE", path="/api/tokens/{name}", handler=remove_token, role=ADMINISTRATOR,
        summary="Remove a token", answer=answer(name=schemas.TEXT), refusals={404: "no such token"},
    ),
    Route(
        method="GET", path="/api/openapi.json", handler=openapi, role=VIEWER, summary="This description",
        answer={"type": "object"},
    ),
)  # fmt: skip
