"""The one door to TensorFlow: imported late, on the CPU, and quietly.

Importing TensorFlow takes seconds, so only the stages that need it come here, when they
run. Its C++ side writes to the process's standard error before any logger can be set, so
:func:`quiet` diverts the file descriptor itself.
"""

from __future__ import annotations

import contextlib
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


def load() -> Any:
    """Import TensorFlow for the CPU and return the module."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Builds must not depend on a GPU that happens to be there, nor wait for a search.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    # Whatever the user has set: other kernels give other bytes where results are rounded, and
    # optimise a graph into operations that TF.js lacks, such as _FusedBatchNormEx.
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    with importing():
        import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if "constant_folding" not in tf.config.optimizer.get_experimental_options():
        # TensorFlow 2.19 moves a constant picture that is added behind a bias to before it, and
        # then fails. There is nothing to fold anyway: the converter has done it.
        tf.config.optimizer.set_experimental_options({"constant_folding": False})
    return tf


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Import TensorFlow, or a library of its size, within the block.

    Such libraries make a million objects that live as long as the process. The garbage collector
    never looks at them: to walk them over and over takes a fifth of the import, and a second
    when the process ends.

    Ctrl-C, or SIGTERM where it has a handler, waits for the block to end; a second one does not.
    Amid the import it would abort the process where C++ runs, and be forgotten where a library
    looks for another one and catches whatever is raised.
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
    """Let these signals' handlers wait until the block has ended, once."""
    if threading.current_thread() is not threading.main_thread():
        # Handlers run in the main thread, and are set there only.
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
    """Keep what TensorFlow and its converter print from the user while the block runs.

    Python warnings go too: they are addressed to whoever maintains those libraries.
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
