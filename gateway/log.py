"""The log on standard error: one line an event, for a person or as JSON for a collector.

Control characters are escaped: a text that came from outside can neither begin a line of its own nor move a terminal's
cursor.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final, Literal

Format = Literal["console", "json"]
FORMATS: Final[tuple[Format, ...]] = ("console", "json")
MAX_CHARACTERS: Final = 8192
"""Of a line's text; a traceback of a deep stack fits."""


class _Console(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{at}.{int(record.msecs):03d}Z {record.levelname.lower()} {record.name}: {escaped(_text(record))}"
        return text if record.exc_info is None else f"{text} | {escaped(self.formatException(record.exc_info))}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _text(record),
        }
        if record.exc_info is not None:
            line["exception"] = self.formatException(record.exc_info)[:MAX_CHARACTERS]
        return json.dumps(line)


def escaped(text: str) -> str:
    """A text on one line, without characters that do something to a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)[
        :MAX_CHARACTERS
    ]


def begin_log(kind: Format) -> None:
    """Log to standard error from here on. Times are UTC."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if kind == "json" else _Console())
    logging.raiseExceptions = False  # a standard error that is full or gone costs lines, and nothing else
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)


def _text(record: logging.LogRecord) -> str:
    return record.getMessage()[:MAX_CHARACTERS]
