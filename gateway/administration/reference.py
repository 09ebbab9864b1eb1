"""The reference page of the JSON interface, made from the table of routes.

`python -m gateway.administration.reference > docs/reference/rest-api.md`; a test holds the page to it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from gateway.administration.api import API_ROUTES
from gateway.administration.routes import Route, Schema

_HEAD = """\
# The JSON interface

Made from the table of routes by `python -m gateway.administration.reference`; a running gateway describes itself in the
same way, as an OpenAPI 3.1 document, at `/api/openapi.json`.

Every request brings a bearer token: `Authorization: Bearer TOKEN`. Tokens are made in the Administration Tool under
*Accounts and tokens*, each with a role and an end; `[administration] token_file` of the configuration file names one
more, an administrator's. A browser that has logged in may use the interface as well: what changes something then needs
the header `X-CSRF-Token` with the token of the session's forms, and must come from a page of the gateway.

Answers are JSON. Whatever is refused says `{"error": TEXT, "errors": [TEXT, ...]}`: 400 with every error at once, 401
without a right token, 403 where its role may not, 404 for what is not there, 413 for too much, 503 where the store
takes no changes (nothing was changed then; pages still go out). Unknown keys are errors, with the nearest known one.

| role | may |
|---|---|
| viewer | see everything but secrets |
| operator | also send and stop pages and alerts, read phones, keep recordings |
| administrator | also change settings, phones, zones, lists, sources, accounts and tokens |

"""


def reference() -> str:
    """The page."""
    lines = [_HEAD, "| request | role | what it does |\n|---|---|---|\n"]
    lines += [f"| `{route.method} {route.path}` | {route.role} | {route.summary} |\n" for route in API_ROUTES]
    for route in API_ROUTES:
        if route.parameters or route.body is not None or route.refusals or route.takes_bytes:
            lines.append(f"\n## {route.method} {route.path}\n\n{route.summary}. Answer: {route.status}.\n")
            lines += _details(route)
    return "".join(lines)


def _details(route: Route) -> Iterable[str]:
    if route.takes_bytes:
        yield "\nThe body is the file itself.\n"
    rows: list[tuple[str, str, str, str]] = [
        (each.name, each.place, _words(each.schema), each.description) for each in route.parameters
    ]
    if route.body is not None:
        properties, required = route.body.get("properties"), route.body.get("required", [])
        assert isinstance(properties, dict)
        assert isinstance(required, list)
        for name, schema in properties.items():
            place = "body, needed" if name in required else "body"
            rows.append((name, place, _words(schema), str(schema.get("description", ""))))
    if rows:
        yield "\n| name | where | value | |\n|---|---|---|---|\n"
        for name, place, words, text in rows:
            yield f"| `{name}` | {place} | {words} | {text} |\n"
    if route.refusals:
        yield "\n"
        for status, text in sorted(route.refusals.items()):
            yield f"* {status}: {text}\n"


def _words(schema: Schema) -> str:
    if "enum" in schema:
        values = schema["enum"]
        assert isinstance(values, list)
        return ", ".join(f"`{each}`" for each in values)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        parts = schema["anyOf"]
        assert isinstance(parts, list)
        return " or ".join(_words(part) for part in parts)
    kind = {"integer": "whole number", "array": "list", "string": "text", "object": "object"}.get(
        str(schema.get("type")), str(schema.get("type"))
    )
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum")
    limits = f", {'above ' if 'exclusiveMinimum' in schema else ''}{low} to {high}" if high is not None else ""
    return kind + limits


if __name__ == "__main__":
    sys.stdout.write(reference())
