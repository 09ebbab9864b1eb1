"""The frame of every page: one file that needs nothing else, whose security policy allows exactly what is in it."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib import resources


def html_document(
    title: str, main: Iterable[str], *, style: str = "", script: str = "", data: Iterable[str] = ()
) -> str:
    """A whole page.

    Args:
        title: plain text.
        main: markup of the page; whatever comes from outside is escaped in it.
        style: a package's own rules, behind those that all pages share (page.css).
        script: runs at the end of the page; without one no script may run at all.
        data: elements between the page and the script, for it to read.
    """
    rules = resources.files("harness.report").joinpath("page.css").read_text(encoding="utf-8") + style
    allowed = [f"style-src {_digest(rules)}", *([f"script-src {_digest(script)}"] if script else [])]
    policy = "; ".join(["default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'"])
    return "".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{rules}</style></head><body><main>",
            *main,
            "</main>",
            *data,
            f"<script>{script}</script>" if script else "",
            "</body></html>\n",
        ]
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
