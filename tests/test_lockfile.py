"""The lock file: what it holds, what it refuses, and two processes at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.at_once import environment, run_at_once
from toolchain.errors import BadInputError, PinMismatchError
from toolchain.sources.lockfile import FILE_NAME, Lockfile

if TYPE_CHECKING:
    from pathlib import Path

HANDLE = "https://tfhub.dev/google/mobilenet/1"
ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / FILE_NAME


def test_the_first_digest_is_pinned_in_a_file_fit_for_version_control(path: Path) -> None:
    pins = Lockfile.load(path)
    pins.check_or_pin(HANDLE, ONE)
    pins.check_or_pin("a/b/tensorFlow2/c/1", OTHER)
    text = path.read_text("utf-8")
    assert json.loads(text) == {
        "schema": 1,
        "models": {"a/b/tensorFlow2/c/1": {"sha256": OTHER}, HANDLE: {"sha256": ONE}},
    }
    assert text.index('"a/b') < text.index(HANDLE)
    assert text.endswith("}\n")
    assert [found.name for found in path.parent.iterdir() if found.is_file()] == [FILE_NAME]


def test_the_same_digest_leaves_the_file_alone(path: Path) -> None:
    Lockfile.load(path).check_or_pin(HANDLE, ONE)
    before = path.stat()
    Lockfile.load(path).check_or_pin(HANDLE, ONE)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_digest_is_refused_with_the_way_out(path: Path) -> None:
    pins = Lockfile.load(path)
    pins.check_or_pin(HANDLE, ONE)
    with pytest.raises(PinMismatchError) as raised:
        pins.check_or_pin(HANDLE, OTHER)
    for part in (ONE[:12], OTHER[:12], FILE_NAME, f"toolchain pull {HANDLE} --update-pin"):
        assert part in str(raised.value)
    assert ONE[:13] not in str(raised.value)
    assert pins.get(HANDLE) == ONE


def test_another_digest_is_pinned_where_that_is_asked_for(path: Path) -> None:
    pins = Lockfile.load(path)
    pins.check_or_pin(HANDLE, ONE)
    pins.check_or_pin(HANDLE, OTHER, update=True)
    assert Lockfile.load(path).get(HANDLE) == OTHER


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("{", "Expecting"),
        ("[]", "dictionary"),
        ('{"schema": 2, "models": {}}', "schema"),
        ('{"schema": 1, "models": {"h": {"sha256": "abc"}}}', "sha256"),
        ('{"schema": 1, "models": {"h": "abc"}}', "models.h"),
        ('{"schema": 1, "modells": {}}', "modells"),
        ("\xff", "can't decode"),
    ],
)
def test_what_is_no_lock_file_is_refused_and_kept(path: Path, content: str, cause: str) -> None:
    path.write_text(content, "latin-1")
    with pytest.raises(BadInputError, match=cause) as raised:
        Lockfile.load(path)
    assert str(path) in str(raised.value)
    assert path.read_text("latin-1") == content


def test_a_folder_that_cannot_be_written_is_named(path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be written: No such file"):
        Lockfile.load(path.parent / "missing" / FILE_NAME).check_or_pin(HANDLE, ONE)
    assert not (path.parent / "missing").exists()


READ_ONLY = """
mount -t tmpfs tmpfs "$1" && cp "$2" "$1" && mount -o remount,ro "$1" || exit 99
cd "$1" && exec "$3" -c "$4"
"""
PINNING = f"""
from pathlib import Path
from toolchain.errors import BadInputError
from toolchain.sources.lockfile import Lockfile
pins = Lockfile.load(Path("{FILE_NAME}"))
pins.check_or_pin("{HANDLE}", "{ONE}")
print("what is pinned is read")
try:
    pins.check_or_pin("another", "{ONE}")
except BadInputError as error:
    print(error)
"""


def test_a_read_only_disk_is_one_sentence_and_what_is_pinned_there_holds(path: Path) -> None:
    Lockfile.load(path).check_or_pin(HANDLE, ONE)
    disk = path.parent / "disk"
    disk.mkdir()
    own_space = ("unshare", "--user", "--map-root-user", "--mount")
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare of util-linux")
    done = subprocess.run(
        [*own_space, "sh", "-c", READ_ONLY, "sh", disk, path, sys.executable, PINNING],
        capture_output=True,
        text=True,
        check=False,
        env=environment(path.parent / "cache"),
    )
    if done.returncode == 99 or done.stderr.startswith("unshare:"):
        pytest.skip(f"no mounts of one's own here: {done.stderr.strip()}")
    read, refused = done.stdout.splitlines()
    assert read == "what is pinned is read"
    assert refused == (
        f"{FILE_NAME} cannot be written: Read-only file system; make its folder writable or name "
        "another with --lock-file"
    )


@pytest.mark.parametrize("caches", ["aaa", "abc"], ids=["one cache", "a cache each"])
def test_processes_at_once_lose_no_pin(path: Path, caches: str) -> None:
    # One of them knows the file by another name.
    link = path.with_name("link.json")
    link.symlink_to(path)
    folders = [path.parent / f"cache-{cache}" for cache in caches]
    words = [(str(path), "a"), (str(path), "b"), (str(link), "c")]
    run_at_once(
        "import sys; from pathlib import Path; from toolchain.sources.lockfile import Lockfile\n"
        "pins = Lockfile.load(Path(sys.argv[1]))\n",
        "for number in range(40): pins.check_or_pin(f'{sys.argv[2]}/{number}', '3' * 64)\n",
        zip(folders, words, strict=True),
    )
    assert len(json.loads(path.read_text("utf-8"))["models"]) == 120
    assert {file.name for file in path.parent.iterdir() if file.is_file()} == {
        FILE_NAME,
        link.name,
    }
