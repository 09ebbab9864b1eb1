"""The page as people meet it, in headless Chromium: no network, filter, sort, a phone's timeline, charts read out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.report.excerpts import stories_of
from harness.report.html import page_of
from harness.report.result import read_result

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.fixture
def page(browser: "Chrome", make_run: Callable[..., Path]) -> "Chrome":
    folder = make_run("failing", phones=400)
    result = read_result(folder)
    (folder / "report.html").write_text(page_of(result, stories_of(result)))
    browser.get(f"file://{folder / 'report.html'}")
    return browser


def test_nothing_is_asked_of_the_network_and_nothing_is_refused_by_the_policy(page: "Chrome") -> None:
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert page.get_log("browser") == []


def test_filter_sort_and_state(page: "Chrome") -> None:
    def first(column: str) -> str:
        heads = page.find_elements("css selector", "#ledger thead th")
        at = [head.get_attribute("data-column") for head in heads].index(column)
        return str(page.find_elements("css selector", "#ledger tbody tr:first-child > *")[at].text)

    count = page.find_element("id", "count")
    assert count.text == "400 of 400 phones, first 50 shown"
    assert first("phone") == "SEP001BD4000050"
    page.find_element("id", "filter").send_keys("10.20.1 7970")
    shown, _, rest = count.text.partition(" of ")
    assert 0 < int(shown) < 145
    assert rest.startswith("400 phones")
    page.find_element("id", "filter").clear()
    page.find_element("id", "filter").send_keys(" ")
    heard = page.find_element("css selector", "[data-column=listening_ms] button")
    heard.click()
    assert page.find_element("css selector", "[data-column=listening_ms]").get_attribute("aria-sort") == "ascending"
    lowest = float(first("listening_ms"))
    heard.click()
    assert float(first("listening_ms")) > lowest
    heard.click()
    assert first("phone") == "SEP001BD4000050"
    page.find_element("css selector", "#state option[value=delivered]").click()
    assert count.text == "395 of 400 phones, first 50 shown"
    page.find_element("id", "more").click()
    assert count.text == "395 of 400 phones, first 250 shown"


def test_a_phones_timeline_and_its_story(page: "Chrome") -> None:
    button = page.find_element("css selector", "button.phone")
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    told = page.find_element("css selector", ".detail svg").get_attribute("aria-label")
    assert told.startswith("push to answer 40 ")
    assert "; asks gateway " in told
    assert "; listens " in told
    assert "; stops " in told
    assert "audio heard" not in told
    page.find_element("partial link text", "Its story").click()
    assert page.find_element("id", "story-SEP001BD4000050").get_attribute("open")


def test_charts_are_read_out_by_keyboard(page: "Chrome") -> None:
    chart = page.find_elements("css selector", "svg.chart")[1]
    page.execute_script("arguments[0].focus()", chart)
    for _ in range(30):
        page.execute_script(
            "arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}))", chart
        )
    reading = page.find_elements("css selector", ".reading")[1].text
    assert reading.startswith("at ")
    assert reading.endswith(" s: phones 400")


def test_dark_is_dark_and_paper_is_light(page: "Chrome") -> None:
    def ground() -> str:
        return str(page.execute_script("return getComputedStyle(document.body).backgroundColor"))

    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 22, 26)")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert ground() == colour
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert ground() == "rgb(255, 255, 255)"


def test_narrow_screens_need_no_sideways_scrolling(page: "Chrome") -> None:
    metrics = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    widths = page.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1], json.dumps(widths)
