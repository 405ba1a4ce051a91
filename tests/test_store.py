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

from toolchain.errors import ToolchainError
from toolchain.store import Store

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"model.json": b"{}", "weights/shard.bin": b"0123456789"}

HOLD = (
    "import sys, time; from pathlib import Path; from toolchain.store import Store\n"
    "store = Store(Path(sys.argv[1]))\n"
    "with store.lock('site'), store.put('kind', 'half') as folder:\n"
    "    (folder / 'part').write_bytes(b'part')\n"
    "    print('held', flush=True)\n"
    "    time.sleep(60)\n"
)
COUNT = (
    "import sys; from pathlib import Path; from toolchain.store import Store\n"
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


def test_other_content_of_the_same_size_is_noticed_by_its_time(store: Store) -> None:
    shard = put(store) / "weights" / "shard.bin"
    written = shard.stat().st_mtime_ns
    shard.write_bytes(b"9876543210")
    os.utime(shard, ns=(written + 1, written + 1))
    assert store.get("kind", "key") is None


def test_the_same_content_with_another_time_is_whole(store: Store) -> None:
    shard = put(store) / "weights" / "shard.bin"
    os.utime(shard, ns=(0, 0))
    assert store.get("kind", "key") is not None


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


def test_old_scratch_is_swept_and_new_scratch_is_not(store: Store) -> None:
    old, young = store.scratch(), store.scratch()
    (old / "part").write_bytes(b"part")
    a_week_ago = time.time() - 7 * 24 * 3600
    os.utime(old, (a_week_ago, a_week_ago))
    assert store.scratch().is_dir()
    assert not old.exists()
    assert young.is_dir()


def test_one_lock_has_one_holder_and_names_it(store: Store) -> None:
    with store.lock("site"):
        with store.lock("another site", timeout=0):
            pass
        with (
            pytest.raises(ToolchainError, match=r"another toolchain process .* on site") as raised,
            store.lock("site", timeout=0.1),
        ):
            pass
        assert "wait for it to end" in str(raised.value)
    with store.lock("site", timeout=0):
        pass


def test_two_processes_never_hold_one_lock(store: Store, tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")
    running = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(store.root), str(count)])
        for _ in range(2)
    ]
    assert [process.wait(60) for process in running] == [0, 0]
    assert count.read_text() == "80"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_process_frees_its_lock_and_leaves_no_entry(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store.root)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ToolchainError, match="on site"), store.lock("site", timeout=0.1):
            pass
        process.kill()
    with store.lock("site", timeout=5):
        assert not store.has("kind", "half")
        assert contents(put(store, "half")) == FILES


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
