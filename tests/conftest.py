"""Fixtures of all tests: a separate cache, a separate folder, real models."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from tests import light, one_thread
from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.tfjs.stage import TfjsModel

pytest_plugins = ["tests.page_fixtures"]

CHECKOUT = Path(__file__).resolve().parents[1]

CACHE = "TOOLCHAIN_TEST_CACHE"
"""Environment variable: the folder of the cache that test runs share; empty for none."""
CACHE_LIMIT = 2_000_000_000
"""Size limit of that cache in bytes; one run writes a fifth of it."""
MADE = {
    "compressed",
    "embedded",
    "encoded",
    "features",
    "keras-models",
    "local",
    "ranges",
    "smoke-tested",
    "taps",
    "tfjs",
    "tuned",
}
"""Kinds of entries whose keys are digests of content and code, so that other runs may use them."""

# The same examples in every run, and no time limit for each: a busy machine takes longer.
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the mark `light` to the truth where light tests run alone: in `make check`."""
    if config.option.markexpr == "light":
        light.guard()


def pytest_report_header() -> str:
    """Say what `tests/one_thread.py` has set."""
    return f"one thread each: {', '.join(one_thread.VARIABLES)}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs neither TensorFlow nor a browser nor a server, before `-m` selects."""
    if config.option.markexpr:
        light.mark(items)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the xdist workers of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def shared_cache(session_folder: Path, name: str = "usual") -> Path:
    """Return a cache that test runs share, without what earlier runs downloaded.

    Downloads are stored by their address, and the tests' servers give any content under one.
    """
    usual = platformdirs.user_cache_path("toolchain-tests", appauthor=False)
    if not (root := os.environ.get(CACHE, str(usual))):
        return session_folder / "cache" / name
    store = Store(Path(root) / name)
    with FileLock(session_folder / f"{name}.lock"):
        if not (cleared := session_folder / f"{name}.cleared").exists():
            for kind in store.base.glob("*"):
                if kind.is_dir() and kind.name not in {*MADE, "locks", "scratch", "uses"}:
                    shutil.rmtree(kind)
            cleared.touch()
    return store.root


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(session_folder: Path) -> Iterator[Path]:
    """Give every test, and every process it starts, a cache that is not the user's."""
    folder = shared_cache(session_folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOOLCHAIN_CACHE", str(folder))
        patch.setenv("TOOLCHAIN_STATE", str(session_folder / "state"))
        for name in ("TOOLCHAIN_TFHUB_MIRROR", tensorflow.VERBOSE):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture(autouse=True)
def _folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every test in an empty folder, where `toolchain.lock.json` and `dist` are written."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def session_store(cache_of_the_session: Path) -> Store:
    """Return the store that the session shares, so that slow results are made once."""
    return Store(cache_of_the_session, CACHE_LIMIT)


@pytest.fixture(scope="session")
def embedded_site(session_folder: Path, session_store: Store) -> Path:
    """Return the embedded model's site, built once for all workers; do not change it."""
    from toolchain.pipeline.build import build
    from toolchain.pipeline.build_options import BuildOptions
    from toolchain.progress import Silent
    from toolchain.sources.request import Request

    out = session_folder / "embedded-site"
    with FileLock(f"{out}.lock"):
        if not out.is_dir():
            options = BuildOptions(request=Request("embedded"), out=out)
            build(options, store=session_store, progress=Silent())
    return out


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with real models and photos beside the checkout."""
    folder = Path(os.environ.get("TOOLCHAIN_SHARED", CHECKOUT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the real models and photos of {folder} (TOOLCHAIN_SHARED)")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny SavedModel of five classes; do not change it."""
    from tests import tiny_models

    return tiny_models.saved_model(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(
    tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> TfjsModel:
    """Return the tiny model converted to TF.js, ready to render a site from."""
    from tests import tiny_models
    from toolchain.progress import Silent
    from toolchain.records.card import Declared
    from toolchain.sources import resolve
    from toolchain.tfjs import stage

    pins = tmp_path_factory.mktemp("pins") / "toolchain.lock.json"
    request = Request(str(tiny), lockfile=pins)
    fetched = resolve.fetch(request, store=session_store, progress=Silent())
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    return stage.run(
        replace(fetched, declared=declared),
        quantization="float16",
        shard_bytes=4 << 20,
        store=session_store,
        progress=Silent(),
    )
