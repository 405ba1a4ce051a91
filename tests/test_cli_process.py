"""The command line called within another program leaves its process as it was."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from toolchain import cli
from toolchain.tf import VERBOSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


def handle(number: int, frame: FrameType | None) -> None:
    """Be the handler of the program around."""


@pytest.fixture(params=[handle, signal.SIG_IGN, signal.SIG_DFL], ids=["own", "ignored", "default"])
def handler(request: pytest.FixtureRequest) -> Iterator[object]:
    """Set a handler of SIGTERM, as the program around has one."""
    before = signal.signal(signal.SIGTERM, request.param)
    yield request.param
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--version"], 0),
        (["--no-such-option"], 2),
        (["serve", "nowhere"], 2),
        (["serve", "nowhere", "--debug"], None),
    ],
    ids=["well", "wrong option", "error", "error with its traceback"],
)
def test_the_process_is_as_it_was_however_a_command_ended(
    handler: object, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int | None
) -> None:
    argv = ["toolchain", *words]
    monkeypatch.setattr(sys, "argv", argv)
    before = dict(os.environ)
    with pytest.raises(Exception if code is None else SystemExit) as left:
        cli.main()
    if isinstance(left.value, SystemExit):
        assert (left.value.code or 0) == code
    assert signal.getsignal(signal.SIGTERM) is handler
    assert sys.argv is argv
    assert dict(os.environ) == before


def test_a_word_for_debugging_that_was_set_stays_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VERBOSE, "before")
    monkeypatch.setattr(sys, "argv", ["toolchain", "--version", "--debug"])
    with pytest.raises(SystemExit):
        cli.main()
    assert os.environ[VERBOSE] == "before"


def test_sigterm_ends_a_command_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_run", lambda **_: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(sys, "argv", ["toolchain"])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_can_call_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["toolchain", "--version"])
    codes: list[object] = []

    def call() -> None:
        try:
            cli.main()
        except SystemExit as left:
            codes.append(left.code or 0)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert codes == [0]
