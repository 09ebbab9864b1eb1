"""The documents as a site: built without a warning, every page in it, its search works from a disk."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

DOCS: Final = Path(__file__).parents[2] / "docs"
BUILD_S: Final = 120
FOUND_S: Final = 20


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-E", "-q", "--keep-going", "-b", "html", str(DOCS), str(out)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    return out


def test_every_document_is_a_page_and_in_the_menu(site: Path) -> None:
    menu = (site / "index.html").read_text(encoding="utf-8")
    documents = [path.relative_to(DOCS) for path in DOCS.rglob("*.md") if "examples" not in path.parts]
    assert len(documents) > 40
    for document in documents:
        page = document.with_suffix(".html")
        assert (site / page).is_file(), page
        assert document.name == "index.md" or f'href="{page}"' in menu, f"{page} is not in the menu"


def test_search_finds_without_a_server(site: Path, browser: "Chrome") -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    browser.get(f"{site.as_uri()}/search.html?q=callmanager-count-agrees")
    # Results come one after the other.
    wanted = '#search-results li a[href*="reference/laws.html"]'
    WebDriverWait(browser, FOUND_S).until(lambda it: it.find_elements("css selector", wanted))
