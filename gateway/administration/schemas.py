"""Shapes of the JSON interface's documents, for the OpenAPI document (JSON Schema 2020-12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.accounts import Role
from gateway.push import Start

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


PROBLEM: Final = answer(error=TEXT, errors=listed(TEXT))
ALARM: Final = answer(name=TEXT, text=TEXT, since_s=NUMBER)
STATUS: Final = answer(version=TEXT, began_s=NUMBER, counters=COUNTS, alarms=listed(ALARM))
PHONE: Final[Schema] = {
    "type": "object",
    "properties": {"phone": TEXT, "address": TEXT},
    "required": ["phone", "address"],
}
PAGE: Final = answer(page=TEXT, state=TEXT, reason=nullable(TEXT), outcomes=COUNTS, phones=WHOLE)
PAGE_WISH: Final = document(
    {"audio": {"type": "string", "description": "absolute path of a WAV file on the gateway's machine"}},
    {
        "phones": {
            "description": '"all", or device names',
            "anyOf": [{"const": "all"}, listed(TEXT, minItems=1, uniqueItems=True)],
        },
        "delivery": {"const": "unicast"},
        "start": {"type": "string", "enum": [str(start) for start in Start]},
        "start_fraction": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "start_deadline_s": {"type": "number", "minimum": 0, "maximum": 60},
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
