"""A gallery frees every small picture that a worker sends it, whenever it is paused or cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.browser import SAMPLES
from tests.page_driver import LOADED, open_page, until_done

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("inputs")

# Keeps every bitmap that a worker sends, and presses a button once when the first one comes,
# before the page has read the message. A bitmap has no width when it was closed or used up.
WATCH = """
window.bitmaps = [];
const data = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data').get;
const seen = new WeakSet();
Object.defineProperty(MessageEvent.prototype, 'data', {
  get() {
    const message = data.call(this);
    if (message?.thumbnail && !seen.has(this)) {
      seen.add(this);
      window.bitmaps.push(message.thumbnail);
      document.documentElement.dataset.bitmaps = window.bitmaps.length;
      if (window.bitmaps.length === 1) {
        document.querySelector('BUTTON').click();
      }
    }
    return message;
  },
});
"""
COUNT = "window.bitmaps.length"
ALIVE = "window.bitmaps.filter(({ width }) => width > 0).length"


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{number}.png" for number in range(3)]
    with Image.open(SAMPLES / "cat.jpg") as image:
        for photo in made:
            image.resize((96, 96)).save(photo)
    return made


def test_a_gallery_that_is_paused_amid_a_photo_keeps_no_picture_of_it(
    page: Page, url: str, photos: list[Path]
) -> None:
    page.add_init_script(WATCH.replace("BUTTON", "#gallery-pause"))
    open_page(page, url)
    page.set_input_files("#file", photos)
    page.wait_for_selector("html[data-bitmaps='1']", timeout=LOADED)
    page.wait_for_selector("#gallery[data-gallery=still]")
    assert page.inner_text("#gallery-count") == "0 of 3"
    assert page.evaluate(ALIVE) == 0

    page.click("#gallery-pause")
    until_done(page, len(photos))
    # The photo that was given up is asked for again.
    assert page.evaluate(COUNT) == len(photos) + 1
    assert page.evaluate(ALIVE) == 0
    assert page.locator(".cell[data-thumbnail=shown]").count() == len(photos)


def test_a_gallery_that_is_cleared_amid_a_photo_keeps_no_picture_of_it(
    page: Page, url: str, photos: list[Path]
) -> None:
    page.add_init_script(WATCH.replace("BUTTON", "#gallery-clear"))
    open_page(page, url)
    page.set_input_files("#file", photos)
    page.wait_for_selector("html[data-bitmaps='1']", timeout=LOADED)
    page.wait_for_selector("#gallery", state="hidden")
    assert page.evaluate(ALIVE) == 0
