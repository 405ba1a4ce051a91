"""The page's camera, and all that loads its code late, in a real Chromium."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import axe
from tests.browser import (
    SAMPLES,
    launched,
    plain_host,
    sample_png,
)
from tests.films import film_of, picture_of
from tests.page_driver import (
    HEIC,
    LOADED,
    LONGEST_TASK,
    OTHER_DECODER,
    SAME_PIXELS,
    WATCH_TASKS,
    Tags,
    alert,
    assert_same,
    give,
    open_page,
    shown_tags,
    tagged_anew,
    until_done,
)
from tests.watchdog import until
from toolchain.records import build_report
from toolchain.site import web_bundle

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.xdist_group("inputs")

FAKE_CAMERA = ("--use-fake-device-for-media-stream",)
INSECURE = "--host-resolver-rules=MAP toolchain.test 127.0.0.1"

# As far as a headless browser can: it never hides a page.
HIDE = """
Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});
Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => 'hidden'});
document.dispatchEvent(new Event('visibilitychange'));
"""

IS_ACTIVE = """
async () => (await navigator.serviceWorker.getRegistration())?.active?.state === 'activated'
"""
ARE_KEPT = """
async (files) => (await Promise.all(files.map((file) => caches.match(file)))).every(Boolean)
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera sees."""
    return film_of(SAMPLES / "espresso.jpg", tmp_path_factory.mktemp("film") / "espresso.y4m")


@pytest.fixture(scope="module")
def browser_flags(film: Path) -> tuple[str, ...]:
    return (*FAKE_CAMERA, f"--use-file-for-fake-video-capture={film}", INSECURE)


@pytest.fixture
def context_options() -> dict[str, Any]:
    """It may use the camera."""
    return {"permissions": ["camera"]}


def go_live(page: Page) -> None:
    page.click("#camera")
    page.wait_for_selector("html[data-state=live] #photo[data-frames-answered]", timeout=LOADED)


def frames(page: Page) -> dict[str, int]:
    """Return how many frames were shown, taken and answered."""
    data = page.eval_on_selector("#photo", "photo => ({...photo.dataset})")
    return {
        name: int(data[key])
        for name, key in (
            ("shown", "framesShown"),
            ("taken", "framesTaken"),
            ("answered", "framesAnswered"),
        )
    }


def until_answered(page: Page, count: int) -> dict[str, int]:
    until(
        lambda: frames(page)["answered"] >= count,
        f"{count} frames are answered",
        rest=lambda: page.wait_for_timeout(50),
    )
    return frames(page)


def track_state(page: Page) -> str:
    state: str = page.evaluate("window.track.readyState")
    return state


def keep_track(page: Page) -> None:
    """Keep hold of the camera's track, which the page lets go."""
    page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")


def test_the_camera_is_tagged_live_as_python_tags_its_picture(
    page: Page, url: str, film: Path, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    go_live(page)
    row = page.query_selector("#tags li")
    before = until_answered(page, 3)
    tensors = page.get_attribute("#tags", "data-tensors")
    after = until_answered(page, before["answered"] + 10)
    assert_same(shown_tags(page), reference(picture_of(film, tmp_path / "seen.png")), OTHER_DECODER)
    # One frame is with the worker and none waits; nothing of those before is left.
    assert after["taken"] == after["answered"] <= after["shown"]
    assert page.get_attribute("#tags", "data-tensors") == tensors
    # The rows stay and are not read out; how fast it goes is said.
    assert row is not None
    assert row.evaluate("row => row.isConnected")
    assert page.get_attribute(".tags-place", "aria-live") == "off"
    assert re.fullmatch(r"[1-9]\d* pictures a second, .* each\.", page.inner_text("#timing"))
    assert page.inner_text("#camera-spoken") == "espresso"


def test_a_stopped_camera_is_off_and_leaves_its_last_picture_as_the_photo(
    page: Page, url: str, film: Path, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    go_live(page)
    keep_track(page)
    assert page.inner_text("#camera") == "Stop the camera"
    page.click("#camera")
    assert track_state(page) == "ended"
    expected = reference(picture_of(film, tmp_path / "seen.png"))
    assert_same(tagged_anew(page), expected, OTHER_DECODER)
    page.wait_for_selector("#photo[data-photo=shown] img[src^=blob]")
    assert page.locator("video").count() == 0
    go_live(page)


def test_axe_finds_nothing_while_the_camera_runs(
    context: BrowserContext, page: Page, url: str
) -> None:
    axe.install(context)
    open_page(page, url)
    go_live(page)
    assert axe.findings(page) == {}
    assert page.get_attribute("html", "data-state") == "live"


def test_a_camera_that_nobody_sees_stops_and_says_so(page: Page, url: str) -> None:
    open_page(page, url)
    go_live(page)
    keep_track(page)
    page.evaluate(HIDE)
    assert track_state(page) == "ended"
    assert "this page was hidden" in page.inner_text("#camera-note")
    assert tagged_anew(page)
    assert page.inner_text("#camera") == "Camera"


def test_another_photo_takes_the_cameras_place(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    go_live(page)
    keep_track(page)
    photo = sample_png("palace", tmp_path)
    give(page, photo)
    assert track_state(page) == "ended"
    assert_same(shown_tags(page), reference(photo), SAME_PIXELS)
    page.wait_for_selector("#photo[data-photo=shown]")
    page.wait_for_timeout(300)  # in which nothing may happen
    assert_same(shown_tags(page), reference(photo), SAME_PIXELS)


def test_a_slow_model_drops_frames_and_keeps_the_page_awake(page: Page, url: str) -> None:
    open_page(page, f"{url}?backend=cpu")
    page.evaluate(WATCH_TASKS)
    go_live(page)
    until_answered(page, 2)
    begin = frames(page)
    end = until_answered(page, begin["answered"] + 3)
    assert end["taken"] - begin["taken"] == 3
    assert end["shown"] - begin["shown"] > 3  # the others were shown, and not taken
    inference_ms = float(page.get_attribute("#tags", "data-inference-ms") or "nan")
    assert max(page.evaluate("window.tasks"), default=0) < LONGEST_TASK * inference_ms


def test_the_camera_waits_for_the_model_and_stays_through_another_backend(
    page: Page, url: str
) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/*shard1of*", hold)
    page.goto(url)
    page.click("#camera")
    page.wait_for_selector("#photo[data-photo=live] video")
    assert page.get_attribute("html", "data-state") == "loading"
    until(lambda: held, "the weights are asked for", rest=lambda: page.wait_for_timeout(50))
    held.pop().continue_()
    page.wait_for_selector("html[data-state=live] #tags li", timeout=LOADED)
    page.unroute("**/*shard1of*")
    page.select_option("#backend-choice", "cpu")
    page.wait_for_selector("html[data-state=live] #backend[data-backend=cpu]", timeout=LOADED)
    before = frames(page)["answered"]
    until_answered(page, before + 2)
    assert page.get_attribute("#tags li", "data-label") == "espresso"


def test_a_camera_that_is_not_allowed_gets_a_sentence(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    open_page(page, url)
    before = shown_tags(page)
    page.click("#camera")
    assert "not allowed" in alert(page)
    assert page.inner_text("#camera") == "Camera"
    assert shown_tags(page) == before
    # Neither TLS nor loopback's address: no browser offers it there.
    open_page(page, url.replace("127.0.0.1", "toolchain.test"))
    page.click("#camera")
    assert "https://" in alert(page)
    context.close()


def test_where_there_is_no_camera_the_page_says_so(browser: Browser, url: str) -> None:
    # One Playwright cannot be started within another.
    without = launched(browser.browser_type)
    page = without.new_context(permissions=["camera"]).new_page()
    open_page(page, url)
    page.click("#camera")
    assert "no camera" in alert(page)
    without.close()


def test_a_second_visit_has_all_of_it_without_a_network(
    context: BrowserContext, embedded_site: Path
) -> None:
    page = context.new_page()
    with plain_host(embedded_site) as origin:
        open_page(page, origin)
        until(
            lambda: page.evaluate(IS_ACTIVE),
            "the service worker is active",
            rest=lambda: page.wait_for_timeout(50),
        )
        # Who does more than look gets what that needs, for later too.
        page.keyboard.press("Tab")
        features = web_bundle.runtime_for(build_report.read(embedded_site).artifacts.ops).features
        until(
            lambda: page.evaluate(ARE_KEPT, features),
            "what the visitor may need is kept",
            rest=lambda: page.wait_for_timeout(50),
        )
    page.goto("about:blank")
    open_page(page, origin)
    go_live(page)
    page.set_input_files("#file", [SAMPLES / "cat.jpg", SAMPLES / "palace.jpg"])
    until_done(page, 2)
    page.set_input_files("#file", {"name": "IMG_1.heic", "mimeType": "image/heic", "buffer": HEIC})
    assert "HEIC" in alert(page)


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (768, "light"), (1280, "dark")])
def test_what_is_opened_fits_the_window(
    browser: Browser, url: str, tmp_path: Path, width: int, scheme: Any
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=["camera"]
    )
    page = context.new_page()
    open_page(page, url)
    page.click(".by-address summary")
    broken = tmp_path / "a-file-name-that-is-much-longer-than-its-cell-is-wide.heic"
    broken.write_bytes(HEIC)
    samples = sorted(SAMPLES.glob("*.jpg"))
    page.set_input_files("#file", [*samples, broken])
    until_done(page, len(samples) + 1)
    go_live(page)
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    folder = Path(os.environ.get("TOOLCHAIN_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"inputs-{width}-{scheme}.png", full_page=True)
    context.close()
    assert overflow == 0
