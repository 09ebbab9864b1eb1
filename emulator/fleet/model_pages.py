"""The reference page of each phone model, written from the models' data.

`python -m emulator.fleet.model_pages docs/reference/models` writes them; a test holds them equal to the data.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from emulator.fleet.catalogue import read_documents
from emulator.phone.model import FACTS, SURENESS, merge

_MEANINGS: Final = {
    "object_bytes": "largest XML object in a push, bytes",
    "unauthorized": "missing or refused credentials are answered with",
    "page_challenge": "a request for a protected page without credentials is answered with",
    "realm": "realm of the 401",
    "response": "form of the answer to a push",
    "response_data": "`Data` of an item that succeeded",
    "answer_version": "HTTP version of answers",
    "answer_head": "fields of an answer, in order and case",
    "server": "`Server` field",
    "content_type": "Content-Type of XML",
    "html_type": "Content-Type of HTML",
    "mode_info_type": "Content-Type of /CGI/ModeInfo",
    "head_answer": "HEAD is answered with the head of",
    "beyond": "a port or stream number that is not there",
    "media_api": "knows startMedia and stopMedia",
    "stop_media": "body of the answer to stopMedia",
    "uris": "of the URIs that not every phone knows",
    "https": "offers HTTPS (where `--https-port` asks for it)",
    "question_method": "method of the authentication question",
    "question_version": "HTTP version of the question",
    "question_head": "fields of the question, in order and case",
    "configuration": "configuration file fetched first by",
    "redirect": "a redirect as answer to the question",
    "answer_fields": "fields that an answer to the question may have",
    "title": "name on the HTML pages",
    "display": "display: width, height, bits, colour or grey",
    "screenshot": "form of /CGI/Screenshot",
    "java_pages": "has /CGI/Java/Serviceability",
    "declaration": "XML declaration of the X pages",
    "empty_elements": "empty elements are written as a",
    "html_escape": "signs in HTML are written",
    "ports": "ports of /PortInformation",
    "logs": "logs of /DeviceLog",
    "streams": "streams of /StreamingStatistics",
    "firmware": "names and numbers of hardware and firmware",
    "device_information": "/DeviceInformationX",
    "network_configuration": "/NetworkConfigurationX",
    "ethernet_information": "/EthernetInformationX",
    "port_information": "/PortInformationX",
    "streaming_statistics": "/StreamingStatisticsX",
}
_PAGES: Final = frozenset(name for name in FACTS if _MEANINGS[name].startswith("/"))
_GENERATED: Final = (
    "<!-- Written by `python -m emulator.fleet.model_pages docs/reference/models` from emulator/models: edit there. -->"
)


def pages() -> dict[str, str]:
    """Text of each page by file name."""
    documents = [merge(document, family) for document, family in read_documents().values()]
    written = {f"{document['model']}.md": _page(document) for document in documents}
    return {"README.md": _index(documents), **written}


def _code(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    text = text.replace("|", "\\|").replace("\n", "\\n")
    return f"`{text}`" if text else "(empty)"


def _shown(name: str, value: Any) -> str:  # noqa: ANN401 - as the file holds it
    if name in _PAGES:
        elements = " ".join(row[0] for row in value if row[0])
        return f"{sum(bool(row[0]) for row in value)} elements: {elements}"
    if isinstance(value, dict):
        return "<br>".join(f"{key} {_code(text)}" for key, text in value.items())
    if isinstance(value, list):
        return "<br>".join(_code(line) for line in value) or ("none" if name == "uris" else "any")
    return _code(value)


def _page(document: Mapping[str, Any]) -> str:
    counts = Counter(document[name]["sure"] for name in FACTS)
    known = ", ".join(f"{counts[sure]} {sure}" for sure in SURENESS if counts[sure])
    assumed = [_MEANINGS[name] for name in FACTS if document[name]["sure"] == "assumed"]
    lines = [
        f"# {document['model']}",
        "",
        _GENERATED,
        "",
        f"Also called {', '.join(document['aliases'])}. Family: {document['family']}.",
        f"Of {len(FACTS)} facts: {known}. Sources: tests/golden/SOURCES.md.",
        "",
        f"**Assumed**, for want of a source: {'; '.join(assumed) or 'nothing'}.",
        "",
        "| fact | value | sure | source |",
        "|---|---|---|---|",
    ]
    for name in FACTS:
        fact = document[name]
        source = fact["source"].replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {_MEANINGS[name]} (`{name}`) | {_shown(name, fact['value'])} | {fact['sure']} | {source} |")
    return "\n".join([*lines, ""])


def _index(documents: list[dict[str, Any]]) -> str:
    lines = [
        "# Phone models",
        "",
        _GENERATED,
        "",
        "What differs from model to model is data: `emulator/models/CP-*.toml`, and what a family has in common in",
        "`emulator/models/families/*.toml`. What no source gives is a setting with the default that stands there.",
        "",
        "| model | also | refuses with | answers in | `Server` | object bytes | screenshot | question | assumed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for document in documents:
        values = {name: document[name]["value"] for name in FACTS}
        assumed = sum(document[name]["sure"] == "assumed" for name in FACTS)
        lines.append(
            f"| [{document['model']}]({document['model']}.md) | {', '.join(document['aliases'])} "
            f"| {values['unauthorized']} | {values['response']} | {values['server'] or 'none'} "
            f"| {values['object_bytes']} | {values['screenshot']} "
            f"| {values['question_method']} HTTP/{values['question_version']} | {assumed} of {len(FACTS)} |"
        )
    return "\n".join([*lines, ""])


def main(folder: Path) -> None:
    """Write all pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
