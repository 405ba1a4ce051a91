"""The cache's bound, and what goes first: never what is in use, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from toolchain.cache import inventory
from toolchain.cache.cache_folder import MANIFEST
from toolchain.cache.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 10_000
MANIFEST_BYTES = 200  # bytes that the manifest of such an entry has at most
FAR = 4_102_444_800  # the year 2100

USE = """
import sys
from pathlib import Path
from toolchain.cache.store import Store
store = Store(Path(sys.argv[1]))
assert store.get("kind", sys.argv[2]) is not None
print("got", flush=True)
sys.stdin.read()
"""
CLEAR = """
import sys
from pathlib import Path
from toolchain.cache import inventory
from toolchain.cache.store import Store
inventory.clear(Store(Path(sys.argv[1])))
"""


def put(store: Store, key: str, size: int = SIZE) -> None:
    with store.put("kind", key) as folder:
        (folder / "bytes").write_bytes(bytes(size))


def room_for(count: int) -> int:
    """Return a limit that so many entries fit in, and no more."""
    return count * (SIZE + MANIFEST_BYTES)


def filled(root: Path, *keys: str) -> None:
    """Put entries, the first used longest ago, and let go of them as a process that ended does."""
    store = Store(root)
    for place, key in enumerate(keys):
        put(store, key)
        used_at(store, key, time.time() - 3600 * (len(keys) - place))


def used_at(store: Store, key: str, moment: float) -> None:
    os.utime(store.base / "kind" / key / MANIFEST, (moment, moment))


def kept(store: Store) -> set[str]:
    return {entry.key for entry in inventory.entries(store)}


@contextmanager
def using(store: Store, key: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process use an entry while the block runs."""
    with subprocess.Popen(
        [sys.executable, "-c", USE, str(store.root), key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "got\n"
        yield process
        process.kill()


def test_what_was_not_used_for_longest_goes_when_the_bound_is_passed(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b", "c", "d")
    store = Store(tmp_path, room_for(4))
    assert store.get("kind", "a") is not None  # which is a use
    put(store, "e")
    # A tenth is left free, so that not every entry has to make room: two of five go.
    assert kept(store) == {"a", "d", "e"}
    assert inventory.total(inventory.entries(store)) <= 0.9 * store.limit


def test_nothing_goes_within_the_bound(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b", "c")
    store = Store(tmp_path, room_for(4))
    put(store, "d")
    assert kept(store) == {"a", "b", "c", "d"}


def test_what_was_just_put_stays_whatever_the_bound(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b")
    store = Store(tmp_path, 0)
    put(store, "c")
    assert kept(store) == {"c"}
    put(store, "d")
    assert kept(store) == {"c", "d"}
    assert store.get("kind", "c") is not None


def test_what_another_process_uses_stays_until_it_ends(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b", "c")
    store = Store(tmp_path, 0)
    with using(store, "a") as process:
        put(store, "d")
        assert kept(store) == {"a", "d"}
        assert inventory.clear(store).in_use == 2
        assert inventory.prune(store, -FAR).in_use == 2
        assert kept(store) == {"a", "d"}
        process.kill()
        process.wait()
        put(store, "e")
        assert kept(store) == {"d", "e"}


def test_a_result_that_is_being_made_again_stays(tmp_path: Path) -> None:
    filled(tmp_path, "a")
    store = Store(tmp_path, 0)
    with store.lock("kind-a"):
        assert inventory.clear(store) == inventory.Removal(in_use=1)
    assert kept(store) == {"a"}
    assert inventory.clear(store).entries == 1


def test_a_store_that_is_let_go_uses_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "a")
    other = Store(tmp_path)
    assert other.in_use("kind", "a")
    del store
    assert not other.in_use("kind", "a")
    assert list((other.base / "uses").iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_removal_that_is_killed_leaves_whole_entries_only(tmp_path: Path) -> None:
    keys = [f"{number:03}" for number in range(200)]
    filled(tmp_path, *keys)
    store = Store(tmp_path)
    with subprocess.Popen([sys.executable, "-c", CLEAR, str(tmp_path)]) as process:
        while (store.base / "kind" / keys[0]).exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    left = kept(store)
    assert keys[0] not in left
    assert all(store.get("kind", key) is not None for key in left)
    inventory.clear(Store(tmp_path))
    del store
    assert inventory.clear(Store(tmp_path)).in_use == 0
    assert kept(Store(tmp_path)) == set()
    assert list(tmp_path.glob("v1/scratch/*")) == []


@pytest.mark.parametrize("size", ["", "many", "0", "99999999999", None])
def test_a_tally_that_is_wrong_is_set_right(tmp_path: Path, size: str | None) -> None:
    filled(tmp_path, "a", "b", "c")
    store = Store(tmp_path, room_for(4))
    tally = store.base / "bytes"
    if size is None:
        tally.unlink()
    else:
        tally.write_text(size, "ascii")
    put(store, "d")
    assert kept(store) == {"a", "b", "c", "d"}
    if size != "0":  # too low a tally is no tally of this tool's
        assert int(tally.read_text("ascii")) == inventory.total(inventory.entries(store))


def test_the_tally_is_never_too_low(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for key in "a", "b", "a":
        put(store, key)
    store.result("kind", "c", read=str, make=lambda folder: (folder / "x").mkdir())
    tally = store.base / "bytes"
    assert int(tally.read_text("ascii")) >= inventory.total(inventory.entries(store))
    del store
    inventory.clear(Store(tmp_path))
    put(Store(tmp_path, room_for(1)), "d")
    assert int(tally.read_text("ascii")) >= inventory.total(inventory.entries(Store(tmp_path)))


def test_times_of_a_clock_that_was_wrong_go_first_and_by_their_order(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b", "c", "d")
    store = Store(tmp_path, room_for(4))
    used_at(store, "c", FAR + 1)
    used_at(store, "d", FAR)
    used_at(store, "a", 0)
    put(store, "e")
    assert kept(store) == {"a", "b", "e"}
    used_at(store, "b", FAR)
    put(store, "f")
    assert kept(store) == {"a", "b", "e", "f"}
    put(store, "g")
    assert kept(store) == {"e", "f", "g"}


def test_pruning_takes_what_is_known_to_be_old(tmp_path: Path) -> None:
    filled(tmp_path, "four hours", "three hours", "two hours", "damaged")
    store = Store(tmp_path)
    used_at(store, "two hours", FAR)
    (store.base / "kind" / "damaged" / MANIFEST).unlink()
    assert inventory.prune(store, 5 * 3600.0).entries == 1  # the damaged one
    removal = inventory.prune(store, 3.5 * 3600)
    assert (removal.entries, removal.bytes > SIZE) == (1, True)
    assert inventory.prune(store, 2.5 * 3600).entries == 1
    assert kept(store) == {"two hours"}


def test_entries_of_other_layouts_count_and_go_and_foreign_folders_stay(tmp_path: Path) -> None:
    filled(tmp_path, "a")
    old = tmp_path / "v0" / "tfjs" / "key"
    (old / "content").mkdir(parents=True)
    (old / "content" / "model.json").write_bytes(bytes(SIZE))
    (old / MANIFEST).write_text("{}", "utf-8")
    foreign = tmp_path / "v2" / "src" / "main"
    foreign.mkdir(parents=True)
    (foreign / "main.c").write_text("int main;", "utf-8")
    (tmp_path / "thesis.tex").write_text("", "utf-8")
    (tmp_path / "v3").symlink_to(tmp_path / "v2")
    store = Store(tmp_path)
    survey = inventory.survey(store)
    assert [(kind.kind, kind.readable, kind.entries) for kind in survey.kinds] == [
        ("kind", True, 1),
        ("tfjs", False, 1),
    ]
    assert survey.bytes == inventory.total(inventory.entries(store)) > 2 * SIZE
    assert inventory.clear(store).entries == 2
    assert inventory.survey(store).entries == 0
    assert not old.exists()
    assert (foreign / "main.c").is_file()
    assert (tmp_path / "thesis.tex").is_file()


def test_clearing_leaves_no_lock_and_nothing_half_made(tmp_path: Path) -> None:
    filled(tmp_path, "a", "b")
    (tmp_path / "v1" / "scratch" / "of-the-dead").mkdir()
    store = Store(tmp_path)
    with store.lock("at work"):
        inventory.clear(store)
        assert len(list(store.base.glob("locks/*"))) <= 2  # that one, and the tally's
    assert list(store.base.glob("scratch/*")) == []


def test_a_cache_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert inventory.survey(store).kinds == ()
    assert not store.root.exists()
    assert inventory.clear(store) == inventory.Removal()
