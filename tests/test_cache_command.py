"""`toolchain cache`: what it says, and that it does no harm to a build that runs beside it."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests import command_line, tiny_models
from tests.standing_site import assert_whole
from toolchain.cache import inventory
from toolchain.cache.cache_folder import LIMIT, MANIFEST
from toolchain.cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., str]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Return a cache with two entries, one of them used in 2020."""
    store = Store(tmp_path / "cache")
    for kind, key in (("tfjs", "one"), ("encoded", "two")):
        with store.put(kind, key) as folder:
            (folder / "bytes").write_bytes(bytes(5000))
    moment = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp()
    os.utime(store.base / "tfjs" / "one" / MANIFEST, (moment, moment))
    return store.root


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Return the command `toolchain cache`, which must succeed, as a function of its output."""

    def run(cache: Path, *words: str) -> str:
        done = command_line.run_here(capfd, "cache", *words, cache=cache)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    return run


@pytest.fixture
def record(run: Run) -> Callable[[Path], Any]:
    """Return what `toolchain cache info` tells of a cache."""
    return lambda cache: json.loads(run(cache, "info", "--json"))


def test_info_says_what_lies_where(filled: Path, run: Run) -> None:
    out = run(filled, "info")
    assert out.startswith(f"{filled} holds 10.")
    assert "kB in 2 entries, of 10.0 GB at most (TOOLCHAIN_CACHE_MAX)" in out
    assert "converted models" in out
    assert "files of sites" in out
    assert "2020-01-0" in out


def test_info_is_a_record_too(filled: Path, record: Callable[[Path], Any]) -> None:
    found = record(filled)
    assert found["folder"] == str(filled)
    assert found["limit"] == LIMIT
    assert found["entries"] == 2
    assert found["bytes"] == sum(kind["bytes"] for kind in found["kinds"]) > 10_000
    encoded, converted = found["kinds"]
    assert (encoded["kind"], converted["kind"]) == ("encoded", "tfjs")
    assert converted["oldest"] == converted["newest"] == "2020-01-02T03:04:05+00:00"


def test_info_of_an_empty_cache_makes_none(tmp_path: Path, run: Run) -> None:
    assert "holds 0 B in 0 entries" in run(tmp_path / "none", "info")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("age", ["30d", "720h", "4w", "4.5 w", "30D"])
def test_prune_removes_what_was_not_used_for_so_long(
    filled: Path, age: str, run: Run, record: Callable[[Path], Any]
) -> None:
    out = run(filled, "prune", "--older", age)
    assert out.startswith("Removed 1 entry, 5.")
    assert [kind["kind"] for kind in record(filled)["kinds"]] == ["encoded"]


def test_clear_removes_all(filled: Path, run: Run, record: Callable[[Path], Any]) -> None:
    assert "Removed 2 entries" in run(filled, "clear")
    assert record(filled)["entries"] == 0
    assert "Removed 0 entries, 0 B" in run(filled, "clear")


def test_what_a_running_command_uses_stays_and_is_counted(filled: Path, run: Run) -> None:
    store = Store(filled)
    assert store.get("tfjs", "one") is not None
    out = run(filled, "clear")
    assert "Removed 1 entry, " in out
    assert "1 entry stayed: a running command uses it\n" in out


@pytest.mark.parametrize("age", ["30", "d", "-1d", "soon", "30 days", "", "1e3d", "9" * 400 + "d"])
def test_an_age_that_is_none_is_one_sentence(
    filled: Path, age: str, record: Callable[[Path], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    done = command_line.run_here(capfd, "cache", "prune", f"--older={age}", cache=filled)
    assert done.returncode == 2
    assert done.stderr == f"toolchain: --older {age} is not an age; write it like 30d, 12h or 2w\n"
    assert record(filled)["entries"] == 2


@pytest.mark.parametrize("bound", ["lots", "-1", "10 TB", "9" * 400])
@pytest.mark.parametrize("words", [("cache", "info"), ("build", "-m", "embedded")])
def test_a_bound_that_is_no_size_is_one_sentence(
    filled: Path,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    words: tuple[str, ...],
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE_MAX", bound)
    done = command_line.run_here(capfd, *words, cache=filled)
    assert done.returncode == 2
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"toolchain: TOOLCHAIN_CACHE_MAX={bound} is not a size; ")


def test_the_bound_is_what_the_environment_says(
    filled: Path, monkeypatch: pytest.MonkeyPatch, record: Callable[[Path], Any]
) -> None:
    for said, expected in (("2GB", 2_000_000_000), ("1.5 GiB", 3 << 29), ("", LIMIT)):
        monkeypatch.setenv("TOOLCHAIN_CACHE_MAX", said)
        assert Store.default().limit == expected
    monkeypatch.setenv("TOOLCHAIN_CACHE_MAX", "5kB")
    store = Store.default()
    with Store(filled, store.limit).put("tfjs", "three") as folder:
        (folder / "bytes").write_bytes(b"")
    assert [kind["entries"] for kind in record(filled)["kinds"]] == [1]


def words_for(tiny: Path, folder: Path) -> tuple[str | Path, ...]:
    labels = folder / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    return ("build", "-m", tiny, "--labels", labels, "--value-range", "0,1", "-q", "int8")


def test_a_build_whose_cache_is_cleared_all_the_time_makes_a_whole_site(
    tiny: Path, tmp_path: Path
) -> None:
    cache, out = tmp_path / "cache", tmp_path / "site"
    words = (*words_for(tiny, tmp_path), "--out", out, "--title", "Cleared")
    with command_line.started(*words, cache=cache) as process:
        while process.poll() is None:
            inventory.clear(Store(cache))
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        _, err = process.communicate()
    assert process.returncode == 0, err
    assert "emptied" not in err
    assert_whole(out, "Cleared")


def test_a_build_whose_cache_may_hold_nothing_makes_a_whole_site(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE_MAX", "0")
    cache, out = tmp_path / "cache", tmp_path / "site"
    words = (*words_for(tiny, tmp_path), "--out", out, "--title", "Bounded")
    done = command_line.run(*words, cache=cache)
    assert done.returncode == 0, done.stderr
    assert_whole(out, "Bounded")
    # What the next build puts sends off all that this one used.
    Store(cache, 0).result("kind", "key", read=str, make=lambda _: None)
    assert inventory.survey(Store(cache)).entries == 1
