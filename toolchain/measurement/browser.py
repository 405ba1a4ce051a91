"""Finds and starts the Chromium to measure with."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain.errors import MissingToolError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FEATURES_OFF = (
    # Each new window loads pages for the address bar's suggestions: over a second of CPU time
    # while the measured page loads.
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
    # Playwright turns these off, and of two such lists Chromium takes only the last.
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "TcpPortRandomizationWin",
    "ThirdPartyStoragePartitioning",
    "msEdgeUpdateLaunchServicesPreferredVersion",
    "msForceBrowserSignIn",
)

QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    f"--disable-features={','.join(_FEATURES_OFF)}",
    "--disable-quic",
    "--disable-sync",
)
"""Flags that stop Chromium's background work, which would take bandwidth and CPU time."""


def find(named: Path | None) -> Path:
    """Return the Chromium to use: `named`, `$CHROMIUM`, or the first on PATH.

    Raises:
        MissingToolError: There is none.
    """
    if named is not None:
        if not named.is_file():
            raise MissingToolError(f"there is no Chromium at {named}; give another with --chromium")
        return named
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, _NAMES)]
    found = next((path for path in candidates if path), None)
    if found is None:
        raise MissingToolError(
            "measuring needs Chromium and there is none; install your system's `chromium` "
            "package, or name one with --chromium"
        )
    return Path(found)


def processes(session: CDPSession) -> list[dict[str, Any]]:
    """Return what DevTools tells of a browser's processes: `id`, `type` and `cpuTime` of each.

    Args:
        session: Of the whole browser.
    """
    told: list[dict[str, Any]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return told


@contextmanager
def started(chromium: Path | None, *more: str) -> Iterator[Browser]:
    """Run a headless Chromium; `more` are flags besides the usual ones.

    Raises:
        MissingToolError: Playwright or Chromium is not installed.
        ToolchainError: Chromium does not start.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise MissingToolError(
            "measuring needs Playwright and it is not installed; "
            "run `pip install 'toolchain[measure]'`"
        ) from error
    path = find(chromium)
    # Run by root, Chromium refuses to start with its sandbox.
    root = ("--no-sandbox",) if getattr(os, "geteuid", lambda: 1)() == 0 else ()
    flags = (*root, *QUIET, *more)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=list(flags))
        except Error as error:
            raise ToolchainError(
                f"{path} does not start ({error.message.splitlines()[0]}); "
                "name another Chromium with --chromium"
            ) from error
        try:
            yield browser
        finally:
            browser.close()
