"""What the tests of `tune` share: a recorder of progress, and the command."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from toolchain import cli
from toolchain.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolchain.progress import Unit


class Hearing(Silent):
    """Records what it is told, and calls `interfere` when the first point is done."""

    def __init__(self, interfere: Callable[[], None] = lambda: None) -> None:
        self.said: list[str] = []
        self.computed = 0
        self._interfere = interfere

    def say(self, message: str) -> None:
        self.said.append(message)

    warn = say

    @contextmanager
    def track(
        self,
        label: str,
        total: int | None = None,  # noqa: ARG002
        unit: Unit = "steps",  # noqa: ARG002
    ) -> Iterator[Hearing]:
        assert label == "Computing points"
        yield self

    def advance(self, amount: int) -> None:
        if self.computed == 0:
            self._interfere()
        self.computed += amount


def judged_by(photos: Path) -> Path:
    """Return the folder of photos to judge by, beside that of photos to round by."""
    return photos.with_name("judged")


def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str | Path
) -> tuple[int, str, str]:
    """Run the command line in this process; return its exit code and its output."""
    monkeypatch.setattr(sys, "argv", ["toolchain", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, err = capfd.readouterr()
    return int(left.value.code or 0), out, err


def words_for(model: Path, photos: Path) -> list[str | Path]:
    return [
        *("tune", model, "--calibration", photos, "--evaluation", judged_by(photos)),
        *("--max-drop", "20"),
        *("--from-bits", "2", "--to-bits", "6", "--points", "5"),
        *("--lock-file", model.with_name("toolchain.lock.json")),
    ]
