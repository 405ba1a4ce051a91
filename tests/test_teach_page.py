"""Visitors teach their own tags in a real Chromium, and nothing leaves it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests import axe, none_model, teach_site
from tests.browser import toolchain_serve
from tests.page_driver import LOADED, open_page
from tests.teach_site import PHOTOS, photos
from tests.watchdog import until
from toolchain.errors import BadInputError
from toolchain.graph import preprocess
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.site.render import render
from toolchain.sources.request import Request
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store
    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("teach")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model whose features are a photo's colour."""
    return none_model.write(tmp_path_factory.mktemp("teach"), with_rule=False)


@pytest.fixture(scope="module")
def colours(source: Path, session_store: Store) -> TfjsModel:
    """Return it for a site."""
    return teach_site.converted(source, session_store)


@pytest.fixture(scope="module")
def site(colours: TfjsModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site that visitors may teach."""
    folder = tmp_path_factory.mktemp("teach-site") / "site"
    folder.mkdir()
    render(colours, folder, page=teach_site.TEACH)
    return folder


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    with toolchain_serve(site) as address:
        yield address


def ready(page: Page, url: str) -> None:
    open_page(page, url)
    page.wait_for_selector("#teach[data-teach=ready]", timeout=LOADED)


def add_tag(page: Page, name: str) -> None:
    page.fill("#teach .teach-new input", name)
    page.press("#teach .teach-new input", "Enter")
    page.wait_for_selector(f"#teach .lesson[data-tag='{name}']")


def teach(page: Page, tag: str, given: list[Path], total: int) -> None:
    files: Any = given
    page.set_input_files(f"#teach .lesson[data-tag='{tag}'] input[type=file]", files)
    page.wait_for_selector(
        f"#teach .lesson[data-tag='{tag}'][data-photos='{total}']", timeout=LOADED
    )


def learned(page: Page) -> None:
    """Wait until all is learned, and stored."""
    page.wait_for_selector("#teach .lessons[data-learned=final]", timeout=LOADED)
    stored(page)


def stored(page: Page) -> None:
    page.wait_for_selector("#teach .lessons[data-stored=yes]", state="attached")


def shown(page: Page, photo: Path) -> tuple[str, bool]:
    """Return the first tag of a photo, and whether it is only the nearest."""
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    first = page.locator("#tags li").first
    return str(first.get_attribute("data-label")), "nearest" in (first.get_attribute("class") or "")


def kept(page: Page) -> dict[str, str]:
    """Return the tags that the panel shows, with how many photos each has."""
    rows: list[list[str]] = page.eval_on_selector_all(
        "#teach .lesson", "rows => rows.map(({ dataset }) => [dataset.tag, dataset.photos])"
    )
    return dict(rows)


def kill_renderer(page: Page, browser: Browser) -> None:
    """Kill the process of the page; the browser has others in store, which have done little."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [process for process in found if process["type"] == "renderer"]
    busiest = max(renderers, key=lambda process: float(process["cpuTime"]))
    with page.expect_event("crash"):
        os.kill(busiest["id"], signal.SIGKILL)


def mend_a_mistake(page: Page, tmp_path: Path) -> None:
    """Give a photo to the wrong tag, which the panel finds; move it, undo that, take it out."""
    teach(page, "Wiese", photos(tmp_path, "red", 10, 1), PHOTOS + 1)
    page.wait_for_selector("#teach .suspect")
    page.click("#teach .suspect button >> text=Move to Kirsche")
    page.wait_for_selector("#teach .lesson[data-tag=Kirsche][data-photos='5']")
    page.click("#teach button >> text=Undo")
    page.wait_for_selector("#teach .lesson[data-tag=Wiese][data-photos='5']")
    page.click("#teach .lesson[data-tag=Wiese] .lesson-photo >> nth=4 >> button")
    page.wait_for_selector("#teach .lesson[data-tag=Wiese][data-photos='4']")


def merge(page: Page, tmp_path: Path) -> None:
    """Merge a tag into another, undo that, and remove it."""
    add_tag(page, "Doppelt")
    teach(page, "Doppelt", photos(tmp_path, "red", 15, 1), 1)
    card = "#teach .lesson[data-tag=Doppelt]"
    page.click(f"{card} summary")
    page.select_option(f"{card} select", "Kirsche")
    page.click(f"{card} button >> text=Merge")
    page.wait_for_selector("#teach .lesson[data-tag=Kirsche][data-photos='5']")
    assert page.locator(card).count() == 0
    page.click("#teach button >> text=Undo")
    page.wait_for_selector(f"{card}[data-photos='1']")
    page.click(f"{card} button >> text=Remove tag")
    page.wait_for_selector(card, state="detached")


def teach_a_third(page: Page, tmp_path: Path) -> None:
    """Add a tag and rename it."""
    add_tag(page, "Himmel")
    teach(page, "Himmel", photos(tmp_path, "blue"), PHOTOS)
    page.fill("#teach .lesson[data-tag=Himmel] .lesson-name", "Meer")
    page.press("#teach .lesson[data-tag=Himmel] .lesson-name", "Enter")
    page.wait_for_selector("#teach .lesson[data-tag=Meer]")
    learned(page)
    assert axe.findings(page) == {}


def makes_a_site(
    exported: Path, source: Path, expected: dict[Path, tuple[str, bool]], store: Store, out: Path
) -> None:
    """Build a site with the exported tags, and compare what it makes of photos."""
    options = BuildOptions(
        Request(str(source), lockfile=source.with_name("toolchain.lock.json")), out, head=exported
    )
    report = build(options, store=store, progress=Silent())
    assert report.card.labels == ("Kirsche", "Wiese", "Meer")
    run = execute.load_with_features(out / "model", report.artifacts.model_json, "taught")
    rule = report.card.none_of_these
    assert rule is not None
    for photo, (tag, is_nearest) in expected.items():
        outputs, features = run(preprocess.load(photo, report.card.input)[None])
        assert report.card.labels[int(outputs[0].argmax())] == tag
        assert rule.is_none(rule.greatest_cosines(features)).tolist() == [is_nearest]


def keeps_pictures_and_forgets(again: Page, tmp_path: Path) -> None:
    """Have pictures kept, and everything forgotten."""
    assert again.locator("#teach .lesson-photo img").count() == 0
    again.check("#teach .teach-choice input >> nth=1")
    teach(again, "Meer", photos(tmp_path, "blue", 20, 1), PHOTOS + 1)
    stored(again)
    again.reload()
    again.wait_for_selector("#teach .lesson[data-tag=Meer][data-photos='5']", timeout=LOADED)
    assert again.locator("#teach .lesson-photo img").count() == 1

    again.on("dialog", lambda dialog: dialog.accept())
    again.click("#teach button >> text=Forget all")
    again.wait_for_selector("#teach .lessons[hidden]", state="attached")
    again.wait_for_selector("#teach :text('are forgotten')")
    again.reload()
    again.wait_for_selector("#teach[data-teach=ready]", timeout=LOADED)
    assert kept(again) == {}
    assert shown(again, photos(tmp_path, "red", 80, 1)[0]) == ("red", False)


def test_tags_are_taught_kept_through_a_crash_and_forgotten(
    page: Page,
    browser: Browser,
    url: str,
    source: Path,
    session_store: Store,
    tmp_path: Path,
) -> None:
    axe.install(page.context)
    sent: list[str] = []
    page.context.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    ready(page, url)
    assert shown(page, photos(tmp_path, "red", 50, 1)[0]) == ("red", False)
    assert page.is_hidden("#teach .teach-choice >> nth=0"), "there are no tags to tag with"

    add_tag(page, "Kirsche")
    add_tag(page, "Wiese")
    teach(page, "Kirsche", photos(tmp_path, "red"), PHOTOS)
    teach(page, "Wiese", photos(tmp_path, "green"), PHOTOS)
    learned(page)
    assert "8 of 8" in page.inner_text("#teach .teach-judgement")
    assert shown(page, photos(tmp_path, "red", 60, 1)[0]) == ("Kirsche", False)
    assert shown(page, photos(tmp_path, "green", 60, 1)[0]) == ("Wiese", False)
    assert shown(page, photos(tmp_path, "blue", 60, 1)[0])[1]
    page.uncheck("#teach .teach-choice input >> nth=0")
    assert shown(page, photos(tmp_path, "red", 70, 1)[0]) == ("red", False)
    page.check("#teach .teach-choice input >> nth=0")

    mend_a_mistake(page, tmp_path)
    merge(page, tmp_path)
    teach_a_third(page, tmp_path)

    # Nothing has left the page: it asked for the site's own files, and sent nothing.
    own = (f"GET {url}", f"GET blob:{url}")
    assert [each for each in sent if not each.startswith(own)] == []

    exported = tmp_path / "taught.zip"
    with page.expect_download() as download:
        page.click("#teach button >> text=Export")
    download.value.save_as(exported)
    held_out = [photos(tmp_path, colour, 30, 1)[0] for colour in none_model.COLOURS]
    expected_tags = [shown(page, photo) for photo in held_out]

    # The renderer is killed without warning; all is there again.
    expected = {"Kirsche": "4", "Wiese": "4", "Meer": "4"}
    assert kept(page) == expected
    context = page.context
    kill_renderer(page, browser)
    again = context.new_page()
    ready(again, url)
    assert kept(again) == expected
    again.wait_for_selector("#teach .lessons[data-learned=final]", timeout=LOADED)
    assert shown(again, photos(tmp_path, "blue", 60, 1)[0]) == ("Meer", False)

    keeps_pictures_and_forgets(again, tmp_path)

    # What was exported teaches another page of the model, and makes a site.
    again.set_input_files("#teach .teach-import input", exported)
    again.wait_for_selector("#teach .lesson[data-tag=Meer][data-photos='4']")
    learned(again)
    assert [shown(again, photo) for photo in held_out] == expected_tags
    again.set_input_files("#teach .teach-import input", held_out[0])
    again.wait_for_selector("#teach .teach-alert:text('cannot be imported')")
    again.close()
    makes_a_site(
        exported,
        source,
        dict(zip(held_out, expected_tags, strict=True)),
        session_store,
        tmp_path / "site",
    )


def test_a_browser_that_stores_nothing_says_so_and_still_learns(
    page: Page, url: str, tmp_path: Path
) -> None:
    page.add_init_script("delete IDBFactory.prototype.open;")
    ready(page, url)
    assert "does not store" in page.inner_text("#teach .teach-alert")
    add_tag(page, "Kirsche")
    teach(page, "Kirsche", photos(tmp_path, "red"), PHOTOS)
    learned(page)
    assert shown(page, photos(tmp_path, "red", 60, 1)[0]) == ("Kirsche", False)
    assert shown(page, photos(tmp_path, "blue", 60, 1)[0])[1]


def test_the_camera_gives_pictures_while_held_and_after_a_countdown(page: Page, url: str) -> None:
    page.context.grant_permissions(["camera"])
    ready(page, url)
    add_tag(page, "Kamera")
    card = page.locator("#teach .lesson[data-tag=Kamera]")

    def count() -> int:
        return int(card.get_attribute("data-photos") or 0)

    def rest() -> None:
        page.wait_for_timeout(50)

    card.locator("button >> text=Hold").hover()
    page.mouse.down()
    until(lambda: count() >= 2, "it takes pictures", rest=rest)
    page.mouse.up()
    page.click("#teach button >> text=In 3 seconds")
    page.wait_for_selector("#teach button:text('2…')")
    taken = count()
    page.wait_for_selector("#teach button:text('In 3 seconds')")
    until(lambda: count() == taken + 10, "it takes ten pictures", rest=rest)
    assert page.is_visible("#teach video")


def test_on_a_narrow_screen_nothing_is_cut_off(page: Page, url: str, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    ready(page, url)
    add_tag(page, "A tag with quite a long name that goes on")
    teach(page, "A tag with quite a long name that goes on", photos(tmp_path, "red"), PHOTOS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    if folder := os.environ.get("TEACH_PICTURES"):
        for width in (375, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.locator("#teach").screenshot(path=f"{folder}/teach-{width}.png")


def test_other_pages_have_nothing_of_it(colours: TfjsModel, tmp_path: Path) -> None:
    render(colours, tmp_path)
    names = " ".join(path.name for path in tmp_path.rglob("*"))
    assert "teach" not in names
    assert "solver" not in names
    assert "teach" not in (tmp_path / "index.html").read_text("utf-8")


def test_a_model_without_features_cannot_be_taught(
    colours: TfjsModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.tfjs.features.row_in", lambda *_: None)
    with pytest.raises(BadInputError, match=r"cannot learn further tags.*leave --teach out"):
        render(colours, tmp_path, page=teach_site.TEACH)


TAUGHT = """async ([site, photos]) => {
    const { load } = await import(new URL('tagger.js', site).href);
    const tagger = await load(site);
    const blob = (bytes) => new Blob([new Uint8Array(bytes)], { type: 'image/png' });
    const first = async (bytes) => {
        const { tags, nearest } = await tagger.tag(blob(bytes));
        return tags[0]?.label ?? `none, ${nearest.label}`;
    };
    const found = {};
    found.before = await first(photos.red[3]);
    for (const [label, colour] of [['Kirsche', 'red'], ['Wiese', 'green']]) {
        for (const bytes of photos[colour].slice(0, 3)) await tagger.teach(label, blob(bytes));
    }
    found.taught = [await first(photos.red[3]), await first(photos.green[3])];
    const file = await tagger.export();
    found.blue = await first(photos.blue[3]);
    await tagger.forget('Kirsche');
    found.forgotten = await first(photos.red[3]);
    await tagger.forget();
    found.after = await first(photos.red[3]);
    await tagger.import(file);
    found.imported = [await first(photos.red[3]), await first(photos.green[3])];
    found.refused = await tagger.import(new Blob(['no zip'])).catch((error) => error.message);
    found.empty = await tagger.teach(' ', blob(photos.red[0])).catch((error) => error.name);
    tagger.close();
    found.closed = await tagger.export().catch((error) => error.code);
    return found;
}"""


def test_other_pages_teach_the_model_too(page: Page, url: str, tmp_path: Path) -> None:
    page.goto(f"{url}licenses.txt")
    given = {
        colour: [
            [*path.read_bytes()]
            for path in (*photos(tmp_path, colour, 0, 3), *photos(tmp_path, colour, 60, 1))
        ]
        for colour in ("red", "green", "blue")
    }
    found = page.evaluate(TAUGHT, [url, given])
    assert found["before"] == "red"
    assert found["taught"] == found["imported"] == ["Kirsche", "Wiese"]
    assert found["blue"].startswith("none, ")
    assert found["forgotten"] in ("Wiese", "none, Wiese")
    assert found["after"] == "red"
    assert "it is not a zip file" in found["refused"]
    assert found["empty"] == "RangeError"
    assert found["closed"] == "closed"
