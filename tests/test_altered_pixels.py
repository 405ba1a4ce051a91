"""Browsers that alter what pages read of a canvas: no tags, and why, instead of nonsense."""

from __future__ import annotations

import json
import queue
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests import engines, reports, sealing
from tests.browser import SAMPLES, QuietHandler, plain_host
from tests.page_driver import (
    LOADED,
    OTHER_DECODER,
    Tags,
    alert,
    assert_same,
    give,
    shown_tags,
    until_done,
)
from tests.watchdog import HANG_S
from toolchain.site import strings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("altered pixels")

SENTENCE = strings.load("en").script["alteredPixels"]
# As Firefox does under `privacy.resistFingerprinting`, and as Brave does in every window.
NOISE = """
for (const kind of ['OffscreenCanvasRenderingContext2D', 'CanvasRenderingContext2D']) {
  const context = globalThis[kind]?.prototype;
  if (context) {
    const { getImageData } = context;
    context.getImageData = function (...wanted) {
      const image = getImageData.apply(this, wanted);
      for (let at = 0; at < image.data.length; at++) {
        image.data[at] = ALTERED;
      }
      return image;
    };
  }
}
"""
WITHHELD = NOISE.replace("ALTERED", "(at * 97 + 13) % 256")
SLIGHT = NOISE.replace("ALTERED", "at % 4 === 3 ? 255 : image.data[at] ^ (at % 7 === 0)")
RESISTING = {"privacy.resistFingerprinting": True}
# Where no driver looks into the page, the page itself says what it shows.
TELL = """
new MutationObserver((_, observer) => {
  const {state} = document.documentElement.dataset;
  const alert = document.querySelector('#alert-text').textContent;
  if (state === 'tagged' || (state === 'failed' && alert)) {
    observer.disconnect();
    const tags = [...document.querySelectorAll('#tags li')].map(({dataset}) => ({...dataset}));
    fetch('told', {method: 'POST', body: JSON.stringify({state, alert, tags})});
  }
}).observe(document, {subtree: true, childList: true, attributes: true});
"""


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site that works."""
    out = tmp_path_factory.mktemp("altered") / "site"
    reports.tiny_site(tiny, out, session_store)
    return out


@pytest.fixture
def changed(site: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return what copies the site with scripts put before those of its page and its worker."""

    def change(*, page: str = "", worker: str = "") -> Path:
        copy = tmp_path / "site"
        shutil.copytree(site, copy)
        html = (copy / "index.html").read_text("utf-8")
        entry = re.search(r'src="(assets/page-[\w-]+\.js)"', html)
        assert entry
        (tagger,) = (copy / "assets").glob("worker-*.js")
        for file, script in ((copy / entry[1], page), (tagger, worker)):
            file.write_bytes(script.encode() + file.read_bytes())
        sealing.reseal(copy)
        return copy

    return change


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return ("--use-fake-device-for-media-stream",)


@pytest.fixture
def context_options() -> dict[str, Any]:
    return {"permissions": ["camera"]}


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def assert_no_tags(page: Page) -> None:
    assert shown_tags(page) == []
    assert page.get_attribute("html", "data-state") == "failed"


def test_no_tags_are_shown_but_why(
    page: Page, context: BrowserContext, changed: Callable[..., Path]
) -> None:
    context.add_init_script(WITHHELD)
    with plain_host(changed(worker=WITHHELD)) as url:
        page.goto(url)
        assert alert(page) == SENTENCE
        assert_no_tags(page)
        page.set_input_files("#file", SAMPLES / "cat.jpg")
        page.wait_for_selector("html[data-state=failed] #photo[data-photo=shown]", timeout=LOADED)
        assert alert(page) == SENTENCE
        assert_no_tags(page)
        # Many photos: each says so, and they come to an end.
        page.set_input_files("#file", [SAMPLES / "cat.jpg", SAMPLES / "palace.jpg"])
        until_done(page, 2)
        assert page.locator("#gallery .cell[data-cell=failed]").count() == 2
        assert SENTENCE in page.locator("#gallery .cell").first.inner_text()


def test_the_camera_stops_and_says_why(
    page: Page, context: BrowserContext, changed: Callable[..., Path]
) -> None:
    context.add_init_script(WITHHELD)
    with plain_host(changed(worker=WITHHELD)) as url:
        page.goto(url)
        assert alert(page) == SENTENCE
        page.evaluate("document.querySelector('#alert-text').textContent = ''")
        page.click("#camera")
        page.wait_for_selector(f"#alert-text:has-text('{SENTENCE[:30]}')", timeout=LOADED)
        assert page.locator("#photo video").count() == 0
        assert shown_tags(page) == []


def test_the_page_reads_what_its_worker_may_not(
    page: Page, changed: Callable[..., Path], reference: Callable[[Path], Tags]
) -> None:
    with plain_host(changed(worker=WITHHELD)) as url:
        page.goto(url)
        page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)
        give(page, SAMPLES / "cat.jpg")
        assert_same(shown_tags(page), reference(SAMPLES / "cat.jpg"), OTHER_DECODER)


def test_a_noise_of_one_level_keeps_no_tag_back(
    page: Page, changed: Callable[..., Path], reference: Callable[[Path], Tags]
) -> None:
    with plain_host(changed(worker=SLIGHT)) as url:
        page.goto(url)
        page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)
        give(page, SAMPLES / "cat.jpg")
        assert_same(shown_tags(page), reference(SAMPLES / "cat.jpg"), OTHER_DECODER)
        assert page.locator("[role=alert]").is_hidden()


def told_by(
    engine: str,
    site: Path,
    preferences: dict[str, Any] | None = None,
    *,
    allowed: str | None = None,
) -> dict[str, Any]:
    """Return what the page says that it shows, once it shows something."""
    told: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - the base class names it
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    with (
        plain_host(site, Handler) as origin,
        engines.opened(engine, origin, preferences, allowed=allowed),
    ):
        return told.get(timeout=HANG_S)


def installed(engine: str) -> None:
    if reason := engines.lacking(engine):
        pytest.skip(reason)


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_each_engine_shows_pythons_tags(
    engine: str, changed: Callable[..., Path], reference: Callable[[Path], Tags]
) -> None:
    installed(engine)
    assert_tags_of_a_sample(told_by(engine, changed(page=TELL)), reference)


def assert_tags_of_a_sample(told: dict[str, Any], reference: Callable[[Path], Tags]) -> None:
    assert (told["state"], told["alert"]) == ("tagged", "")
    shown = [(int(row["classIndex"]), float(row["score"])) for row in told["tags"]]
    assert any(same(shown, reference(photo)) for photo in SAMPLES.glob("*.jpg"))


def same(one: Tags, other: Tags) -> bool:
    return [index for index, _ in one] == [index for index, _ in other] and all(
        abs(a - b) < OTHER_DECODER for (_, a), (_, b) in zip(one, other, strict=True)
    )


def test_firefox_that_resists_fingerprinting_says_why_there_are_no_tags(
    changed: Callable[..., Path],
) -> None:
    installed("firefox")
    told = told_by("firefox", changed(page=TELL), RESISTING)
    assert told == {"state": "failed", "alert": SENTENCE, "tags": []}


def test_such_a_firefox_shows_tags_once_the_page_may_read_canvases(
    changed: Callable[..., Path], reference: Callable[[Path], Tags]
) -> None:
    """The way out that the sentence names."""
    installed("firefox")
    told = told_by("firefox", changed(page=TELL), RESISTING, allowed="canvas")
    assert_tags_of_a_sample(told, reference)
