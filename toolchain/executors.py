"""Where long work is done: in this process, in processes of this machine, or on a cluster.

All three are a standard `concurrent.futures.Executor`. This module is the first that a new
process imports, so it imports nothing that reads how many threads to use.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from toolchain.errors import BadInputError, MissingToolError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

_SCHEMES = ("tcp://", "tls://", "ws://", "wss://")
_ANSWER_S = 10.0  # seconds until a scheduler must have answered
_WORKERS_S = 30.0  # and until it must have a worker


def cores() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_one_thread() -> None:
    """Let TensorFlow use one thread an operation, if it is not at work yet.

    Sums over several threads are added up in another order, and the last bits of a score
    would depend on how many there are. One photo at a time is no faster with two.
    """
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@contextmanager
def executor_for(worthwhile: int, *, workers: int | None, engine: str | None) -> Iterator[Executor]:
    """Give the executor that is asked for; its processes end with the block, however it ends.

    Args:
        worthwhile: Processes of this machine that are worth it, where nobody says how many.
        workers: Processes of this machine; None: as many as are worth it.
        engine: Address of a Dask scheduler to use instead.

    Raises:
        BadInputError: Both are given, or the engine is no address.
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
    """Call a function with every item, and give each item with its result once it is there.

    An executor of this process goes on with the next item when the last result has been dealt
    with, so that what was done is not lost with what was begun.
    """
    if isinstance(executor, _Here):
        for item in items:
            yield item, function(item)
        return
    begun = {executor.submit(function, item): item for item in items}
    for future in as_completed(begun):
        yield begun[future], future.result()


class _Here(Executor):
    """Calls at once, in this thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            future.set_exception(error)
        return future

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,  # noqa: ARG002
        chunksize: int = 1,  # noqa: ARG002
    ) -> Iterator[T]:
        # One after another as they are asked for, so that progress shows.
        return map(fn, *iterables)


@contextmanager
def _processes(count: int) -> Iterator[Executor]:
    others = set(multiprocessing.active_children())
    # Forked processes would inherit TensorFlow's threads without the threads.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ToolchainError(
            "a worker process was ended from outside, perhaps for want of memory; "
            "run the same with --workers 1"
        ) from error
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown()


def _begin() -> None:
    """Prepare a new process before it imports numpy or TensorFlow."""
    # A terminal sends Ctrl-C to every process; the parent ends this one.
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
            f"--engine {engine} is no address of a Dask scheduler; write it like tcp://host:8786"
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
            # Dask passes on whatever its workers raise, and raises much of its own.
            raise ToolchainError(
                f"the cluster {engine} failed ({type(error).__name__}: {error}); its workers need "
                "this version of toolchain, and the same files under the same paths"
            ) from error
