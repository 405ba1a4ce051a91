"""Builds that are killed, asked to end, or meet another build: the last site stands."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from tests import command_line
from tests.standing_site import (
    KINDS,
    MOST_ENCODED,
    Good,
    assert_whole,
    beside,
    contents,
    good_site,
    scratch,
)
from tests.watchdog import HANG_S, until
from toolchain import lock
from toolchain.errors import ToolchainError
from toolchain.site import publish

pytestmark = [
    pytest.mark.xdist_group("killed-builds"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]


@pytest.fixture(scope="module")
def good(session_folder: Path) -> Good:
    return good_site(session_folder)


# What a build that has a few files to compress finds in the cache: as many kills meet half a second
# of Brotli as two.
CONVERTED = ("tfjs", "compressed", "smoke-tested", MOST_ENCODED)

# Of 12 kills so many fall on a build that finds nothing, the conversion, or all in the cache.
# A build from nothing takes seconds, nearly all of them in TensorFlow.
KILLS = {(): 2, CONVERTED: 5, (*KINDS, "smoke-tested"): 5}


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


@pytest.mark.parametrize("caches", [1, 2])
def test_two_builds_at_once_leave_the_whole_site_of_one(
    good: Good, tmp_path: Path, caches: int
) -> None:
    out, first = good.lay_out(tmp_path, *CONVERTED)
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
