"""Finds out when a store that took nothing takes changes again."""

from __future__ import annotations

from typing import Final

import trio

from gateway.alarms import Alarms
from gateway.store.database import Database, StoreError

STORE_ALARM: Final = "store-failing"
PROBE_S: Final = 10.0


async def watch_store(database: Database, alarms: Alarms) -> None:
    """While the alarm is active, try to write; clear it when that succeeds. Until cancelled."""
    while True:
        await trio.sleep(PROBE_S)
        if all(alarm.name != STORE_ALARM for alarm in alarms.active()):
            continue
        try:
            await database.write(
                lambda connection: connection.execute("INSERT OR REPLACE INTO setting VALUES ('probe', '0')")
            )
        except StoreError:
            continue
        alarms.clear(STORE_ALARM)
