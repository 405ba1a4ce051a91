"""Drives a page in Firefox and WebKitGTK, as Debian packages them, as a visitor does.

The product drives them too, to measure; here files are chosen and elements clicked as well.
`tests/engines.py` only opens a page there.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Protocol

from tests.watchdog import HANG_S
from toolchain.measurement import engines
from toolchain.measurement.engines import FirefoxPage, WebKitPage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


class _Firefox(FirefoxPage):
    def choose(self, selector: str, *files: Path) -> None:
        from selenium.webdriver.common.bidi.input import Input

        (node,) = self.contexts.locate_nodes(
            context=self.context, locator={"type": "css", "value": selector}
        )
        Input(self.connection).set_files(
            context=self.context,
            element={"sharedId": node["sharedId"]},
            files=[str(file) for file in files],
        )

    def click(self, selector: str) -> None:
        self.script.evaluate(
            expression=f"document.querySelector({json.dumps(selector)}).click()",
            target={"context": self.context},
            await_promise=False,
            user_activation=True,
        )


class _WebKit(WebKitPage):
    def choose(self, selector: str, *files: Path) -> None:
        field = self.driver.find_element("css selector", selector)
        field.send_keys("\n".join(str(file) for file in files))

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()


_start = functools.partial(engines.started, timeout=HANG_S, pages=(_Firefox, _WebKit))
DRIVEN: dict[str, Callable[[], Any]] = {
    "firefox": functools.partial(_start, "firefox"),
    "webkit": functools.partial(_start, "webkit"),
}
"""What starts each engine."""
