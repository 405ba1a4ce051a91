"""The only time limit of the tests: it ends a hang, and says nothing about speed.

A test waits for an event, however long that takes on a slow or busy machine. If the event does not
come within this limit, the test has hung. The limit is more than ten times the slowest wait on an
idle machine with two cores.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 600.0
"""Seconds after which a waiting test counts as hung."""
HANG_MS = 1000 * HANG_S
"""The same in milliseconds, Playwright's unit."""


def _nap() -> None:
    time.sleep(0.01)


def until(happened: Callable[[], object], what: str, *, rest: Callable[[], object] = _nap) -> None:
    """Wait until a condition is true.

    Args:
        happened: Returns whether the condition is true, as any truthy value.
        what: What is awaited, for the failure's message.
        rest: What to do between two checks. Playwright's handlers in this thread run only while
            Playwright waits: pass `lambda: page.wait_for_timeout(50)`.

    Raises:
        AssertionError: It was not true within `HANG_S` seconds.
    """
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < HANG_S, f"hung: {what}"
        rest()
