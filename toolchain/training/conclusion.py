"""What a run ends with: the network to write, and the record of how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import __version__
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.photos import photo_folder, photo_labels
from toolchain.progress import SILENT
from toolchain.records.card import Declared
from toolchain.records.training import (
    Candidate,
    Duplicates,
    NoneFigures,
    PhotosUsed,
    Split,
    Training,
)
from toolchain.text import printable
from toolchain.training import (
    backbone,
    class_centres,
    features,
    figures,
    folds,
    groups,
    learning_curve,
    photo_set,
    preparation,
    selection,
    suspects,
    temperature,
)
from toolchain.training.export import FeatureGraph, Layer

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.records.none_of_these import NoneOfThese
    from toolchain.records.training import Accuracy, Attempt, LearningPoint
    from toolchain.training.backbone import Backbone
    from toolchain.training.learned import Learned
    from toolchain.training.options import TrainOptions
    from toolchain.training.photo_set import PhotoSet
    from toolchain.training.preparation import Prepared
    from toolchain.training.selection import Compared

    Array = np.ndarray[Any, Any]

_LISTED = 100  # groups of duplicates that the record lists


@dataclass(frozen=True)
class Trained:
    """A trained network, and all that is known of it."""

    features: FeatureGraph
    layer: Layer
    declared: Declared
    """Its labels, its input, and the rule for none of these."""
    record: Training
    out_of_fold: Array
    """Outputs for the photos by layers that have not learned from them, float32 `[photos, tags]`,
    divided by the temperature."""
    photos: PhotoSet


@dataclass(frozen=True)
class History:
    """How a run came to what it has learned."""

    compared: list[Compared]
    """All cuts, from the fewest bytes to the most."""
    chosen: Compared
    curve: tuple[LearningPoint, ...]
    """Of the layer alone."""
    attempts: tuple[Attempt, ...]


def conclude(
    learned: Learned,
    history: History,
    prepared: Prepared,
    judging: Array,
    options: TrainOptions,
    *,
    store: Store,
    progress: Progress,
) -> Trained:
    """Calibrate what was learned, and judge it.

    Args:
        learned: The network and the layer behind it.
        history: How they were chosen.
        prepared: The photos.
        judging: The fold of each photo, int `[photos]`.
        options: What was asked for.
        store: The cache.
        progress: Shows each step.

    Raises:
        BadInputError: The photos of `--test` cannot be used.
        ToolchainError: The workers failed.
    """
    photos, task = prepared.photos, prepared.photos.task
    told = folds.told(judging)
    heat = temperature.find(learned.outputs[told], photos.truth[told], task=task)
    cooled = learned.outputs / heat
    last = Layer(
        (learned.kernel / heat).astype(np.float32), (learned.bias / heat).astype(np.float32)
    )
    rule, none = _none_of_these(learned, _foreign(learned, prepared, options, store), photos)
    names = [photo.name for photo in photos.photos]
    judged = figures.accuracy(
        cooled[told], photos.truth[told], photos.tags, [names[at] for at in told], task=task
    )
    base = learned.base
    record = Training(
        toolchain=__version__,
        task=task,
        tags=photos.tags,
        photos=PhotosUsed(
            folder=printable(str(options.photos)),
            sha256=photos.sha256,
            photos=len(photos.photos),
            none=len(photos.none),
            broken=len(photos.broken),
            broken_photos=photos.broken[: preparation.NAMED],
        ),
        split=Split(
            grouping=prepared.groups.by,
            reason=prepared.groups.reason,
            groups=prepared.groups.count,
            folds=prepared.folds,
        ),
        base=base.name,
        base_sha256=prepared.bases[history.chosen.cut.base].sha256,
        licence=base.licence,
        candidates=tuple(_candidate(each, prepared, history.chosen) for each in history.compared),
        max_drop=options.max_drop,
        temperature=heat,
        out_of_fold=judged,
        test=_tested(options, learned, last, photos, store, progress),
        test_folder=None if options.test is None else printable(str(options.test)),
        none_of_these=none,
        learning=history.curve,
        more_photos=learning_curve.more_photos(history.curve, judged),
        suspects=suspects.find(cooled, photos),
        duplicates=_duplicates(learned.own, photos),
        attempts=history.attempts,
        warnings=photos.warnings,
        seed=options.seed,
    )
    with tensorflow.quiet():
        graph_def, output = backbone.with_features(base, learned.taps)
    return Trained(
        features=FeatureGraph(graph_def, base.frozen.input, output),
        layer=last,
        declared=_declared(base, photos, rule, options),
        record=record,
        out_of_fold=cooled.astype(np.float32),
        photos=photos,
    )


def _foreign(learned: Learned, prepared: Prepared, options: TrainOptions, store: Store) -> Array:
    """Return the features of photos of none of the tags, float32 `[photos, width]`."""
    for base, rows in zip(prepared.bases, prepared.foreign, strict=True):
        if base is learned.base:
            return learned.columns_of(rows)
    # The network has changed since.
    (rows,), _ = features.extract(
        prepared.photos.none, (learned.base,), options.extraction, store=store, progress=SILENT
    )
    return learned.columns_of(rows)


def _candidate(compared: Compared, prepared: Prepared, chosen: Compared) -> Candidate:
    base = prepared.bases[compared.cut.base]
    return Candidate(
        base=base.name,
        depth=selection.described(base, compared.cut.taps),
        width=compared.width,
        parameters=compared.parameters,
        expected_bytes=compared.expected_bytes,
        inverse_regularisation=compared.found.inverse_regularisation,
        accuracy=figures.share(int(compared.right.sum()), len(compared.right)),
        chosen=compared is chosen,
    )


def _none_of_these(
    learned: Learned, foreign: Array, photos: PhotoSet
) -> tuple[NoneOfThese, NoneFigures]:
    """Learn the rule, and judge it out of fold."""
    near = learned.near
    whole = class_centres.learn(learned.own, photos.truth)
    # Photos of none of the tags were not learned from, so all centres judge them.
    away = whole.greatest_cosines(foreign) if len(foreign) else None
    least = class_centres.threshold(near, away)
    rule = whole.model_copy(update={"threshold": least})
    passed = None if away is None else figures.share(int((away >= least).sum()), len(away))
    stored = 2 * len(rule.indices) + rule.vectors.size
    return rule, NoneFigures(
        threshold=least,
        kept=figures.share(int((near >= least).sum()), len(near)),
        let_through=passed,
        bytes=stored,
    )


def _tested(
    options: TrainOptions,
    learned: Learned,
    last: Layer,
    photos: PhotoSet,
    store: Store,
    progress: Progress,
) -> Accuracy | None:
    """Judge the finished network on the photos of `--test`."""
    if options.test is None:
        return None
    labels_file = photo_labels.file_of(options.test, None)
    listed = photo_folder.find(options.test, by_folders=labels_file is None)
    tags = photo_labels.of(listed, labels_file, photos.tags)
    if tags is None:
        raise BadInputError(
            f"{options.test} has no folders of tags; sort its photos into folders named like "
            f"those of {options.photos}"
        )
    known = {photo.sha256 for photo in photos.photos}
    tested = [photo_set.photo_of(path, listed.folder) for path in listed.paths]
    if shared := [photo.name for photo in tested if photo.sha256 in known]:
        raise BadInputError(
            f"{len(shared)} photos of {options.test} are also in {options.photos}, such as "
            f"{shared[0]}; a test tells something only with photos that were not learned from"
        )
    (rows,), broken = features.extract(
        tested, (learned.base,), options.extraction, store=store, progress=progress
    )
    whole = np.array([photo.sha256 not in broken for photo in tested])
    if not whole.any():
        raise BadInputError(f"none of the photos in {options.test} can be read as a picture")
    seen = learned.columns_of(rows[whole])
    names = [photo.name for photo, is_whole in zip(tested, whole, strict=True) if is_whole]
    outputs = seen @ last.kernel + last.bias
    return figures.accuracy(outputs, tags.truth[whole], photos.tags, names, task=photos.task)


def _duplicates(own: Array, photos: PhotoSet) -> tuple[Duplicates, ...]:
    digests = [photo.sha256 for photo in photos.photos]
    found = []
    for places, same_bytes in groups.same(own, digests):
        tags = sorted({tag for place in places for tag in np.flatnonzero(photos.truth[place])})
        found.append(
            Duplicates(
                photos=tuple(photos.photos[place].name for place in places),
                tags=tuple(photos.tags[tag] for tag in tags),
                same_bytes=same_bytes,
            )
        )
    # Contradictions first.
    found.sort(key=lambda each: (-len(each.tags), not each.same_bytes))
    return tuple(found[:_LISTED])


def _declared(
    base: Backbone, photos: PhotoSet, rule: NoneOfThese, options: TrainOptions
) -> Declared:
    spec = base.input
    return Declared(
        name=options.declared.name or f"{photos.folder.resolve().name} on {base.name}",
        licence=base.licence,
        labels=photos.tags,
        value_range=spec.value_range,
        mean=spec.mean,
        std=spec.std,
        channels=spec.channels,
        crop_fraction=spec.crop_fraction,
        task=photos.task,
        none_of_these=rule,
    )
