"""Starts the tests' Chromium and serves sites to it."""

from __future__ import annotations

import functools
import http.server
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests.watchdog import HANG_MS
from toolchain.measurement.browser import QUIET, find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserType, Page

SAMPLES = Path(__file__).parents[1] / "templates" / "samples"
FLAGS = ("--no-sandbox", *QUIET)


def chromium_path() -> str:
    """Return the Chromium to test with: `$CHROMIUM`, or the first on the path."""
    return str(find(None))


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Run a headless Chromium, with time limits that a slow machine keeps too."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launched(playwright.chromium, *flags)
        try:
            yield browser
        finally:
            browser.close()


def launched(kind: BrowserType, *flags: str) -> Browser:
    """Start a headless Chromium of a Playwright that is already running.

    Args:
        kind: The running Playwright's Chromium; also the `browser_type` of a running browser.
        flags: For its command line, in addition to those of all tests.
    """
    browser = kind.launch(executable_path=chromium_path(), args=[*FLAGS, *flags], timeout=HANG_MS)
    browser.on("context", lambda context: context.set_default_timeout(HANG_MS))
    return browser


def logits_in_stock_tfjs(
    page: Page, folder: Path, model: Path, model_json: str, image: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Load a model folder with an unmodified TF.js bundle and run it on the cpu backend.

    Args:
        page: A page to do it in.
        folder: An empty folder to serve from.
        model: The model's folder.
        model_json: Name of its `model.json`.
        image: float32 `[height, width, 3]`.
    """
    bundle = Path(__file__).parents[1] / "web/node_modules/@tensorflow/tfjs/dist/tf.min.js"
    folder.mkdir()
    (folder / "model").symlink_to(model)
    (folder / "tf.min.js").write_bytes(bundle.read_bytes())
    (folder / "index.html").write_text("<!doctype html><script src=tf.min.js></script>", "utf-8")
    (folder / "image.bin").write_bytes(image.tobytes())
    with plain_host(folder) as origin:
        page.goto(origin)
        logits = page.evaluate(
            """async ([model, shape]) => {
                await tf.setBackend('cpu');
                const loaded = await tf.loadGraphModel(model);
                const data = new Float32Array(await (await fetch('image.bin')).arrayBuffer());
                return Array.from(await loaded.predict(tf.tensor(data, shape)).data());
            }""",
            [f"model/{model_json}", [1, *image.shape]],
        )
    return np.array(logits)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Answers as the simplest host would, and prints nothing."""

    # Missing in Python's table, and needed from a static host.
    extensions_map = {  # noqa: RUF012 - the base class declares it so
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep the test's output clean."""


@contextmanager
def plain_host(
    root: Path, kind: type[http.server.SimpleHTTPRequestHandler] = QuietHandler
) -> Iterator[str]:
    """Serve a folder as the simplest static host would: no encodings, no cache headers."""
    handler = functools.partial(kind, directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def toolchain_serve(site: Path) -> Iterator[str]:
    """Serve a site with the application behind `toolchain serve`."""
    from toolchain.site.server import application, beside

    with beside(application(site)) as url:
        yield url


def sample_png(name: str, folder: Path) -> Path:
    """Return one of the page's samples as a PNG, from which all decoders read the same pixels."""
    target = folder / f"{name}.png"
    with Image.open(SAMPLES / f"{name}.jpg") as image:
        image.convert("RGB").save(target)
    return target
