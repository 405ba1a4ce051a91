"""Drives a page in Firefox and WebKitGTK, as Debian packages them.

Selenium speaks to both: WebDriver BiDi with Firefox itself, and WebDriver with WebKitGTK's driver,
which needs a display. `tests/engines.py` only opens a page there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tests import engines
from tests.watchdog import HANG_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class Engine(Protocol):
    """A browser with one page."""

    def open(self, url: str) -> None:
        """Visit an address."""

    def run(self, body: str) -> Any:
        """Run the body of an asynchronous function in the page; its result is JSON."""

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input element."""

    def click(self, selector: str) -> None:
        """Click an element as a visitor does."""


class _Firefox:
    def __init__(self, connection: Any) -> None:
        from selenium.webdriver.common.bidi.browsing_context import BrowsingContext
        from selenium.webdriver.common.bidi.input import Input
        from selenium.webdriver.common.bidi.script import Script

        self._pages = BrowsingContext(connection)
        self._input = Input(connection)
        self._script = Script(connection)
        self._page = self._pages.create(type="tab")

    def open(self, url: str) -> None:
        self._pages.navigate(context=self._page, url=url, wait="complete")

    def run(self, body: str) -> Any:
        found = self._script.evaluate(
            expression=f"(async () => {{ {body} }})().then((found) => JSON.stringify(found))",
            target={"context": self._page},
            await_promise=True,
        )
        assert found["type"] == "success", found
        return json.loads(found["result"].get("value", "null"))

    def choose(self, selector: str, *files: Path) -> None:
        (node,) = self._pages.locate_nodes(
            context=self._page, locator={"type": "css", "value": selector}
        )
        self._input.set_files(
            context=self._page,
            element={"sharedId": node["sharedId"]},
            files=[str(file) for file in files],
        )

    def click(self, selector: str) -> None:
        self._script.evaluate(
            expression=f"document.querySelector({json.dumps(selector)}).click()",
            target={"context": self._page},
            await_promise=False,
            user_activation=True,
        )


class _WebKit:
    def __init__(self, driver: Any) -> None:
        self._driver = driver
        driver.set_script_timeout(HANG_S)

    def open(self, url: str) -> None:
        self._driver.get(url)

    def run(self, body: str) -> Any:
        found = self._driver.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {body} }})()"
            ".then((found) => done([found]), (error) => done(String(error)))"
        )
        assert isinstance(found, list), found
        return found[0]

    def choose(self, selector: str, *files: Path) -> None:
        field = self._driver.find_element("css selector", selector)
        field.send_keys("\n".join(str(file) for file in files))

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()


@contextmanager
def firefox() -> Iterator[Engine]:
    """Run Firefox without a window, in a profile of its own."""
    from selenium.webdriver.common.bidi.session import Session
    from selenium.webdriver.remote.websocket_connection import WebSocketConnection

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = (
            f"user_pref({json.dumps(k)}, {json.dumps(v)});"
            for k, v in engines.QUIET_FIREFOX.items()
        )
        Path(profile, "user.js").write_text("\n".join(lines), "utf-8")
        process = subprocess.Popen(
            ["firefox-esr", "--headless", "--remote-debugging-port=0", "--profile", profile],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"HOME": profile},
        )
        try:
            assert process.stderr is not None
            said = (_LISTENING.search(line) for line in process.stderr)
            address = next(found[1] for found in said if found)
            connection = WebSocketConnection(f"{address}/session", HANG_S, 0.01)
            session = Session(connection)
            session.new(capabilities={})
            yield _Firefox(connection)
            connection.close()
        finally:
            process.terminate()
            process.wait(HANG_S)


@contextmanager
def webkit() -> Iterator[Engine]:
    """Run WebKitGTK's own browser on a display of its own."""
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service
    from selenium.webdriver.webkitgtk.webdriver import WebDriver

    with ExitStack() as stack:
        display = stack.enter_context(
            subprocess.Popen(
                ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        stack.callback(display.terminate)
        assert display.stdout is not None
        number = display.stdout.readline().strip()
        surroundings = os.environ | engines.WEBKIT_IN_CONTAINERS | {"DISPLAY": f":{number}"}
        options = Options()
        options.add_argument("--automation")
        options.binary_location = _mini_browser()
        driver = WebDriver(
            options=options, service=Service(shutil.which("WebKitWebDriver"), env=surroundings)
        )
        stack.callback(driver.quit)
        yield _WebKit(driver)


def _mini_browser() -> str:
    """Return WebKitGTK's own browser; Debian has it in a folder for each architecture."""
    return str(next(iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")))))


DRIVEN: dict[str, Callable[[], Any]] = {"firefox": firefox, "webkit": webkit}
"""What starts each engine."""
