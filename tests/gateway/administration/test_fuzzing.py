"""G12: what schemathesis makes of the description is never answered by 500."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import trio
from hypothesis import HealthCheck, Phase, settings

from gateway.administration.openapi import openapi_document

pytestmark = pytest.mark.slow

OpenTool = Callable[..., AbstractAsyncContextManager[Any]]
EXAMPLES = 40
"""For each of the operations; about a minute in all."""


@pytest.fixture
def url(tmp_path: Path, open_tool: OpenTool) -> Iterator[str]:
    """A gateway in a thread: schemathesis asks blocking."""
    found: list[str] = []
    ready, ended = threading.Event(), threading.Event()

    async def serve() -> None:
        async with open_tool(tmp_path, limit_s=600) as tool:
            found.append(f"http://127.20.128.10:{tool.port}")
            ready.set()
            while not ended.is_set():
                await trio.sleep(0.05)

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0]
    finally:
        ended.set()
        thread.join()


def test_g12_no_request_is_answered_by_500(url: str) -> None:
    schema = schemathesis.openapi.from_dict(openapi_document("1.0"))
    statuses: set[int] = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        def ask(case: schemathesis.Case) -> None:
            answer = case.call(base_url=url, headers={"Authorization": "Bearer a-token"}, timeout=20)
            statuses.add(answer.status_code)
            assert answer.status_code != 500, (case.method, case.path, answer.text)

        from hypothesis import given

        given(case=operation.as_strategy())(ask)()
    assert {200, 400} <= statuses
