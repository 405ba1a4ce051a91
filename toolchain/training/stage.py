"""The training stage: folders of photos in, a network that knows their tags out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain.executors import use_one_thread
from toolchain.training import (
    backbone,
    beyond,
    conclusion,
    learning_curve,
    photo_set,
    preparation,
    selection,
)
from toolchain.training.learned import with_layer

if TYPE_CHECKING:
    import numpy as np

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.training.conclusion import Trained
    from toolchain.training.learned import Learned
    from toolchain.training.options import TrainOptions
    from toolchain.training.preparation import Prepared
    from toolchain.training.selection import Compared

    Array = np.ndarray[Any, Any]

_JUDGED_SEED = 1  # added to the seed: figures are of another division than the one that chose


def run(options: TrainOptions, *, store: Store, progress: Progress) -> Trained:
    """Learn the tags of photos.

    Raises:
        BadInputError: The photos or a base network cannot be used.
        ToolchainError: A base network cannot be fetched, or the workers failed.
    """
    from threadpoolctl import threadpool_limits

    use_one_thread()
    photos = photo_set.read(options.photos, task=options.task, none=options.none)
    for sentence in photos.warnings:
        progress.warn(sentence)
    bases = tuple(
        backbone.read(request, options.declared, store=store, progress=progress)
        for request in options.bases
    )
    for base in bases:
        if base.range_note:
            progress.warn(base.range_note)
    # The matrices are small: several threads would only wait for each other, and would add up in
    # another order on another machine.
    with threadpool_limits(1, user_api="blas"):
        prepared = preparation.prepare(photos, bases, options, store, progress)
        return _learn(prepared, options, store, progress)


def _learn(prepared: Prepared, options: TrainOptions, store: Store, progress: Progress) -> Trained:
    photos = prepared.photos
    cuts = selection.cuts_of(prepared.bases, options.depth)
    division = prepared.divide_to_choose(options.seed)
    compared = selection.compare(cuts, prepared.bases, prepared.own, photos, division, progress)
    chosen = selection.choose(compared, max_drop=options.max_drop, max_bytes=options.max_bytes)
    judging = prepared.divide(options.seed + _JUDGED_SEED)

    def learn(compared: Compared) -> Learned:
        return with_layer(
            prepared.bases[compared.cut.base],
            compared.cut.taps,
            selection.features_of(compared.cut, prepared.bases, prepared.own),
            photos,
            judging,
            compared.found.inverse_regularisation,
        )

    learned = learn(chosen)
    best = selection.choose(compared, max_drop=options.max_drop, max_bytes=None)
    roomy = learned if best is chosen or not options.prune else learn(best)
    rotated = selection.rotated(chosen.cut, prepared.bases, prepared.own)
    strength = learned.inverse_regularisation
    curve = learning_curve.draw(rotated, photos, judging, strength, options.seed)
    learned, attempts = beyond.run(
        learned, roomy, prepared, compared, judging, options, store=store, progress=progress
    )
    history = conclusion.History(compared, chosen, curve, attempts)
    return conclusion.conclude(
        learned, history, prepared, judging, options, store=store, progress=progress
    )
