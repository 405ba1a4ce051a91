"""The door to TensorFlow: what happens to signals and to the garbage collector meanwhile."""

from __future__ import annotations

import gc
import importlib
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")

# As libraries do that would use another one if it were there.
CATCHES_ALL = """
import signal
try:
    for _ in range({times}):
        signal.raise_signal({number})
    heard = None
except BaseException as raised:
    heard = raised
"""


class Ended(BaseException):
    """What a signal's handler raises."""


def end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a handler's form
    raise Ended(number)


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a module that can be imported as `catches_all`."""
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "catches_all.py"
    sys.modules.pop("catches_all", None)


@pytest.mark.usefixtures("_handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_imports_and_not_the_import(
    library: Path, number: signal.Signals
) -> None:
    library.write_text(CATCHES_ALL.format(number=int(number), times=1), "utf-8")
    with pytest.raises(Ended, match=f"^{int(number)}$"), tensorflow.importing():
        module = importlib.import_module("catches_all")
    assert module.heard is None
    assert signal.getsignal(number) is end


@pytest.mark.usefixtures("_handlers")
def test_a_second_signal_does_not_wait(library: Path) -> None:
    library.write_text(CATCHES_ALL.format(number=int(signal.SIGINT), times=2), "utf-8")
    with pytest.raises(Ended), tensorflow.importing():
        module = importlib.import_module("catches_all")
    assert isinstance(module.heard, Ended)


@pytest.mark.usefixtures("_handlers")
def test_an_import_that_fails_says_why_and_leaves_all_as_it_was(library: Path) -> None:
    library.write_text("raise ImportError('of no use')", "utf-8")
    with pytest.raises(ImportError, match="of no use"), tensorflow.importing():
        importlib.import_module("catches_all")
    assert signal.getsignal(signal.SIGINT) is end
    assert gc.isenabled()


def test_what_was_imported_is_no_longer_collected(library: Path) -> None:
    library.write_text("kept = [[] for _ in range(10_000)]", "utf-8")
    gc.unfreeze()
    with tensorflow.importing():
        assert not gc.isenabled()
        importlib.import_module("catches_all")
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    with tensorflow.importing():
        pass
    # Nothing was imported, so nothing more is frozen; what is freed meanwhile counts no longer.
    assert gc.get_freeze_count() <= frozen
