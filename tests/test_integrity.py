"""The built page on bad hosts and worse networks: one clear sentence or the right tags."""

from __future__ import annotations

import functools
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests import tiny_models
from tests.faulty_host import HTML, Fault, FaultyHost, Reads, faulty
from tests.page_driver import LOADED, SECONDS, Tags, alert, shown_tags, tags_of
from tests.page_scripts import HASTE, OUT_OF_MEMORY
from tests.sealing import reseal
from tests.test_second_visit import until_kept
from tests.watchdog import until
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.site import integrity, web_bundle
from toolchain.site.configuration import PageOptions
from toolchain.sources.request import Request
from toolchain.tfjs.convert import Stored
from toolchain.tfjs_graph.packing import EARLY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("runtimes")

WIDTH = 18_000  # channels
SHARD = 360_000  # bytes, so that there are several files
ALWAYS = None
DAMAGED = "is not the file that was published here"
HTML_SENT = "the server sent a web page in its place"
DROPPED = "the connection failed"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> BuildOptions:
    """How the site is built."""
    folder = tmp_path_factory.mktemp("integrity")
    return BuildOptions(
        request=Request(str(tiny_models.saved_model(folder / "model", width=WIDTH))),
        out=folder / "site",
        weights=Stored(shard_bytes=SHARD),
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
    )


@pytest.fixture(scope="module")
def site(options: BuildOptions, session_store: Store) -> Path:
    """The site of a tiny model with many weights, of which any others would do as well."""
    report = build(options, store=session_store, progress=Silent())
    # Some files of weights come with the page, and some wait for its first paint.
    weights = [options.out / "model" / shard for shard in report.artifacts.shards]
    assert sum(file.stat().st_size for file in weights) > 2 * EARLY_BYTES
    return options.out


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return ("--host-resolver-rules=MAP toolchain.test 127.0.0.1",)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own, in which no time is lost."""
    made = browser.new_context()
    made.add_init_script(HASTE)
    yield made
    made.close()


@pytest.fixture
def reads(context: BrowserContext) -> Reads:
    return Reads(context)


@pytest.fixture(scope="module")
def right(browser: Browser, site: Path) -> Tags:
    """The tags of the first sample where nothing goes wrong."""
    with faulty(site) as host, browser.new_page() as page:
        page.goto(host.url)
        return tags_of(page)


@pytest.fixture
def host(site: Path, reads: Reads) -> Iterator[FaultyHost]:
    with faulty(site, reads=reads) as made:
        yield made


def open_page(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    return page


def file_of(site: Path, kind: str) -> str:
    """Return the path of a file of the first visit."""
    report = build_report.read(site)
    runtime = web_bundle.runtime_for(report.artifacts.ops)
    paths = {
        "contract": next(site.glob("contract.*.bin")).name,
        "early weights": f"model/{report.artifacts.shards[0]}",
        "last weights": f"model/{report.artifacts.shards[-1]}",
        "wasm": runtime.wasm.simd,
        "worker": runtime.worker[0],
    }
    return paths[kind]


FILES = ("contract", "early weights", "wasm", "worker", "last weights")
ONCE = {
    "cut": Fault(1, keep=0.5),
    "cut three times": Fault(3, keep=0.5),
    "dropped": Fault(2, keep=0),
    "busy": Fault(2, status=503, body=b"later"),
    "changed": Fault(1, flip=True),
    "short": Fault(1, is_short=True),
}


@pytest.mark.parametrize(
    ("kind", "fault", "has_ranges"),
    [
        *(("last weights", fault, True) for fault in ONCE),
        *(("last weights", fault, False) for fault in ("cut", "cut three times")),
        *((kind, fault, True) for kind in FILES[:3] for fault in ("cut", "changed")),
        # What the page fetches the browser then fetches for the worker.
        *(("worker", fault, True) for fault in ("cut", "busy", "changed")),
    ],
)
def test_what_goes_wrong_for_a_while_costs_no_tags(
    context: BrowserContext,
    reads: Reads,
    site: Path,
    right: Tags,
    kind: str,
    fault: str,
    has_ranges: bool,
) -> None:
    path = file_of(site, kind)
    with faulty(site, has_ranges=has_ranges, reads=reads) as host:
        host.faults[path] = ONCE[fault]
        page = open_page(context, host.url)
        assert tags_of(page) == right
        assert page.locator("[role=alert]").is_hidden()
        assert path not in host.faults
        if fault == "cut" and kind == "last weights":
            until_kept(page, site)
            length = (site / path).stat().st_size
            # Nothing travels twice, for the service worker neither.
            ranges = [request.headers.get("range") for request in host.asked(path)]
            assert ranges == [None, f"bytes={length // 2}-"]
            assert host.sent[path] == (length if has_ranges else length // 2 + length)
            page.reload()
            assert tags_of(page) == right
            assert len(host.asked(path)) == len(ranges)


LASTING = {
    "changed": (Fault(ALWAYS, flip=True), DAMAGED),
    "short": (Fault(ALWAYS, is_short=True), DAMAGED),
    "html": (Fault(ALWAYS, body=HTML, content_type="text/html; charset=utf-8"), HTML_SENT),
    "html called a binary": (Fault(ALWAYS, body=HTML), DAMAGED),
    "missing": (Fault(ALWAYS, status=404, body=b"gone"), "status 404"),
    "busy": (Fault(ALWAYS, status=503, body=b"later"), "status 503"),
    "dropped": (Fault(ALWAYS, keep=0), DROPPED),
}


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(("last weights", fault) for fault in LASTING),
        *(
            (kind, fault)
            for kind in FILES
            if kind != "last weights"
            for fault in ("changed", "html called a binary", "missing")
        ),
    ],
)
def test_what_stays_wrong_is_one_sentence_and_a_retry(
    context: BrowserContext, host: FaultyHost, site: Path, right: Tags, kind: str, fault: str
) -> None:
    path = file_of(site, kind)
    host.faults[path], said = LASTING[fault]
    page = open_page(context, host.url)
    sentence = alert(page)
    assert path.split("/")[-1] in sentence
    assert said in sentence
    assert page.get_attribute("html", "data-state") == "failed"
    assert shown_tags(page) == []
    host.faults.clear()
    page.click("#retry")
    assert tags_of(page) == right
    assert page.locator("[role=alert]").is_hidden()


def test_a_lost_network_is_waited_for(
    context: BrowserContext, host: FaultyHost, site: Path, right: Tags
) -> None:
    path = file_of(site, "last weights")
    host.faults[path] = Fault(1, keep=0.5)
    page = context.new_page()
    # Lost when the first part of the file has come.
    page.add_init_script(
        """
        Object.defineProperty(navigator, 'onLine', {get: () => Boolean(window.isBack)});
        """
    )
    page.goto(host.url)
    page.wait_for_selector("#status:has-text('Connection lost, trying again')", timeout=LOADED)
    # A second in which nothing may happen: fifty times as long as it would wait otherwise.
    page.wait_for_timeout(1 * SECONDS)
    assert len(host.asked(path)) == 1
    assert shown_tags(page) == []
    assert page.locator("[role=alert]").is_hidden()
    page.evaluate("window.isBack = true; dispatchEvent(new Event('online'))")
    assert tags_of(page) == right
    assert page.locator("text=Connection lost").count() == 0


def test_a_page_without_tls_looks_at_its_files_too(
    context: BrowserContext, host: FaultyHost, site: Path, right: Tags
) -> None:
    path = file_of(site, "last weights")
    host.faults[path] = Fault(1, flip=True)
    page = open_page(context, host.url.replace("127.0.0.1", "toolchain.test"))
    assert tags_of(page) == right
    assert page.evaluate("isSecureContext") is False
    assert path not in host.faults
    host.faults[path] = Fault(ALWAYS, flip=True)
    page.reload()
    assert tags_of(page) == right  # by the browser's own copy
    page = open_page(context.browser.new_context(), page.url)  # type: ignore[union-attr]
    assert DAMAGED in alert(page)
    page.context.close()


def test_code_that_is_wrong_does_not_run(
    context: BrowserContext, host: FaultyHost, site: Path, right: Tags
) -> None:
    runtime = web_bundle.runtime_for(build_report.read(site).artifacts.ops)
    (gallery,) = (file for file in runtime.features if "page-gallery-" in file)
    changed = b"document.title = 'another page';"
    host.faults[gallery] = Fault(ALWAYS, body=changed)
    page = open_page(context, host.url)
    assert tags_of(page) == right
    assert page.locator("#stalled").count() == 0
    photos = [{"name": name, "mimeType": "image/png", "buffer": b""} for name in ("a", "b")]
    page.set_input_files("#file", photos)  # type: ignore[arg-type]
    assert "could not be loaded" in alert(page)
    # Each script more is one of the six requests at once, before the first weights.
    assert runtime.imports == ()
    host.faults[runtime.entry] = Fault(ALWAYS, body=changed)
    other = open_page(context.browser.new_context(), host.url)  # type: ignore[union-attr]
    until(
        functools.partial(host.asked, runtime.entry),
        f"the page asks for {runtime.entry}",
        rest=functools.partial(other.wait_for_timeout, 50),
    )
    other.wait_for_timeout(1 * SECONDS)  # in which nothing may happen
    assert other.get_attribute("html", "data-state") == "loading"
    assert other.title() != "another page"
    assert not other.is_visible("#stalled")
    other.evaluate("document.getAnimations().forEach((each) => each.finish())")
    assert "Reload the page." in other.inner_text("#stalled:visible")
    other.context.close()


def test_a_first_visit_asks_once_for_each_file(
    context: BrowserContext, host: FaultyHost, right: Tags
) -> None:
    page = open_page(context, host.url)
    assert tags_of(page) == right
    page.evaluate("async () => { await navigator.serviceWorker.ready }")
    paths = [request.path for request in host.requests]
    # The service worker reads of which version the page is.
    assert sorted(paths) == sorted([*set(paths), "index.html"])
    page.keyboard.press("Tab")
    features = web_bundle.runtime_for(build_report.read(host.site).artifacts.ops).features
    assert not {*paths} & {*features}
    kept = """async files => {
        const cache = await caches.open((await caches.keys())[0]);
        return (await Promise.all(files.map((file) => cache.match(file)))).every(Boolean);
    }"""
    until(
        lambda: page.evaluate(kept, [*features]),
        "the service worker keeps what the visitor may need",
        rest=lambda: page.wait_for_timeout(50),
    )
    assert {file: len(host.asked(file)) for file in features} == dict.fromkeys(features, 1)


def test_a_wrong_file_is_never_kept(
    context: BrowserContext, host: FaultyHost, site: Path, right: Tags
) -> None:
    photo = next(site.glob("samples/rocket.*.jpg")).relative_to(site).as_posix()
    host.faults[photo] = Fault(ALWAYS, flip=True)
    page = open_page(context, host.url)
    assert tags_of(page) == right
    known = "async () => Boolean(await navigator.serviceWorker.getRegistration())"
    until(
        lambda: host.asked("sw.js") and not page.evaluate(known),
        "the service worker gives up",
        rest=lambda: page.wait_for_timeout(50),
    )
    kept = "async file => Boolean(await caches.match(file))"
    assert page.evaluate(kept, photo) is False
    host.faults.clear()
    page.reload()
    page.evaluate("async () => { await navigator.serviceWorker.ready }")
    assert page.evaluate(kept, photo) is True
    # What comes through the service worker later is looked at, too.
    page.reload()
    assert tags_of(page) == right
    runtime = web_bundle.runtime_for(build_report.read(site).artifacts.ops)
    (webgl,) = (file for file in runtime.files if "/webgl-" in file)
    host.faults[webgl] = Fault(ALWAYS, flip=True)
    page.select_option("#backend-choice", "webgl")
    page.wait_for_selector("#backend[data-reason=chosen-failed]", timeout=LOADED)
    assert tags_of(page) == right
    assert page.evaluate(kept, webgl) is False


def test_without_memory_for_web_assembly_javascript_tags(
    context: BrowserContext, site: Path, right: Tags, tmp_path: Path
) -> None:
    small = shutil.copytree(site, tmp_path / "small")
    worker = small / file_of(site, "worker")
    worker.write_text(OUT_OF_MEMORY + worker.read_text("utf-8"), "utf-8")
    reseal(small)
    with faulty(small) as host:
        page = open_page(context, host.url)
        tags = tags_of(page)
        assert page.get_attribute("#backend", "data-backend") == "cpu"
        assert page.get_attribute("#backend", "data-reason") == "wasm-failed"
        assert "no more memory" in page.inner_text("#backend")
    assert [index for index, _ in tags] == [index for index, _ in right]
    assert [score for _, score in tags] == pytest.approx([score for _, score in right], abs=1e-3)


def test_a_page_without_addresses_asks_only_its_own_host(
    context: BrowserContext,
    options: BuildOptions,
    session_store: Store,
    right: Tags,
    tmp_path: Path,
) -> None:
    strict = replace(options, out=tmp_path / "site", page=PageOptions(photos_by_address=False))
    build(strict, store=session_store, progress=Silent())
    with faulty(strict.out) as host, faulty(strict.out) as elsewhere:
        page = open_page(context, host.url)
        assert tags_of(page) == right
        assert page.locator("#address-form").count() == 0
        page.evaluate(
            """address => {
                const clipboardData = new DataTransfer();
                clipboardData.setData('text/plain', address);
                document.body.dispatchEvent(
                    new ClipboardEvent('paste', {clipboardData, bubbles: true}));
            }""",
            "https://example.org/cat.jpg",
        )
        assert "neither a picture" in alert(page)
        # Not even a script of its own could.
        asked = "url => fetch(url, {mode: 'no-cors'}).then(() => 'answered', String)"
        assert "TypeError" in page.evaluate(asked, elsewhere.url)
        assert elsewhere.requests == []


def test_digests_are_of_all_that_a_visit_loads(site: Path) -> None:
    html = (site / "index.html").read_text("utf-8")
    worker = (site / "sw.js").read_text("utf-8")
    report = build_report.read(site)
    runtime = web_bundle.runtime_for(report.artifacts.ops)
    model = {f"model/{shard}" for shard in report.artifacts.shards} | {file_of(site, "contract")}
    for file in {runtime.entry, *runtime.imports, *runtime.worker, *runtime.styles, *model}:
        assert integrity.of_file(site / file) in html
        assert integrity.of_file(site / file) in worker
    words = {word.strip('",') for word in worker.split()}
    assert set(integrity.of_files(site, runtime.files).values()) <= words
