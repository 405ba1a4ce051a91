"""The upgrade from a preview to the full model as a visitor sees it, in a real Chromium."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import Error as PlaywrightError

from tests import tiny_models
from tests.browser import sample_png
from tests.watchdog import HANG_MS, until
from toolchain.graph import preprocess
from toolchain.metrics.scores import softmax
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("page")

SAME_PIXELS = 1e-3  # as in test_page.py
DONE = HANG_MS
PREVIEWING = "html[data-state=previewing] #tags[data-model=preview] li"
TAGGED = "html[data-state=tagged] #tags[data-model=full] li"
KEPT = "async () => (await navigator.serviceWorker.ready).active.state === 'activated'"

Tags = list[tuple[int, float]]


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upgraded")
    full = tiny_models.saved_model(folder / "full", width=64, shape=(None, 48, 48, 3))
    options = BuildOptions(
        request=Request(str(full)),
        out=folder / "site",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
        preview=Request(str(tiny)),
    )
    build(options, store=session_store, progress=Silent())
    return options.out


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample as a PNG, which every decoder reads to the same pixels."""
    return sample_png("palace", tmp_path_factory.mktemp("photo"))


@pytest.fixture(scope="module")
def expected(site: Path, photo: Path) -> dict[str, Tags]:
    """The best five of either model, by TensorFlow in Python."""
    report = build_report.read(site)
    assert report.preview is not None

    def tags(folder: str, model: build_report.Report | build_report.Preview) -> Tags:
        run = execute.load(site / folder, model.artifacts.model_json)
        scores = softmax(run(preprocess.load(photo, model.card.input)[None]))[0]
        return [(int(index), float(scores[index])) for index in np.argsort(-scores)]

    return {"preview": tags("preview", report.preview), "full": tags("model", report)}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in a profile of its own."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@contextmanager
def held_back(page: Page, files: str) -> Iterator[None]:
    """Let no answer to requests for these files come before the block ends, and wait for one."""
    waiting: list[Route] = []
    is_over = False

    def hold(route: Route) -> None:
        if is_over:
            route.continue_()
        else:
            waiting.append(route)

    page.route(files, hold)
    yield
    until(lambda: waiting, f"somebody asks for {files}", rest=lambda: page.wait_for_timeout(50))
    is_over = True
    for route in waiting:
        with suppress(PlaywrightError):  # the page has given it up meanwhile
            route.continue_()


def shown(page: Page) -> Tags:
    rows: list[dict[str, str]] = page.eval_on_selector_all(
        "#tags li", "rows => rows.map(row => ({...row.dataset}))"
    )
    return [(int(row["classIndex"]), float(row["score"])) for row in rows]


def assert_same(tags: Tags, expected: Tags) -> None:
    assert [index for index, _ in tags] == [index for index, _ in expected]
    assert [score for _, score in tags] == pytest.approx(
        [score for _, score in expected], abs=SAME_PIXELS
    )


def give(page: Page, photo: Path) -> None:
    """Choose a file in place of the photo whose tags are shown."""
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)


def wait_for(page: Page, selector: str) -> None:
    page.wait_for_selector(selector, timeout=DONE)


def test_the_preview_answers_first_and_the_full_model_takes_over(
    page: Page, url: str, site: Path, photo: Path, expected: dict[str, Tags]
) -> None:
    with held_back(page, "**/model/*.bin"):
        page.goto(url)
        wait_for(page, PREVIEWING)
        assert page.inner_text("#status") == "By the small model; the full one is loading…"
        give(page, photo)
        wait_for(page, PREVIEWING)
        assert_same(shown(page), expected["preview"])
        assert page.get_attribute("#backend", "data-backend") == "wasm"
        assert page.get_attribute("#backend", "data-reason") == "first"
        assert page.get_attribute("[data-stage=preview]", "data-end-ms") is not None
        assert page.get_attribute("[data-stage=first-tag]", "data-end-ms") is None
        # The other samples' pictures do not share the link with the model either.
        assert page.locator("img[data-src]").count() == 4
        assert len(page.workers) == 2
    wait_for(page, TAGGED)
    assert page.inner_text("#status") == "Now by the full model."
    assert_same(shown(page), expected["full"])
    assert expected["full"] != expected["preview"]
    assert page.get_attribute("[data-stage=first-tag]", "data-end-ms") is not None
    assert page.locator("img[data-src]").count() == 0
    # The preview's worker is gone, and photos are the full model's.
    assert len(page.workers) == 1
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.click("button[data-sample*=espresso]")
    wait_for(page, TAGGED)
    assert page.inner_text("#status") == ""
    preview = build_report.read(site).totals["preview"]
    row = page.locator("[data-part=preview]")
    assert 0 < int(row.get_attribute("data-decoded-bytes") or 0) < preview.raw


def test_the_model_is_asked_for_when_the_preview_has_come(page: Page, url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(url)))
    with held_back(page, "**/preview/*shard*"):
        page.goto(url)
        page.wait_for_selector("[data-stage=first-tag]", state="attached")
        page.wait_for_timeout(500)  # in which nothing may happen
        assert not [path for path in asked if path.startswith(("model/", "contract."))]
    wait_for(page, TAGGED)
    assert len([path for path in asked if path.startswith(("model/", "contract."))]) == 2


@pytest.mark.parametrize("files", ["**/preview/*", "**/preview/contract.*", "**/preview/*shard*"])
def test_a_preview_that_fails_is_done_without(
    page: Page, url: str, photo: Path, expected: dict[str, Tags], files: str
) -> None:
    page.route(files, lambda route: route.fulfill(status=404, body="gone"))
    with held_back(page, "**/model/*.bin"):
        page.goto(url)
        page.set_input_files("#file", photo)
        wait_for(page, "html[data-state=loading] #status:has-text('Loading the model…')")
        assert page.locator("[role=alert]").is_hidden()
    wait_for(page, TAGGED)
    assert_same(shown(page), expected["full"])
    assert page.locator("[role=alert]").is_hidden()
    assert page.inner_text("#status") == ""
    assert len(page.workers) == 1


def test_a_model_that_fails_is_told_of_and_leaves_the_previews_tags(
    page: Page, url: str, photo: Path, expected: dict[str, Tags]
) -> None:
    asked: list[Route] = []
    page.route("**/model/*.bin", lambda route: asked.append(route))  # noqa: PLW0108 - it is marked
    page.goto(url)
    wait_for(page, PREVIEWING)
    give(page, photo)
    wait_for(page, PREVIEWING)
    asked.pop().fulfill(status=404, body="gone")
    wait_for(page, "html[data-state=failed]")
    assert "404" in page.inner_text("[role=alert]")
    assert page.get_attribute("#tags", "data-model") == "preview"
    assert_same(shown(page), expected["preview"])
    page.unroute("**/model/*.bin")
    page.click("#retry")
    wait_for(page, TAGGED)
    assert_same(shown(page), expected["full"])
    assert page.locator("[role=alert]").is_hidden()
    assert len(page.workers) == 1


def test_another_backend_is_the_previews_too_until_the_model_is_there(page: Page, url: str) -> None:
    with held_back(page, "**/model/*.bin"):
        page.goto(url)
        wait_for(page, PREVIEWING)
        page.select_option("#backend-choice", "cpu")
        wait_for(page, "#backend[data-backend=cpu][data-reason=chosen]")
        wait_for(page, PREVIEWING)
    wait_for(page, TAGGED)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.select_option("#backend-choice", "wasm")
    wait_for(page, "#backend[data-backend=wasm]")
    wait_for(page, TAGGED)
    assert not [address for address in asked if "/preview/" in address]


def test_a_second_visit_has_the_model_at_once(page: Page, url: str, site: Path) -> None:
    page.goto(url)
    wait_for(page, TAGGED)
    until(
        lambda: page.evaluate(KEPT),
        "the service worker keeps the site",
        rest=lambda: page.wait_for_timeout(50),
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    wait_for(page, TAGGED)
    assert asked
    assert not [address for address in asked if "/preview/" in address]
    assert page.locator("[data-part=preview], [data-stage=preview]").count() == 0
    assert page.get_attribute("[data-part=total]", "data-wire-bytes") == "0"
    keys = (
        "async () => (await (await caches.open((await caches.keys())[0])).keys()).map(k => k.url)"
    )
    kept: list[str] = page.evaluate(keys)
    assert not [address for address in kept if "/preview/" in address]
    model = {f"{url}model/{shard}" for shard in build_report.read(site).artifacts.shards}
    assert model < set(kept)
