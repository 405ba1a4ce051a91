"""The store: an entry is whole or absent, and locks die with whoever held them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, ConfigDict

from tests.watchdog import HANG_S
from toolchain.cache.store import Store
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"model.json": b"{}", "weights/shard.bin": b"0123456789"}

HOLD = (
    "import sys; from pathlib import Path; from toolchain.cache.store import Store\n"
    "store = Store(Path(sys.argv[1]))\n"
    "with store.lock('site'), store.put('kind', 'half') as folder:\n"
    "    (folder / 'part').write_bytes(b'part')\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)
COUNT = (
    "import sys; from pathlib import Path; from toolchain.cache.store import Store\n"
    "store, count = Store(Path(sys.argv[1])), Path(sys.argv[2])\n"
    "for _ in range(40):\n"
    "    with store.lock('count'):\n"
    "        count.write_text(str(int(count.read_text()) + 1))\n"
)


def put(store: Store, key: str = "key", files: dict[str, bytes] | None = None) -> Path:
    with store.put("kind", key) as folder:
        for name, content in (files or FILES).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
    return store.require("kind", key)


def put_half(store: Store, error: BaseException) -> None:
    with store.put("kind", "key") as folder:
        (folder / "part").write_bytes(b"part")
        raise error


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def scratch(store: Store) -> list[Path]:
    return list(store.root.glob("v1/scratch/*"))


def test_what_is_put_is_what_one_gets(store: Store) -> None:
    assert store.get("kind", "key") is None
    assert not store.has("kind", "key")
    put(store)
    content = store.get("kind", "key")
    assert content is not None
    assert contents(content) == FILES
    assert store.has("kind", "key")
    assert store.get("kind", "other") is None
    assert scratch(store) == []


def test_an_empty_entry_is_an_entry(store: Store) -> None:
    with store.put("kind", "key"):
        pass
    assert store.get("kind", "key") is not None


@pytest.mark.parametrize("damage", ["lost", "cut", "longer", "added", "a folder"])
def test_a_damaged_entry_is_absent_until_it_is_made_anew(store: Store, damage: str) -> None:
    shard = put(store) / "weights" / "shard.bin"
    if damage == "lost":
        shard.unlink()
    elif damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-1])
    elif damage == "longer":
        shard.write_bytes(shard.read_bytes() + b"!")
    elif damage == "added":
        shard.with_name("other.bin").write_bytes(b"")
    else:
        shard.unlink()
        shard.mkdir()
    assert store.get("kind", "key") is None
    assert store.has("kind", "key")
    with pytest.raises(ToolchainError, match=r"does not keep .* TOOLCHAIN_CACHE") as raised:
        store.require("kind", "key")
    assert str(store.root) in str(raised.value)
    assert contents(put(store)) == FILES


@pytest.mark.parametrize("change", [0, 1, -(10**18), 10**18])
def test_other_content_of_the_same_size_is_noticed_whatever_its_time(
    store: Store, change: int
) -> None:
    shard = put(store) / "weights" / "shard.bin"
    written = shard.stat().st_mtime_ns
    shard.write_bytes(b"9876543210")
    os.utime(shard, ns=(written + change, written + change))
    assert store.get("kind", "key") is None


@pytest.mark.parametrize("time", [0, 4 * 10**18])  # 1970, and a century and more from then
def test_the_same_content_with_another_time_is_whole(store: Store, time: int) -> None:
    shard = put(store) / "weights" / "shard.bin"
    for path in (shard, shard.parent, store.root):
        os.utime(path, ns=(time, time))
    assert store.get("kind", "key") is not None


@pytest.mark.parametrize("said", ["half", "another version's", None])
def test_what_an_entry_says_and_cannot_be_read_is_made_anew(store: Store, said: str | None) -> None:
    put(
        store,
        files={"said.json": b"{" if said == "half" else b'{"old": 1}'} if said else {"x": b""},
    )

    def read(kept: Path) -> int:
        found = json.loads((kept / "said.json").read_text("utf-8"))
        if "new" not in found:
            raise ValueError(found)
        return int(found["new"])

    def make(folder: Path) -> None:
        (folder / "said.json").write_text('{"new": 2}')

    assert store.result("kind", "key", read=read, make=make) == (2, False)
    assert store.result("kind", "key", read=read, make=make) == (2, True)


class Found(BaseModel):
    """A small record, as a stage keeps it."""

    model_config = ConfigDict(extra="forbid")

    new: int


@pytest.mark.parametrize("said", [None, b"{", b'{"old": 1}', b'{"new": 1, "old": 1}'])
def test_a_record_is_made_once_and_anew_if_another_version_wrote_it(
    store: Store, said: bytes | None
) -> None:
    if said is not None:
        put(store, files={"record.json": said})
    made: list[int] = []

    def make() -> Found:
        made.append(1)
        return Found(new=2)

    for reused in (False, True):
        found = store.record("kind", "key", Found, make=make, doing="making a record")
        assert found == (Found(new=2), reused)
    assert made == [1]


def test_a_record_that_fails_leaves_nothing(store: Store) -> None:
    def make() -> Found:
        raise ToolchainError("no result")

    with pytest.raises(ToolchainError, match="no result"):
        store.record("kind", "key", Found, make=make, doing="making a record")
    assert store.get("kind", "key") is None
    assert scratch(store) == []


def test_a_missed_file_is_told_from_one_that_lay_elsewhere(store: Store, tmp_path: Path) -> None:
    content = put(store)
    store.discard("kind", "key")
    for path, lost in ((content / "model.json", True), (tmp_path / "model.json", False)):
        with pytest.raises(FileNotFoundError) as raised:
            path.read_bytes()
        assert store.lost(raised.value) is lost
    assert not store.lost(FileNotFoundError())


@pytest.mark.parametrize(
    "manifest",
    ["", "{", "[]", "{}", '{"files": []}', '{"files": {"model.json": 1}}', "null", "\xff"],
)
def test_an_entry_without_a_sound_manifest_is_absent(store: Store, manifest: str) -> None:
    content = put(store)
    (content.parent / "entry.json").write_text(manifest, "latin-1")
    assert store.get("kind", "key") is None


def test_a_manifest_with_a_strange_field_is_not_believed(store: Store) -> None:
    path = put(store).parent / "entry.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["files"]["model.json"]["colour"] = "red"
    path.write_text(json.dumps(manifest), "utf-8")
    assert store.get("kind", "key") is None


def test_a_failure_half_way_leaves_nothing(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        put_half(store, KeyboardInterrupt())
    assert not store.has("kind", "key")
    assert scratch(store) == []


def test_a_failure_half_way_keeps_the_entry_that_was_there(store: Store) -> None:
    put(store)
    with pytest.raises(RuntimeError):
        put_half(store, RuntimeError())
    content = store.get("kind", "key")
    assert content is not None
    assert contents(content) == FILES


def test_a_second_put_takes_the_place_of_the_first(store: Store) -> None:
    put(store)
    assert contents(put(store, files={"one": b"1"})) == {"one": b"1"}
    assert scratch(store) == []


def test_a_discarded_entry_is_gone_and_may_be_discarded_again(store: Store) -> None:
    put(store)
    store.discard("kind", "key")
    assert not store.has("kind", "key")
    store.discard("kind", "key")
    assert scratch(store) == []


@pytest.mark.parametrize("written", [0.0, time.time(), 4e9], ids=["old", "now", "in the future"])
def test_scratch_of_the_dead_is_swept_whatever_its_time(store: Store, written: float) -> None:
    with store.scratch() as young:
        dead, bare = young.with_name("dead"), young.with_name("bare")
        for folder in (dead, bare, young):
            folder.mkdir(exist_ok=True)
            (folder / "part").write_bytes(b"part")
            os.utime(folder, (written, written))
        dead.with_name("dead.lock").write_bytes(b"")
        with store.scratch() as other:
            assert other.is_dir()
            assert not dead.exists()
            assert not bare.exists()
            assert (young / "part").read_bytes() == b"part"
    assert scratch(store) == []


def test_one_lock_has_one_holder_and_names_it(store: Store) -> None:
    with store.lock("site"):
        with store.lock("another site", timeout=0):
            pass
        with (
            pytest.raises(ToolchainError, match=r"another toolchain process .* on site") as raised,
            store.lock("site", timeout=0.1),
        ):
            pass
        assert "wait until it ends" in str(raised.value)
    with store.lock("site", timeout=0):
        pass


def test_two_processes_never_hold_one_lock(store: Store, tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    running = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(store.root), str(count)])
        for _ in range(2)
    ]
    assert [process.wait(HANG_S) for process in running] == [0, 0]
    assert count.read_text() == "80"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_process_frees_its_lock_and_leaves_no_entry(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ToolchainError, match="on site"), store.lock("site", timeout=0.1):
            pass
        process.kill()
    with store.lock("site", timeout=HANG_S):
        assert not store.has("kind", "half")
        assert len(scratch(store)) == 2  # what it was filling, and its lock
        assert contents(put(store, "half")) == FILES
        assert scratch(store) == []


def test_a_cache_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = Store(tmp_path / "file" / "cache")
    message = r"file/cache cannot be written: .+ set TOOLCHAIN_CACHE"
    with pytest.raises(ToolchainError, match=message), store.put("kind", "key"):
        pass
    with pytest.raises(ToolchainError, match=message), store.lock("site"):
        pass


def test_the_users_store_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(tmp_path / "mine"))
    assert Store.default().root == tmp_path / "mine"
    monkeypatch.setenv("TOOLCHAIN_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Store.default().root.name == "toolchain"
