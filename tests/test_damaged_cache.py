"""A cache that is old, damaged or emptied: it is made anew, and no site is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests import command_line, tiny_models
from tests.standing_site import (
    KINDS,
    Good,
    assert_whole,
    beside,
    contents,
    good_site,
    published,
)
from toolchain import digest
from toolchain.cache.store import Store
from toolchain.errors import ToolchainError
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.xdist_group("damaged-cache"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]


@pytest.fixture(scope="module")
def good(session_folder: Path) -> Good:
    return good_site(session_folder)


FAR = 4_102_444_800  # the year 2100, in seconds: as if the clock had been put back since


def test_a_clock_that_went_backwards_costs_nothing_that_is_kept(good: Good, tmp_path: Path) -> None:
    out, cache = good.lay_out(tmp_path, *KINDS)
    stale = cache / "v1" / "scratch" / "of-the-dead"
    stale.mkdir(parents=True)
    for path in (*cache.rglob("*"), *out.rglob("*"), out):
        os.utime(path, (FAR, FAR))
    done = command_line.run(*good.words, "--out", out, "--title", "Next", "--json", cache=cache)
    assert done.returncode == 0, done.stderr
    stages = {stage["name"]: stage for stage in json.loads(done.stdout)["stages"]}
    assert stages["convert"]["reused"]
    assert stages["quantize"]["reused"]
    assert all(stage["seconds"] >= 0 for stage in stages.values())
    assert_whole(out, "Next")
    assert not stale.exists()


def of_another_version(entry: Path) -> None:
    """Let a result say what no version says, in an entry that is whole."""
    (said,) = (path for path in entry.glob("content/*.json"))
    said.write_text('{"layout": "of 2019"}', "utf-8")
    manifest = json.loads((entry / "entry.json").read_text("utf-8"))
    fact = {"sha256": digest.of_file(said), "bytes": said.stat().st_size}
    manifest["files"][said.name] |= fact
    (entry / "entry.json").write_text(json.dumps(manifest), "utf-8")


def of_an_old_layout(entry: Path) -> None:
    """Let its manifest list times too, as one did once."""
    manifest = json.loads((entry / "entry.json").read_text("utf-8"))
    for fact in manifest["files"].values():
        fact["time_ns"] = 1
    (entry / "entry.json").write_text(json.dumps(manifest), "utf-8")


def half_written(entry: Path) -> None:
    (entry / "entry.json").unlink()


def truncated(entry: Path) -> None:
    files = (path for path in entry.glob("content/**/*") if path.is_file())
    largest = max(files, key=lambda path: path.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)


def rotten(entry: Path) -> None:
    """Change a byte of each file, and nothing that shows from outside."""
    for path in entry.glob("content/**/*"):
        if path.is_file():
            status, data = path.stat(), bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "damages",
    [
        {"tfjs": of_another_version, "compressed": rotten, "encoded": truncated},
        {"tfjs": of_an_old_layout, "compressed": half_written, "encoded": rotten},
    ],
    ids=lambda damages: ", ".join(damage.__name__ for damage in damages.values()),
)
def test_a_cache_that_is_old_or_damaged_is_made_anew_and_never_makes_a_wrong_site(
    good: Good,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    damages: dict[str, Callable[[Path], None]],
) -> None:
    _, cache = good.lay_out(tmp_path, *KINDS)
    (cache / "v0" / "tfjs" / "key").mkdir(parents=True)
    for kind, damage in damages.items():
        for entry in (cache / "v1" / kind).iterdir():
            damage(entry)
    done = command_line.run_here(capfd, *good.words, "--out", tmp_path / "other", cache=cache)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert published(tmp_path / "other") == published(good.site)
    assert (cache / "v0" / "tfjs" / "key").is_dir()


class Emptied(Store):
    """A cache that somebody empties when the model is compressed, so often."""

    times = 1

    def result(self, kind: str, key: str, **how: Any) -> tuple[Any, bool]:
        found: tuple[Any, bool] = super().result(kind, key, **how)
        if kind == "compressed" and self.times:
            self.times -= 1
            shutil.rmtree(self.base / "compressed")
        return found


class Warned(Silent):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, message: str) -> None:
        self.heard.append(message)


@pytest.mark.parametrize("times", [1, 2])
def test_a_cache_that_is_emptied_while_it_is_used_is_filled_again_once(
    good: Good, tmp_path: Path, times: int
) -> None:
    out, cache = good.lay_out(tmp_path, *KINDS)
    store = Emptied(cache)
    store.times = times
    progress = Warned()
    options = BuildOptions(
        request=Request(str(good.model), lockfile=tmp_path / "toolchain.lock.json"),
        out=out,
        weights=QuantizeSettings("int8"),
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
    )
    before = contents(out)
    if times == 1:
        build(options, store=store, progress=progress)
        assert published(out) == published(good.site)
    else:
        with pytest.raises(ToolchainError, match=r"the cache .* is being emptied"):
            build(options, store=store, progress=progress)
        assert contents(out) == before
    assert progress.heard == ["the cache was emptied while it was used; building again"]
    assert beside(out) == []
