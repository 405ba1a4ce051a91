"""The front of bytes against accuracy: one plan for each level of bits, judged and counted.

Each point is a task of its own behind an executor, and is kept in the store as soon as it
is there, so that a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest, fingerprint
from toolchain import tf as tensorflow
from toolchain.card import Declared
from toolchain.compress import planning, search
from toolchain.compress.front import Front, Point
from toolchain.compress.judge import drop_of
from toolchain.compress.selection import select
from toolchain.errors import BadInputError
from toolchain.evaluation.executors import as_they_come, executor_for, use_one_thread
from toolchain.graph import faults
from toolchain.progress import Silent
from toolchain.sources import resolve
from toolchain.store import Store
from toolchain.tfjs import execute
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs.transfer import brotli_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.compress.options import CompressOptions
    from toolchain.compress.planning import Planning
    from toolchain.progress import Progress
    from toolchain.tfjs.convert import Quantization
    from toolchain.tfjs.stage import TfjsModel

    Array = np.ndarray[Any, Any]

# What the converter makes of the same network, to compare with, and its bits a weight.
_CONVERTED: dict[Quantization, float] = {"float16": 16.0, "uint8": 8.0}
_PROCESSES = 1  # of this machine: each takes nearly 4 GB for MobileNetV2
_BATCH = 25
_DIGITS = 4  # of bits a weight
_PREPARING = threading.Lock()  # a cluster's worker may be at several points at once


@dataclass(frozen=True)
class TuneOptions:
    """Which points to compute, and where."""

    request: resolve.Request
    compress: CompressOptions
    """Photos, form and limits; the recipe is `auto`."""
    bits: tuple[float, ...]
    """The levels, from :func:`levels`."""
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model."""
    workers: int | None = None
    """Processes on this machine; None: one, for the memory's sake."""
    engine: str | None = None
    """Address of a Dask scheduler that does the work."""


@dataclass(frozen=True)
class Basis:
    """What all points of a front stand on; it travels between processes."""

    key: str
    """Digest of the model, the photos and the options: equal keys, equal points."""
    source: TfjsModel = field(compare=False)
    options: CompressOptions = field(compare=False)


@dataclass(frozen=True)
class Task:
    """One point to compute."""

    basis: Basis
    weights: str
    bits: float
    stored: TfjsModel | None = field(default=None, compare=False)
    """Artifacts to take as they are; None: a plan at so many bits."""

    @property
    def key(self) -> str:
        """Digest of all that the point depends on."""
        stored = None if self.stored is None else self.stored.key
        code = fingerprint.of(__name__)
        return digest.of_json([code, self.basis.key, self.weights, self.bits, stored])


def levels(first: float, last: float, count: int) -> tuple[float, ...]:
    """Return so many levels of bits a weight, evenly spaced from `first` to `last`.

    Raises:
        BadInputError: The last is not above the first.
    """
    if count == 1:
        return (first,)
    if last <= first:
        raise BadInputError(
            f"--to-bits {last:g} is not above --from-bits {first:g}; give a range of bits, "
            "or --points 1"
        )
    return tuple(round(float(bits), _DIGITS) for bits in np.linspace(first, last, count))


def tune(options: TuneOptions, *, store: Store, progress: Progress) -> Front:
    """Compute the front of bytes against accuracy of one model.

    The result does not depend on where and by how many workers it was computed, nor on how
    much of it was kept from an earlier run.

    Raises:
        BadInputError: The photos or the model cannot be used.
        ToolchainError: The model cannot be fetched, or the workers failed.
    """
    use_one_thread()
    blind = select(options.compress).is_blind
    # Workers may stand in another folder, so every path that they get is a whole one.
    compress = _with_whole_paths(options.compress)
    store = Store(store.root.resolve(), store.limit)
    if blind:
        progress.warn(planning.BLIND)
    fetched = resolve.fetch(options.request, store=store, progress=progress)
    fetched = replace(fetched, declared=options.declared.over(fetched.declared))

    def converted(quantization: Quantization) -> TfjsModel:
        return tfjs.run(
            fetched,
            quantization=quantization,
            shard_bytes=compress.shard_bytes,
            store=store,
            progress=progress,
        )

    source = converted("none")
    for assumption in source.converted.assumptions:
        progress.warn(assumption)
    basis = Basis(digest.of_json(planning.basis(source, compress)), source, compress)
    plans = [Task(basis, compress.form, bits) for bits in sorted(set(options.bits))]
    others = [Task(basis, kind, bits, converted(kind)) for kind, bits in _CONVERTED.items()]
    found = _compute([*plans, *others], options, store, progress)
    points = tuple(found[task] for task in plans)
    provenance = source.converted.card.provenance
    return Front(
        name=provenance.name,
        source=provenance.source,
        sha256=provenance.sha256,
        blind=blind,
        max_drop=compress.max_drop,
        max_bytes=compress.max_bytes,
        points=points,
        converted=tuple(found[task] for task in others),
        pareto=pareto(points),
        chosen=choice(points, max_drop=compress.max_drop, max_bytes=compress.max_bytes),
    )


def _with_whole_paths(options: CompressOptions) -> CompressOptions:
    """Return options that mean the same in another folder."""
    calibration, evaluation = options.calibration, options.evaluation
    return replace(
        options,
        calibration=None if calibration is None else calibration.resolve(),
        evaluation=None if evaluation is None else evaluation.resolve(),
    )


def _compute(
    tasks: Sequence[Task], options: TuneOptions, store: Store, progress: Progress
) -> dict[Task, Point]:
    """Take from the store what is there and compute the rest, keeping each point as it comes."""
    found = {task: point for task in tasks if (point := _kept(task, store)) is not None}
    if found:
        progress.say(f"{len(found)} of {len(tasks)} points were kept from an earlier run")
    missing = [task for task in tasks if task not in found]
    if not missing:
        return found
    with (
        executor_for(_PROCESSES, workers=options.workers, engine=options.engine) as executor,
        progress.track("Computing points", len(missing), "points") as tracker,
    ):
        for task, point in as_they_come(executor, compute, missing):
            _keep(task, point, store)
            found[task] = point
            tracker.advance(1)
            progress.say(
                f"{point.weights}, {point.bits:.2f} bits a weight: {point.bytes / 1e6:.3f} MB "
                f"behind Brotli, drop {point.drop:.2f} points"
            )
    return found


def _kept(task: Task, store: Store) -> Point | None:
    entry = store.get("tuned", task.key)
    if entry is None:
        return None
    try:
        return Point.model_validate_json((entry / "point.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None  # of another version


def _keep(task: Task, point: Point, store: Store) -> None:
    fingerprint.require_unchanged(__name__)
    with store.put("tuned", task.key) as entry:
        (entry / "point.json").write_text(point.model_dump_json(), "utf-8")


def compute(task: Task) -> Point:
    """Compute one point: what every worker does, wherever it runs.

    Raises:
        BadInputError: The model or the photos are not there, or are others; or the network
            fails on an image.
    """
    use_one_thread()
    with faults.of_model(task.basis.source.converted.card.provenance.name):
        return _computed(task)


def _computed(task: Task) -> Point:
    with _PREPARING:
        prepared = _prepared(task.basis)
    judge = prepared.judge
    if judge is None:
        raise ValueError("the recipe is not auto")
    if task.stored is not None:
        logits = _logits(task.stored, judge.images)
        verdict = judge.verdict_of(logits)
        counted = brotli_bytes(task.stored.folder, task.stored.converted.artifacts)
    else:
        candidate = search.attempt(prepared, judge, task.bits, Silent())
        verdict, counted = candidate.verdict, candidate.bytes
    return Point(
        weights=task.weights,
        rounded_by=None if task.stored else prepared.described,
        bits=task.bits,
        bytes=counted,
        drop=drop_of(verdict),
        verdict=verdict,
    )


@lru_cache(maxsize=1)
def _prepared(basis: Basis) -> Planning:
    if not basis.source.folder.is_dir():
        raise BadInputError(
            f"the model {basis.source.folder} is not there; workers must see it under the same path"
        )
    if digest.of_json(planning.basis(basis.source, basis.options)) != basis.key:
        raise BadInputError(
            "a worker sees other photos than this process, or has other versions of toolchain or "
            "of its libraries, or they have changed; workers must see the same files under the "
            "same paths and have the same packages installed"
        )
    with tensorflow.quiet():
        return planning.prepare(basis.source, basis.options, Silent())


def _logits(model: TfjsModel, images: Array) -> Array:
    """Run artifacts as they are stored; float32 `[n, classes]`."""
    with _PREPARING, tensorflow.quiet():
        run = execute.load(model.folder, model.converted.artifacts.model_json)
    chunks = range(0, len(images), _BATCH)
    return np.concatenate([run(images[at : at + _BATCH]) for at in chunks])


def pareto(points: Sequence[Point]) -> tuple[int, ...]:
    """Return the places of the points that no other beats.

    One beats another if it has no more bytes and no more drop, and less of one of them.
    """

    def beats(one: Point, other: Point) -> bool:
        no_worse = one.bytes <= other.bytes and one.drop <= other.drop
        return no_worse and (one.bytes, one.drop) != (other.bytes, other.drop)

    return tuple(
        place
        for place, point in enumerate(points)
        if not any(beats(other, point) for other in points)
    )


def choice(points: Sequence[Point], *, max_drop: float, max_bytes: int | None) -> int | None:
    """Return the place of the point with the fewest bytes within the limits, if there is one."""
    kept = [
        place
        for place, point in enumerate(points)
        if point.drop <= max_drop and (max_bytes is None or point.bytes <= max_bytes)
    ]
    return min(kept, key=lambda place: points[place].bytes, default=None)
