"""Where long work runs: in this process, in processes of this machine, or on a cluster.

Each is a standard `concurrent.futures.Executor`. A new process imports this module first, so
the module imports no library that reads at import how many threads to use.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import (
    Executor,
    Future,
    InvalidStateError,
    ProcessPoolExecutor,
    as_completed,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from toolchain.errors import BadInputError, MissingToolError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

_SCHEMES = ("tcp://", "tls://", "ws://", "wss://")
# Chosen, not measured.
_ANSWER_S = 10.0  # seconds in which a scheduler must answer
_WORKERS_S = 30.0  # seconds in which it must have a worker


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_one_thread() -> None:
    """Let TensorFlow use one thread for each operation; no effect once it has started.

    The order in which several threads add up a sum depends on how many there are, and so would
    the last bits of a score. For one photo at a time, a second thread is no faster.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@contextmanager
def executor_for(worthwhile: int, *, workers: int | None, engine: str | None) -> Iterator[Executor]:
    """Yield the requested executor; its processes end when the block ends, in any way.

    Args:
        worthwhile: How many processes of this machine to use if `workers` is None.
        workers: How many processes of this machine to use; None for `worthwhile`.
        engine: Address of a Dask scheduler to use instead of this machine.

    Raises:
        BadInputError: Both `workers` and `engine` are given, or `engine` is not an address.
        MissingToolError: Dask is not installed.
        ToolchainError: The cluster or a process fails.
    """
    if engine is not None:
        if workers is not None:
            raise BadInputError("--workers is for this machine; leave it out with --engine")
        with _cluster(engine) as executor:
            yield executor
        return
    count = worthwhile if workers is None else workers
    if count == 1:
        yield _Here()
        return
    with _processes(count) as executor:
        yield executor


def as_they_come(
    executor: Executor, function: Callable[[S], T], items: Sequence[S]
) -> Iterator[tuple[S, T]]:
    """Call a function with every item, and yield each item with its result as it is ready.

    In this process, the next item starts only after the caller has handled the last result. So
    an interruption loses the item that is running, but no finished result.
    """
    if isinstance(executor, _Here):
        for item in items:
            yield item, function(item)
        return
    begun = {executor.submit(function, item): item for item in items}
    for future in as_completed(begun):
        yield begun[future], future.result()


class _Here(Executor):
    """Runs each call at once, in this thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future passes any error to the caller
            future.set_exception(error)
        return future

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,  # noqa: ARG002
        chunksize: int = 1,  # noqa: ARG002
    ) -> Iterator[T]:
        # Lazily, one call for each result that is asked for, so that progress is visible.
        return map(fn, *iterables)


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    others = set(multiprocessing.active_children())
    # A forked process would get the state of TensorFlow's threads, but not the threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ToolchainError(
            f"a worker process was killed, perhaps because {_perhaps()}; "
            "run the same command with --workers 1"
        ) from error
    except BaseException:
        with _silent_about_cancelled():
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            pool.shutdown()
        raise
    finally:
        pool.shutdown()


def _perhaps() -> str:
    """Return why a process may have ended; a new one imports the script that called this."""
    if Path(sys.argv[0]).stem in ("toolchain", "__main__"):
        return "memory ran out"
    return 'memory ran out, or a script does not call this below `if __name__ == "__main__":`'


@contextmanager
def _silent_about_cancelled() -> Iterator[None]:
    """Hide one fault of `concurrent.futures` in its thread while the block runs.

    Up to Python 3.12, that thread cannot report a killed process to a future that has been
    cancelled, and prints a traceback.
    """
    usual = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not issubclass(args.exc_type, InvalidStateError):
            usual(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = usual


def _begin() -> None:
    """Prepare a new process before it imports NumPy or TensorFlow."""
    # A terminal sends Ctrl-C to every process; here the parent ends its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    use_one_thread()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _cluster(engine: str) -> Iterator[Executor]:
    if not engine.startswith(_SCHEMES):
        raise BadInputError(
            f"--engine {engine} is not an address of a Dask scheduler; "
            "write it like tcp://host:8786"
        )
    try:
        import distributed
    except ImportError as error:
        raise MissingToolError(
            "--engine needs Dask, which is not installed; run `pip install 'toolchain[dask]'`"
        ) from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(engine, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ToolchainError(
            f"no Dask scheduler answers at {engine}; start one with `dask scheduler`"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_S)
        except TimeoutError as error:
            raise ToolchainError(
                f"the cluster {engine} has no workers; start some with `dask worker {engine}`"
            ) from error
        try:
            yield client.get_executor()
        except ToolchainError:
            raise
        except Exception as error:
            # Dask passes on any error of its workers, and raises many kinds of its own.
            raise ToolchainError(
                f"the cluster {engine} failed ({type(error).__name__}: {error}); its workers need "
                "this version of toolchain, and the same files under the same paths"
            ) from error
