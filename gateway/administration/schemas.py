"""Shapes of the JSON interface's documents, for the OpenAPI document (JSON Schema 2020-12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from gateway.accounts import Role
from gateway.administration.page_request import MAX_NAMES, MAX_REPEAT, MAX_START_DEADLINE_S
from gateway.administration.routes import Parameter
from gateway.media import TONES
from gateway.push import Busy, Delivery, Priority, Start

Schema = Mapping[str, object]

TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
WHOLE: Final[Schema] = {"type": "integer"}
TRUTH: Final[Schema] = {"type": "boolean"}
ROLE: Final[Schema] = {"type": "string", "enum": [str(role) for role in Role]}
COUNTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}


def listed(item: Schema, **more: object) -> Schema:
    """A list of these."""
    return {"type": "array", "items": item, **more}


def nullable(schema: Schema) -> Schema:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def document(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def answer(**members: Schema) -> Schema:
    """An object with these members, and with more in later releases."""
    return {"type": "object", "properties": members, "required": list(members)}


IDEMPOTENCY_KEY: Final = Parameter(
    name="Idempotency-Key",
    place="header",
    description="Any text of your own, at most 255 characters: the same request with the same key within a day is "
    "done once, and answered the same.",
)
PROBLEM: Final = answer(error=TEXT, errors=listed(TEXT))
ALARM: Final = answer(name=TEXT, text=TEXT, since_s=NUMBER, stays=TRUTH)
STATUS: Final = answer(version=TEXT, began_s=NUMBER, counters=COUNTS, alarms=listed(ALARM))
PHONE: Final[Schema] = {
    "type": "object",
    "properties": {"phone": TEXT, "address": TEXT},
    "required": ["phone", "address"],
}
_PAGE: Final[Mapping[str, Schema]] = {
    "page": TEXT,
    "state": TEXT,
    "reason": nullable(TEXT),
    "outcomes": COUNTS,
    "phones": WHOLE,
    "priority": TEXT,
    "delivery": TEXT,
    "note": nullable(TEXT),
}
PAGE: Final = answer(**_PAGE)
RECORD: Final = answer(**_PAGE, audio=TEXT, requested_s=NUMBER, requested_by=nullable(TEXT), ended_s=nullable(NUMBER))
RESULT: Final = answer(phone=TEXT, address=TEXT, outcome=nullable(TEXT), words=TEXT, stop=nullable(TEXT))


def _choice(kind: Iterable[object], **more: object) -> Schema:
    return {"type": "string", "enum": [str(each) for each in kind], **more}


PAGE_WISH: Final = document(
    {},
    {
        "audio": {"type": "string", "description": "absolute path of a WAV file on the gateway's machine"},
        "recording": {"type": "string", "description": "name of a recording that the gateway keeps, instead of audio"},
        "phones": {
            "description": '"all", or device names',
            "anyOf": [{"const": "all"}, listed(TEXT, minItems=1, uniqueItems=True)],
        },
        "zones": listed(TEXT, maxItems=MAX_NAMES),
        "lists": listed(TEXT, maxItems=MAX_NAMES),
        "delivery": _choice(Delivery),
        "priority": _choice(Priority),
        "busy": _choice(Busy, description="what becomes of a phone that receives something else"),
        "start": _choice(Start),
        "start_fraction": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "start_deadline_s": {"type": "number", "minimum": 0, "maximum": MAX_START_DEADLINE_S},
        "tone": {"type": "string", "description": f"none, {', '.join(TONES)}, or the path of a WAV file"},
        "repeat": {"type": "integer", "minimum": 1, "maximum": MAX_REPEAT},
        "idempotency_key": {"type": "string", "description": "as the header Idempotency-Key, which goes before it"},
    },
)
SETTING_VALUES: Final[Mapping[str, Schema]] = {
    "push_user": TEXT,
    "push_password": {"type": "string", "writeOnly": True},
    "callmanager_url": TEXT,
    "own_user_mismatch": {"type": "string", "enum": ["redirect", "refuse"]},
    "multicast": TRUTH,
    "multicast_first": TEXT,
    "multicast_last": TEXT,
    "multicast_port": WHOLE,
    "phone_networks": listed(TEXT),
    "authorise": {"type": "string", "enum": ["always", "in-flight"]},
    "authorise_after_s": NUMBER,
}
SETTINGS_CHANGE: Final[Schema] = {
    "type": "object",
    "properties": SETTING_VALUES,
    "additionalProperties": False,
    "minProperties": 1,
}
SETTINGS: Final = answer(
    settings={
        "type": "object",
        "properties": {name: each for name, each in SETTING_VALUES.items() if name != "push_password"},
    },
    secrets_set=listed(TEXT),
    fixed=listed(TEXT),
    authentication_url=TEXT,
)
ENTRY: Final = answer(
    number=WHOLE, at_s=NUMBER, who=TEXT, address=TEXT, action=TEXT, subject=TEXT, detail={"type": "object"}
)
ACCOUNT: Final = answer(name=TEXT, role=ROLE, created_s=WHOLE, changed_s=WHOLE)
TOKEN: Final = answer(name=TEXT, role=ROLE, created_by=TEXT, created_s=WHOLE, expires_s=nullable(WHOLE))
