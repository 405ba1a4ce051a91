"""Visits measured in a real Chromium: bytes, times, the wire's limit, and the record of them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests import tiny_models
from tests.watchdog import HANG_S
from toolchain import cli, throttling, units
from toolchain.errors import BadInputError, MissingToolError, ToolchainError
from toolchain.measurement import browser as browsers
from toolchain.measurement.local_host import serving
from toolchain.measurement.memory import resident_memory
from toolchain.measurement.stage import MeasureOptions, run_once
from toolchain.measurement.summary import figures, p90, path_of, spread
from toolchain.measurement.visit import Transfer, Visit
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.pipeline.measure import keep, measure
from toolchain.progress import Silent
from toolchain.records import build_report, visit_figures
from toolchain.records.card import Declared
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("measure")

HEADERS = 300  # what Resource Timing counts for those of one answer
SLOW = throttling.parse("1600kbit,150ms")
FAST = throttling.LINKS["none"]

# The least that can be measured: it tags at once, and says on what it ran.
PAGE = """<!doctype html>
<link rel="icon" href="data:,">
<button data-sample>Sample</button><ol id="tags"></ol><p data-backend="wasm"></p>
<script>
  const list = document.querySelector('#tags');
  let tagged = 0;
  function tag() {
    list.textContent = '';
    delete list.dataset.inferenceMs;
    setTimeout(() => {
      list.append(document.createElement('li'));
      list.dataset.inferenceMs = ++tagged;
    });
  }
  document.querySelector('button').addEventListener('click', tag);
  tag();
</script>
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny: Path, session_store: Store) -> Path:
    out = tmp_path_factory.mktemp("measured") / "site"
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    options = BuildOptions(Request(str(tiny)), out, declared=declared)
    build(options, store=session_store, progress=Silent())
    return out


@pytest.fixture
def browser() -> Iterator[Browser]:
    with browsers.started(None) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that holds no more than a page."""
    path = tmp_path / "page"
    path.mkdir()
    (path / "index.html").write_text(PAGE, "utf-8")
    return path


def encoded_size(file: Path) -> int:
    """Return what a file takes where brotli is understood."""
    brotli = file.with_name(file.name + ".br")
    return (brotli if brotli.exists() else file).stat().st_size


def test_chromium_does_nothing_for_itself(browser: Browser) -> None:
    browser.new_page().wait_for_timeout(1000)
    everything: dict[str, list[object]] = {"filter": [{}]}  # the browser's own pages too
    targets = browser.new_browser_cdp_session().send("Target.getTargets", everything)
    assert {target["type"] for target in targets["targetInfos"]} == {"page", "tab"}
    # What Playwright turns off stays off.
    off = [
        [word for word in process.cmdline() if word.startswith("--disable-features=")]
        for process in psutil.Process().children(recursive=True)
    ]
    (playwrights, ours) = next(words for words in off if len(words) > 1)
    assert set(playwrights.split("=")[1].split(",")) <= set(ours.split("=")[1].split(","))


def test_every_byte_of_a_visit_is_counted_once(browser: Browser, built: Path) -> None:
    with serving(built, "toolchain") as served:
        run = run_once(browser, served, FAST, tags=3)
    came = [transfer for transfer in run.first.transfers if transfer.bytes]
    paths = [path_of(transfer, served.url) for transfer in came]
    for path, transfer in zip(paths, came, strict=True):
        # Without a body a kept file was only asked after.
        assert transfer.body_bytes in (encoded_size(built / (path or "index.html")), 0)
    weights = [file.path for file in build_report.read(built).files if file.path.endswith(".bin")]
    assert {"", *weights} < set(paths)
    everything = [*run.first.transfers, *run.repeat.transfers]
    assert sum(transfer.body_bytes for transfer in everything) == sum(
        length for _, length in served.answers
    )

    first = figures([run.first], served.url, FAST)
    assert first.wire_bytes == sum(transfer.body_bytes + HEADERS for transfer in came)
    assert first.wire_bytes == sum(part.bytes for part in first.traffic.values())
    assert first.limit_ms is None
    assert first.ratio is None
    # The worker and its WebAssembly are in the book, not the main thread alone.
    assert first.traffic["wasm"].requests == 1
    assert first.traffic["runtime"].requests >= 2
    assert len(run.first.inference_ms) == 3
    assert run.first.heap_bytes > 100_000
    assert run.first.buffer_bytes > 100_000

    again = figures([run.repeat], served.url, FAST)
    assert again.wire_bytes < first.wire_bytes / 20
    assert again.traffic["model"].bytes == 0


def test_a_measured_site_says_so_in_its_report(built: Path) -> None:
    before = build_report.read(built)
    plain = MeasureOptions(str(built), FAST, host="plain", runs=1)
    unthrottled = measure(plain, progress=Silent())
    found = measure(MeasureOptions(str(built), SLOW, runs=1), progress=Silent())

    report = build_report.read(built)
    assert report.measurements == (unthrottled, found)
    assert report.model_copy(update={"measurements": ()}) == before
    page = (built / "report.html").read_text("utf-8")
    assert units.duration(found.first.first_tag_ms.median) in page
    assert found.runs == 1
    assert found.ran_on == "wasm"
    assert found.browser.startswith("Chromium ")
    assert found.tensors is not None
    # No page is faster than its wire.
    assert found.first.limit_ms is not None
    assert found.first.ratio is not None
    assert found.first.ratio.low >= 1
    assert found.first.limit_ms.median > 8 * found.first.traffic["model"].bytes / 1.6e3 + 150
    assert found.repeat_ratio.median > 0
    assert found.repeat.traffic["model"].bytes == 0
    # A host without encodings sends more.
    assert unthrottled.first.wire_bytes > found.first.wire_bytes
    times = found.first.milestones_ms
    assert times["html"].median < times["wasm"].median <= found.first.first_tag_ms.median
    assert times["model"].median <= found.first.first_tag_ms.median
    assert {"decode", "warm-up", "first-tag"} <= set(times)
    begun = found.first.begun_ms
    assert set(begun) == set(times)
    assert all(0 <= begun[name].median <= times[name].median for name in times)
    # The page does not wait for its script to ask for the weights.
    assert begun["model"].median < times["runtime"].median

    newer = found.model_copy(update={"runs": 9})
    keep(built, before, newer)
    assert build_report.read(built).measurements == (unthrottled, newer)
    rebuilt = before.model_copy(update={"files": before.files[1:]})
    with pytest.raises(ToolchainError, match="rebuilt while it was examined"):
        keep(built, rebuilt, newer)


def test_a_service_worker_is_throttled_and_its_script_is_counted(
    browser: Browser, folder: Path
) -> None:
    # Its first steps may come before DevTools have found it, hence the wait: of no event that it
    # could see itself, so for longer than a busy machine takes.
    script = """
        const later = new Promise((resolve) => setTimeout(resolve, 4000));
        addEventListener('install', (event) => {
            event.waitUntil(later.then(() => fetch('kept.bin')));
        });
    """
    (folder / "worker.js").write_text(script, "utf-8")
    (folder / "kept.bin").write_bytes(os.urandom(200_000))
    register = "<script>navigator.serviceWorker.register('worker.js');</script>"
    (folder / "index.html").write_text(PAGE + register, "utf-8")
    with serving(folder, "toolchain") as served:
        run = run_once(browser, served, SLOW, tags=0)
    came = {path_of(transfer, served.url): transfer for transfer in run.first.transfers}
    assert came["kept.bin"].bytes == 200_000 + HEADERS
    assert came["kept.bin"].end_ms > 4000 + 150 + 1000
    assert came["worker.js"].body_bytes == len(script)


def test_a_cameras_frames_leave_nothing_in_memory(built: Path) -> None:
    frames = 120
    with serving(built, "toolchain") as served:
        found = resident_memory(served.url, None, timeout=HANG_S, photos=2, frames=frames)
    assert found.photos == 2
    assert found.frames >= frames
    assert found.loaded_bytes > 50_000_000
    # Chromium keeps the colours of every frame that is drawn, 1.2 MB each. The camera's code and
    # its video take some 30 MB once.
    assert found.frames_bytes is not None
    assert found.frames_bytes - found.photos_bytes < frames * 600_000


def test_a_page_of_somebody_else_is_measured_and_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(folder, "plain") as served:
        words = ["measure", served.url, "--network", "none", "--runs", "1", "--json", "--memory"]
        monkeypatch.setattr(sys, "argv", ["toolchain", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
    assert not left.value.code
    record = visit_figures.Measurement.model_validate(json.loads(capfd.readouterr().out))
    assert record.resident is not None
    assert record.resident.photos == 100
    assert (record.resident.frames, record.resident.frames_bytes) == (0, None)
    assert record.host is None
    assert record.inference_ms == spread([11.5])  # the first tag is not among the twenty
    assert record.inference_p90_ms == spread([19.1])
    assert record.first.wire_bytes == len(PAGE) + HEADERS
    assert [file.name for file in folder.iterdir()] == ["index.html"]


@pytest.mark.parametrize("rest", ["", "#top", "?keep=1#top", "?backend=webgl&keep=1#top?x=1"])
def test_an_address_gets_the_backend_into_its_query_whatever_else_it_has(
    folder: Path, rest: str
) -> None:
    asked = """<script>
        const words = new URLSearchParams(location.search);
        const isWhole = words.has('keep') === %s && location.hash === '%s';
        document.querySelector('p').dataset.backend = isWhole ? words.get('backend') : 'none';
    </script>"""
    fragment = "#" + rest.partition("#")[2] if "#" in rest else ""
    script = asked % ("true" if "keep" in rest else "false", fragment)
    (folder / "index.html").write_text(PAGE + script, "utf-8")
    with serving(folder, "plain") as served:
        options = MeasureOptions(served.url + rest, FAST, backend="wasm", runs=1)
        assert measure(options, progress=Silent()).ran_on == "wasm"
    assert {path for path, _ in served.answers} == {""}


def test_another_backend_than_asked_for_is_an_error(folder: Path) -> None:
    with (
        serving(folder, "plain") as served,
        pytest.raises(ToolchainError, match=r"ran on wasm instead of webgpu; .*--backend auto"),
    ):
        measure(MeasureOptions(served.url, FAST, backend="webgpu", runs=1), progress=Silent())


def test_a_page_that_failed_is_an_error_with_its_own_words(folder: Path) -> None:
    html = PAGE.replace("tag();\n</script>", "document.documentElement.dataset.state = 'failed';")
    (folder / "index.html").write_text(
        f"<div role=alert><p>The weights are\nmissing.</p></div>{html}</script>", "utf-8"
    )
    with (
        serving(folder, "plain") as served,
        pytest.raises(
            ToolchainError, match=r"tagged nothing: The weights are missing\.; .*--timeout"
        ),
    ):
        measure(MeasureOptions(served.url, FAST, runs=1, timeout=HANG_S), progress=Silent())


@pytest.mark.parametrize("name", throttling.LINKS)
def test_presets_are_known_by_their_names(name: str) -> None:
    assert throttling.parse(name).name == name


@pytest.mark.parametrize(
    ("text", "down", "up", "round_trip"),
    [
        ("9mbit,170ms", 9e6, 9e6, 170),
        ("1.6Mbit/768kbit, 150ms", 1.6e6, 768e3, 150),
        ("400kbit,0ms", 4e5, 4e5, 0),
    ],
)
def test_networks_can_be_described(text: str, down: float, up: float, round_trip: float) -> None:
    network = throttling.parse(text)
    assert (network.down_bits, network.up_bits, network.round_trip_ms) == (down, up, round_trip)


@pytest.mark.parametrize("text", ["5g", "", "9mbit", "9mbit,170", "0mbit,170ms", "-9mbit,1ms"])
def test_what_is_no_network_is_said_with_the_ways_out(text: str) -> None:
    with pytest.raises(BadInputError, match=r"slow-3g, fast-3g, 4g, cable, none.*9mbit,170ms"):
        throttling.parse(text)


@pytest.mark.parametrize("words", [["--backend", "gpu"], ["--host", "cdn"], ["--network", "5g"]])
def test_unknown_words_are_bad_input(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["toolchain", "measure", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    assert f"{' '.join(words)} is not known" in capsys.readouterr().err


def test_the_limit_is_a_round_trip_and_the_bytes() -> None:
    assert throttling.limit_ms(throttling.parse("9mbit,170ms"), 2_250_000) == 170 + 2000
    assert throttling.limit_ms(FAST, 2_250_000) is None


def test_only_bytes_that_came_by_the_first_tag_count_for_the_limit() -> None:
    transfers = (
        Transfer("http://host/", 0, 200, 10_300),
        Transfer("http://host/model/a.bin", 250, 900, 80_000),
        Transfer("http://host/model/b.bin", 210, 700, 10_000),
        Transfer("http://host/samples/late.jpg", 240, 1100, 50_000),
        Transfer("http://host/assets/kept.js", 220, 300, 0),
    )
    seen = Visit(1000, transfers, {"decode": (500, 950)}, (60, 80), "wasm", (), 0, 0, None)
    found = figures([seen], "http://host/?backend=wasm", throttling.parse("1mbit,100ms"))
    assert found.limit_ms == spread([100 + 8 * 100.3])
    assert found.ratio == spread([1000 / (100 + 8 * 100.3)])
    assert found.wire_bytes == 150_300
    assert {kind: part.requests for kind, part in found.traffic.items()} == {
        "page": 1,
        "runtime": 0,
        "wasm": 0,
        "preview": 0,
        "model": 2,
        "photos": 1,
        "variants": 0,
        "component": 0,
    }
    milestones = {"html": 200, "runtime": 300, "model": 900, "decode": 950}
    assert found.milestones_ms == {name: spread([time]) for name, time in milestones.items()}
    assert list(found.milestones_ms) == list(milestones)
    begun = {"html": 0, "model": 210, "runtime": 220, "decode": 500}
    assert found.begun_ms == {name: spread([time]) for name, time in begun.items()}
    assert (found.long_tasks, found.longest_task_ms) == (2, 80)


def test_figures_over_several_runs_are_medians_with_their_spread() -> None:
    assert spread([3, 1, 2]) == visit_figures.Spread(median=2, low=1, high=3)
    assert p90([float(value) for value in range(11)]) == 9
    assert p90([4.0]) == 4


def test_without_playwright_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with (
        pytest.raises(MissingToolError, match=r"pip install 'toolchain\[measure\]'"),
        browsers.started(None),
    ):
        pass


def test_without_chromium_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="install your system's `chromium` package"):
        browsers.find(None)
    with pytest.raises(MissingToolError, match="no Chromium at missing"):
        browsers.find(Path("missing"))
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(broken))
    assert browsers.find(None) == broken
    with (
        pytest.raises(ToolchainError, match=r"does not start .*--chromium"),
        browsers.started(None),
    ):
        pass


def test_a_folder_that_is_no_site_is_refused(folder: Path) -> None:
    with pytest.raises(BadInputError, match=r"no report.json"):
        measure(MeasureOptions(str(folder), FAST), progress=Silent())
