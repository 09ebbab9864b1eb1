"""One table of routes: it makes the application, the OpenAPI document, its reference page and the test of rights."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from quart import Response

from gateway.accounts import Role
from gateway.administration.desk import Call

Handler = Callable[[Call], Awaitable[Response]]
Schema = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A field of the query or a header."""

    name: str
    description: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    place: Literal["query", "header"] = "query"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One method of one path."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    """With parts in braces, such as `/api/pages/{number}`."""
    handler: Handler
    role: Role | None
    """Who may; None: everybody, without logging in."""
    summary: str
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    """Of the JSON document that is sent."""
    body_may_be_missing: bool = False
    takes_bytes: bool = False
    """The body is a file and no JSON document."""
    answer: Schema | None = None
    """Of the JSON document that comes back."""
    status: int = 200
    refusals: Mapping[int, str] = field(default_factory=dict)
    """Further statuses and what they mean."""
    max_body: int | None = None
    """Bytes, where more than the usual is taken."""
    background: bool = False
    """Asked by a page that refreshes itself: keeps no session alive."""

    @property
    def changes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET"

    @property
    def is_api(self) -> bool:
        """Whether it speaks JSON; else it is a page for people."""
        return self.path.startswith("/api/")

    @property
    def endpoint(self) -> str:
        """A name for the framework."""
        return f"{self.method} {self.path}"

    @property
    def rule(self) -> str:
        """The path as the framework writes it."""
        return self.path.replace("{", "<").replace("}", ">")
