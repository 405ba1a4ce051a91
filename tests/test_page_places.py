"""The page on a phone, with few or weak tags, and in places where it cannot work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import reports
from tests.browser import plain_host
from tests.page_driver import open_page, until_loaded

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("page")

PHONE = {"width": 390, "height": 664}
FOOT = "#photo-foot[data-kind=tag]"


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("places") / "site"
    reports.tiny_site(tiny, out, session_store)
    return out


def is_in_view(page: Page, selector: str) -> bool:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return bool(box["y"] >= 0 and box["y"] + box["height"] <= PHONE["height"])


def first_tag(page: Page) -> str:
    """Return what the list says of its first tag."""
    return " ".join(page.locator("#tags li:first-child > :not(.spoken)").all_inner_texts()).strip()


def test_on_a_phone_the_first_tag_is_in_sight(browser: Browser, url: str) -> None:
    context = browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.route("**/model/*.bin", lambda _route: None)  # never answered
    page.goto(url)
    page.wait_for_selector("#photo-foot[data-kind=status]:has-text('Loading the model')")
    assert is_in_view(page, "#photo-foot")
    page.unroute_all(behavior="ignoreErrors")
    open_page(page, url)
    assert page.inner_text(FOOT) == first_tag(page)
    assert is_in_view(page, FOOT)
    # A sample far below brings the photo with its tag back.
    page.evaluate("document.querySelector('footer').scrollIntoView()")
    assert not is_in_view(page, "#photo")
    page.eval_on_selector("button[data-sample*=rocket]", "button => button.click()")
    page.wait_for_function("() => document.querySelector('#photo img').src.startsWith('blob:')")
    until_loaded(page)
    page.wait_for_selector(FOOT)
    assert is_in_view(page, "#photo")
    assert page.inner_text(FOOT) == first_tag(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.locator(FOOT).is_hidden()
    context.close()


def shown_with(page: Page, url: str, scores: list[float]) -> list[str]:
    """Return the names of the tags that are seen where the worker gives these scores."""
    tags: list[dict[str, Any]] = [
        {"classIndex": place, "label": f"tag {place}", "score": score}
        for place, score in enumerate(scores)
    ]
    page.add_init_script(
        """(() => {
            const add = Worker.prototype.addEventListener;
            Worker.prototype.addEventListener = function (type, listener, options) {
                add.call(this, type, type !== 'message' ? listener : (event) => {
                    const { data } = event;
                    listener(data.kind === 'tagged'
                        ? new MessageEvent('message', {data: {...data, tagging:
                            {...data.tagging, tags: TAGS}}})
                        : event);
                }, options);
            };
        })()""".replace("TAGS", str(tags).replace("'", '"'))
    )
    open_page(page, url)
    return page.locator("#tags li:visible .tag-name").all_inner_texts()


@pytest.mark.parametrize(
    ("scores", "names", "is_unsure"),
    [
        ([0.9, 0.02, 0.009, 0.0], ["tag 0", "tag 1"], False),
        ([0.25, 0.2, 0.1], ["tag 0", "tag 1", "tag 2"], False),
        ([0.2, 0.1], ["tag 0", "tag 1"], True),
        ([0.005, 0.004], ["tag 0"], True),
    ],
)
def test_tags_that_tell_nothing_are_left_out_and_weak_ones_are_called_so(
    page: Page, url: str, scores: list[float], names: list[str], is_unsure: bool
) -> None:
    assert shown_with(page, url, scores) == names
    assert page.locator("#unsure").is_visible() == is_unsure


def test_the_room_for_tags_is_as_large_as_there_are_labels(page: Page, url: str) -> None:
    page.route("**/model/*.bin", lambda _route: None)
    page.goto(url)
    rows = []
    for labels in (1, 2, 5, 1000):
        page.eval_on_selector("#tags", f"list => {{ list.dataset.labels = {labels} }}")
        rows.append(page.eval_on_selector("#tags-place", "place => place.offsetHeight / 52"))
    assert rows == [1, 2, 5, 5]
    page.unroute_all(behavior="ignoreErrors")


def test_opened_from_a_disk_or_in_a_sandbox_the_page_says_so_at_once(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    said = page.inner_text("body")
    assert "If you opened index.html from your disk" in said
    assert "Loading" not in said
    with plain_host(site) as inner:
        frame = f'<iframe sandbox="allow-scripts" src="{inner}index.html"></iframe>'
        (tmp_path / "index.html").write_text(frame, "utf-8")
        with plain_host(tmp_path) as outer:
            page.goto(outer)
            framed = page.frames[1].locator("body")
            assert "allow the frame its origin (allow-same-origin)" in framed.inner_text()
            assert "Loading" not in framed.inner_text()
    context.close()


def test_without_javascript_nothing_is_said_to_be_loading(browser: Browser, url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    said = page.inner_text("body")
    assert "JavaScript, which is switched off" in said
    assert "Loading" not in said
    assert page.locator(".unopened").is_hidden()
    context.close()


def test_a_browser_without_module_workers_is_told_which_ones_work(page: Page, url: str) -> None:
    # It runs the worker as a classic script, as browsers do that do not know the option.
    page.add_init_script(
        "const Usual = Worker; globalThis.Worker = class extends Usual {"
        " constructor(address) { super(address); } }"
    )
    page.goto(url)
    page.wait_for_selector("#alert-text:has-text('This browser is too old for this page.')")


def test_forced_colours_keep_the_bars(browser: Browser, url: str) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    open_page(page, url)
    colours = page.eval_on_selector(
        "#tags .tag-bar",
        """bar => [getComputedStyle(bar).backgroundColor,
                   getComputedStyle(bar, '::after').backgroundColor]""",
    )
    assert len(set(colours)) == 2
    context.close()
