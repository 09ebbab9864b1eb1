"""The OpenAPI document, made from the table of routes."""

from __future__ import annotations

import re
from typing import Final

from gateway.administration import schemas
from gateway.administration.routes import Route

OPENAPI: Final = "3.1.0"
_USUAL_REFUSALS: Final = {
    401: "no token, or not a right one",
    403: "the token's role may not",
    503: "the store takes no changes, or too much is asked at once",
}


def openapi_document(version: str) -> dict[str, object]:
    """The document of the interface under /api."""
    from gateway.administration.api import API_ROUTES  # noqa: PLC0415  its table holds the route that answers this

    paths: dict[str, dict[str, object]] = {}
    for route in API_ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "pushlab gateway",
            "version": version,
            "description": "Pages and alerts to IP phones, and everything that the Administration Tool can do.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": schemas.PROBLEM},
        },
    }


def _operation(route: Route) -> dict[str, object]:
    parameters: list[dict[str, object]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    parameters += [
        {"name": each.name, "in": each.place, "description": each.description, "schema": each.schema}
        for each in route.parameters
    ]
    responses: dict[str, object] = {
        str(route.status): {
            "description": "Done",
            "content": {"application/json": {"schema": route.answer or {"type": "object"}}},
        }
    }
    refusals = {**_USUAL_REFUSALS, **route.refusals}
    if route.parameters or route.body is not None or route.changes:
        refusals[400] = "what was sent is wrong; every error is named"
    if route.max_body is not None or route.body is not None:
        refusals[413] = "what was sent is too large"
    for status, meaning in sorted(refusals.items()):
        responses[str(status)] = {
            "description": meaning,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation: dict[str, object] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "description": f"Needs the role {route.role}.",
        "parameters": parameters,
        "responses": responses,
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": route.body}}}
    return operation
