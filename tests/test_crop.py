"""The crop on the page, which visitors can move: the tags are those of what it frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests import axe
from tests.browser import sample_png
from tests.page_driver import SAME_PIXELS, assert_same, give, shown_tags, tagged_anew, top_five
from toolchain.graph import preprocess
from toolchain.records import build_report
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.page_driver import Tags

pytestmark = pytest.mark.xdist_group("page")

Box = tuple[int, int, int, int]
CROP = "[data-crop]"


@pytest.fixture(scope="module")
def tags_of_box(embedded_site: Path) -> Callable[[Path, Box], Tags]:
    """Return a function that tags a box of a photo (left, top, width, height) in TensorFlow."""
    report = build_report.read(embedded_site)
    run = execute.load(embedded_site / "model", report.artifacts.model_json)
    whole = report.card.input.model_copy(update={"crop_fraction": 1.0})

    def tags(photo: Path, box: Box) -> Tags:
        left, top, width, height = box
        part = photo.with_name("part.png")
        with Image.open(photo) as image:
            image.crop((left, top, left + width, top + height)).save(part)
        return top_five(run(preprocess.load(part, whole)[None])[0])

    return tags


def box_of(page: Page, photo: Path) -> Box:
    """Return the box of the photo that the page frames."""
    with Image.open(photo) as image:
        sides = (*image.size, *image.size)
    shares = page.eval_on_selector(
        CROP, "({ style }) => ['left', 'top', 'width', 'height'].map((side) => style[side])"
    )
    left, top, width, height = (
        round(float(share.rstrip("%")) / 100 * side)
        for share, side in zip(shares, sides, strict=True)
    )
    return left, top, width, height


def test_the_tags_follow_the_crop(
    page: Page,
    url: str,
    embedded_site: Path,
    tags_of_box: Callable[[Path, Box], Tags],
    tmp_path: Path,
) -> None:
    photo = sample_png("palace", tmp_path)
    spec = build_report.read(embedded_site).card.input
    with Image.open(photo) as image:
        width, height = image.size
    size = (width, height)
    centre = preprocess.crop_box(width, height, spec)
    room = (size[0] - centre[2], size[1] - centre[3])
    page.goto(url)
    give(page, photo)
    assert box_of(page, photo) == centre
    assert_same(shown_tags(page), tags_of_box(photo, centre), SAME_PIXELS)

    # By a pointer, to the corner and beyond.
    seen = page.locator(CROP).bounding_box()
    assert seen is not None
    middle = (seen["x"] + seen["width"] / 2, seen["y"] + seen["height"] / 2)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.mouse.move(*middle)
    page.mouse.down()
    # The code comes with the first press.
    page.wait_for_function("(crop) => document.activeElement.matches(crop)", arg=CROP)
    page.mouse.move(middle[0] - 500, middle[1] - 500, steps=3)
    page.mouse.up()
    corner = (0, 0, *centre[2:])
    tags = tagged_anew(page)
    assert box_of(page, photo) == corner
    assert_same(tags, tags_of_box(photo, corner), SAME_PIXELS)

    # By the keyboard, as far as there is room.
    for key, side, axis in (("ArrowRight", size[0], 0), ("ArrowDown", size[1], 1)):
        page.evaluate("document.querySelector('#tags').textContent = ''")
        before = box_of(page, photo)
        page.keyboard.press(key)
        tags = tagged_anew(page)
        moved = list(before)
        moved[axis] = min(round(before[axis] + 0.05 * side), room[axis])
        assert box_of(page, photo) == tuple(moved)
        assert_same(tags, tags_of_box(photo, box_of(page, photo)), SAME_PIXELS)
    assert page.get_attribute(CROP, "aria-valuenow") == str(round(100 * 0.05 * size[0] / room[0]))

    # Of the next photo it is the middle again.
    other = sample_png("cat", tmp_path)
    give(page, other)
    with Image.open(other) as image:
        width, height = image.size
    assert box_of(page, other) == preprocess.crop_box(width, height, spec)


def test_people_who_see_no_crop_are_told_of_it(page: Page, url: str) -> None:
    axe.install(page.context)
    page.goto(url)
    page.wait_for_selector("html[data-state=tagged]")
    crop = page.locator(CROP)
    crop.focus()
    assert crop.get_attribute("role") == "slider"
    assert crop.get_attribute("aria-label") == "What the model sees; arrow keys move it"
    assert axe.findings(page) == {}
