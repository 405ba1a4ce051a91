"""Computes one point of the Pareto front: a plan at some bits a weight, its drop and its bytes.

This is what the workers of `toolchain tune` run, on this machine or on a cluster.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.executors import use_one_thread
from toolchain.graph import faults
from toolchain.progress import Silent
from toolchain.quantize import planning, search
from toolchain.quantize.judge import drop_of
from toolchain.records.pareto import Point
from toolchain.tfjs import execute
from toolchain.tfjs.transfer import brotli_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.cache.store import Store
    from toolchain.quantize.planning import Planning
    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.tfjs.stage import TfjsModel

    Array = np.ndarray[Any, Any]

_BATCH = 25


_PREPARING = threading.Lock()  # a cluster's worker may compute several points at once


@dataclass(frozen=True)
class Basis:
    """What all points of a front depend on; it is sent to worker processes."""

    key: str
    """Digest of the model, the photos and the options: equal keys, equal points."""
    source: TfjsModel = field(compare=False)
    options: QuantizeSettings = field(compare=False)


@dataclass(frozen=True)
class Task:
    """One point to compute."""

    basis: Basis
    weights: str
    bits: float
    stored: TfjsModel | None = field(default=None, compare=False)
    """Artifacts to judge as they are; None to make a plan at `bits`."""

    @property
    def key(self) -> str:
        """Digest of everything that the point depends on."""
        stored = None if self.stored is None else self.stored.key
        code = fingerprint.of(__name__)
        return digest.of_json([code, self.basis.key, self.weights, self.bits, stored])


def kept(task: Task, store: Store) -> Point | None:
    """Return the point from the cache, or None on a cache miss."""
    entry = store.get("tuned", task.key)
    if entry is None:
        return None
    try:
        return Point.model_validate_json((entry / "point.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None  # written by another version


def keep(task: Task, point: Point, store: Store) -> None:
    """Put a point into the cache."""
    fingerprint.require_unchanged(__name__)
    with store.put("tuned", task.key) as entry:
        (entry / "point.json").write_text(point.model_dump_json(), "utf-8")


def compute(task: Task) -> Point:
    """Compute one point, on any worker.

    Raises:
        BadInputError: The model or the photos are missing or have changed, or the network fails
            on an image.
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
            "a worker has other photos than this process, or other versions of toolchain or of "
            "its libraries, or the photos have changed; workers must see the same files under the "
            "same paths and have the same packages installed"
        )
    with tensorflow.quiet():
        return planning.prepare(basis.source, basis.options, Silent())


def _logits(model: TfjsModel, images: Array) -> Array:
    """Run stored artifacts; returns float32 `[n, classes]`."""
    with _PREPARING, tensorflow.quiet():
        run = execute.load(model.folder, model.converted.artifacts.model_json)
    chunks = range(0, len(images), _BATCH)
    return np.concatenate([run(images[at : at + _BATCH]) for at in chunks])


def pareto(points: Sequence[Point]) -> tuple[int, ...]:
    """Return the indices of the points that no other point beats.

    A point beats another if neither its bytes nor its drop are more, and one of them is less.
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
    """Return the index of the smallest point within the limits, or None if there is none."""
    kept = [
        place
        for place, point in enumerate(points)
        if point.drop <= max_drop and (max_bytes is None or point.bytes <= max_bytes)
    ]
    return min(kept, key=lambda place: points[place].bytes, default=None)
