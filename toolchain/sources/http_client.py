"""The HTTP client for models: follows redirects, resumes downloads, and ends slow ones."""

from __future__ import annotations

import contextlib
import http
import math
import re
import threading
import time
import urllib.parse
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.formats.archive import MAX_BYTES
from toolchain.sources import http_request, retries
from toolchain.sources.retries import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from toolchain.progress import Progress
    from toolchain.sources.http_request import Response
    from toolchain.sources.retries import NetworkPolicy

_TICK = 0.25  # seconds between two checks of a download's speed; chosen, not measured
_MOST_REDIRECTS = 10
_CONTENT_RANGE = re.compile(r"bytes (\d+)-")


def ask(url: str, policy: NetworkPolicy) -> tuple[bytes, int | None]:
    """Return the first bytes at an http(s) address, and the length if the server tells it.

    Raises:
        AttemptError: The request failed.
        BadInputError: The environment names a proxy or certificates that cannot be used.
    """
    with _opened(url, {}, policy, math.inf) as response:
        return response.head, response.length


def download(
    url: str,
    path: Path,
    *,
    label: str,
    policy: NetworkPolicy,
    deadline: float,
    progress: Progress,
    headers: Mapping[str, str] | None = None,
    if_refused: str = retries.CHECK_HANDLE,
    expect: Callable[[bytes], None] | None = None,
    limit: int = MAX_BYTES,
) -> str:
    """Download the content at an http(s) address to a file, and return where it came from.

    If an earlier call for the same file was cut off and the host can send a part of the same
    content, only the rest is fetched. The content's ETag is kept beside the file for that.

    Args:
        url: The address. Redirects are followed, but never from https to http.
        path: The file to write.
        label: Label of the progress bar.
        policy: The time limits.
        deadline: When it must be done, in `time.monotonic()`.
        progress: Told of the bytes that came.
        headers: Headers for the address's own host; redirects to other hosts do not get them.
        if_refused: The remedy if the server asks for credentials.
        expect: Checks the first bytes; raises an `AttemptError` if they are of the wrong kind.
        limit: The most bytes to accept.

    Returns:
        The address after all redirects.

    Raises:
        AttemptError: The content did not come, or not completely.
        BadInputError: The environment names a proxy or certificates that cannot be used.
    """
    kept = path.with_name(f"{path.name}.etag")
    etag = kept.read_text("ascii") if kept.is_file() else ""
    kept.unlink(missing_ok=True)
    begin = path.stat().st_size if etag else 0
    part = {"Range": f"bytes={begin}-", "If-Range": etag} if begin else {}
    with _opened(url, headers or {}, policy, deadline, if_refused, part) as response:
        begin = _begin(response, begin, etag)
        if not begin and expect is not None:
            expect(response.head)
        length = response.length
        total = None if length is None else begin + length
        with (
            path.open("ab" if begin else "wb") as file,
            progress.track(label, total, "bytes") as tracker,
            _watched(response, file.tell, deadline),
        ):
            # Only a strong ETag means that two answers have the same bytes (RFC 9110, 13.1.5).
            if (etag := response.raw.headers.get("ETag", "")).startswith('"') and etag.isascii():
                kept.write_text(etag, "ascii")
            tracker.advance(begin)
            for piece in response.pieces():
                if max(total or 0, file.tell() + len(piece)) > limit:
                    raise AttemptError(f"the server sends more than {limit:,} bytes")
                file.write(piece)
                tracker.advance(len(piece))
    kept.unlink(missing_ok=True)
    return response.url


def _begin(response: Response, asked: int, etag: str) -> int:
    """Return the offset in the whole content at which an answer begins."""
    if response.raw.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = _CONTENT_RANGE.match(response.raw.headers.get("Content-Range", ""))
    same = response.raw.headers.get("ETag", etag) == etag
    if not asked or found is None or int(found[1]) != asked or not same:
        raise AttemptError(
            "the server sends another part than the one asked for",
            retries.TRY_LATER,
            transient=True,
        )
    return asked


@contextlib.contextmanager
def _opened(
    url: str,
    headers: Mapping[str, str],
    policy: NetworkPolicy,
    deadline: float,
    if_refused: str = retries.CHECK_HANDLE,
    part: Mapping[str, str] | None = None,
) -> Iterator[Response]:
    """Follow redirects and yield the answer; raise for an error status.

    Args:
        url: The address.
        headers: Headers for the address's own host.
        policy: The time limits.
        deadline: When it must be done, in `time.monotonic()`.
        if_refused: The remedy if the server asks for credentials.
        part: Headers for every host, which ask for a part of the content.
    """
    asked = url
    for _ in range(_MOST_REDIRECTS):
        own = headers if http_request.origin(asked) == http_request.origin(url) else {}
        response = http_request.get(asked, {**own, **(part or {})}, policy, deadline)
        if not (target := response.raw.get_redirect_location()):
            break
        response.raw.close()
        asked = _following(asked, target)
    try:
        if response.raw.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            wait = response.raw.headers.get("Retry-After")
            raise retries.status_error(response.raw.status, wait, if_refused=if_refused)
        yield replace(response, url=asked)
    finally:
        response.raw.close()


def _following(url: str, target: str) -> str:
    """Return the address that a redirect leads to.

    Raises:
        AttemptError: The address must not be followed.
    """
    try:
        following = urllib.parse.urljoin(url, target)
        scheme, host, _ = http_request.origin(following)
    except ValueError as error:
        raise AttemptError(f"the server redirects to an invalid address ({error})") from error
    if scheme not in http_request.PORTS or not host:
        raise AttemptError(f"the server redirects to {scheme}:, which is not followed")
    if scheme == "http" and url.startswith("https:"):
        raise AttemptError(
            f"the server redirects from https to http://{host}, where others on the network could "
            "change the download"
        )
    return following


@contextlib.contextmanager
def _watched(response: Response, received: Callable[[], int], deadline: float) -> Iterator[None]:
    """Shut the connection down if reading from it within the block is too slow.

    Args:
        response: The answer that is read.
        received: Returns how many bytes have come.
        deadline: When it must be done, in `time.monotonic()`.
    """
    policy = response.policy
    window = policy.stall_timeout
    done = threading.Event()
    faults: list[AttemptError] = []

    def watch() -> None:
        samples: deque[tuple[float, int]] = deque()
        while not faults and not done.wait(_TICK):
            now, count = time.monotonic(), received()
            samples.append((now, count))
            if now >= deadline:
                faults.append(retries.overdue(policy))
            if now - samples[0][0] >= window:
                came = count - samples.popleft()[1]
                if came < max(1.0, policy.min_bytes_per_second * window):
                    faults.append(retries.stalled(came, window))
        if faults:
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # it has ended anyway
                response.raw.shutdown()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except AttemptError as error:
        if faults:
            raise faults[0] from error
        raise
    finally:
        done.set()
        watcher.join()
    if faults:
        raise faults[0]
