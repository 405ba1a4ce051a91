"""Pruning: the smallest network without some blocks and channels that is nearly as good."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.executors import cores, executor_for
from toolchain.graph.blocks import Blocks
from toolchain.training import (
    class_centres,
    cross_validation,
    features,
    last_blocks,
    refitting,
    selection,
    views,
)
from toolchain.training.learned import layer_on, with_layer
from toolchain.training.refitting import Plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from toolchain.cache.store import Store
    from toolchain.graph.tail import Tail
    from toolchain.progress import Progress
    from toolchain.training.features import Extraction
    from toolchain.training.learned import Learned
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

_SHARES = (0.0, 0.25, 0.5, 0.7)  # of the channels, that are left out. Chosen
_FIXED_SHARE = 0.25  # of a cut's weights: those of the blocks that stay as they are. Chosen
_TRIED = 3  # plans that are small enough, the largest ones. Chosen


@dataclass(frozen=True)
class Wanted:
    """What a pruned network shall be."""

    max_drop: float
    """In points of accuracy below the network as it is."""
    max_bytes: int | None
    """What the built model may be expected to take; `max_drop` does not count then."""


def run(
    learned: Learned,
    photos: PhotoSet,
    folds: Array,
    where: Extraction,
    wanted: Wanted,
    *,
    store: Store,
    progress: Progress,
) -> tuple[Learned, str] | None:
    """Find the smallest network that is nearly as good, or the best that is small enough.

    Args:
        learned: The network, and the layer on it.
        photos: The photos and their tags.
        folds: The fold of each photo, int `[photos]`.
        where: Where to compute.
        wanted: What is good or small enough.
        store: The cache.
        progress: Shows each step.

    Returns:
        The smaller network with a layer of its own, and what was left out, as a clause. For each
        fold it was fitted by photos of the other folds alone. None if nothing can be left out.

    Raises:
        ToolchainError: The workers failed.
    """
    fixed = _FIXED_SHARE
    if wanted.max_bytes is not None:
        # The blocks that stay as they are may take half of it.
        most = selection.weights_in(wanted.max_bytes)
        fixed = min(fixed, 0.5 * most / learned.parameters)
    whole = last_blocks.of(learned, fixed)
    if whole is None:
        return None
    front = last_blocks.front(learned.base, whole.source, store, progress)
    (seen,) = views.compute(photos.photos, [front], 0, where, seed=0, progress=progress)
    with (
        tempfile.TemporaryDirectory(prefix="toolchain-") as name,
        executor_for(where.workers or cores(), workers=where.workers, engine=None) as executor,
        progress.track("Pruning", None, "steps") as tracker,
    ):
        with tensorflow.quiet():
            refitting.prepare(Path(name), whole, seen[:, 0])
        pruner = _Pruner(learned, whole, Path(name), photos, folds, executor)
        plans = pruner.plans()

        def judge(plan: Plan) -> float:
            tracker.advance(1)
            return _accuracy(pruner.judge(plan), photos)

        if wanted.max_bytes is None:
            least = _accuracy(learned, photos) - wanted.max_drop / 100 - 1e-9
            plan = _smallest(plans, lambda plan: judge(plan) >= least)
        else:
            small = [each for each in plans if pruner.expected_bytes(each) <= wanted.max_bytes]
            plan = max(small[-_TRIED:], key=judge, default=None)
        if plan is None:
            return None
        return pruner.finish(plan, where, store, progress), _in_words(plan)


def rival(learned: Learned, compared: list[selection.Compared]) -> selection.Compared | None:
    """Return the best cut that takes no more bytes, or None.

    Args:
        learned: The pruned network.
        compared: All cuts.
    """
    most = selection.expected_bytes(learned.parameters)
    small = [each for each in compared if each.expected_bytes <= most]
    return max(small, key=lambda each: each.accuracy, default=None)


def _smallest(plans: list[Plan], is_good: Callable[[Plan], bool]) -> Plan | None:
    """Return the plan of the fewest weights that is good, if larger ones are good too.

    Args:
        plans: From the fewest weights to the most.
        is_good: Whether a plan is.
    """
    low, high = 0, len(plans)
    while low < high:
        middle = (low + high) // 2
        if is_good(plans[middle]):
            high = middle
        else:
            low = middle + 1
    return plans[low] if low < len(plans) else None


def _accuracy(learned: Learned, photos: PhotoSet) -> float:
    return float(cross_validation.right(learned.outputs, photos.truth, task=photos.task).mean())


def _in_words(plan: Plan) -> str:
    blocks = f"{plan.blocks} {'block' if plan.blocks == 1 else 'blocks'} left out"
    clauses = [blocks] if plan.blocks else []
    clauses += [f"{plan.share:.0%} of the channels between layers left out"] if plan.share else []
    return " and ".join(clauses)


class _Pruner:
    """Leaves out parts of the last blocks, and judges what is left."""

    def __init__(
        self,
        learned: Learned,
        whole: Tail,
        folder: Path,
        photos: PhotoSet,
        folds: Array,
        executor: Executor,
    ) -> None:
        self._learned, self._whole, self._folder = learned, whole, folder
        self._photos, self._folds, self._executor = photos, folds, executor
        self._judged: dict[Plan, Learned] = {}

    def plans(self) -> list[Plan]:
        """Return what can be left out, from the fewest weights to the most."""
        with tensorflow.quiet():
            blocks = Blocks(self._whole.graph_def, self._whole.source, self._whole.targets)
            shares = _SHARES if blocks.chains() else _SHARES[:1]
            most = len(blocks.residuals()) if blocks.chains() else 0
            found = [Plan(out, share) for out in range(most + 1) for share in shares][1:]
            sizes = {plan: self.parameters(plan) for plan in found}
        return sorted(found, key=sizes.__getitem__)

    def parameters(self, plan: Plan) -> int:
        """Return how many weights the network and its layer have with a plan."""
        before = sum(each.size for each in self._whole.weights.values())
        return self._learned.parameters - before + refitting.parameters(self._whole, plan)

    def expected_bytes(self, plan: Plan) -> int:
        """Return roughly what `build` makes of the network with a plan, in bytes."""
        return selection.expected_bytes(self.parameters(plan))

    def judge(self, plan: Plan) -> Learned:
        """Return the network as it is with what pruned ones give out of fold."""
        if plan in self._judged:
            return self._judged[plan]
        learned, photos = self._learned, self._photos
        outputs, near = np.zeros_like(learned.outputs), np.zeros(len(self._folds))
        held = [self._folds == fold for fold in np.unique(self._folds)]
        jobs = [self._job(plan, np.flatnonzero(~each)) for each in held]
        found = self._executor.map(refitting.run, jobs)
        for here, job, (rows, _) in zip(held, jobs, found, strict=True):
            kernel, bias = layer_on(
                rows,
                learned.widths,
                photos.truth,
                job.used,
                learned.inverse_regularisation,
                task=photos.task,
            )
            outputs[here] = rows[here].astype(np.float64) @ kernel + bias
            truth = photos.truth[job.used]
            has = truth.any(axis=0)
            rule = class_centres.learn(rows[job.used], truth[:, has])
            near[here] = rule.greatest_cosines(rows[here])
        self._judged[plan] = replace(learned, outputs=outputs, near=near)
        return self._judged[plan]

    def finish(self, plan: Plan, where: Extraction, store: Store, progress: Progress) -> Learned:
        """Return the pruned network, fitted by all photos."""
        learned, photos, judged = self._learned, self._photos, self.judge(plan)
        job = self._job(plan, np.arange(len(photos.photos)), is_kept=True)
        ((_, content),) = self._executor.map(refitting.run, [job])
        graph_def = tensorflow.load().compat.v1.GraphDef.FromString(content)
        base, taps = last_blocks.with_graph(learned.base, graph_def, learned.taps)
        (rows,), _ = features.extract(photos.photos, (base,), where, store=store, progress=progress)
        own = replace(learned, base=base, taps=taps).columns_of(rows)
        strength = learned.inverse_regularisation
        fitted = with_layer(base, taps, own, photos, self._folds, strength)
        return replace(
            fitted,
            outputs=judged.outputs,
            near=judged.near,
            parameters=self.parameters(plan),
        )

    def _job(self, plan: Plan, used: Array, *, is_kept: bool = False) -> refitting.Job:
        whole = self._whole
        return refitting.Job(self._folder, whole.source, whole.targets, plan, used, is_kept)
