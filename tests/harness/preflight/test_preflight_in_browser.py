"""The page as people meet it, in headless Chromium: nothing is asked of a network, the table is filtered."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.preflight.checks import fault
from harness.preflight.finding import ok
from harness.preflight.outcome import conclude
from harness.preflight.page import page_of

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

@pytest.fixture
def page(browser: "Chrome", tmp_path: Path) -> "Chrome":
    results = [ok("model", f"SEP{n:012X}", address=f"10.20.0.{n}", observed="CP-8851") for n in range(200)]
    results += [fault("web-access", "silent", f"SEP{n:012X}", address=f"10.20.0.{n}") for n in range(12)]
    results += [fault("model", "other-model", f"SEP{n:012X}", address=f"10.20.0.{n}") for n in range(10, 15)]
    file = tmp_path / "preflight.html"
    made = page_of(conclude(results, 200), now=datetime(2026, 6, 1, tzinfo=UTC), command="pushlab preflight")
    file.write_text(made, encoding="utf-8")
    browser.get(f"file://{file}")
    return browser


def test_the_first_screen_and_the_filter(page: "Chrome") -> None:
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert page.get_log("browser") == []
    assert page.find_element("tag name", "h1").text == "NO-GO 200 phones"
    task = page.find_element("css selector", ".tasks li h3")
    assert task.text.startswith("Turn Web Access on for these 12 phones")
    assert task.rect["y"] < 900
    count = page.find_element("id", "count")
    assert count.text == "200 of 200"
    page.find_element("css selector", "#result option[value=fault]").click()
    assert count.text == "12 of 200"
    page.find_element("css selector", "#result option[value='']").click()
    page.find_element("id", "filter").send_keys("0000C7 8851")
    assert count.text == "1 of 200"
    shown = [row.text for row in page.find_elements("css selector", "table.phones tbody tr") if row.is_displayed()]
    assert [text.split()[1] for text in shown] == ["SEP0000000000C7"]
    page.set_window_size(500, 900)
    assert page.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
