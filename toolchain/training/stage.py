"""The training stage: folders of photos in, a network that knows their tags out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import __version__
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.photos import photo_folder, photo_labels
from toolchain.records.card import Declared
from toolchain.records.training import (
    Candidate,
    Duplicates,
    NoneFigures,
    PhotosUsed,
    Split,
    Training,
)
from toolchain.sources.request import Request
from toolchain.text import printable
from toolchain.training import (
    backbone,
    class_centres,
    cross_validation,
    features,
    figures,
    folds,
    groups,
    learning_curve,
    logistic,
    photo_set,
    selection,
    suspects,
    temperature,
)
from toolchain.training.export import FeatureGraph, Layer

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.records.card import Task
    from toolchain.records.none_of_these import NoneOfThese
    from toolchain.records.training import Accuracy
    from toolchain.training.backbone import Backbone
    from toolchain.training.groups import GroupBy, Groups
    from toolchain.training.photo_set import PhotoSet
    from toolchain.training.selection import Compared

    Array = np.ndarray[Any, Any]

_NAMED = 5  # unreadable photos that the record names
_LISTED = 100  # groups of duplicates that the record lists
_LEAST_SESSIONS = 3  # of each tag, to compare depths by. Chosen
_LEAST_TOLD = 20  # photos, of which an accuracy is told. Chosen
_JUDGED_SEED = 1  # added to the seed: figures are of another division than the one that chose


@dataclass(frozen=True)
class TrainOptions:
    """What to learn, from which photos, and how."""

    photos: Path
    """A folder with one folder of photos for each tag."""
    bases: tuple[Request, ...] = field(default_factory=lambda: (Request("embedded"),))
    declared: Declared = field(default_factory=Declared)
    """What the user says of the bases, and the trained model's name."""
    test: Path | None = None
    """Photos to judge by that are not learned from, in folders of the same names."""
    none: Path | None = None
    """Photos of none of the tags."""
    depth: int | None = None
    """The block to cut the base at; None to choose by the photos."""
    max_drop: float = 1.0
    """Points of accuracy below the best candidate that fewer bytes may cost."""
    max_bytes: int | None = None
    """Of the built model, after Brotli."""
    group_by: GroupBy = "auto"
    task: Task = "single-label"
    seed: int = 0
    extraction: features.Extraction = field(default_factory=features.Extraction)


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
class _Learning:
    """What all steps of a run share."""

    photos: PhotoSet
    bases: tuple[Backbone, ...]
    own: list[Array]
    """Of each base: the features of the tags' photos, float32 `[photos, width]`."""
    foreign: list[Array]
    """Of each base: the features of photos of none of the tags."""
    groups: Groups
    folds: int

    def divide(self, seed: int) -> Array:
        """Return folds in which a session is never on both sides, int `[photos]`."""
        return folds.divide(self.photos.truth, self.groups.of, folds=self.folds, seed=seed)

    def divide_to_choose(self, seed: int) -> Array:
        """Return the folds to compare depths by.

        Two sessions are too few for that: a layer would learn from the smaller one alone. Then
        photos of one session may be on both sides, near duplicates never.
        """
        if self.folds >= _LEAST_SESSIONS:
            return self.divide(seed)
        count = folds.possible(self.photos.truth, self.groups.alike)
        return folds.divide(self.photos.truth, self.groups.alike, folds=count, seed=seed)


def run(options: TrainOptions, *, store: Store, progress: Progress) -> Trained:
    """Learn the tags of photos.

    Raises:
        BadInputError: The photos or a base network cannot be used.
        ToolchainError: A base network cannot be fetched, or the workers failed.
    """
    from threadpoolctl import threadpool_limits

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
        learning = _prepare(photos, bases, options, store, progress)
        return _learn(learning, options, store, progress)


def _prepare(
    photos: PhotoSet,
    bases: tuple[Backbone, ...],
    options: TrainOptions,
    store: Store,
    progress: Progress,
) -> _Learning:
    everything = (*photos.photos, *photos.none)
    rows, broken = features.extract(
        everything, bases, options.extraction, store=store, progress=progress
    )
    readable = [photo.sha256 not in broken for photo in everything]
    photos = photos.without(broken)
    if photos.broken:
        progress.warn(
            f"{len(photos.broken)} files cannot be read as pictures and are left out: "
            + ", ".join(photos.broken[:_NAMED])
            + (" …" if len(photos.broken) > _NAMED else "")
        )
    rows = [each[readable] for each in rows]
    count = len(photos.photos)
    own, foreign = [each[:count] for each in rows], [each[count:] for each in rows]
    found = groups.find(
        photos, own[0][:, bases[0].columns(len(bases[0].taps) - 1)], options.group_by
    )
    most = folds.possible(photos.truth, found.of)
    if most < 2:  # noqa: PLR2004
        found = groups.Groups(
            np.arange(count),
            np.arange(count),
            "none",
            "all photos of a tag look alike, so they are divided singly",
        )
        most = folds.possible(photos.truth, found.of)
    return _Learning(photos, bases, own, foreign, found, most)


def _learn(learning: _Learning, options: TrainOptions, store: Store, progress: Progress) -> Trained:
    photos, task = learning.photos, learning.photos.task
    division = learning.divide_to_choose(options.seed)
    cuts = selection.cuts_of(learning.bases, options.depth)
    compared = selection.compare(cuts, learning.bases, learning.own, photos, division, progress)
    chosen = selection.choose(compared, max_drop=options.max_drop, max_bytes=options.max_bytes)
    base = learning.bases[chosen.cut.base]
    rotated = selection.rotated(chosen.cut, learning.bases, learning.own)
    strength = chosen.found.inverse_regularisation
    judging = learning.divide(options.seed + _JUDGED_SEED)
    (held_out,) = cross_validation.outputs(
        rotated, photos.truth, judging, task=task, strengths=(strength,)
    )
    told = _told(judging)
    heat = temperature.find(held_out.outputs[told], photos.truth[told], task=task)
    cooled = held_out.outputs / heat
    weights = logistic.balanced(photos.truth, task=task)
    layer = logistic.fit(rotated.values, photos.truth, weights, strength, task=task)
    kernel, bias = rotated.layer(layer[:-1], layer[-1])
    last = Layer((kernel / heat).astype(np.float32), (bias / heat).astype(np.float32))
    own = selection.features_of(chosen.cut, learning.bases, learning.own)
    foreign = selection.features_of(chosen.cut, learning.bases, learning.foreign)
    rule, none = _none_of_these(own, foreign, photos, judging)
    names = [photo.name for photo in photos.photos]
    judged = figures.accuracy(
        cooled[told], photos.truth[told], photos.tags, [names[at] for at in told], task=task
    )
    curve = learning_curve.draw(rotated, photos, judging, strength, options.seed)
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
            broken_photos=photos.broken[:_NAMED],
        ),
        split=Split(
            grouping=learning.groups.by,
            reason=learning.groups.reason,
            groups=learning.groups.count,
            folds=learning.folds,
        ),
        base=base.name,
        base_sha256=base.sha256,
        licence=base.licence,
        candidates=tuple(_candidate(each, learning, chosen) for each in compared),
        max_drop=options.max_drop,
        temperature=heat,
        out_of_fold=judged,
        test=_tested(options, base, chosen, last, photos, store, progress),
        test_folder=None if options.test is None else printable(str(options.test)),
        none_of_these=none,
        learning=curve,
        more_photos=learning_curve.more_photos(curve, judged),
        suspects=suspects.find(cooled, photos),
        duplicates=_duplicates(own, photos),
        warnings=photos.warnings,
        seed=options.seed,
    )
    with tensorflow.quiet():
        graph_def, output = backbone.with_features(base, chosen.cut.taps)
    return Trained(
        features=FeatureGraph(graph_def, base.frozen.input, output),
        layer=last,
        declared=_declared(base, photos, rule, options),
        record=record,
        out_of_fold=cooled.astype(np.float32),
        photos=photos,
    )


def _told(judging: Array) -> Array:
    """Return indices of photos whose layer has learned from at least half of all photos.

    A layer that learned from a small session says little of the one that learns from all.
    """
    counts = np.bincount(judging)
    fair = 2 * counts <= len(judging)
    found = np.flatnonzero(fair[judging])
    return found if len(found) >= _LEAST_TOLD else np.arange(len(judging))


def _candidate(compared: Compared, learning: _Learning, chosen: Compared) -> Candidate:
    base = learning.bases[compared.cut.base]
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
    own: Array, foreign: Array, photos: PhotoSet, division: Array
) -> tuple[NoneOfThese, NoneFigures]:
    """Learn the rule, and judge it out of fold."""
    near = class_centres.out_of_fold(own, photos.truth, division)
    whole = class_centres.learn(own, photos.truth)
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
    base: Backbone,
    chosen: Compared,
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
    told = photo_labels.of(listed, labels_file, photos.tags)
    if told is None:
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
        tested, (base,), options.extraction, store=store, progress=progress
    )
    whole = np.array([photo.sha256 not in broken for photo in tested])
    if not whole.any():
        raise BadInputError(f"none of the photos in {options.test} can be read as a picture")
    seen = np.concatenate([rows[whole][:, base.columns(tap)] for tap in chosen.cut.taps], axis=1)
    names = [photo.name for photo, is_whole in zip(tested, whole, strict=True) if is_whole]
    outputs = seen @ last.kernel + last.bias
    return figures.accuracy(outputs, told.truth[whole], photos.tags, names, task=photos.task)


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
