"""What goes wrong on a machine while a site is built, and what each fault must leave behind.

Every build here is the real command in a process of its own, over a site that stands.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import brotli
import psutil
import pytest
from filelock import FileLock

from tests import command_line, tiny_models
from tests.watchdog import HANG_S, until
from toolchain import digest, lock
from toolchain.cache.store import Store
from toolchain.errors import ToolchainError
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.site import build_info, publish
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]

# Written anew by every build: it holds how long the stages took.
OF_THE_BUILD = ("report.",)
IN_A_SPACE_OF_ITS_OWN = ("unshare", "--user", "--map-root-user", "--mount")


@dataclass(frozen=True)
class Good:
    """The last good site, what built it, and how long that took."""

    site: Path
    words: tuple[str | Path, ...]
    cache: Path
    seconds: float

    def lay_out(self, folder: Path, *kinds: str) -> tuple[Path, Path]:
        """Copy the site, and these kinds of the cache's entries, into an empty folder."""
        out, cache = folder / "site", folder / "cache"
        shutil.copytree(self.site, out)
        for kind in kinds:
            shutil.copytree(self.cache / "v1" / kind, cache / "v1" / kind)
        return out, cache

    def run(self, out: Path, cache: Path, title: str) -> subprocess.CompletedProcess[str]:
        return command_line.run(*self.words, "--out", out, "--title", title, cache=cache)


@pytest.fixture(scope="module")
def good(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Good:
    folder = tmp_path_factory.mktemp("good")
    labels = folder / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    words = ("build", "-m", tiny, "--labels", labels, "--value-range", "0,1", "-q", "int8")
    begun = time.monotonic()
    cache, out = folder / "cache", folder / "site"
    done = command_line.run(*words, "--out", out, cache=cache)
    assert done.returncode == 0, done.stderr
    return Good(out, words, cache, time.monotonic() - begun)


KINDS = ("tfjs", "compressed", "encoded")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def published(folder: Path) -> dict[str, bytes]:
    """Return the files of a site but for the report of how it was built."""
    return {
        name: data for name, data in contents(folder).items() if not name.startswith(OF_THE_BUILD)
    }


def assert_whole(out: Path, title: str) -> None:
    """See that a site is exactly what its `build-info.json` says, in every encoding."""
    files = contents(out)
    info = build_info.read(files["build-info.json"], "build-info.json")
    for path, fact in info.files.items():
        assert digest.of_bytes(files[path]) == fact.sha256, path
        if (packed := files.get(f"{path}.br")) is not None:
            assert brotli.decompress(packed) == files[path]
        if (packed := files.get(f"{path}.gz")) is not None:
            assert gzip.decompress(packed) == files[path]
    plain = {name for name in files if not name.endswith((".br", ".gz"))}
    others = {"report.json", "report.html", "report.networks.json", "_headers", build_info.NAME}
    assert plain == {*info.files, *others}
    assert f"<title>{title}</title>".encode() in files["index.html"]


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.glob(f".{out.name}.*"))


def scratch(cache: Path) -> list[Path]:
    return list(cache.glob("v1/scratch/*"))


def assert_a_sentence(err: str, *parts: str) -> None:
    """See that the last line is one message for the user, and nothing a traceback."""
    last = err.splitlines()[-1]
    assert last.startswith("toolchain: ")
    assert "something unforeseen" not in last
    assert "Traceback" not in err
    for part in parts:
        assert part in last


# Of 20 kills so many fall on a build that finds nothing, the conversion, or all in the cache.
# A build from nothing takes seconds, nearly all of them in TensorFlow.
KILLS = {(): 3, ("tfjs", "compressed"): 8, KINDS: 9}


def test_a_build_that_is_killed_at_any_moment_leaves_the_last_site_and_nothing_in_the_way(
    good: Good, tmp_path: Path
) -> None:
    chance = random.Random(20)  # noqa: S311 - moments, not secrets
    # A folder and its lock for each thread that compresses files.
    most = 2 * min(32, (os.cpu_count() or 1) + 4) + 2
    for turn, (kinds, kills) in enumerate(KILLS.items()):
        seconds = good.seconds
        if kinds:
            out, cache = good.lay_out(tmp_path / f"measured {turn}", *kinds)
            begun = time.monotonic()
            assert good.run(out, cache, "Measured").returncode == 0
            seconds = time.monotonic() - begun
        for kill in range(kills):
            # One in each part of the time, so that the whole of it is met.
            moment = seconds * (kill + chance.random()) / kills
            # Until it is killed: a build that has ended by then was quicker than the one before.
            for attempt in itertools.count():
                out, cache = good.lay_out(tmp_path / f"{turn} {kill} {attempt}", *kinds)
                before = contents(out)
                words = (*good.words, "--out", out, "--title", "Next")
                with command_line.started(*words, cache=cache) as process:
                    try:
                        process.wait(moment)
                    except subprocess.TimeoutExpired:
                        started = psutil.Process(process.pid).children(recursive=True)
                        process.kill()
                        assert psutil.wait_procs(started, timeout=HANG_S)[1] == []
                        break
                    finally:
                        process.communicate()
                moment *= 0.8
            if contents(out) != before:
                assert_whole(out, "Next")
            assert len(beside(out)) <= 3  # its folder, its lock, its probe
            assert len(scratch(cache)) <= most
        done = good.run(out, cache, "After all")
        assert done.returncode == 0, done.stderr
        assert_whole(out, "After all")
        assert beside(out) == []
        assert scratch(cache) == []


def until_it_compresses(process: subprocess.Popen[str], out: Path) -> None:
    """Wait for the first compressed file; those that take longest are still to come."""
    until(
        lambda: process.poll() is not None or any(out.parent.glob(".site.building-*/*.br")),
        "it compresses",
    )
    assert process.poll() is None, "it ended before it compressed"


def test_what_killed_builds_leave_does_not_add_up(good: Good, tmp_path: Path) -> None:
    out, cache = good.lay_out(tmp_path, "tfjs", "compressed")
    for _ in range(3):
        with command_line.started(
            *good.words, "--out", out, "--title", "Next", cache=cache
        ) as process:
            until_it_compresses(process, out)
            process.kill()
        assert len(list(out.parent.glob(".site.building-*"))) == 1
        shutil.rmtree(cache / "v1" / "encoded", ignore_errors=True)
    assert good.run(out, cache, "Next").returncode == 0
    assert beside(out) == []
    assert scratch(cache) == []


@pytest.mark.parametrize(
    ("by", "code", "moment"),
    [
        (signal.SIGTERM, 143, "Converting to TF.js"),
        (signal.SIGTERM, 143, "compressing"),
        (signal.SIGINT, 130, "compressing"),
    ],
)
def test_a_build_that_is_asked_to_end_tidies_up_and_says_so_by_its_code(
    good: Good, tmp_path: Path, by: signal.Signals, code: int, moment: str
) -> None:
    out, cache = good.lay_out(tmp_path, *([] if moment[0] == "C" else ["tfjs", "compressed"]))
    before = contents(out)
    with command_line.started(*good.words, "--out", out, "--title", "Next", cache=cache) as process:
        assert process.stderr is not None
        if moment[0] == "C":
            while not process.stderr.readline().startswith(moment):
                assert process.poll() is None
        else:
            until_it_compresses(process, out)
        process.send_signal(by)
        _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert contents(out) == before
    assert beside(out) == []
    assert scratch(cache) == []


@pytest.fixture(scope="module")
def _private_mounts() -> None:
    """Skip where this user may not mount a small disk for a process alone."""
    tried = subprocess.run(
        [*IN_A_SPACE_OF_ITS_OWN, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        pytest.skip(f"no mounts of one's own here: {tried.stderr.strip()}")


# Mounts a small disk at $1 with what lies in $2, does $3 to it, runs the rest of the words,
# and brings what is on the disk then back to $2.
ON_A_DISK = """
disk=$1 inside=$2 size=$3 then=$4; shift 4
mount -t tmpfs -o size=$size tmpfs "$disk" && cp -a "$inside/." "$disk" || exit 99
rm -rf "$inside" && [ -z "$then" ] || mount -o "$then" "$disk" || exit 99
"$@"; code=$?
cp -a "$disk/." "$inside"; exit $code
"""


def on_a_disk(
    words: tuple[str | Path, ...],
    disk: Path,
    *,
    size: str,
    cache: Path,
    then: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run the command with a folder on a disk of its own; afterwards what was on it lies there."""
    inside = disk.rename(disk.with_name(f"{disk.name} inside"))
    disk.mkdir()
    done = subprocess.run(
        [
            *(*IN_A_SPACE_OF_ITS_OWN, "sh", "-c", ON_A_DISK, "sh"),
            *map(str, (disk, inside, size, then, *command_line.TOOLCHAIN, *words)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
        env={**os.environ, "TOOLCHAIN_CACHE": str(cache)},
    )
    disk.rmdir()
    inside.rename(disk)
    return done


@pytest.mark.usefixtures("_private_mounts")
@pytest.mark.parametrize(
    ("size", "then", "said"),
    [
        ("4m", "", "cannot be written: No space left on device; free some space on that disk, or"),
        ("4m", "remount,ro", "cannot be written: Read-only file system; choose another folder"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_no_site_is_a_sentence_and_the_last_site_stands(
    good: Good, tmp_path: Path, size: str, then: str, said: str
) -> None:
    out, cache = good.lay_out(tmp_path / "disk", *KINDS)
    cache = cache.rename(tmp_path / "cache")
    before = contents(out)
    if not then:
        # What is left is less than a second site.
        (out.parent / "other").write_bytes(bytes((4 << 20) - 4096 * 600))
    words = (*good.words, "--out", out, "--title", "Next")
    done = on_a_disk(words, out.parent, size=size, cache=cache, then=then)
    assert done.returncode in (1, 2)
    assert_a_sentence(done.stderr, str(out), said, "--out")
    assert contents(out) == before
    assert beside(out) == []


@pytest.mark.usefixtures("_private_mounts")
@pytest.mark.parametrize(
    ("kinds", "size", "then"),
    [((), "8k", ""), (("tfjs", "compressed"), "300k", ""), (KINDS, "8m", "remount,ro")],
    ids=["full at the conversion", "full at the encodings", "read-only"],
)
def test_a_disk_that_takes_no_cache_is_a_sentence_and_the_last_site_stands(
    good: Good, tmp_path: Path, kinds: tuple[str, ...], size: str, then: str
) -> None:
    out, cache = good.lay_out(tmp_path, *kinds)
    cache.mkdir(exist_ok=True)
    before = contents(out)
    words = (*good.words, "--out", out, "--title", "Next")
    done = on_a_disk(words, cache, size=size, cache=cache, then=then)
    assert done.returncode == 1
    cause = "Read-only file system" if then else "No space left on device; free some space on"
    said = f"the cache {cache} cannot be written: {cause}"
    assert_a_sentence(done.stderr, said, "set TOOLCHAIN_CACHE")
    assert contents(out) == before
    assert beside(out) == []
    assert scratch(cache) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' full device")
@pytest.mark.parametrize("words", [("models",), ("models", "--help"), ("--version",)])
def test_a_report_that_is_sent_to_a_full_disk_is_a_sentence(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command_line.TOOLCHAIN, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert_a_sentence(done.stderr, "standard output cannot be written: No space left on device")


@pytest.mark.parametrize("where", ["a file above it", "a name too long"])
def test_a_place_that_no_site_can_have_is_a_sentence(
    good: Good, tmp_path: Path, where: str
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    out = tmp_path / "file" / "site" if where == "a file above it" else tmp_path / ("x" * 300)
    done = good.run(out, good.cache, "Next")
    assert done.returncode == 2
    assert_a_sentence(done.stderr, str(out), "cannot be written: ", "choose another folder")
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir() if path.name != "toolchain.lock.json"] == [
        "file"
    ]


@pytest.mark.parametrize("caches", [1, 2])
def test_two_builds_at_once_leave_the_whole_site_of_one(
    good: Good, tmp_path: Path, caches: int
) -> None:
    out, first = good.lay_out(tmp_path, "tfjs", "compressed")
    second = first
    if caches == 2:
        second = Path(shutil.copytree(first, tmp_path / "other cache"))
    titles = {"First": first, "Second": second}
    running = []
    for title, cache in titles.items():
        words = (*good.words, "--out", out, "--title", title)
        running.append(command_line.started(*words, cache=cache))
    with running[0] as one, running[1] as other:
        errors = [process.communicate(timeout=HANG_S)[1] for process in (one, other)]
        assert (one.returncode, other.returncode) == (0, 0), errors
    page = (out / "index.html").read_text("utf-8")
    (title,) = (title for title in titles if f"<title>{title}</title>" in page)
    assert_whole(out, title)
    assert beside(out) == []
    assert scratch(first) == scratch(second) == []


def test_a_build_that_waits_for_another_too_long_says_for_which(
    good: Good, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = good.lay_out(tmp_path)
    before = contents(out)
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    with FileLock(out.with_name(".site.lock")):
        with pytest.raises(ToolchainError, match=r"another toolchain process .*/site for"):
            publish.staged(out).__enter__()
        assert beside(out) == [".site.lock"]
    assert contents(out) == before


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
    good: Good, tmp_path: Path, damages: dict[str, Callable[[Path], None]]
) -> None:
    _, cache = good.lay_out(tmp_path, *KINDS)
    (cache / "v0" / "tfjs" / "key").mkdir(parents=True)
    for kind, damage in damages.items():
        for entry in (cache / "v1" / kind).iterdir():
            damage(entry)
    done = command_line.run(*good.words, "--out", tmp_path / "other", cache=cache)
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
    good: Good, tiny: Path, tmp_path: Path, times: int
) -> None:
    out, cache = good.lay_out(tmp_path, *KINDS)
    store = Emptied(cache)
    store.times = times
    progress = Warned()
    options = BuildOptions(
        request=Request(str(tiny), lockfile=tmp_path / "toolchain.lock.json"),
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
