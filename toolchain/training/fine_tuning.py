"""Fine-tuning and distillation: the last blocks learn too, if that wins out of fold.

The blocks before them run once for every photo and some random views of it. What they compute is
kept in a temporary file, from which the last blocks learn in one process for each fold. Without a
teacher the targets are the photos' tags. With one, half of each target is what the teacher says of
the view, as in G. Hinton et al. 2015 (arXiv:1503.02531), by a layer that has not learned from the
photo.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import ToolchainError
from toolchain.executors import as_they_come, cores, executor_for, use_one_thread
from toolchain.graph import tail as tails
from toolchain.training import (
    class_centres,
    cross_validation,
    features,
    last_blocks,
    tail_fitting,
    temperature,
    views,
)
from toolchain.training.learned import layer_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.records.card import Task
    from toolchain.training.distillation import Teacher
    from toolchain.training.features import Extraction
    from toolchain.training.learned import Learned
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

_MAPS, _TARGETS, _GRAPH = "maps.npy", "targets.npy", "graph.pb"
_UNLIKE = 0.05  # of the outputs' range, by which the finished network may differ. Chosen
_PROBED = 64  # photos


@dataclass(frozen=True)
class Job:
    """One run of learning, in a process of its own."""

    folder: Path
    source: str
    targets: tuple[str, ...]
    used: Array
    """Indices of the photos to learn from."""
    start: tuple[Array, Array]
    weak: int
    truth: Array
    """Bool `[photos, tags]`."""
    widths: tuple[int, ...]
    """Of the parts of the features."""
    strength: float
    task: Task
    seed: int
    fold: int
    """The fold that is left out; -1 for the run that learns from all photos."""


@dataclass(frozen=True)
class Way:
    """What a run has learned after one of its passes, with one of two layers behind it.

    The layer is the one that learned together with the blocks, or one that logistic regression
    finds on their features afterwards.
    """

    rows: Array
    """Features of all photos, float32 `[photos, width]`."""
    outputs: Array
    """float64 `[photos, tags]`."""
    kernel: Array
    """float64 `[width, tags]`."""
    bias: Array
    """float64 `[tags]`."""
    weights: dict[str, Array]
    """Of the last blocks; empty for folds."""


def run(
    learned: Learned,
    photos: PhotoSet,
    folds: Array,
    where: Extraction,
    *,
    teacher: Teacher | None = None,
    seed: int,
    store: Store,
    progress: Progress,
) -> Learned | None:
    """Learn the last blocks of a network and the layer behind them.

    Args:
        learned: The network, and the layer on it as it is, to start from.
        photos: The photos and their tags.
        folds: The fold of each photo, int `[photos]`.
        where: Where to compute.
        teacher: A better network to learn from; None to learn from the tags alone.
        seed: Of the views and of the order of photos.
        store: The cache.
        progress: Shows each step.

    Returns:
        The same network with other weights. After which pass, and with which layer, is chosen by
        the loss out of fold, for each fold by the other ones. None if no block is known that
        could learn.

    Raises:
        ToolchainError: The workers failed, or the finished network does not compute what was
            learned.
    """
    whole = last_blocks.of(learned)
    if whole is None:
        return None
    fronts = [last_blocks.front(learned.base, whole.source, store, progress)]
    count = last_blocks.views_for(whole, learned, len(photos.photos))
    if teacher is not None:
        fronts.append(teacher.front(store, progress))
    seen = views.compute(photos.photos, fronts, count, where, seed=seed, progress=progress)
    shape = (len(photos.photos), count + 1, len(photos.tags))
    with tempfile.TemporaryDirectory(prefix="toolchain-") as name:
        folder = Path(name)
        np.save(folder / _MAPS, seen[0])
        (folder / _GRAPH).write_bytes(whole.graph_def.SerializeToString(deterministic=True))
        jobs = []
        for fold in (-1, *np.unique(folds).tolist()):
            used = np.flatnonzero(folds != fold)
            targets = np.broadcast_to(photos.truth[:, None], shape).astype(np.float32)
            if teacher is not None:
                targets = 0.5 * (targets + teacher.say(seen[1], photos, folds, used))
            np.save(folder / f"{fold}.{_TARGETS}", targets.astype(np.float32))
            jobs.append(
                Job(
                    folder=folder,
                    source=whole.source,
                    targets=whole.targets,
                    used=used,
                    start=learned.layer_of(photos, used),
                    weak=views.weak(count),
                    truth=photos.truth,
                    widths=learned.widths,
                    strength=learned.inverse_regularisation,
                    task=photos.task,
                    seed=seed,
                    fold=fold,
                )
            )
        workers = min(len(jobs), where.workers or cores())
        with tensorflow.quiet():
            seconds = tail_fitting.seconds_for(whole, seen[0][:, 0])
        learned_from = sum(len(job.used) for job in jobs) * (count + 1) * tail_fitting.PASSES
        minutes = max(1, round(seconds * learned_from / workers / 60))
        progress.say(
            f"Fine-tuning will take about {minutes} {'minute' if minutes == 1 else 'minutes'}"
        )
        found = _in_processes(jobs, workers, progress)
    return _finished(learned, found, photos, folds, where, store, progress)


def _in_processes(jobs: Sequence[Job], workers: int, progress: Progress) -> dict[int, list[Way]]:
    """Return what each run has learned after each pass, by its fold."""
    with (
        executor_for(workers, workers=workers, engine=None) as executor,
        progress.track("Fine-tuning", len(jobs), "steps") as tracker,
    ):
        found = {}
        for job, passes in as_they_come(executor, learn, jobs):
            found[job.fold] = passes
            tracker.advance(1)
    return found


def learn(job: Job) -> list[Way]:
    """Learn from one fold's photos; return what was learned after each pass."""
    use_one_thread()
    with tensorflow.quiet():
        fitter = _fitter(job.folder, job.source, job.targets, job.task)
        maps = np.load(job.folder / _MAPS, mmap_mode="r")
        targets = np.load(job.folder / f"{job.fold}.{_TARGETS}", mmap_mode="r")
        lesson = tail_fitting.Lesson(maps, targets, job.weak)
        found = []
        for fitted in fitter.fit(job.start, lesson, job.used, seed=job.seed):
            rows = fitter.features(fitted.weights, maps[:, 0])
            weights = fitted.weights if job.fold < 0 else {}
            anew = layer_on(rows, job.widths, job.truth, job.used, job.strength, task=job.task)
            for kernel, bias in ((fitted.kernel, fitted.bias), anew):
                outputs = rows.astype(np.float64) @ kernel + bias
                found.append(Way(rows, outputs, kernel, bias, weights))
    return found


@lru_cache(maxsize=1)
def _fitter(folder: Path, source: str, targets: tuple[str, ...], task: Task) -> tail_fitting.Fitter:
    """Return what learns the blocks of a folder; a process uses it for all its folds."""
    tf = tensorflow.load()
    graph_def = tf.compat.v1.GraphDef.FromString((folder / _GRAPH).read_bytes())
    return tail_fitting.Fitter(tails.find(graph_def, source, targets), task)


def _finished(
    learned: Learned,
    found: dict[int, list[Way]],
    photos: PhotoSet,
    folds: Array,
    where: Extraction,
    store: Store,
    progress: Progress,
) -> Learned:
    """Put the learned weights into the network, and collect what the folds say."""
    every = np.zeros((len(found[-1]), *learned.outputs.shape))
    for fold in np.unique(folds):
        held = folds == fold
        for place, way in enumerate(found[int(fold)]):
            every[place, held] = way.outputs[held]
    outputs, near = np.zeros_like(learned.outputs), np.zeros(len(folds))
    for fold in np.unique(folds):
        held = folds == fold
        place = _best(every[:, ~held], photos.truth[~held], photos.task)
        outputs[held] = every[place, held]
        rows = found[int(fold)][place].rows
        has = photos.truth[~held].any(axis=0)
        rule = class_centres.learn(rows[~held], photos.truth[~held][:, has])
        near[held] = rule.greatest_cosines(rows[held])
    last = found[-1][_best(every, photos.truth, photos.task)]
    graph_def = tails.with_constants(learned.base.frozen.graph_def, last.weights)
    base, taps = last_blocks.with_graph(learned.base, graph_def, learned.taps)
    (rows,), _ = features.extract(photos.photos, (base,), where, store=store, progress=progress)
    result = replace(
        learned,
        base=base,
        taps=taps,
        own=np.concatenate([rows[:, base.columns(tap)] for tap in taps], axis=1),
        kernel=last.kernel.astype(np.float64),
        bias=last.bias.astype(np.float64),
        outputs=outputs,
        near=near,
    )
    check_outputs(base.name, result.own, (result.kernel, result.bias), last.outputs)
    return result


def _best(every: Array, truth: Array, task: Task) -> int:
    """Return the index of the outputs with the least loss, each at its own temperature."""

    def lost(outputs: Array) -> float:
        heat = temperature.find(outputs, truth, task=task)
        return cross_validation.loss(outputs / heat, truth, task=task)

    return int(np.argmin([lost(outputs) for outputs in every]))


def check_outputs(name: str, own: Array, layer: tuple[Array, Array], wanted: Array) -> None:
    """Check that a finished network computes what was learned, but for the rounding of float16.

    Args:
        name: The network's name.
        own: Its features of the photos, `[photos, width]`, rounded to float16.
        layer: The kernel `[width, tags]` and the bias `[tags]` on them, float64.
        wanted: The outputs that were learned, float64 `[photos, tags]`.

    Raises:
        ToolchainError: It computes other outputs.
    """
    kernel, bias = layer
    own, wanted = own[:_PROBED].astype(np.float64), wanted[:_PROBED]
    # Large features that hardly differ lose most of their differences in float16.
    rounding = np.finfo(np.float16).eps * np.abs(own) @ np.abs(kernel)
    difference = np.abs(own @ kernel + bias - wanted)
    if np.any(difference > _UNLIKE * np.ptp(wanted) + rounding):
        raise ToolchainError(
            f"the fine-tuned {name} does not compute what was learned; please report "
            "it, and train without --fine-tune"
        )
