"""Fixtures of tests that open a built page in Chromium.

`tests/conftest.py` loads this module, so a test names what it needs and imports nothing:

- `url` is the address of the embedded model's site. A module with a site of its own defines the
  fixture `site`; `url` and `reference` follow it.
- `page` is a page in a profile of its own whose script may not fail. `context` is that profile.
- A module that needs flags of Chromium or a permission defines `browser_flags` or
  `context_options`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium, toolchain_serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.page_driver import Tags


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    """Return what is added to Chromium's command line."""
    return ()


@pytest.fixture(scope="module")
def browser(browser_flags: tuple[str, ...]) -> Iterator[Browser]:
    """Return a Chromium for all tests of a module."""
    with chromium(*browser_flags) as running:
        yield running


@pytest.fixture(scope="module")
def site(embedded_site: Path) -> Path:
    """Return the folder of the site that `url` serves; do not change it."""
    return embedded_site


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """Return the address of the site, served as `toolchain serve` does."""
    with toolchain_serve(site) as address:
        yield address


@pytest.fixture(scope="module")
def reference(site: Path) -> Callable[[Path], Tags]:
    """Return a function that tags a photo with the site's model in TensorFlow."""
    from tests.page_driver import reference_of

    return reference_of(site)


@pytest.fixture
def context_options() -> dict[str, Any]:
    """Return what `Browser.new_context` is called with, such as permissions."""
    return {}


@pytest.fixture
def context(browser: Browser, context_options: dict[str, Any]) -> Iterator[BrowserContext]:
    """Return a profile of the test's own."""
    made = browser.new_context(**context_options)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """Return a page whose script may not fail."""
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    assert errors == []
