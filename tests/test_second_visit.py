"""A second visit to a built site, in a real Chromium: without network, and never mixed."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests import tiny_models, watchdog
from tests.browser import plain_host
from tests.page_driver import until_loaded
from tests.watchdog import HANG_MS
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("page")

TAGGED = HANG_MS
LOOKED = 3000  # milliseconds; browsers look for a new version a second after a visit
NAMES = {"first": tiny_models.names(), "second": tuple(f"other {n}" for n in range(5))}

# True once the service worker has all that this version needs, and nothing newer is on its way.
KEPT = """
async (contract) => {
  const registration = await navigator.serviceWorker?.getRegistration();
  const { active, installing, waiting } = registration ?? {};
  if (active?.state !== 'activated' || installing || waiting) {
    return false;
  }
  const [name] = await caches.keys();
  const keys = await (await caches.open(name)).keys();
  return keys.some(({ url }) => url.includes('?version=')) &&
    keys.some(({ url }) => url.includes(contract));
}
"""
REQUESTED = """
() => performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname.slice(1))
"""


class Host:
    """A host without encodings that lists what it was asked for, and can be replaced."""

    def __init__(self, site: Path, cache_control: str | None = None) -> None:
        self.requests: list[str] = []
        self.cache_control = cache_control
        host = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            extensions_map = {  # noqa: RUF012 - the base class declares it so
                **http.server.SimpleHTTPRequestHandler.extensions_map,
                ".wasm": "application/wasm",
            }

            def end_headers(self) -> None:
                host.requests.append(self.path.lstrip("/"))
                if host.cache_control:
                    self.send_header("Cache-Control", host.cache_control)
                super().end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        handler = functools.partial(Handler, directory=str(site))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def go_away(self) -> None:
        """Answer nothing any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def hosted(site: Path, cache_control: str | None = None) -> Iterator[Host]:
    host = Host(site, cache_control)
    try:
        yield host
    finally:
        host.go_away()


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, session_store: Store) -> dict[str, Path]:
    """Two versions of a site, of other models with other labels."""
    folder = tmp_path_factory.mktemp("sites")
    for width, (name, labels) in enumerate(NAMES.items(), 4):
        model = tiny_models.saved_model(folder / f"{name}-model", width=width)
        options = BuildOptions(
            request=Request(str(model)),
            out=folder / name,
            declared=Declared(labels=labels, value_range=(0.0, 1.0)),
        )
        build(options, store=session_store, progress=Silent())
        # The host tells one version's index.html from another's by the second it was written in.
        written = time.time() - 60 + width
        for file in options.out.rglob("*"):
            os.utime(file, (written, written))
    return {name: folder / name for name in NAMES}


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return ("--host-resolver-rules=MAP toolchain.test 127.0.0.1",)


def visit(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    until_loaded(page)
    return page


def until(page: Page, condition: str, argument: object = None) -> None:
    """Wait for an asynchronous condition, which `wait_for_function` does not."""
    watchdog.until(
        lambda: page.evaluate(condition, argument),
        condition,
        rest=lambda: page.wait_for_timeout(50),
    )


def until_kept(page: Page, site: Path) -> None:
    until(page, KEPT, contract_of(site))


def contract_of(site: Path) -> str:
    return next(site.glob("contract.*.bin")).name


def shown_labels(page: Page) -> set[str | None]:
    return {row.get_attribute("data-label") for row in page.query_selector_all("#tags li")}


def files_of_the_model(site: Path) -> set[str]:
    """Return what a page loads of the model."""
    report = build_report.read(site)
    return {contract_of(site), *(f"model/{shard}" for shard in report.artifacts.shards)}


def loaded(page: Page) -> set[str]:
    """Return the model's files that the page has loaded, of whatever version."""
    asked: list[str] = page.evaluate(REQUESTED)
    return {path for path in asked if path.startswith(("model/", "contract."))}


@pytest.mark.parametrize(
    ("cache_control", "behind_the_page"),
    # The browser looks for a new version by itself, unless the host said not so soon.
    [("no-store", {"sw.js"}), ("max-age=300", set())],
)
def test_a_second_visit_asks_the_host_for_nothing(
    context: BrowserContext, sites: dict[str, Path], cache_control: str, behind_the_page: set[str]
) -> None:
    with hosted(sites["first"], cache_control) as host:
        page = visit(context, host.url)
        assert page.locator("[data-part=model]").get_attribute("data-wire-bytes") != "0"
        until_kept(page, sites["first"])
        page.close()
        host.requests.clear()
        page = visit(context, host.url)
        rows = page.locator("#parts tr[data-part]")
        wire = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.wireBytes))")
        assert wire == [0] * 6
        assert "cache" in (page.text_content("[data-part=total]") or "")
        decoded = page.get_attribute("[data-part=model]", "data-decoded-bytes")
        model = files_of_the_model(sites["first"])
        assert int(decoded or 0) == sum((sites["first"] / path).stat().st_size for path in model)
        watchdog.until(
            lambda: behind_the_page <= set(host.requests),
            f"the browser asks for {behind_the_page}",
            rest=lambda: page.wait_for_timeout(50),
        )
        page.wait_for_timeout(LOOKED)
        assert set(host.requests) == behind_the_page


def test_no_file_of_the_model_travels_twice(
    context: BrowserContext, sites: dict[str, Path]
) -> None:
    with hosted(sites["first"], "no-store") as host:
        until_kept(visit(context, host.url), sites["first"])
        once = [
            path
            for path in host.requests
            if path.startswith(("model/", "contract.")) or path.endswith(".wasm")
        ]
    assert sorted(once) == sorted(set(once))
    assert files_of_the_model(sites["first"]) < set(once)


def test_the_site_tags_without_a_network(context: BrowserContext, sites: dict[str, Path]) -> None:
    with hosted(sites["first"]) as host:
        page = visit(context, host.url)
        until_kept(page, sites["first"])
    page.close()
    page = visit(context, f"{host.url}index.html?backend=wasm")
    assert shown_labels(page) == set(NAMES["first"])
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.click("button[data-sample*=espresso]")
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=TAGGED)


def test_a_new_version_comes_whole_and_leaves_open_pages_theirs(
    context: BrowserContext, sites: dict[str, Path], tmp_path: Path
) -> None:
    first, second = sites["first"], sites["second"]
    site = shutil.copytree(first, tmp_path / "site")
    with hosted(site, "no-cache") as host:
        old = visit(context, host.url)
        until_kept(old, first)
        shutil.rmtree(site)
        shutil.copytree(second, site)

        # This visit is the last one's files, and brings the new ones.
        between = visit(context, host.url)
        assert loaded(between) == files_of_the_model(first)
        assert shown_labels(between) == set(NAMES["first"])
        until_kept(between, second)

        new = visit(context, host.url)
        assert loaded(new) == files_of_the_model(second)
        assert shown_labels(new) == set(NAMES["second"])
        assert new.get_attribute("html", "data-contract") == contract_of(second)

        # The pages of the old version work on, and start anew with their own files.
        old.evaluate("document.querySelector('#tags').textContent = ''")
        old.click("button[data-sample*=espresso]")
        old.wait_for_selector("html[data-state=tagged] #tags li", timeout=TAGGED)
        assert shown_labels(old) == set(NAMES["first"])
        again = "async (path) => (await fetch(path)).status"
        assert [old.evaluate(again, path) for path in files_of_the_model(first)] == [200, 200]

        # What no page needs any more goes.
        for page in (old, between, new):
            page.close()
        last = visit(context, host.url)
        kept = "async () => (await (await caches.open((await caches.keys())[0])).keys()).length"
        known = last.evaluate(kept)
        assert [last.evaluate(again, path) for path in files_of_the_model(first)] == [404, 404]
        until_kept(last, second)
        assert last.evaluate(kept) == known


def test_a_page_of_another_version_than_the_worker_is_not_kept(
    context: BrowserContext, sites: dict[str, Path], tmp_path: Path
) -> None:
    site = shutil.copytree(sites["first"], tmp_path / "site")
    # Halfway through a deployment: the service worker is new already, the page is not.
    shutil.copyfile(sites["second"] / "sw.js", site / "sw.js")
    with hosted(site, "no-cache") as host:
        page = visit(context, host.url)
        watchdog.until(
            lambda: "sw.js" in host.requests,
            "the browser asks for the service worker",
            rest=lambda: page.wait_for_timeout(50),
        )
        until(page, "async () => !(await navigator.serviceWorker.getRegistration())")
        page.close()
        shutil.rmtree(site)
        shutil.copytree(sites["second"], site)
        page = visit(context, host.url)
        assert loaded(page) == files_of_the_model(sites["second"])
        assert shown_labels(page) == set(NAMES["second"])


def test_the_page_works_where_there_are_no_service_workers(
    context: BrowserContext, sites: dict[str, Path]
) -> None:
    with plain_host(sites["first"]) as origin:
        # Neither TLS nor loopback's address: no browser offers them there.
        page = visit(context, origin.replace("127.0.0.1", "toolchain.test"))
        assert page.evaluate("'serviceWorker' in navigator") is False
        assert shown_labels(page) == set(NAMES["first"])
        assert page.locator("[role=alert]").is_hidden()
