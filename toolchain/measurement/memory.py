"""Measures how much memory a page takes: loaded, after photos, and after a camera's frames."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.errors import ToolchainError
from toolchain.measurement import browser as browsers
from toolchain.measurement import probes
from toolchain.measurement.visit import SETTLED_MS
from toolchain.records.visit_figures import ResidentMemory

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHOTOS, FRAMES = 100, 1000
"""How many photos are tagged, and then how many frames; chosen, not measured."""
FAKE_CAMERA = "--use-fake-device-for-media-stream"
"""The flag of Chromium for a camera that shows a drawing."""

_STEP_MS = 100


def resident_memory(
    url: str,
    chromium: Path | None,
    *,
    timeout: float,
    photos: int = PHOTOS,
    frames: int = FRAMES,
) -> ResidentMemory:
    """Visit a page in a Chromium of its own, and read its process's resident memory.

    Args:
        url: The page. It tags a sample when its `button[data-sample]` is pressed. If it has a
            button `#camera`, that starts the camera, and `data-frames-answered` of `#photo` counts
            the frames that were tagged.
        chromium: The Chromium to use; None for the system's.
        timeout: Seconds to wait for the first tag, and for each further one.
        photos: How many photos to tag after the first.
        frames: How many frames of the camera to tag after these.

    Raises:
        MissingToolError: Playwright or Chromium is not installed.
        ToolchainError: The page tags nothing, or this system does not tell the size of a process.
    """
    from playwright.sync_api import Error

    with browsers.started(chromium, FAKE_CAMERA) as browser:
        context = browser.new_context(permissions=["camera"])
        page = context.new_page()
        page.set_default_timeout(timeout * 1000)
        try:
            page.goto(url)
            page.wait_for_selector("#tags li")
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(SETTLED_MS)
            loaded = _largest_renderer(browser)
            tagged = len(page.evaluate(probes.TAG_AGAIN, photos))
            after_photos = _largest_renderer(browser)
            seen = _tag_frames(page, frames, timeout) if page.query_selector("#camera") else 0
            return ResidentMemory(
                loaded_bytes=loaded,
                photos=tagged,
                photos_bytes=after_photos,
                frames=seen,
                frames_bytes=_largest_renderer(browser) if seen else None,
            )
        except Error as error:
            raise ToolchainError(
                f"the memory of {url} cannot be measured: {error.message.splitlines()[0]}; "
                "open it in a browser, or allow more time with --timeout"
            ) from error


def _tag_frames(page: Page, frames: int, timeout: float) -> int:
    page.click("#camera")
    seen, since = 0, time.monotonic()
    while seen < frames:
        page.wait_for_timeout(_STEP_MS)
        now = int(page.get_attribute("#photo", "data-frames-answered") or 0)
        if now > seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > timeout:
            raise ToolchainError(
                f"the camera's frames were not tagged: {seen} of {frames}, and then none within "
                f"{timeout:g} s; open the page in a browser, or allow more time with --timeout"
            )
    return seen


def _largest_renderer(browser: Browser) -> int:
    """Return the resident bytes of the page's process; a browser keeps empty ones in reserve."""
    return max(
        _resident_bytes(process["id"])
        for process in browsers.processes(browser.new_browser_cdp_session())
        if process["type"] == "renderer"
    )


def _resident_bytes(process: int) -> int:
    statm = Path(f"/proc/{process}/statm")
    try:
        if statm.exists():
            return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        told = subprocess.run(  # noqa: S603 - a number alone is put in
            ["ps", "-o", "rss=", "-p", str(process)],  # noqa: S607
            check=True,
            capture_output=True,
            text=True,
        )
        return int(told.stdout) * 1024
    except (OSError, ValueError, IndexError, subprocess.CalledProcessError) as error:
        raise ToolchainError(
            "this system does not tell how much memory the browser takes; "
            "measure without --memory, or on Linux or macOS"
        ) from error
