"""One trial: damaged content is read, or refused in one sentence, quickly and within limits."""

from __future__ import annotations

import shutil
import signal
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.reader import Reader

PATIENCE = 20  # seconds; what is read here takes milliseconds
LONGEST = 2000  # characters of a sentence
# Findings are saved as files, and not in Hypothesis' database.
RULES = settings(
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class HungError(BaseException):
    """A reader did not return; no reader catches this."""


def once(reader: Reader, content: bytes) -> None:
    """Pass content to a reader.

    Raises:
        AssertionError: It is refused, but not in one sentence.
        Exception: It is refused by something else than an error for the user.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=_fast()))
    try:
        with _in_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(content, folder)
    except ToolchainError as error:
        said = str(error)
    else:
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert said.strip(), "it says nothing"
    # The message may quote the content, with odd characters escaped.
    assert len(said) < LONGEST + 4 * len(content), "it says far too much"


def _fast() -> str | None:
    """Return a folder in memory, if there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - made private above


@contextmanager
def _in_time() -> Iterator[None]:
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_: object) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
