"""Photos with profiles and orientations, through the built page: the tags that Python finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests import colour_profiles
from tests.browser import SAMPLES
from tests.page_driver import assert_same, give, open_page, shown_tags

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.page_driver import Tags

pytestmark = pytest.mark.xdist_group("inputs")

ONE_LEVEL = 0.01
"""What a score may be off by where a colour is by one level of 255."""


@pytest.fixture(scope="module")
def page(browser: Browser, url: str) -> Page:
    opened = browser.new_page()
    open_page(opened, url)
    return opened


PROFILES = {
    "Display P3": colour_profiles.display_p3(),
    "turned": colour_profiles.turned(),
    "cut off": colour_profiles.turned()[:-20],
}


# Chromium refuses an AVIF whose profile it cannot use.
@pytest.mark.parametrize(
    ("name", "form"),
    [
        (name, form)
        for name in PROFILES
        for form in ("jpeg", "png", "webp", "avif")
        if (name, form) != ("cut off", "avif")
    ],
)
def test_a_photo_with_a_profile_has_the_same_tags_in_python(
    page: Page, reference: Callable[[Path], Tags], tmp_path: Path, name: str, form: str
) -> None:
    photo = tmp_path / f"photo.{form}"
    with Image.open(SAMPLES / "espresso.jpg") as image:
        image.save(photo, icc_profile=PROFILES[name], quality=90)
    give(page, photo)
    assert_same(shown_tags(page)[:3], reference(photo)[:3], ONE_LEVEL)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "avif"])
def test_a_photo_with_an_orientation_has_the_same_tags_in_python(
    page: Page, reference: Callable[[Path], Tags], tmp_path: Path, form: str
) -> None:
    photo = tmp_path / f"photo.{form}"
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(SAMPLES / "espresso.jpg") as image:
        image.save(photo, exif=exif, quality=90)
        stored = image.size
    give(page, photo)
    assert_same(shown_tags(page)[:3], reference(photo)[:3], ONE_LEVEL)
    seen = page.eval_on_selector("#photo img", "photo => [photo.naturalWidth, photo.naturalHeight]")
    # What is shown lies as what was tagged: browsers turn no WebP.
    assert tuple(seen) == (stored if form == "webp" else stored[::-1])
