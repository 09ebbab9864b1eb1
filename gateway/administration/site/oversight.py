"""Audit, System, and what is asked by machines: health, metrics, static files."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import BinaryIO, Final
from urllib.parse import urlencode

import trio
from quart import Response

from gateway.accounts import LoginRefusedError, Role
from gateway.administration import actions
from gateway.administration.answers import (
    STATIC,
    json_answer,
    rendered,
    see_other,
    text_answer,
    utc,
)
from gateway.administration.desk import Call
from gateway.administration.documents import whole_number
from gateway.administration.page_request import RequestError
from gateway.administration.routes import Route
from gateway.administration.samples import families
from gateway.backup import CHUNK, BackupError, write_backup
from gateway.metrics import CONTENT_TYPE, exposition

ENTRIES: Final = 100
KINDS: Final = (
    ("page.", "Pages"),
    ("alert.", "Alerts"),
    ("recording.", "Recordings"),
    ("settings.", "Settings"),
    ("inventory.", "Inventory"),
    ("zone.", "Zones and lists"),
    ("account.", "Accounts"),
    ("token.", "Tokens"),
    ("login.", "Logins"),
    ("system.", "System"),
)
COUNTERS: Final = {
    "pushes_answered": "Pushes answered",
    "authentications": "Authentication requests answered",
    "redirected": "of them sent to CallManager",
    "streams": "Audio streams now",
    "packets": "Audio packets sent",
}


async def show_audit(call: Call) -> Response:
    """Entries, the newest first."""
    action, who = call.query.get("action", "")[:40], call.query.get("who", "").strip()[:64]
    before = whole_number(call.query.get("before"), "before", 0, 0, 10**15)
    entries = await call.desk.audit.entries(before=before or None, limit=ENTRIES + 1, action=action, who=who)
    shown = entries[:ENTRIES]
    asked = {"action": action, "who": who, "before": shown[-1].number if shown else 0}
    return rendered(
        call,
        "audit.html",
        entries=[(entry, _detail(entry.detail)) for entry in shown],
        older=f"/audit?{urlencode(asked)}" if len(entries) > ENTRIES else "",
        checked=await call.desk.audit.verify() if call.query.get("verify") else None,
        kinds=KINDS,
        action=action,
        who=who,
    )


def _detail(text: str) -> list[str]:
    detail = json.loads(text)
    changes = detail.pop("changes", {})
    lines = [f"{key.replace('_', ' ')}: {_plain(value)}" for key, value in detail.items()]
    for name, change in changes.items():
        said = f"{_plain(change[0])} → {_plain(change[1])}" if isinstance(change, list) else str(change)
        lines.append(f"{name.replace('_', ' ')}: {said}")
    return lines


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "yes" if value is True else "no" if value is False else "none" if value in (None, "") else str(value)


async def acknowledge_alarm(call: Call) -> Response:
    """End an alarm that stays."""
    actions.acknowledge_alarm(call, call.path["name"])
    return see_other("/system")


async def show_system(call: Call) -> Response:
    """Version, alarms, counters, backup."""
    return _system(call)


def _system(call: Call, *, error: str = "", status: int = 200) -> Response:
    desk, configuration = call.desk, call.desk.configuration
    counts = desk.counters()
    facts = [
        ("Version", desk.version),
        ("Running since", f"{utc(desk.began_s)} UTC"),
        ("Authentication URL", desk.authentication_url),
        ("This tool", "HTTPS" if configuration.administration_tls else "plain HTTP: only behind a proxy that adds TLS"),
        ("Store", str(configuration.store_folder or "in memory")),
        ("Key file", str(configuration.key_file or "none: in memory")),
    ]
    if desk.certificate is not None:
        facts.append(("Certificate (SHA-256)", desk.certificate))
    return rendered(
        call,
        "system.html",
        status=status,
        notice="",
        error=error,
        facts=facts,
        counters=[(COUNTERS.get(name, name.replace("_", " ")), value) for name, value in counts.items()],
        stored=configuration.store_folder is not None,
        key_file=str(configuration.key_file),
    )


async def back_up(call: Call) -> Response:
    """A backup to take away, for an administrator who gives the password once more (faults.md, G9)."""
    if call.who.session is None or call.desk.configuration.store_folder is None:
        raise RequestError(["a backup is downloaded by a person who has logged in, from a gateway with a store"])
    try:
        await call.desk.accounts.confirm(call.who, call.form.get("password", ""), call.address)
    except LoginRefusedError as refused:
        wait = f" The next attempt is looked at in {max(1, round(refused.wait_s))} s." if refused.wait_s else ""
        return _system(call, error=f"The password is wrong.{wait}", status=403)
    call.note("system.backup")
    folder = call.desk.configuration.store_folder
    out = folder / f".download-{secrets.token_hex(8)}"
    try:
        await trio.to_thread.run_sync(partial(write_backup, folder, out, version=call.desk.version))
        file = await trio.to_thread.run_sync(out.open, "rb")
    except (BackupError, OSError) as error:
        return _system(call, error=str(error), status=503)
    finally:
        out.unlink(missing_ok=True)  # what is open can still be read
    answer = Response(_pieces(file), content_type="application/octet-stream")
    name = time.strftime("pushlab-gateway-%Y%m%dT%H%M%SZ.backup", time.gmtime())
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while piece := await trio.to_thread.run_sync(file.read, CHUNK):
            yield piece
    finally:
        file.close()


async def health(call: Call) -> Response:
    """For a monitor: 200, or 503 with the alarms' names. Texts are for those who log in."""
    names = [alarm.name for alarm in call.desk.alarms.active()]
    return json_answer({"status": "alarm" if names else "ok", "alarms": names}, 503 if names else 200)


async def metrics(call: Call) -> Response:
    """Prometheus text, in an exposition of one moment."""
    return text_answer(exposition(families(call.desk)), CONTENT_TYPE)


async def static(call: Call) -> Response:
    """Style, script and icon. Their paths change with their content."""
    found = STATIC.get(call.path["name"])
    if found is None:
        raise RequestError(["there is no such file"], status=404)
    answer = Response(found[0], content_type=found[1])
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


OVERSIGHT_ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="/audit", handler=show_audit, role=Role.VIEWER, summary="Audit"),
    Route(method="GET", path="/system", handler=show_system, role=Role.VIEWER, summary="System"),
    Route(
        method="POST",
        path="/system/alarms/{name}/acknowledge",
        handler=acknowledge_alarm,
        role=Role.OPERATOR,
        summary="Acknowledge an alarm",
    ),
    Route(method="POST", path="/system/backup", handler=back_up, role=Role.ADMINISTRATOR, summary="Download a backup"),
    Route(method="GET", path="/health", handler=health, role=None, summary="Health, for a monitor"),
    Route(method="GET", path="/metrics", handler=metrics, role=Role.VIEWER, summary="Metrics, for Prometheus"),
    Route(method="GET", path="/static/{name}", handler=static, role=None, summary="Style, script and icon"),
)
