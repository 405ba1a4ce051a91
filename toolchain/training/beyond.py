"""What can be learned beyond a new last layer; each way counts only if it wins out of fold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from toolchain.training import (
    attempts,
    backbone,
    channel_pruning,
    cross_validation,
    features,
    fine_tuning,
    folds,
    selection,
)
from toolchain.training.distillation import Teacher
from toolchain.training.learned import with_layer

if TYPE_CHECKING:
    import numpy as np

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.records.training import Attempt, Method
    from toolchain.sources.request import Request
    from toolchain.training.learned import Learned
    from toolchain.training.options import TrainOptions
    from toolchain.training.preparation import Prepared
    from toolchain.training.selection import Compared

    Array = np.ndarray[Any, Any]

_LEAST_SAVED = 0.1  # of the bytes, for which pruning is worth it. Chosen


def run(
    learned: Learned,
    roomy: Learned,
    prepared: Prepared,
    compared: list[Compared],
    judging: Array,
    options: TrainOptions,
    *,
    store: Store,
    progress: Progress,
) -> tuple[Learned, tuple[Attempt, ...]]:
    """Try what was asked for beyond a new layer, and keep what wins.

    Args:
        learned: The network, and the layer on it.
        roomy: The same, but of any size, for pruning.
        prepared: The photos.
        compared: All cuts that could have been chosen.
        judging: The fold of each photo, int `[photos]`.
        options: What was asked for.
        store: The cache.
        progress: Shows each step.

    Returns:
        What won, and the record of each attempt.

    Raises:
        BadInputError: The teacher cannot be used.
        ToolchainError: The workers failed.
    """
    trial = _Trial(prepared, compared, judging, options, store, progress)
    teacher = None
    if options.teacher is not None:
        teacher = _teacher(options.teacher, prepared, judging, options, store, progress)
    if options.prune:
        learned = trial.prune(learned, roomy)
    if options.fine_tune:
        learned = trial.tune(learned, "fine-tune", None, "the last blocks learned from the tags")
    if teacher is not None:
        name = teacher.learned.base.name
        detail = f"the last blocks learned from the tags and from what {name} says of the photos"
        learned = trial.tune(learned, "distil", teacher, detail)
    return learned, tuple(trial.made)


class _Trial:
    """Tries one way after the other."""

    def __init__(
        self,
        prepared: Prepared,
        compared: list[Compared],
        judging: Array,
        options: TrainOptions,
        store: Store,
        progress: Progress,
    ) -> None:
        self.made: list[Attempt] = []
        self._prepared, self._compared, self._judging = prepared, compared, judging
        self._options, self._store, self._progress = options, store, progress

    def tune(
        self, learned: Learned, method: Method, teacher: Teacher | None, detail: str
    ) -> Learned:
        """Let the last blocks learn."""
        begun = time.monotonic()
        tuned = fine_tuning.run(
            learned,
            self._prepared.photos,
            self._judging,
            self._options.extraction,
            teacher=teacher,
            seed=self._options.seed,
            store=self._store,
            progress=self._progress,
        )
        if tuned is None:
            where = selection.described(learned.base, learned.taps)
            self._progress.warn(
                f"{learned.base.name} is cut at its first block that is known, {where}, so no "
                "block can learn"
            )
            return learned
        attempt = self._judge(method, detail, learned, tuned, begun, "the same blocks as they were")
        return tuned if attempt.accepted else learned

    def prune(self, learned: Learned, roomy: Learned) -> Learned:
        """Leave out blocks and channels.

        Args:
            learned: What there is without pruning; within `--max-bytes`, if that is given.
            roomy: The network to prune: the same, but of any size.
        """
        begun, options = time.monotonic(), self._options
        found = channel_pruning.run(
            roomy,
            self._prepared.photos,
            self._judging,
            options.extraction,
            channel_pruning.Wanted(options.max_drop, options.max_bytes),
            store=self._store,
            progress=self._progress,
        )
        if found is None:
            self._progress.warn(
                f"nothing can be left out of {roomy.base.name}, cut at "
                f"{selection.described(roomy.base, roomy.taps)}, without losing more accuracy "
                "than allowed"
            )
            return learned
        pruned, detail = found
        if options.max_bytes is not None:
            rival = "the best cut that is small enough"
            attempt = self._judge("prune", detail, learned, pruned, begun, rival)
        else:
            attempt = self._smaller(detail, learned, pruned, begun)
        return pruned if attempt.accepted else learned

    def _smaller(self, detail: str, before: Learned, after: Learned, begun: float) -> Attempt:
        """Judge by bytes: they must fall, and accuracy by no more than cuts may cost too."""
        attempt = self._judge("prune", detail, before, after, begun, "without it")
        self.made.pop()
        saved = 1 - attempt.bytes_after / attempt.bytes_before
        cut = self._best_cut(after)
        lost, allowed = -attempt.gain_points, self._options.max_drop
        if saved < _LEAST_SAVED:
            reason = f"It saves less than {_LEAST_SAVED:.0%} of the bytes."
        elif lost > allowed + 1e-9:
            reason = f"It costs {lost:.1f} points, more than the {allowed:g} of --max-drop."
        elif cut is not None and self._right(cut).mean() >= attempt.after.value:
            where = selection.described(cut.base, cut.taps)
            reason = f"A cut of no more bytes is as accurate: {where}."
        else:
            reason = (
                f"It saves {saved:.0%} of the bytes, and costs no more accuracy than --max-drop "
                "allows."
            )
        accepted = reason.startswith("It saves") and saved >= _LEAST_SAVED
        attempt = attempt.model_copy(update={"accepted": accepted, "reason": reason})
        self.made.append(attempt)
        return attempt

    def _best_cut(self, pruned: Learned) -> Learned | None:
        """Return the best cut that takes no more bytes."""
        prepared = self._prepared
        cut = channel_pruning.rival(pruned, self._compared)
        if cut is None:
            return None
        return with_layer(
            prepared.bases[cut.cut.base],
            cut.cut.taps,
            selection.features_of(cut.cut, prepared.bases, prepared.own),
            prepared.photos,
            self._judging,
            cut.found.inverse_regularisation,
        )

    def _judge(
        self,
        method: Method,
        detail: str,
        before: Learned,
        after: Learned,
        begun: float,
        rival: str,
    ) -> Attempt:
        attempt = attempts.judge(
            method,
            detail,
            self._right(before),
            self._right(after),
            (
                selection.expected_bytes(before.parameters),
                selection.expected_bytes(after.parameters),
            ),
            time.monotonic() - begun,
            rival=rival,
        )
        self.made.append(attempt)
        return attempt

    def _right(self, learned: Learned) -> Array:
        photos = self._prepared.photos
        hits = cross_validation.right(learned.outputs, photos.truth, task=photos.task)
        found: Array = hits[folds.told(self._judging)]
        return found


def _teacher(
    request: Request,
    prepared: Prepared,
    judging: Array,
    options: TrainOptions,
    store: Store,
    progress: Progress,
) -> Teacher:
    """Learn a layer on the most accurate cut of a network that teaches."""
    # The parts that the user names are those of the bases.
    names = {"signature": None, "input": None, "output": None}
    told = options.declared.model_copy(update=names)
    base = backbone.read(request, told, store=store, progress=progress)
    photos = prepared.photos
    (rows,), _ = features.extract(
        photos.photos, (base,), options.extraction, store=store, progress=progress
    )
    division = prepared.divide_to_choose(options.seed)
    cuts = selection.cuts_of((base,), None)
    compared = selection.compare(cuts, (base,), (rows,), photos, division, progress)
    best = max(compared, key=lambda each: each.accuracy)
    own = selection.features_of(best.cut, (base,), (rows,))
    strength = best.found.inverse_regularisation
    return Teacher(with_layer(base, best.cut.taps, own, photos, judging, strength))
