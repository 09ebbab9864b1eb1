"""What all tests share."""

import ctypes
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from harness.net.netns import CLONE_NEWNET

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

_machines_network: int | None = None
"""Descriptor of the network that a worker left for its own."""


def pytest_configure(config: pytest.Config) -> None:
    """Put each of several workers into a network of its own, with a loopback that is up: ports are the tests' own."""
    if not hasattr(config, "workerinput") or os.geteuid() != 0:
        return
    global _machines_network  # noqa: PLW0603 - of this process, as the network is
    _machines_network = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    from pyroute2 import IPRoute

    with IPRoute() as routes:
        routes.link("set", index=1, state="up")


@pytest.fixture(scope="session")
def in_the_machines_network() -> tuple[str, ...]:
    """Begins a command line of a program that installs something: workers have a network of their own."""
    if _machines_network is None:
        return ()
    return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{_machines_network}")


# Examples are not timed: a busy machine is no defect of a codec.
settings.register_profile("pushlab", deadline=None)
settings.load_profile("pushlab")


@pytest.fixture(scope="session")
def skip_if_held_up() -> Callable[[Path], None]:
    """Skips a test whose run says that the machine held its parts up: the run is inconclusive, and rightly so.

    Shared machines stop a processor for 0.1 s and more now and then. Only what the judge itself calls blind for that
    reason counts (a part that was late by its own schedule, too), and the reason is told.
    """

    def skip(folder: Path) -> None:
        verdict = folder / "verdict.json"
        if not verdict.is_file():
            return
        for blind in json.loads(verdict.read_text(encoding="utf-8")).get("blind", ()):
            why = str(blind)
            late = "held up" in why or "lateness." in why
            if late and "not measured" not in why:  # what told nothing is a finding: its part died, or never paged
                pytest.skip(f"this machine was too busy for a verdict: {blind}")

    return skip


@pytest.fixture
def browser(tmp_path: Path) -> Iterator["Chrome"]:
    """A headless Chromium with a profile of its own, driven through Debian's chromedriver; nothing is downloaded.

    Its calls block: a test with a server on trio in the same process drives it from a thread (trio.to_thread.run_sync).
    """
    for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if shutil.which(program) is None:
            pytest.skip(f"{package} is not installed (Debian: apt-get install {package})")
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in (
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",  # containers have 64 MB there
        "--window-size=1200,900",
        f"--user-data-dir={tmp_path / 'chromium'}",
    ):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's own does not run as root
    options.accept_insecure_certs = True  # servers under test have certificates of their own
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(shutil.which("chromedriver")))
    try:
        driver.set_page_load_timeout(20)
        # The browser begins with a page of its own, whose complaints are not ours.
        driver.get("about:blank")
        driver.get_log("browser")
        yield driver
    finally:
        driver.quit()


class Hands:
    """What a person does in a browser: clicks what has this name, types under this label."""

    def __init__(self, browser: "Chrome") -> None:
        self.browser = browser

    def follow(self, text: str) -> None:
        self.leave(lambda: self.browser.find_element("link text", text).click())

    def press(self, text: str) -> None:
        self.leave(lambda: self.browser.find_element("xpath", f"//main//button[starts-with(., '{text}')]").click())

    def type(self, label: str, text: str) -> None:
        name = self.browser.find_element("xpath", f"//label[normalize-space(text())='{label}']").get_attribute("for")
        element = self.browser.find_element("id", name)
        element.clear()
        element.send_keys(text)

    def choose(self, accessible: str, option: str) -> None:
        from selenium.webdriver.support.select import Select

        xpath = f"//select[@aria-label='{accessible}' or @id=//label[.='{accessible}']/@for]"
        Select(self.browser.find_element("xpath", xpath)).select_by_visible_text(option)

    def check(self, label: str) -> None:
        self.browser.find_element("xpath", f"//label[contains(., '{label}')]/input").click()

    def text(self) -> str:
        return self.browser.find_element("tag name", "main").text

    def leave(self, act: Callable[[], None]) -> None:
        """Act, and wait until another page is there."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.wait import WebDriverWait

        self.browser.execute_script("window.left = true")
        act()
        there = "return window.left !== true && document.readyState === 'complete'"
        # While one document replaces another, the driver may have none to ask.
        wait = WebDriverWait(self.browser, 10, poll_frequency=0.02, ignored_exceptions=[WebDriverException])
        wait.until(lambda browser: browser.execute_script(there))


@pytest.fixture
def hands(browser: "Chrome") -> Hands:
    """Hands at the browser."""
    return Hands(browser)
