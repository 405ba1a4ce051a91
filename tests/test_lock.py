"""Waiting for another process: the user hears for what, in plain words, and it ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from toolchain import lock as locks
from toolchain.errors import ToolchainError
from toolchain.progress import Silent
from toolchain.site import publish

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store


class Hearing(Silent):
    """Keeps what is said, and does something then."""

    def __init__(self, then: FileLock | None = None) -> None:
        self.said: list[str] = []
        self._then = then

    def say(self, message: str) -> None:
        self.said.append(message)
        if self._then is not None:
            self._then.release()


@pytest.fixture(autouse=True)
def _told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_SILENT", 0.0)


def test_who_waits_hears_what_the_other_process_does_and_gets_its_turn(tmp_path: Path) -> None:
    other = FileLock(tmp_path / "lock", is_singleton=False)
    with other:
        progress = Hearing(then=other)
        held = []
        with locks.held(tmp_path / "lock", doing="converting cats", progress=progress):
            held.append(True)
    assert progress.said == [
        "Waiting at most 15 minutes: another toolchain process is converting cats"
    ]
    assert held == [True]


def test_who_need_not_wait_hears_nothing(tmp_path: Path) -> None:
    progress = Hearing()
    with locks.held(tmp_path / "lock", doing="converting cats", progress=progress):
        pass
    assert progress.said == []


def test_who_has_waited_long_enough_hears_what_to_do(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(ToolchainError) as raised,
        locks.held(tmp_path / "lock", doing="converting cats", progress=Silent(), timeout=0.1),
    ):
        pass
    assert str(raised.value) == (
        "another toolchain process has been converting cats for 0 s; wait until it ends, or "
        "stop it, and run this again"
    )


def test_a_lock_that_is_tried_is_held_or_not(tmp_path: Path) -> None:
    with FileLock(tmp_path / "lock"), locks.tried(tmp_path / "lock") as mine:
        assert not mine
    with locks.tried(tmp_path / "lock") as mine:
        assert mine
        with locks.tried(tmp_path / "lock") as again:
            assert not again


def test_no_message_of_the_cache_names_a_digest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "0123456789abcdef" * 4
    progress, working = Hearing(), threading.Event()
    finish = threading.Event()

    def make(_: Path) -> None:
        working.set()
        finish.wait(60)

    def work() -> None:
        store.result("tfjs", key, read=str, make=make, doing="converting cats to TF.js")

    def say(message: str) -> None:
        progress.said.append(message)
        finish.set()

    monkeypatch.setattr(progress, "say", say)
    other = threading.Thread(target=work)
    other.start()
    try:
        assert working.wait(60)
        _, reused = store.result(
            "tfjs",
            key,
            read=str,
            make=make,
            doing="converting cats to TF.js",
            progress=progress,
        )
    finally:
        finish.set()
        other.join()
    assert reused
    (said,) = progress.said
    assert "is converting cats to TF.js" in said
    assert key[:8] not in said


def test_a_build_that_waits_for_another_says_so(tmp_path: Path) -> None:
    out = tmp_path / "site"
    other = FileLock(tmp_path / ".site.lock")
    with other:
        progress = Hearing(then=other)
        with publish.staged(out, progress) as folder:
            (folder / "index.html").write_text("", "utf-8")
    assert (out / "index.html").is_file()
    (said,) = progress.said
    assert f"is writing {out}" in said
