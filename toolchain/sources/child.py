"""Runs a model hub's own client in a child process and watches over it.

The clients know no time-out worth the name and cannot be interrupted from within, but a
process can be ended. Each gets a cache of its own, so that neither a dead lock nor half a
model that an earlier run of the client left in the user's cache can be met.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from toolchain.sources import network
from toolchain.sources.archive import MAX_BYTES
from toolchain.sources.network import AttemptError
from toolchain.tf import VERBOSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.progress import Tracker
    from toolchain.sources.network import NetworkPolicy

Client = Literal["tfhub", "kaggle"]

_TICK = 0.25  # seconds between two looks at a silent child
_ENVIRONMENT: dict[str, str | None] = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    # Settings of the user's that would have the clients fetch other things elsewhere.
    "TFHUB_MODEL_LOAD_FORMAT": "COMPRESSED",
    "TFHUB_DOWNLOAD_PROGRESS": None,
    "TFHUB_DISABLE_CERT_VALIDATION": None,
    "DISABLE_KAGGLE_CACHE": "true",
    "DISABLE_COLAB_CACHE": "true",
    "KAGGLE_LOGGING_ENABLED": None,
    # Warnings made errors are for this project's code, not for theirs.
    "PYTHONWARNINGS": None,
    # Python 3.11 and later: do not import from the folder that the child runs in.
    "PYTHONSAFEPATH": "1",
}


def run(
    client: Client,
    handle: str,
    *,
    scratch: Path,
    policy: NetworkPolicy,
    deadline: float,
    tracker: Tracker,
    if_refused: str = network.CHECK_HANDLE,
) -> Path:
    """Return the folder that a client fetched a model into, somewhere under `scratch`.

    Args:
        client: Which client.
        handle: What it is asked for, in its own terms.
        scratch: An empty folder for it to work in.
        policy: How slow a download may be.
        deadline: The moment of `time.monotonic()` by which it is ended.
        tracker: Hears of the bytes that come.
        if_refused: The remedy where the server wants to know who asks.

    Raises:
        AttemptError: It failed, or was ended for being slow.
    """
    with _started(client, handle, scratch) as (process, inbox):
        pace = _Pace(policy)
        received = 0
        while True:
            if time.monotonic() >= deadline:
                raise AttemptError(
                    f"the download was not done within {policy.deadline:g} s", network.TRY_LATER
                )
            try:
                message = inbox.get(timeout=_TICK)
            except queue.Empty:
                message = {}
            if message is None:
                raise AttemptError(
                    f"the {client} client ended without a word (exit code {process.wait()})",
                    "set TOOLCHAIN_DEBUG=1 and run this again to see what it writes",
                )
            if "folder" in message:
                return Path(message["folder"])
            if "failed" in message:
                raise _failure(client, message, if_refused)
            if (count := message.get("received")) is not None:
                tracker.advance(count - received)
                received = count
                # What it writes counts too: a big archive is unpacked after it came.
                written = _size(scratch)
                if written > MAX_BYTES:
                    raise AttemptError(f"it unpacks to more than {MAX_BYTES >> 30} GiB")
                pace.check(received + written)


class _Pace:
    """The rate at which work goes on, over the last `stall_timeout` seconds."""

    def __init__(self, policy: NetworkPolicy) -> None:
        self._policy = policy
        self._samples: deque[tuple[float, int]] = deque()

    def check(self, done: int) -> None:
        """Note how many bytes are done by now.

        Raises:
            AttemptError: There were too few of them for too long.
        """
        window = self._policy.stall_timeout
        now = time.monotonic()
        self._samples.append((now, done))
        if now - self._samples[0][0] < window:
            return
        came = done - self._samples[0][1]
        if came < max(1.0, self._policy.min_bytes_per_second * window):
            how = f"only {came} bytes" if came else "nothing"
            raise AttemptError(
                f"the download stalled: {how} came in {window:g} s",
                network.TRY_LATER,
                transient=True,
            )
        while now - self._samples[0][0] >= window:
            self._samples.popleft()


@contextlib.contextmanager
def _started(
    client: Client, handle: str, scratch: Path
) -> Iterator[tuple[subprocess.Popen[str], queue.SimpleQueue[dict[str, Any] | None]]]:
    """Give a running child and what it says; None when it says no more."""
    process = subprocess.Popen(  # noqa: S603 - this very Python; the handle is an argument
        [sys.executable, "-m", "toolchain.sources.client", client, handle],
        cwd=scratch,
        env=_environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get(VERBOSE) else subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        # A group of its own: Ctrl-C comes to us alone, and we can end all of it.
        start_new_session=True,
    )
    inbox: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(process.stdout, inbox), daemon=True)
    listener.start()
    try:
        yield process, inbox
    finally:
        _end(process)
        listener.join()
        if process.stdout is not None:
            process.stdout.close()


def _end(process: subprocess.Popen[str]) -> None:
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _listen(lines: IO[str], inbox: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    try:
        for line in lines:
            inbox.put(json.loads(line))
    except ValueError:
        pass  # a line cut by the child's death
    finally:
        inbox.put(None)


def _environment(scratch: Path) -> dict[str, str]:
    cache = str(scratch / "cache")
    # The child imports this very toolchain, wherever it came from.
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    changes = {
        **_ENVIRONMENT,
        "TFHUB_CACHE_DIR": cache,
        "KAGGLEHUB_CACHE": cache,
        "PYTHONPATH": path,
    }
    kept = {name: value for name, value in os.environ.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}


def _failure(client: Client, message: dict[str, Any], if_refused: str) -> AttemptError:
    kind = message["failed"]
    if kind == "status":
        return network.status_error(
            message["status"], message["retry_after"], if_refused=if_refused
        )
    text = str(message["text"])
    if kind == "network":
        return AttemptError(text, network.TRY_LATER, transient=True)
    if kind == "disk":
        return AttemptError(
            f"the disk is full ({text})", "make room, or set TOOLCHAIN_CACHE to another disk"
        )
    return AttemptError(f"the {client} client gave up ({text})")


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # renamed meanwhile
                total += (Path(parent) / name).stat().st_size
    return total
