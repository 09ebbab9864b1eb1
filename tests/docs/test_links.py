"""Every relative link of the documents leads somewhere, and every path that they name is in the tree."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in {"runs", "build", "dist"} for part in path.relative_to(ROOT).parts)
)
SOURCES = sorted(path for folder in ("gateway", "emulator", "harness") for path in (ROOT / folder).rglob("*.py"))
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAMED_PATH = re.compile(
    r"(?<![\w/.-])((?:docs|tests|bench|gateway|emulator|harness|scenarios)/[\w./-]*\w(?:\.\w+|/))(?![\w/*])"
)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """Headings as GitHub names them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in HEADING.findall(text)}


def dead(document: Path) -> Iterator[str]:
    text = document.read_text(encoding="utf-8")
    for link in LINK.findall(CODE.sub("", text)):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(CODE.sub("", target.read_text(encoding="utf-8")))):
            yield link


def test_there_are_documents_with_links() -> None:
    assert {"README.md", "docs/tutorials/first-run.md", "docs/reference/verdict.md"} <= set(map(name, DOCUMENTS))
    assert sum(len(LINK.findall(document.read_text(encoding="utf-8"))) for document in DOCUMENTS) > 20


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_no_link_is_dead(document: Path) -> None:
    assert list(dead(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_path_named_is_there(document: Path) -> None:
    named = set(NAMED_PATH.findall(document.read_text(encoding="utf-8")))
    assert {path for path in named if not (ROOT / path).exists() and not (document.parent / path).exists()} == set()


def test_every_document_that_the_code_names_is_there() -> None:
    """By its path from the root, or as a page of the reference."""
    named = re.compile(r"[\w./-]*\w\.md\b")
    written = {"summary.md"}  # by a run, into its folder
    beside = ROOT / "docs" / "reference"
    missing = {
        f"{name(source)}: {path}"
        for source in SOURCES
        for path in named.findall(source.read_text(encoding="utf-8"))
        if path not in written and not (ROOT / path).exists() and not (beside / path).exists()
    }
    assert missing == set()


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n[a](#a-page) [b](#b) [c](none.md) [d](page.md#a-page) [e](https://example.org/)\n")
    assert list(dead(page)) == ["#b", "none.md"]
