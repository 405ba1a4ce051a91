"""Time-outs, retries, and a short memory of hosts that did not answer.

A failed attempt raises an :class:`AttemptError`, which tells whether a retry may help.
:func:`with_retries` turns the last one into the error that the user sees.
"""

from __future__ import annotations

import contextlib
import email.utils
import http
import json
import os
import random
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar

from toolchain.errors import SourceError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress

_T = TypeVar("_T")

OTHERWISE_LOCAL = "or give a file or folder of your own with --model PATH"
CHECK_HANDLE = f"check the handle, {OTHERWISE_LOCAL}"
TRY_LATER = f"try again later, {OTHERWISE_LOCAL}"
CHECK_CONNECTION = f"check the network connection, {OTHERWISE_LOCAL}"

_REFUSED = frozenset({http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN})
_ABSENT = frozenset({http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE})
_BUSY = frozenset(
    {
        http.HTTPStatus.REQUEST_TIMEOUT,
        http.HTTPStatus.TOO_EARLY,
        # The answer to a request for the rest; a retry asks for the whole file.
        http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
        http.HTTPStatus.TOO_MANY_REQUESTS,
    }
)
_MEMORY = "unreachable.json"
_REMEMBERED_FOR = 600.0  # seconds; chosen, not measured


@dataclass(frozen=True)
class NetworkPolicy:
    """Time limits, in seconds, and the number of attempts. Chosen, not measured."""

    connect_timeout: float = 3.0
    """For resolving the host name, and again for the connection."""
    answer_timeout: float = 10.0
    """From the connection to the first bytes of the body."""
    stall_timeout: float = 20.0
    """How long a download may be slower than `min_bytes_per_second`."""
    min_bytes_per_second: float = 1024.0
    deadline: float = 600.0
    """For the whole fetch, with all its attempts."""
    attempts: int = 3
    backoff_base: float = 1.0
    """Wait before the first retry; it doubles before each further one."""
    max_wait: float = 60.0
    """The longest Retry-After of a server that is waited for."""


class AttemptError(Exception):
    """One attempt failed.

    Args:
        cause: What happened, as a clause.
        remedy: What the user can do about it, as a clause.
        transient: Whether a retry may help.
        unreachable: Whether nothing answered at all.
        status: The HTTP status; None if there was no answer.
        retry_after: The wait that the server asks for, in seconds; None if it does not.
    """

    def __init__(
        self,
        cause: str,
        remedy: str = CHECK_HANDLE,
        *,
        transient: bool = False,
        unreachable: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy
        self.transient = transient
        self.unreachable = unreachable
        self.status = status
        self.retry_after = retry_after


def status_error(
    status: int, retry_after: str | None, *, if_refused: str = CHECK_HANDLE
) -> AttemptError:
    """Return the error for an HTTP status of 300 or above.

    Args:
        status: The status.
        retry_after: The answer's Retry-After header, if it has one.
        if_refused: The remedy if the server asks for credentials.
    """
    try:
        said = f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        said = str(status)
    if status in _REFUSED:
        return AttemptError(f"the server refuses access ({said})", if_refused, status=status)
    if status in _ABSENT:
        return AttemptError(f"the server has no such model ({said})", status=status)
    transient = status in _BUSY or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
    return AttemptError(
        f"the server answers {said}",
        TRY_LATER if transient else CHECK_HANDLE,
        transient=transient,
        status=status,
        retry_after=_seconds(retry_after),
    )


def stalled(count: int, seconds: float) -> AttemptError:
    """Return the error for a download of which only `count` bytes came in `seconds`."""
    came = f"only {count} bytes" if count else "nothing"
    return AttemptError(
        f"the download stalled: {came} came in {seconds:g} s", TRY_LATER, transient=True
    )


def overdue(policy: NetworkPolicy) -> AttemptError:
    """Return the error for a fetch that has reached its deadline."""
    return AttemptError(f"the download was not done within {policy.deadline:g} s", TRY_LATER)


def with_retries(
    handle: str,
    attempt: Callable[[float], _T],
    *,
    policy: NetworkPolicy,
    progress: Progress,
) -> _T:
    """Call `attempt` until it succeeds, with retries after transient errors; return its result.

    Args:
        handle: What is fetched, for messages.
        attempt: Gets the deadline, in `time.monotonic()`.
        policy: How often to try, and for how long.
        progress: Told of each retry.

    Raises:
        UnreachableError: Nothing answered.
        SourceError: An attempt failed for good, or the last one failed.
    """
    deadline = time.monotonic() + policy.deadline
    for number in range(1, policy.attempts + 1):
        try:
            return attempt(deadline)
        except AttemptError as error:
            wait = _wait(error, number, policy)
            if wait is None or time.monotonic() + wait >= deadline:
                kind = UnreachableError if error.unreachable else SourceError
                tried = f" (tried {number} times)" if number > 1 else ""
                raise kind(
                    f"{handle} could not be fetched{tried}: {error.cause}; {error.remedy}"
                ) from error
            progress.say(
                f"{handle}: {error.cause}; trying again in {wait:.1f} s "
                f"(attempt {number + 1} of {policy.attempts})"
            )
        time.sleep(wait)
    raise ValueError(f"a policy must allow at least one attempt: {policy}")


def recently_unreachable(store: Store, origin: str) -> bool:
    """Tell whether `origin` did not answer within the last ten minutes.

    A time in the future does not count: the clock was set back since.
    """
    stamp = _recall(store).get(origin)
    return stamp is not None and 0 <= time.time() - stamp < _REMEMBERED_FOR


def remember_unreachable(store: Store, origin: str) -> None:
    """Remember that `origin` does not answer."""
    _memorise(store, {**_recall(store), origin: time.time()})


def forget_unreachable(store: Store, origin: str) -> None:
    """Forget that `origin` did not answer, because now it does."""
    known = _recall(store)
    if known.pop(origin, None) is not None:
        _memorise(store, known)


def _wait(error: AttemptError, number: int, policy: NetworkPolicy) -> float | None:
    """Return how long to wait before the next retry, in seconds; None for no retry."""
    if not error.transient or number >= policy.attempts:
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= policy.max_wait else None
    # Jitter, so that the machines of a classroom do not all retry at once.
    backoff: float = policy.backoff_base * 2 ** (number - 1) * random.uniform(0.5, 1.5)  # noqa: S311
    return backoff


def _seconds(retry_after: str | None) -> float | None:
    """Return a Retry-After header (seconds or a date) as seconds from now, or None."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())


def _recall(store: Store) -> dict[str, float]:
    try:
        known = json.loads(_memory(store).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {key: stamp for key, stamp in known.items() if isinstance(stamp, int | float)}


def _memorise(store: Store, known: Mapping[str, float]) -> None:
    path = _memory(store)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    # If it cannot be written, the only cost is a wait at the next fetch.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(known, indent=1, sort_keys=True), "utf-8")
        beside.replace(path)


def _memory(store: Store) -> Path:
    return store.root / _MEMORY
