"""The one place that imports TensorFlow: lazily, for the CPU, and without its messages.

Importing TensorFlow takes seconds, so stages call :func:`load` only when they need it. Its C++
code writes to the process's standard error before any logger can be configured, so
:func:`quiet` redirects the file descriptor itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

VERBOSE = "TOOLCHAIN_DEBUG"
"""Environment variable that leaves TensorFlow's own output as it is; `--debug` sets it."""

# Of glibc's `mallopt`, in `malloc.h`.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT, _MOST_KEPT = 1 << 30, (1 << 31) - 1  # bytes


def load() -> Any:
    """Import TensorFlow for the CPU and return the module."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A build must not depend on whether there is a GPU, nor wait while TensorFlow looks for one.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    # Overrides the user's setting: oneDNN's kernels round differently, so other bytes result, and
    # its graph optimiser makes operations that TF.js lacks, such as _FusedBatchNormEx.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    _reuse_freed_memory()
    with importing():
        import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if "constant_folding" not in tf.config.optimizer.get_experimental_options():
        # Where a constant picture is added after a bias, TensorFlow 2.19 moves it before the bias
        # and then fails. Nothing is lost: the converter has folded all constants already.
        tf.config.optimizer.set_experimental_options({"constant_folding": False})
    return tf


def _reuse_freed_memory() -> None:
    """Let glibc's allocator keep the memory of large arrays for the next ones.

    Otherwise each large array is mapped anew and cleared by the system. For `mixed` with 200
    photos and MobileNetV1 0.25, 1.72 million page faults become 0.44 million, and 68 CPU-seconds
    58, with 6 % less memory at the peak (1.75 and 1.64 GB).
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        allocator = ctypes.CDLL(None)
        allocator.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        allocator.mallopt(_TRIM_THRESHOLD, _MOST_KEPT)


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import TensorFlow, or a library of similar size, within the block.

    Such libraries make a million objects that live as long as the process. They are hidden from
    the garbage collector: its repeated walks over them take a fifth of the import time, and a
    second when the process ends.

    Ctrl-C, or SIGTERM if it has a handler, takes effect when the block ends; a second one at
    once. During the import, a signal could abort the process inside C++ code, or be lost where a
    library tries to import another one and catches every exception.
    """
    modules, collects = len(sys.modules), gc.isenabled()
    gc.disable()
    try:
        with _put_off(signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        if len(sys.modules) > modules:
            gc.freeze()
        if collects:
            gc.enable()


@contextlib.contextmanager
def _put_off(*numbers: signal.Signals) -> Iterator[None]:
    """Delay the first of these signals until the block has ended."""
    if threading.current_thread() is not threading.main_thread():
        # Handlers run in the main thread and can be set only there.
        yield
        return
    handlers = {
        number: handler for number in numbers if callable(handler := signal.getsignal(number))
    }
    came: list[tuple[signal.Signals, FrameType | None]] = []

    def wait(number: int, frame: FrameType | None) -> None:
        came.append((signal.Signals(number), frame))
        if len(came) > 1:
            handlers[came[-1][0]](*came[-1])

    for number in handlers:
        signal.signal(number, wait)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if came:
        handlers[came[0][0]](*came[0])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide what TensorFlow and its converter print while the block runs.

    Python warnings are hidden too: they are meant for the maintainers of those libraries.
    """
    if os.environ.get(VERBOSE):
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    with (
        Path(os.devnull).open("w") as sink,
        contextlib.redirect_stdout(sink),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        kept = os.dup(2)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
