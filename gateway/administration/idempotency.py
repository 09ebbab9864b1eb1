"""The same request sent twice is done once: who repeats an Idempotency-Key gets the first answer again.

Held in memory, so that sending never waits for a disk. The name and shape of the header are those of the IETF draft
draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from gateway.administration.page_request import RequestError

KEEP_S: Final = 86_400.0
MAX_KEPT: Final = 10_000
MAX_KEY: Final = 255


@dataclass(kw_only=True, slots=True)
class _Sending:
    digest: bytes
    began: float
    done: trio.Event = field(default_factory=trio.Event)
    result: str | None = None


class Repeats:
    """Results of one day's requests by caller and key."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._sendings: OrderedDict[tuple[str, str], _Sending] = OrderedDict()

    async def once(self, who: str, key: str | None, content: str, work: Callable[[], Awaitable[str]]) -> str:
        """Do `work` unless it was done with this key before; its result.

        Args:
            who: the caller: keys of others are others.
            key: None: the caller does not care.
            content: what was asked for; another one with the same key is refused.
            work: only its success is remembered.

        Raises:
            RequestError: the key is none, or was used for something else.
        """
        if key is None:
            return await work()
        if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
            raise RequestError([f"Idempotency-Key must be 1 to {MAX_KEY} printable characters"])
        self._forget()
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
        while (known := self._sendings.get((who, key))) is not None:
            if known.digest != digest:
                raise RequestError(["this Idempotency-Key was used for another request"], status=422)
            await known.done.wait()
            if known.result is not None:
                return known.result
        sending = self._sendings[who, key] = _Sending(digest=digest, began=self._monotonic())
        try:
            sending.result = await work()
        finally:
            if sending.result is None:
                del self._sendings[who, key]
            sending.done.set()
        return sending.result

    def _forget(self) -> None:
        oldest_kept = self._monotonic() - KEEP_S
        for name, sending in list(self._sendings.items()):
            if len(self._sendings) < MAX_KEPT and sending.began > oldest_kept:
                break
            if sending.done.is_set():
                del self._sendings[name]
