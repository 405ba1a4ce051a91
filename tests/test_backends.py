"""The page's backends, in a real Chromium: chosen by the visitor, by the page, by the address.

`test_runtime.py` compares every operation on each of them with TensorFlow.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from playwright.sync_api import Error as PlaywrightError

from tests import tiny_models
from tests.browser import sample_png
from tests.page_scripts import (
    AS_HARDWARE,
    WITH_WORKER_AT_HAND,
    WITHOUT_VECTORS,
    WITHOUT_WASM,
    WITHOUT_WEBGPU,
)
from tests.watchdog import HANG_MS, until
from toolchain import tf as tensorflow
from toolchain.graph import preprocess
from toolchain.metrics.scores import softmax
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.site import integrity
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page, Route

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("runtimes")

LOADED = HANG_MS
SAME_PIXELS = 1e-3  # as in test_page.py
WEBGPU_IN_SOFTWARE = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
CLASSES = 20
Tags = list[tuple[str, float]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, session_store: Store) -> Path:
    """The site of a small MobileNetV2 with more classes than are shown."""
    folder = tmp_path_factory.mktemp("backends")
    network = tiny_models.mobile_net(tensorflow.load().keras, CLASSES)
    model = tiny_models.save_keras(tiny_models.with_statistics(network), folder / "net.keras")
    options = BuildOptions(
        request=Request(str(model)),
        out=folder / "site",
        declared=Declared(labels=tiny_models.names(CLASSES), value_range=(0.0, 255.0)),
        weights=Stored("none"),
    )
    build(options, store=session_store, progress=Silent())
    return options.out


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample as a PNG, which every decoder reads to the same pixels."""
    return sample_png("palace", tmp_path_factory.mktemp("photo"))


@pytest.fixture(scope="module")
def expected(site: Path, photo: Path) -> Tags:
    """The best five of the same weights, by TensorFlow in Python."""
    report = build_report.read(site)
    run = execute.load(site / "model", report.artifacts.model_json)
    scores = softmax(run(preprocess.load(photo, report.card.input)[None]))[0]
    best = np.argsort(-scores)[:6]
    # Else the order of the labels would be that of the last digits.
    assert np.diff(-scores[best]).min() > 4 * SAME_PIXELS
    return [(f"thing {index}", float(scores[index])) for index in best[:5]]


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return WEBGPU_IN_SOFTWARE


@pytest.fixture
def context_options() -> dict[str, Any]:
    """There is no service worker, of whose requests the tests' routes know nothing."""
    return {"service_workers": "block"}


def open_page(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    wait_for_tags(page)
    return page


def reload(page: Page) -> None:
    page.reload()
    wait_for_tags(page)


def wait_for_tags(page: Page) -> None:
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)


def give(page: Page, photo: Path) -> None:
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)
    wait_for_tags(page)


def hold(context: BrowserContext, files: str) -> list[Route]:
    """Leave requests without an answer; return the list of those that have come."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    context.route(files, keep)
    return held


def choose(page: Page, backend: str) -> None:
    """Choose as a visitor, and wait until the photo has been tagged again."""
    page.get_by_role("combobox", name="Backend").select_option(backend)
    wait_for_tags(page)


def chosen(page: Page) -> str:
    return page.get_by_role("combobox", name="Backend").input_value()


def line(page: Page) -> tuple[str | None, str | None]:
    """Return which backend runs, and the code of the reason."""
    return page.get_attribute("#backend", "data-backend"), page.get_attribute(
        "#backend", "data-reason"
    )


def assert_tags(page: Page, expected: Tags) -> None:
    shown = page.eval_on_selector_all(
        "#tags li", "rows => rows.map(row => [row.dataset.label, Number(row.dataset.score)])"
    )
    assert [label for label, _ in shown] == [label for label, _ in expected]
    for (_, one), (_, other) in zip(shown, expected, strict=True):
        assert abs(one - other) < SAME_PIXELS, (shown, expected)


def test_the_switch_leads_to_the_same_tags_on_every_backend(
    context: BrowserContext, url: str, photo: Path, expected: Tags
) -> None:
    page = open_page(context, url)
    give(page, photo)
    assert_tags(page, expected)
    page.evaluate("globalThis.sameDocument = true")
    for backend, name in {
        "webgpu": "WebGPU",
        "webgl": "WebGL",
        "cpu": "JavaScript",
        "wasm": "WebAssembly SIMD",
    }.items():
        choose(page, backend)
        assert line(page) == (backend, "chosen")
        assert page.inner_text("#backend") == f"{name} – you chose it."
        assert_tags(page, expected)
    assert page.evaluate("globalThis.sameDocument")


def test_without_vector_instructions_the_plain_web_assembly_runs(
    context: BrowserContext, url: str, photo: Path, expected: Tags
) -> None:
    context.add_init_script(WITHOUT_VECTORS)
    page = open_page(context, url)
    choose(page, "wasm")
    assert page.inner_text("#backend") == "WebAssembly – you chose it."
    give(page, photo)
    assert_tags(page, expected)


def test_a_choice_is_remembered_until_it_is_taken_back(context: BrowserContext, url: str) -> None:
    page = open_page(context, url)
    assert (chosen(page), line(page)[0]) == ("auto", "wasm")
    choose(page, "cpu")
    reload(page)
    assert (chosen(page), *line(page)) == ("cpu", "cpu", "chosen")
    choose(page, "auto")
    assert line(page)[0] == "wasm"
    reload(page)
    assert (chosen(page), line(page)[0]) == ("auto", "wasm")
    # What concerns no choice any more leaves nothing behind.
    assert "toolchain.backend.choice" not in page.evaluate("Object.keys(localStorage)")


def test_the_address_wins_over_a_choice(context: BrowserContext, url: str) -> None:
    page = open_page(context, url)
    choose(page, "cpu")
    page.goto(f"{url}?backend=webgl")
    wait_for_tags(page)
    assert (chosen(page), *line(page)) == ("webgl", "webgl", "forced")
    page.goto(url)
    wait_for_tags(page)
    assert (chosen(page), *line(page)) == ("cpu", "cpu", "chosen")


def test_keys_alone_choose_a_backend(context: BrowserContext, url: str) -> None:
    page = open_page(context, url)
    page.focus("#file")
    for _ in range(20):  # past the other ways to give a photo
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "backend-choice":
            break
    assert page.evaluate("document.activeElement.id") == "backend-choice"
    page.keyboard.press("End")
    page.wait_for_selector("#backend[data-backend=cpu]", timeout=LOADED)
    assert chosen(page) == "cpu"


def test_a_photo_on_its_way_is_tagged_on_the_chosen_backend(
    context: BrowserContext, url: str, photo: Path, expected: Tags
) -> None:
    held = hold(context, "**/model/*.bin")
    page = context.new_page()
    page.goto(url)
    page.set_input_files("#file", photo)
    page.get_by_role("combobox", name="Backend").select_option("cpu")
    assert page.get_attribute("html", "data-state") == "loading"
    context.unroute("**/model/*.bin")
    for route in held:
        # Nobody waits any longer for what the first backend had asked for.
        with suppress(PlaywrightError):
            route.continue_()
    wait_for_tags(page)
    assert line(page) == ("cpu", "chosen")
    assert_tags(page, expected)


def test_what_the_browser_lacks_cannot_be_chosen(context: BrowserContext, url: str) -> None:
    page = open_page(context, url)
    assert page.locator("#backend-choice option:disabled").count() == 0
    choose(page, "webgpu")
    context.add_init_script(WITHOUT_WEBGPU)
    context.add_init_script(WITHOUT_WASM)
    reload(page)
    disabled = page.locator("#backend-choice option:disabled")
    assert disabled.evaluate_all("options => options.map(({ value }) => value)") == [
        "webgpu",
        "wasm",
    ]
    # An earlier choice is kept for the day when it can be had again.
    assert (chosen(page), *line(page)) == ("webgpu", "cpu", "chosen-missing")
    assert "does not offer WebGPU" in page.inner_text("#backend")


def test_a_choice_that_does_not_start_costs_no_tags(
    context: BrowserContext, url: str, photo: Path, expected: Tags
) -> None:
    context.route("**/webgpu-*.js", lambda route: route.abort())
    page = open_page(context, url)
    give(page, photo)
    choose(page, "webgpu")
    assert (chosen(page), *line(page)) == ("webgpu", "wasm", "chosen-failed")
    assert "WebGPU, which you chose, did not work here" in page.inner_text("#backend")
    assert_tags(page, expected)
    reload(page)
    assert line(page) == ("wasm", "chosen-failed")
    assert page.locator("[role=alert]").is_hidden()


def test_an_address_that_cannot_be_had_fails_and_the_switch_leads_on(
    context: BrowserContext, url: str
) -> None:
    context.route("**/webgpu-*.js", lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{url}?backend=webgpu")
    page.wait_for_selector("html[data-state=failed]", timeout=LOADED)
    assert "WebGPU cannot be used in this browser" in page.inner_text("[role=alert]")
    choose(page, "auto")
    assert line(page)[0] == "wasm"
    assert page.locator("[role=alert]").is_hidden()


@pytest.fixture
def hardware(context: BrowserContext, site: Path, url: str) -> BrowserContext:
    """A profile in which WebGL, but not WebGPU, says that it runs on a graphics processor.

    A race is real, then, but for what the rival is called.
    """
    (worker,) = site.glob("assets/worker-*.js")
    disguised = AS_HARDWARE.encode() + worker.read_bytes()
    html = (site / "index.html").read_text("utf-8")
    html = html.replace(integrity.of_file(worker), integrity.of_bytes(disguised))
    context.route(url, lambda route: route.fulfill(body=html, content_type="text/html"))
    context.route(
        f"**/{worker.name}",
        lambda route: route.fulfill(body=disguised, content_type="text/javascript"),
    )
    context.add_init_script(WITH_WORKER_AT_HAND)
    return context


def test_the_first_tag_does_not_wait_for_the_race(
    hardware: BrowserContext, url: str, photo: Path, expected: Tags
) -> None:
    held = hold(hardware, "**/webgl-*.js")
    page = open_page(hardware, url)
    assert line(page) == ("wasm", "first")
    # The race has not begun before the tags were there.
    until(lambda: held, "the race begins", rest=lambda: page.wait_for_timeout(50))
    assert line(page) == ("wasm", "first")
    held[0].continue_()
    page.wait_for_selector("#backend[data-reason=measured]", timeout=LOADED)
    assert "WebGL takes" in page.inner_text("#backend")
    # Whichever won, the other one has left nothing behind that could disturb it.
    for _ in range(2):
        give(page, photo)
        assert_tags(page, expected)


def after_a_race(context: BrowserContext, url: str, gpu_ms: float) -> Page:
    """Return the page of a second visit after a race in which WebGL took so long."""
    page = open_page(context, url)
    page.wait_for_selector("#backend[data-reason=measured]", timeout=LOADED)
    race = json.loads(page.evaluate("localStorage['toolchain.backend']"))
    race["gpuMs"] = gpu_ms
    page.evaluate("race => localStorage['toolchain.backend'] = race", json.dumps(race))
    reload(page)
    page.wait_for_selector("#backend[data-reason=remembered]", timeout=LOADED)
    return page


@pytest.mark.parametrize(("gpu_ms", "winner"), [(0.001, "webgl"), (1e9, "wasm")])
def test_the_outcome_of_a_race_is_remembered(
    hardware: BrowserContext, url: str, photo: Path, expected: Tags, gpu_ms: float, winner: str
) -> None:
    page = after_a_race(hardware, url, gpu_ms)
    assert line(page)[0] == winner
    assert "as measured on an earlier visit" in page.inner_text("#backend")
    give(page, photo)
    assert_tags(page, expected)


def test_a_winner_that_goes_away_costs_no_tags(
    hardware: BrowserContext, url: str, photo: Path, expected: Tags
) -> None:
    page = after_a_race(hardware, url, 0.001)
    page.evaluate("lastWorker.postMessage({ kind: 'lose' })")
    give(page, photo)
    assert line(page) == ("wasm", "gpu-failed")
    assert "the browser took the graphics processor away" in page.inner_text("#backend")
    assert_tags(page, expected)


@pytest.mark.parametrize("backend", ["webgl", "webgpu"])
def test_a_choice_that_goes_away_costs_no_tags(
    hardware: BrowserContext, url: str, photo: Path, expected: Tags, backend: str
) -> None:
    page = open_page(hardware, url)
    choose(page, backend)
    assert line(page)[0] == backend
    page.evaluate("lastWorker.postMessage({ kind: 'lose' })")
    give(page, photo)
    assert line(page) == ("wasm", "chosen-failed")
    assert_tags(page, expected)
