"""A site whose weights are stored in several ways: the visitor switches and compares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests import axe, watchdog
from tests.browser import plain_host, sample_png, toolchain_serve
from tests.variant_site import FIRST, OTHERS, SAME_PIXELS, Site, Tags, variant_site
from tests.watchdog import HANG_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("page")
DONE = HANG_MS
TAGGED = "html[data-state=tagged] #tags li"
COMPARED = "#comparison:not([aria-busy]) li[data-variant]"
KEPT = """
async (name) => {
  const [cache] = await caches.keys();
  const keys = cache ? await (await caches.open(cache)).keys() : [];
  return navigator.serviceWorker.controller !== null &&
    ['?version=', `/variants/${name}/contract.`].every((part) =>
      keys.some(({ url }) => url.includes(part)));
}
"""


@pytest.fixture(scope="module")
def site(shared: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return variant_site(shared, tmp_path_factory.mktemp("variants"), session_store)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_png("cat", tmp_path_factory.mktemp("photo"))


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with toolchain_serve(site.folder) as served:
        yield served


@pytest.fixture
def opened(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def unkept(browser: Browser) -> Iterator[Page]:
    """A page without service worker, so that the test can answer its requests."""
    with browser.new_page(service_workers="block") as made:
        yield made


def open_with(page: Page, url: str, photo: Path) -> None:
    """Open a page and give it a photo."""
    page.goto(url)
    page.wait_for_selector(TAGGED, timeout=DONE)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)
    page.wait_for_selector(TAGGED, timeout=DONE)


def shown(rows: Locator) -> Tags:
    found: list[tuple[str, str]] = rows.evaluate_all(
        "rows => rows.map(({ dataset }) => [dataset.classIndex, dataset.score])"
    )
    return [(int(index), float(score)) for index, score in found]


def assert_same(found: Tags, expected: Tags) -> None:
    """Compare the best five with the scores of all classes."""
    scores = dict(expected)
    assert len(found) == 5
    assert max(abs(score - scores[index]) for index, score in found) < SAME_PIXELS
    assert found[0][0] == expected[0][0]


def until(page: Page, condition: str, argument: object = None) -> None:
    """Wait for a condition, which may be asynchronous."""
    watchdog.until(
        lambda: page.evaluate(condition, argument),
        condition,
        rest=lambda: page.wait_for_timeout(50),
    )


def loaded_bytes(site: Site, name: str) -> int:
    """Return what a page loads of a variant, after Brotli: the contract and the weights."""
    place = "contract." if name == FIRST else f"variants/{name}/contract."
    shards = {
        f"{site.place(name).relative_to(site.folder)}/{shard}"
        for shard in site.artifacts(name).shards
    }
    return sum(
        file.brotli
        for file in site.report.files
        if file.path.startswith(place) or file.path in shards
    )


def test_the_first_visit_loads_one_variant(opened: Page, url: str, site: Site) -> None:
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(url)
    opened.wait_for_selector(TAGGED, timeout=DONE)
    opened.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    assert not [address for address in asked if "/variants/" in address]
    worker = (site.folder / "sw.js").read_text("utf-8")
    needed, further = re.findall(
        r"^const (?:NEEDED|FURTHER) = (\{.*?\});$", worker, re.MULTILINE | re.DOTALL
    )
    assert "variants/" not in needed
    for one in site.report.variants:
        assert all(f"variants/{one.name}/{shard}" in further for shard in one.artifacts.shards)


def test_each_variant_tags_as_python_does(opened: Page, url: str, site: Site, photo: Path) -> None:
    open_with(opened, url, photo)
    expected = {name: site.tags(name, photo) for name in (FIRST, *OTHERS)}
    # Else a page that did not switch would pass.
    for name in OTHERS:
        scores = dict(expected[FIRST])
        assert max(abs(score - scores[index]) for index, score in expected[name]) > SAME_PIXELS
    assert_same(shown(opened.locator("#tags li")), expected[FIRST])
    for name in (*OTHERS, FIRST):
        opened.select_option("#variant-choice", name)
        opened.wait_for_selector(TAGGED, timeout=DONE)
        assert_same(shown(opened.locator("#tags li")), expected[name])
        assert opened.inner_text("#model-weights") == name
        assert opened.url == (url if name == FIRST else f"{url}?variant={name}")
    decoded = int(opened.get_attribute("[data-part=model]", "data-decoded-bytes") or 0)
    contracts_ = [next(site.folder.glob("contract.*.bin"))]
    contracts_ += [next(site.place(name).glob("contract.*.bin")) for name in OTHERS]
    assert decoded == sum(path.stat().st_size for path in contracts_) + sum(
        site.weight_bytes(name) for name in (FIRST, *OTHERS)
    )


def test_an_address_names_a_variant(opened: Page, url: str, site: Site, photo: Path) -> None:
    open_with(opened, f"{url}?variant=uint8", photo)
    assert opened.input_value("#variant-choice") == "uint8"
    assert_same(shown(opened.locator("#tags li")), site.tags("uint8", photo))
    opened.goto(f"{url}?variant=nobody")
    opened.wait_for_selector(TAGGED, timeout=DONE)
    assert opened.input_value("#variant-choice") == FIRST


def test_the_choice_names_bytes_and_accuracy(opened: Page, url: str, site: Site) -> None:
    opened.goto(url)
    opened.wait_for_selector(TAGGED, timeout=DONE)
    texts = opened.locator("#variant-choice option").all_inner_texts()
    kilobytes = [round(site.weight_bytes(name) / 1000) for name in (FIRST, *OTHERS)]
    assert texts == [
        f"{name} · {size} kB" for name, size in zip((FIRST, *OTHERS), kilobytes, strict=True)
    ]
    assert "Accuracy: not judged" in opened.inner_text("#variant")
    opened.select_option("#variant-choice", "mixed")
    verdict = site.report.variants[0].verdict
    assert verdict is not None
    assert verdict.expected_drop is not None
    points = f"{verdict.expected_drop.points:.1f} points"
    assert f"expected drop of top-1 {points}" in opened.inner_text("#variant")
    for control in ("#variant-choice", "#compare"):
        box = opened.locator(control).bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_a_comparison_shows_every_variant_s_own_tags(
    opened: Page, url: str, site: Site, tmp_path: Path
) -> None:
    photo = sample_png("palace", tmp_path)
    open_with(opened, url, photo)
    workers = len(opened.workers)
    # From now on the files come by the service worker, which knows what they cost.
    until(opened, "() => navigator.serviceWorker.controller !== null")
    opened.click("#compare")
    opened.wait_for_selector(COMPARED, timeout=DONE)
    tags = {name: site.tags(name, photo) for name in (FIRST, *OTHERS)}
    for name in (FIRST, *OTHERS):
        card = opened.locator(f"li[data-variant={name}]")
        assert card.get_attribute("data-state") == "done"
        assert_same(shown(card.locator(".tags li")), tags[name])
        assert card.get_attribute("data-weight-bytes") == str(site.weight_bytes(name))
        assert float(card.get_attribute("data-inference-ms") or "nan") > 0
        assert float(card.get_attribute("data-load-ms") or "nan") > 0
        wire = int(card.get_attribute("data-wire-bytes") or -1)
        brotli = 0 if name == FIRST else loaded_bytes(site, name)
        assert brotli <= wire <= brotli + 1000
        assert ("from cache" in card.inner_text()) == (name == FIRST)
        same = tags[name][0][0] == tags[FIRST][0][0]
        wanted = None if name == FIRST else str(same).lower()
        assert card.get_attribute("data-agrees") == wanted
        words = "Same first tag as with" if same else "Another first tag than with"
        assert (f"{words} {FIRST}" in card.inner_text()) == (name != FIRST)
    verdicts = {card: card != FIRST and tags[card][0][0] == tags[FIRST][0][0] for card in tags}
    assert verdicts == {FIRST: False, "mixed": True, "uint8": False}
    assert "expected drop" in opened.inner_text("li[data-variant=mixed]")
    model = opened.locator("[data-part=model]")
    paid = int(model.get_attribute("data-wire-bytes") or 0)
    brotli = sum(loaded_bytes(site, name) for name in tags)
    assert brotli <= paid <= brotli + 3000
    assert len(opened.workers) == workers
    # The page's own tags stay, and another photo's comparison is yet to be made.
    assert_same(shown(opened.locator("#tags li")), tags[FIRST])
    opened.click("button[data-sample*=espresso]")
    assert "of the previous photo" in opened.inner_text("#comparison-status")


def test_axe_finds_nothing_in_a_comparison(context: BrowserContext, url: str, photo: Path) -> None:
    axe.install(context)
    page = context.new_page()
    open_with(page, url, photo)
    page.click("#compare")
    page.wait_for_selector(COMPARED, timeout=DONE)
    assert axe.findings(page) == {}


def test_a_variant_that_fails_leaves_the_others_their_turn(
    unkept: Page, url: str, site: Site, photo: Path
) -> None:
    open_with(unkept, url, photo)
    unkept.route("**/variants/mixed/*.bin", lambda route: route.fulfill(status=404))
    unkept.click("#compare")
    unkept.wait_for_selector(COMPARED, timeout=DONE)
    states = unkept.locator("li[data-variant]").evaluate_all(
        "cards => cards.map(({ dataset }) => dataset.state)"
    )
    assert states == ["done", "failed", "done"]
    said = unkept.inner_text("#comparison-alert")
    assert re.match(r"mixed: .*\.bin could not be loaded: .* status 404\.", said)
    assert unkept.inner_text("#comparison-status") == "2 of 3 compared."
    assert_same(shown(unkept.locator("li[data-variant=uint8] .tags li")), site.tags("uint8", photo))


def test_a_comparison_can_be_cancelled(unkept: Page, url: str, photo: Path) -> None:
    open_with(unkept, url, photo)
    unkept.route("**/variants/mixed/*.bin", lambda _: None)  # never answered
    unkept.click("#compare")
    unkept.wait_for_selector("li[data-variant=mixed][data-state=running]", timeout=DONE)
    assert unkept.locator("#compare").is_disabled()
    unkept.click("#comparison-cancel")
    unkept.wait_for_selector("li[data-variant=uint8][data-state=cancelled]", timeout=DONE)
    assert unkept.inner_text("#comparison-status") == "1 of 3 compared."
    assert unkept.locator("#compare").is_enabled()


def test_a_chosen_variant_is_there_without_network(
    context: BrowserContext, site: Site, photo: Path
) -> None:
    with plain_host(site.folder) as url:
        page = context.new_page()
        page.goto(url)
        # At once, mostly before there is a service worker.
        page.select_option("#variant-choice", "mixed")
        page.wait_for_selector(TAGGED, timeout=DONE)
        until(page, KEPT, "mixed")
        page.close()
    page = context.new_page()
    open_with(page, f"{url}?variant=mixed", photo)
    assert_same(shown(page.locator("#tags li")), site.tags("mixed", photo))
    assert page.get_attribute("[data-part=total]", "data-wire-bytes") == "0"


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_is_wider_than_the_window(
    browser: Browser, url: str, photo: Path, width: int
) -> None:
    with browser.new_page(viewport={"width": width, "height": 800}) as opened:
        open_with(opened, url, photo)
        opened.click("#compare")
        opened.wait_for_selector(COMPARED, timeout=DONE)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        lefts = opened.locator("li[data-variant]").evaluate_all(
            "cards => cards.map((card) => card.getBoundingClientRect().left)"
        )
        assert len(set(lefts)) == (1 if width == 320 else 3)
