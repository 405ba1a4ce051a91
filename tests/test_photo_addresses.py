"""Photos that the page fetches by their address: typed, pasted or dragged."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.browser import (
    SAMPLES,
    sample_png,
)
from tests.other_site import other_site
from tests.page_driver import (
    SAME_PIXELS,
    Tags,
    alert,
    assert_same,
    open_page,
    tagged_anew,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("photo-addresses")


@pytest.fixture
def context_options() -> dict[str, Any]:
    """It may use the clipboard."""
    return {"permissions": ["clipboard-read", "clipboard-write"]}


# ------------------------------------------------------------------------- addresses


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Any]:
    files = {
        "palace.png": ("image/png", sample_png("palace", tmp_path).read_bytes()),
        "album.html": ("text/html; charset=utf-8", b"<!doctype html><p>An album</p>"),
        "notes.txt": ("text/plain", b"notes"),
        "broken.jpg": ("image/jpeg", b"\xff\xd8\xff\xe0 and no more"),
    }
    with other_site(files) as site:
        yield site


def fetch_address(page: Page, address: str) -> None:
    if page.locator("#address").is_hidden():
        page.click(".by-address summary")
    page.fill("#address", address)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.press("#address", "Enter")


def test_a_photo_is_fetched_by_its_address_and_nothing_is_told(
    page: Page, url: str, elsewhere: Any, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    fetch_address(page, f"{elsewhere.url}open/palace.png")
    assert_same(tagged_anew(page), reference(tmp_path / "palace.png"), SAME_PIXELS)
    assert page.get_attribute("#photo img", "alt") == "palace.png"
    (headers,) = elsewhere.headers
    assert {"cookie", "referer", "authorization"} & set(headers) == set()


def test_a_data_address_is_a_photo_too(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = tmp_path / "small.png"
    with Image.open(SAMPLES / "cat.jpg") as image:
        image.resize((64, 64)).save(photo)
    open_page(page, url)
    encoded = base64.b64encode(photo.read_bytes()).decode()
    fetch_address(page, f"data:image/png;base64,{encoded}")
    assert_same(tagged_anew(page), reference(photo), SAME_PIXELS)


def test_an_address_that_gives_no_photo_gets_a_sentence(
    page: Page, url: str, elsewhere: Any
) -> None:
    open_page(page, url)
    for address, said in (
        (f"{elsewhere.url}closed/palace.png", "CORS"),
        (f"{elsewhere.url}open/nothing.png", "status 404"),
        (f"{elsewhere.url}open/album.html", "web page"),
        (f"{elsewhere.url}open/notes.txt", "text/plain"),
        (f"{elsewhere.url}open/broken.jpg", "“broken.jpg” is damaged"),
        ("http://127.0.0.1:1/nobody.png", "cannot be reached"),
        ("data:image/png;base64,!!!", "damaged"),
        ("palace", "should begin with https://"),
    ):
        page.evaluate("document.querySelector('#alert').hidden = true")
        fetch_address(page, address)
        assert said in alert(page), address
        assert page.locator("#tags li[data-score]").count() == 0


def test_an_address_can_be_pasted_or_dragged(
    page: Page, url: str, elsewhere: Any, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    address = f"{elsewhere.url}open/palace.png"
    open_page(page, url)
    expected = reference(tmp_path / "palace.png")
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.evaluate("text => navigator.clipboard.writeText(text)", address)
    page.keyboard.press("Control+V")
    assert_same(tagged_anew(page), expected, SAME_PIXELS)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    transfer = page.evaluate_handle(
        """address => {
            const transfer = new DataTransfer();
            transfer.setData('text/uri-list', `# a picture\\r\\n${address}`);
            return transfer;
        }""",
        address,
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    assert_same(tagged_anew(page), expected, SAME_PIXELS)
    assert len(elsewhere.headers) == 2
