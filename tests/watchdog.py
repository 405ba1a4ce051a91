"""The one limit of time that tests have: it ends a hang, and says nothing about speed.

A test waits for an event, however long that takes on a slow or busy machine. What does not come
within this limit does not come at all. It is more than ten times what the slowest wait takes on
an idle machine of two cores.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 600.0
"""Seconds after which a test that waits counts as hung."""
HANG_MS = 1000 * HANG_S
"""The same in milliseconds, which Playwright counts in."""


def _nap() -> None:
    time.sleep(0.01)


def until(happened: Callable[[], object], what: str, *, rest: Callable[[], object] = _nap) -> None:
    """Wait until something is so.

    Args:
        happened: Tells whether it is, by anything that is true.
        what: What is waited for, as the failure's message says it.
        rest: What to do between two looks. Where Playwright's handlers run in this thread, they
            run only while Playwright waits: give `lambda: page.wait_for_timeout(50)`.

    Raises:
        AssertionError: It was not so within `HANG_S` seconds.
    """
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < HANG_S, f"hung: {what}"
        rest()
