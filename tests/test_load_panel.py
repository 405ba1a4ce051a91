"""The panel of the load, in a real Chromium: it shows what the browser and the host counted."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests import reports
from tests.page_driver import until_loaded
from tests.watchdog import HANG_MS
from toolchain import throttling
from toolchain.measurement.local_host import serving
from toolchain.records import build_report, site_files
from toolchain.report import published, report_files
from toolchain.site import web_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from toolchain.cache.store import Store
    from toolchain.measurement.local_host import Served

pytestmark = pytest.mark.xdist_group("runtimes")

TAGGED = HANG_MS
HEADERS = 300  # what Resource Timing counts for those of one answer
SHIFTS = """
globalThis.shifts = [];
new PerformanceObserver((list) => {
  shifts.push(...list.getEntries().filter((shift) => !shift.hadRecentInput));
}).observe({ type: 'layout-shift', buffered: true });
"""
# When the requests of a thread were under way, in milliseconds since the epoch.
REQUESTS = """
() => ['navigation', 'resource']
  .flatMap((type) => performance.getEntriesByType(type))
  .filter(({ name }) => /^https?:/.test(name))
  .map(({ name, startTime, responseStart, responseEnd, transferSize }) => ({
    url: name,
    times: [startTime, responseStart, responseEnd].map((time) => performance.timeOrigin + time),
    bytes: transferSize,
  }))
"""
BARS = """
(table) => [...document.querySelectorAll(`${table} .fall-bar`)].map((bar) => {
  const track = bar.parentElement.getBoundingClientRect();
  const { left, right } = bar.getBoundingClientRect();
  const { url, startMs, responseMs, endMs } = bar.dataset;
  return {
    url,
    times: [startMs, responseMs, endMs].map((time) => performance.timeOrigin + Number(time)),
    left: (left - track.left) / track.width,
    right: (right - track.left) / track.width,
    pixel: 1 / track.width,
  };
})
"""


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("panel") / "site"
    reports.tiny_site(tiny, out, session_store)
    return out


@pytest.fixture
def served(site: Path) -> Iterator[Served]:
    with serving(site, "toolchain") as host:
        yield host


def visited(context: BrowserContext, url: str, *, unfolds: bool = True) -> Page:
    """Open a page and wait until it has tagged, loaded its pictures and asks for nothing more."""
    page = context.new_page()
    page.add_init_script(SHIFTS)
    page.goto(url)
    until_loaded(page)
    page.wait_for_load_state("networkidle")
    assert page.locator("#parts").is_hidden()
    if unfolds:
        unfold(page)
    return page


def unfold(page: Page) -> None:
    """Show the waterfall, without a touch: at the first one the page loads what it may need."""
    page.eval_on_selector("#waterfall", "details => { details.open = true }")
    page.wait_for_selector("#parts")


def opened(page: Page, name: str) -> None:
    """Open a part of the panel and wait for its rows."""
    page.click(f"#{name} summary")
    page.wait_for_selector(f"#{name} tbody tr")


def requests_of(page: Page) -> list[dict[str, Any]]:
    """What the page and its worker asked for, as the browser noted it."""
    noted: list[dict[str, Any]] = page.evaluate(REQUESTS)
    for worker in page.workers:
        noted += worker.evaluate(REQUESTS)
    return noted


def text(page: Page, selector: str) -> str:
    return " ".join(page.locator(selector).inner_text().split())


def test_bars_are_the_browsers_own_times(context: BrowserContext, served: Served) -> None:
    page = visited(context, served.url)
    end = float(page.get_attribute("[data-stage=first-tag]", "data-end-ms") or "nan")
    origin = page.evaluate("performance.timeOrigin")
    came = [one for one in requests_of(page) if one["bytes"] and one["times"][0] - origin < end]
    bars = page.evaluate(BARS, "#parts")
    key = lambda one: (one["url"], one["times"][0])  # noqa: E731
    came, bars = sorted(came, key=key), sorted(bars, key=key)
    assert len(came) >= 7  # document, style, script, worker, WebAssembly, contract, weights, photo
    assert [one["url"] for one in bars] == [one["url"] for one in came]
    for bar, one in zip(bars, came, strict=True):
        # The same numbers, but for what adding the time's origin costs in digits.
        assert bar["times"] == pytest.approx(one["times"], abs=0.01, rel=0)
        begun, _, ended = (time - origin for time in one["times"])
        assert bar["left"] == pytest.approx(begun / end, abs=bar["pixel"])
        assert bar["right"] == pytest.approx(ended / end, abs=3 * bar["pixel"])
    (last,) = page.evaluate(BARS, "[data-stage=first-tag]")
    assert last["right"] == pytest.approx(1, abs=3 * last["pixel"])


def test_rows_and_sums_are_what_left_the_host(context: BrowserContext, served: Served) -> None:
    page = visited(context, served.url)
    # The service worker, and what it alone has asked for, are in no page's book.
    unseen = {"sw.js", *(file for each in web_bundle.load_runtimes() for file in each.features)}
    left = {path: length for path, length in served.answers if length and path not in unseen}
    by_part = page.eval_on_selector_all(
        "#parts [data-part]", "rows => rows.map(row => [row.dataset.part, row.dataset.wireBytes])"
    )
    sums = {part: int(count) for part, count in by_part}
    assert sums.pop("total") == sum(sums.values())
    # The browser tells of the document twice, and it counts once.
    assert sums == {
        part: sum(left[path] + HEADERS for path in left if site_files.kind_of(path) == part)
        for part in sums
    }
    assert "network" in text(page, "[data-part=model]")
    opened(page, "files")
    shown = page.eval_on_selector_all("#files tbody tr", "rows => rows.map(row => row.dataset.url)")
    assert {url.removeprefix(served.url) for url in shown} >= set(left)


def test_a_second_visit_says_cache(context: BrowserContext, served: Served) -> None:
    first = visited(context, served.url)
    first.evaluate("navigator.serviceWorker.ready")
    first.close()
    page = visited(context, served.url)
    for row in page.locator("#parts [data-part]").all():
        if row.get_attribute("data-decoded-bytes") != "0":
            assert row.get_attribute("data-wire-bytes") == "0"
            assert "cache" in row.inner_text()
    assert text(page, "[data-fact=bytes]").startswith("0 B 0.0 % of")
    opened(page, "files")
    assert "service worker" in text(page, "#files tbody tr:first-child")
    # What a first visit takes at least is still known, by what was kept.
    opened(page, "networks")
    least = float(page.get_attribute("#networks [data-network='4g']", "data-least-ms") or "nan")
    weights = next(path for path, _ in served.answers if path.endswith(".bin"))
    limit = throttling.limit_ms(throttling.LINKS["4g"], dict(served.answers)[weights])
    assert limit is not None
    assert least > limit


def test_figures_are_those_of_the_visit(context: BrowserContext, served: Served) -> None:
    page = visited(context, served.url)
    ended = page.locator("[data-stage=first-tag] [data-ended]").inner_text()
    assert text(page, "[data-fact=first-tag]") == f"{ended} after the click"
    assert page.locator("#stages-end").inner_text() == ended
    assert int(page.get_attribute("#tags", "data-tensors") or 0) > 0
    memory = text(page, "[data-fact=memory]")
    assert "for the weights" in memory
    # Chromium tells of its JavaScript; of what a browser does not tell there is no figure.
    assert memory.endswith("MB")
    backend = text(page, "[data-fact=backend]")
    assert backend.startswith("WebAssembly")
    page.close()

    context.add_init_script("Object.defineProperty(performance, 'memory', { value: undefined })")
    page = visited(context, f"{served.url}?backend=cpu")
    assert text(page, "[data-fact=memory]").endswith("JavaScript: –")
    assert text(page, "[data-fact=backend]").endswith("address asks for it")
    row = page.locator("[data-part=wasm]")
    assert row.get_attribute("data-decoded-bytes") != "0"  # preloaded all the same


def test_networks_are_loaded_when_they_are_asked_for_and_show_what_was_measured(
    context: BrowserContext, site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    shutil.copytree(site, out)
    bare = build_report.read(out)
    found = (
        reports.measurement("4g", 1234, 456),
        reports.measurement("slow-3g", 12_340, 470).model_copy(update={"host": "plain"}),
    )
    report_files.amend(out, bare, lambda report: report.model_copy(update={"measurements": found}))
    with serving(out, "toolchain") as host:
        page = visited(context, host.url)
        assert report_files.NETWORKS not in {path for path, _ in host.answers}
        first_tag = float(page.get_attribute("[data-stage=first-tag]", "data-end-ms") or "nan")
        origin = page.evaluate("performance.timeOrigin")
        by_then = sum(
            one["bytes"] for one in requests_of(page) if one["times"][2] - origin <= first_tag
        )
        opened(page, "networks")
        assert report_files.NETWORKS in {path for path, _ in host.answers}
        names = page.eval_on_selector_all(
            "#networks tbody tr", "rows => rows.map(row => row.dataset.network)"
        )
        assert names == ["slow-3g", "fast-3g", "cable", "4g"]
        for one in build_report.read(out).measurements:
            row = page.locator(f"[data-network='{one.network.name}']")
            first, repeat = (
                float(cell.get_attribute("data-ms") or 0) for cell in row.locator("td").all()
            )
            assert (first, repeat) == (
                one.first.first_tag_ms.median,
                one.repeat.first_tag_ms.median,
            )
            assert "at least" not in row.inner_text()
            assert ("does not compress" in row.inner_text()) == (one.host == "plain")
        for name in ("fast-3g", "cable"):
            row = page.locator(f"[data-network='{name}']")
            limit = throttling.limit_ms(throttling.LINKS[name], by_then)
            assert float(row.get_attribute("data-least-ms") or 0) == pytest.approx(limit)
            assert "at least" in row.inner_text()


def test_a_site_without_the_file_says_so(
    context: BrowserContext, site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    shutil.copytree(site, out, ignore=shutil.ignore_patterns("report.*"))
    with serving(out, "toolchain") as host:
        page = visited(context, host.url)
        page.click("#networks summary")
        page.wait_for_selector("#networks :text('was not published with it')")


def test_without_network_the_panel_says_what_it_lacks(
    context: BrowserContext, served: Served
) -> None:
    page = visited(context, served.url)
    context.route("**/page-file-table-*", lambda route: route.abort())
    page.click("#files summary")
    page.wait_for_selector("#files [data-note]:text('could not be loaded')")


def test_the_report_is_copied_as_the_panel_shows_it(
    context: BrowserContext, served: Served, site: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visited(context, f"{served.url}?backend=wasm#tags")
    page.wait_for_load_state("networkidle")  # what still came would change the panel
    page.click("#copy-report")
    page.wait_for_selector("#copied:text('Report copied.')")
    copied = page.evaluate("navigator.clipboard.readText()")
    lines = copied.splitlines()
    assert lines[0] == f"## {page.title()}"
    assert f"{served.url}?backend=wasm" in lines
    provenance = build_report.read(site).card.provenance
    assert f"- SHA-256: {provenance.sha256}" in lines
    assert f"- The model: {provenance.name}" in lines
    assert f"- Browser: {page.evaluate('navigator.userAgent')}" in lines
    assert any(line.startswith("- Backend: WebAssembly") for line in lines)
    # Not the page itself, to which the part that copies is added, nor the sum.
    for row in ("[data-part=model]", "[data-part=wasm]", "[data-stage=first-tag]"):
        cells = page.eval_on_selector_all(
            f"{row} > :not(.track)", "cells => cells.map(cell => cell.textContent)"
        )
        assert f"| {' | '.join(cells)} |" in lines
    assert page.locator("#report-text").is_hidden()


def test_where_copying_is_refused_the_report_stands_there_to_be_copied(
    context: BrowserContext, served: Served
) -> None:
    context.add_init_script(
        "Clipboard.prototype.write = Clipboard.prototype.writeText = "
        "() => Promise.reject(new Error())"
    )
    page = visited(context, served.url)
    page.click("#copy-report")
    page.wait_for_selector("#report-text")
    selected = page.evaluate("getSelection().toString()")
    assert selected.startswith(f"## {page.title()}")
    assert "Copy it from here" in text(page, "#copied")


def test_a_link_is_shared_with_the_backend_that_was_chosen(
    context: BrowserContext, served: Served
) -> None:
    context.add_init_script("navigator.share = async (shared) => { globalThis.shared = shared; }")
    page = visited(context, served.url)
    page.click("#share-link")
    page.wait_for_function("() => globalThis.shared")
    assert page.evaluate("shared.url") == served.url
    page.select_option("#backend-choice", "cpu")
    page.evaluate("delete globalThis.shared")
    page.click("#share-link")
    page.wait_for_function("() => globalThis.shared")
    assert page.evaluate("shared.url") == f"{served.url}?backend=cpu"


@pytest.mark.parametrize("width", [320, 1280])
def test_nothing_moves_while_the_page_loads(browser: Browser, served: Served, width: int) -> None:
    # So high that the panel is in the window, for what is not seen does not count as moved.
    context = browser.new_context(viewport={"width": width, "height": 3500})
    page = visited(context, served.url, unfolds=False)
    shifts = page.evaluate("shifts.map(({ value }) => value)")
    assert sum(shifts) < 0.01, page.evaluate(
        "shifts.map(({ value, sources }) => [value, sources.map(({ node }) => node?.outerHTML)])"
    )
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    box = page.locator("#load").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 3500
    tracks = [page.locator(f"{table} [data-track]").first for table in ("#parts", "#stages")]
    part, stage = (track.bounding_box() for track in tracks)
    assert part is not None
    assert stage is not None
    # The stages lie on the axis of the parts.
    assert (part["x"], part["width"]) == pytest.approx((stage["x"], stage["width"]), abs=1)
    context.close()


def test_the_public_file_names_no_photo_and_follows_its_schema(site: Path) -> None:
    content = json.loads((site / report_files.NETWORKS).read_text("utf-8"))
    parsed = published.Networks.model_validate(content)
    assert parsed == published.networks(build_report.read(site))
    assert parsed.measured == ()
    assert [one.name for one in parsed.networks] == ["slow-3g", "fast-3g", "cable", "4g"]
    report = build_report.read(site)
    own = throttling.parse("2mbit,80ms")
    on_own = reports.measurement("4g", 800, 300).model_copy(update={"network": own})
    unthrottled = reports.measurement("none", 80, 30)
    more = published.networks(
        report.model_copy(
            update={
                "measurements": (on_own, unthrottled),
                "evaluation": reports.evaluation(report, ("secret", "photo")),
            }
        )
    )
    assert [one.name for one in more.networks] == [
        "slow-3g", "fast-3g", "2mbit,80ms", "cable", "4g"
    ]  # fmt: skip
    (profile,) = more.measured
    assert (profile.network, profile.first.first_tag_ms) == ("2mbit,80ms", 800)
    assert profile.repeat.wire_bytes == on_own.repeat.wire_bytes
    assert "secret" not in more.to_json()
