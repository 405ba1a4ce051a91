"""Drives a page in Firefox, by WebDriver BiDi, and in WebKitGTK, by WebDriver.

Selenium speaks both protocols. WebKitGTK's browser needs a display; Xvfb is one without a screen.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from toolchain.errors import MissingToolError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

EngineName = Literal["firefox", "webkit"]

QUIET_FIREFOX = {
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
"""Preferences with which Firefox asks nobody for anything but the page."""

_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_POLL_S = 0.01


class FirefoxPage:
    """A page in Firefox."""

    def __init__(self, connection: Any, version: str) -> None:
        from selenium.webdriver.common.bidi.browsing_context import BrowsingContext
        from selenium.webdriver.common.bidi.script import Script

        self.connection = connection
        self.name = f"Firefox {version}"
        self.contexts = BrowsingContext(connection)
        self.script = Script(connection)
        self.context = self.contexts.create(type="tab")

    def open(self, url: str) -> None:
        """Visit an address, and wait until its document has loaded."""
        self.contexts.navigate(context=self.context, url=url, wait="complete")

    def run(self, body: str) -> Any:
        """Run the body of an asynchronous function in the page; its result is JSON.

        Raises:
            ToolchainError: It threw an error.
        """
        found = self.script.evaluate(
            expression=f"(async () => {{ {body} }})().then((found) => JSON.stringify(found))",
            target={"context": self.context},
            await_promise=True,
        )
        if found["type"] != "success":
            raise ToolchainError(str(found.get("exceptionDetails", {}).get("text", found)))
        return json.loads(found["result"].get("value", "null"))


class WebKitPage:
    """A page in WebKitGTK."""

    def __init__(self, driver: Any, timeout: float) -> None:
        self.driver = driver
        self.name = f"WebKitGTK {driver.capabilities.get('browserVersion', '')}".strip()
        driver.set_script_timeout(timeout)

    def open(self, url: str) -> None:
        """Visit an address, and wait until its document has loaded."""
        self.driver.get(url)

    def run(self, body: str) -> Any:
        """Run the body of an asynchronous function in the page; its result is JSON.

        Raises:
            ToolchainError: It threw an error.
        """
        found = self.driver.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {body} }})()"
            ".then((found) => done([found]), (error) => done(String(error)))"
        )
        if not isinstance(found, list):
            raise ToolchainError(str(found))
        return found[0]


EnginePage = FirefoxPage | WebKitPage


@contextmanager
def started(
    name: EngineName,
    timeout: float,
    pages: tuple[type[FirefoxPage], type[WebKitPage]] = (FirefoxPage, WebKitPage),
) -> Iterator[Any]:
    """Run a browser without a window, in a profile of its own; yield its page.

    Args:
        name: Which browser.
        timeout: Seconds that a script in the page may take.
        pages: The classes of their pages.

    Raises:
        MissingToolError: Selenium or the browser is not installed.
        ToolchainError: The browser does not start.
    """
    try:
        import selenium  # noqa: F401
    except ImportError as error:
        raise MissingToolError(
            "measuring Firefox or WebKit needs Selenium and it is not installed; "
            "run `pip install 'toolchain[engines]'`"
        ) from error
    with _firefox(timeout, pages[0]) if name == "firefox" else _webkit(timeout, pages[1]) as page:
        yield page


def _needed(*names: str, package: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise MissingToolError(f"there is no {names[0]} on the path; install Debian's {package}")
    return found


@contextmanager
def _firefox(timeout: float, page: type[FirefoxPage]) -> Iterator[FirefoxPage]:
    from selenium.webdriver.common.bidi.session import Session
    from selenium.webdriver.remote.websocket_connection import WebSocketConnection

    program = _needed("firefox", "firefox-esr", package="firefox-esr")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in QUIET_FIREFOX.items()
        )
        Path(profile, "user.js").write_text("\n".join(lines), "utf-8")
        process = subprocess.Popen(  # noqa: S603 - the user's own browser
            [program, "--headless", "--remote-debugging-port=0", "--profile", profile],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"HOME": profile},
        )
        try:
            said = (_LISTENING.search(line) for line in process.stderr or ())
            address = next((found[1] for found in said if found), None)
            if address is None:
                raise ToolchainError(f"{program} does not start; run it by hand to see why")
            # What it says later would fill the pipe.
            threading.Thread(target=deque, args=(process.stderr, 0), daemon=True).start()
            connection = WebSocketConnection(f"{address}/session", timeout, _POLL_S)
            told = Session(connection).new(capabilities={})
            capabilities = told.get("capabilities", {}) if isinstance(told, dict) else {}
            yield page(connection, str(capabilities.get("browserVersion", "")))
            connection.close()
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _webkit(timeout: float, page: type[WebKitPage]) -> Iterator[WebKitPage]:
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service
    from selenium.webdriver.webkitgtk.webdriver import WebDriver

    driver_program = _needed("WebKitWebDriver", package="webkit2gtk-driver")
    xvfb = _needed("Xvfb", package="xvfb")
    with ExitStack() as stack:
        display = stack.enter_context(
            subprocess.Popen(  # noqa: S603 - the system's own program
                [xvfb, "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        stack.callback(display.terminate)
        number = display.stdout.readline().strip() if display.stdout else ""
        surroundings = os.environ | {"DISPLAY": f":{number}"}
        if getattr(os, "geteuid", lambda: 1)() == 0:
            # As root, and so in most containers, its sandbox does not start.
            surroundings |= {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
        options = Options()
        options.add_argument("--automation")
        options.binary_location = _mini_browser()
        driver = WebDriver(options=options, service=Service(driver_program, env=surroundings))
        stack.callback(driver.quit)
        yield page(driver, timeout)


def _mini_browser() -> str:
    """Return WebKitGTK's own browser; Debian has it in a folder for each architecture."""
    found = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    if not found:
        raise MissingToolError(
            "there is no WebKitGTK MiniBrowser; install Debian's webkit2gtk-driver"
        )
    return str(found[0])
