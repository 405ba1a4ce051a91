"""The evaluation: runs photos in batches on an executor, then judges all outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.evaluation import loading, none_verdict
from toolchain.evaluation.batches import Answers, Batch, answer
from toolchain.evaluation.none_verdict import Seen
from toolchain.executors import cores, executor_for, use_one_thread
from toolchain.graph import ending
from toolchain.metrics import multi_label
from toolchain.metrics.scores import scores_of
from toolchain.metrics.single_label import judge_scores
from toolchain.photos import photo_folder, photo_labels
from toolchain.records.card import Declared
from toolchain.records.evaluation import Change, Evaluation, Judged, Tag
from toolchain.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.evaluation.loading import Subject
    from toolchain.photos.photo_folder import Photos
    from toolchain.photos.photo_labels import PhotoLabels
    from toolchain.progress import Progress
    from toolchain.records.multi_label import MultiLabel
    from toolchain.sources.request import Request

    Array = np.ndarray[Any, Any]

_BATCH = 16  # photos; the same for any number of workers
# With this many photos or fewer, one process is done before a second has imported TensorFlow.
# Chosen, not measured.
_FEW = 256
_NAMED = 5  # unreadable photos that the record names, at most
_DIGITS = 4  # decimals of the scores in the record
_LISTED = 60  # photos with another first label that the record lists, at most


@dataclass(frozen=True)
class EvaluationOptions:
    """What to judge, by which photos, and where to compute it."""

    request: Request
    """A built site or a model."""
    photos: Path
    reference: Request | None = None
    """None for the model that a site was built from, if it is available offline."""
    declared: Declared = field(default_factory=Declared)
    """What the user says of a model; a site needs no such declarations."""
    limit: int | None = None
    """How many of the photos to use; None for all."""
    workers: int | None = None
    """Processes on this machine; None to choose by the number of photos."""
    engine: str | None = None
    """Address of a Dask scheduler that does the work."""
    variant: str | None = None
    """Which variant of a site; None for the one that its page begins with."""
    photo_labels: Path | None = None
    """A CSV of photos and their labels; None for `labels.csv` of the folder, or class folders."""
    foreign: Path | None = None
    """A folder of photos of other things, for a model with the rule `none_of_these`."""


def evaluate(options: EvaluationOptions, *, store: Store, progress: Progress) -> Evaluation:
    """Judge a site or a model on photos.

    The result does not depend on where, or by how many workers, it was computed.

    Raises:
        BadInputError: The photos, the model or the reference cannot be used.
        ToolchainError: A model cannot be fetched, or the workers failed.
    """
    use_one_thread()
    labels_file = photo_labels.file_of(options.photos, options.photo_labels)
    listed = photo_folder.find(options.photos, by_folders=labels_file is None)
    subject = loading.subject_of(
        options.request,
        options.declared,
        variant=options.variant,
        photos=listed,
        store=store,
        progress=progress,
    )
    foreign = _foreign(subject, options)
    listed = photo_folder.without_none(listed, subject.card.labels)
    told = photo_labels.of(listed, labels_file, subject.card.labels)
    reference, note = _reference(subject, options, store, progress)
    if told is None and reference is None:
        raise BadInputError(
            f"{options.photos} has no class folders and there is no reference to compare with; "
            "sort the photos into one folder per class, or give --photo-labels or --reference"
        )
    photos = listed.limited(options.limit)
    judged = (subject,) if reference is None else (subject, reference)
    answers = _answers(judged, photos, options, progress)
    broken = answers.broken
    several = subject.card.task == "multi-label"
    told = None if told is None else told.of_some(listed, photos)
    truth = None
    if told is not None and not several:
        truth = np.delete(told.one_each(photos), broken)
    scores = [_scores(who, outputs) for who, outputs in zip(judged, answers.outputs, strict=True)]
    names = [printable(path.relative_to(photos.folder).as_posix()) for path in photos.paths]
    whole = [name for place, name in enumerate(names) if place not in set(broken)]
    none = None
    if subject.card.none_of_these is not None:
        has_label = None if told is None else np.delete(told.truth, broken, axis=0).any(axis=1)
        others = None
        if foreign is not None:
            of_others = _answers((subject,), foreign, options, progress, "Judging foreign photos")
            others = (foreign, _seen(subject, of_others))
        none = none_verdict.judge(subject.card, _seen(subject, answers), has_label, others)
    return Evaluation(
        model=_named(subject),
        reference=None if reference is None else _named(reference),
        note=note,
        folder=printable(str(options.photos)),
        broken=len(broken),
        broken_photos=tuple(names[place] for place in broken[:_NAMED]),
        verdict=judge_scores(
            scores[0], truth, scores[1] if reference else None, multi_label=several
        ),
        multi_label=_several(subject, told, scores, broken) if told and several else None,
        none_of_these=none,
        changed=_changed(scores[0], scores[1], truth, subject, whole) if reference else (),
    )


def _foreign(subject: Subject, options: EvaluationOptions) -> Photos | None:
    """List the photos of other things.

    Raises:
        BadInputError: They cannot be listed, or the model does not have the rule to judge by them.
    """
    if options.foreign is None:
        return None
    if subject.card.none_of_these is None:
        raise BadInputError(
            f"{subject.card.provenance.name} has no rule none_of_these, so it gives every photo a "
            "tag and --foreign measures nothing; declare the rule, or leave --foreign out"
        )
    return photo_folder.find(options.foreign, by_folders=False).limited(options.limit)


def _seen(subject: Subject, answers: Answers) -> Seen:
    """Return what the rule "none of these" is judged by."""
    (cosines, *_), (outputs, *_) = answers.cosines, answers.outputs
    if cosines is None:
        raise ValueError("the network was run without its rule")
    return Seen(cosines, _scores(subject, outputs))


def _several(
    subject: Subject, told: PhotoLabels, scores: list[Array], broken: tuple[int, ...]
) -> MultiLabel:
    """Judge a multi-label model.

    Args:
        subject: The model; its card has the threshold.
        told: The labels of all photos, unreadable ones included.
        scores: Float `[photos, labels]` of the model, and of the reference if there is one.
        broken: Indices of unreadable photos.

    Raises:
        BadInputError: None of the photos has a label.
    """
    truth = np.delete(told.truth, broken, axis=0)
    if not truth.any():
        raise BadInputError(
            f"none of the {len(truth)} photos has a label, so there is nothing to judge by; "
            "give photos that have labels"
        )
    return multi_label.judge(
        scores[0],
        truth,
        scores[1] if len(scores) > 1 else None,
        threshold=subject.card.threshold,
        known=told.known,
    )


def _changed(
    scores: Array, reference: Array, truth: Array | None, subject: Subject, photos: list[str]
) -> tuple[Change, ...]:
    """List photos whose first label differs from the reference's.

    Args:
        scores: Float `[n, labels]` of the model.
        reference: Float `[n, labels]` of the reference.
        truth: Integers `[n]`, the right labels.
        subject: The model; its card has the labels.
        photos: Names of the photos.
    """
    labels = subject.card.labels
    wanted, found = reference.argmax(axis=1), scores.argmax(axis=1)
    rows = np.flatnonzero(wanted != found)
    sure = reference[rows, wanted[rows]]
    # A stable sort: photos with equal scores keep their order.
    listed = rows[np.argsort(-sure, kind="stable")][:_LISTED]

    def tag(row: int, label: int, of: Array) -> Tag:
        return Tag(label=labels[label], score=round(float(of[row, label]), _DIGITS))

    return tuple(
        Change(
            photo=photos[row],
            reference=tag(row, wanted[row], reference),
            model=tag(row, found[row], scores),
            truth=None if truth is None else labels[truth[row]],
        )
        for row in listed
    )


def _reference(
    subject: Subject, options: EvaluationOptions, store: Store, progress: Progress
) -> tuple[Subject | None, str | None]:
    if options.reference is not None:
        given = options.reference
        return loading.reference_for(subject, given, store=store, progress=progress), None
    if subject.network.model_json is None:
        return None, None
    try:
        source = loading.source_of(subject, options.request, store=store, progress=progress)
    except loading.NoSourceError as error:
        return None, f"agreement is left out: {error}"
    return source, None


def _answers(
    judged: tuple[Subject, ...],
    photos: Photos,
    options: EvaluationOptions,
    progress: Progress,
    doing: str = "Judging photos",
) -> Answers:
    """Run all batches and join their outputs in the order of the photos.

    Raises:
        BadInputError: None of the photos can be read.
    """
    first, *others = judged
    # The rule of the model itself is judged, not that of its reference.
    networks = (first.network, *(replace(other.network, rule=None) for other in others))
    starts = range(0, len(photos.paths), _BATCH)
    batches = [Batch(networks, photos.paths[start : start + _BATCH]) for start in starts]
    count = len(photos.paths)
    worthwhile = 1 if count <= _FEW else cores()
    outputs: list[tuple[Array, ...]] = []
    cosines: list[tuple[Array | None, ...]] = []
    broken: list[int] = []
    with (
        executor_for(worthwhile, workers=options.workers, engine=options.engine) as executor,
        progress.track(doing, count, "photos") as tracker,
    ):
        answered = executor.map(answer, batches)
        for start, batch, answers in zip(starts, batches, answered, strict=True):
            broken += [start + place for place in answers.broken]
            if len(answers.broken) < len(batch.photos):
                outputs.append(answers.outputs)
                cosines.append(answers.cosines)
            tracker.advance(len(batch.photos))
    if len(broken) == count:
        raise BadInputError(
            f"none of the {count} files in {photos.folder} can be read as a picture; give a folder "
            "of photos"
        )
    return Answers(
        tuple(np.concatenate(parts) for parts in zip(*outputs, strict=True)),
        tuple(broken),
        tuple(_joined(parts) for parts in zip(*cosines, strict=True)),
    )


def _joined(parts: tuple[Array | None, ...]) -> Array | None:
    """Join the cosines of one network's batches; None for a network without the rule."""
    found = [part for part in parts if part is not None]
    return np.concatenate(found) if found else None


def _scores(subject: Subject, outputs: Array) -> Array:
    """Return the scores that the page would show, float64 `[n, labels]`.

    Raises:
        BadInputError: The network has another number of outputs than its card says, or its
            outputs hold NaN or infinity.
    """
    card = subject.card
    name = card.provenance.name
    if subject.is_binary and outputs.shape[1:] == (1,):
        outputs = ending.of_two(outputs, subject.activation)
    if outputs.ndim != len("nc") or outputs.shape[1] != card.classes:
        raise BadInputError(
            f"{name} has outputs of shape {outputs.shape[1:]}, not a row of {card.classes}; "
            "check its labels"
        )
    if not np.isfinite(outputs).all():
        raise BadInputError(
            f"the outputs of {name} hold NaN or infinity, so it cannot be judged; "
            "export the model again"
        )
    labelled: Array = scores_of(outputs, subject.activation)[:, card.label_offset :]
    return labelled


def _named(subject: Subject) -> Judged:
    provenance = subject.card.provenance
    return Judged(
        name=provenance.name,
        source=provenance.source,
        sha256=provenance.sha256,
        form=subject.form,
    )
