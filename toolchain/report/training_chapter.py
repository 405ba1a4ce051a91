"""Prepares the report's chapter on training: what it shows of the record, and in which order.

A record may name thousands of tags and photos. The chapter shows as many as people look at; the
rest is in `training.json`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain.records.training import SAME_SIZE
from toolchain.report import training_charts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolchain.records.build_report import Report
    from toolchain.records.training import (
        Accuracy,
        Candidate,
        Duplicates,
        Mistake,
        Suspect,
        TagFigures,
        Training,
    )
    from toolchain.report.charts import Chart

# How much is shown; all chosen, not measured.
_TAGS = 12  # rows of a table or matrix that is not folded up
_WEAKEST = 8  # rows of it, if there are more tags
_MATRIX = 40  # tags of a confusion matrix; a larger one cannot be looked through
_PAIRS = 12  # confused pairs of tags, and wrongly tagged photos of a multi-label model: twice that
_SUSPECTS = 36
_DUPLICATES = 12
_COPIES = 4  # photos of one group of duplicates
_ROUNDING = 1e-6  # points by which equal accuracies may differ
_SHADES = 10  # steps of a cell's colour, as in `templates/training.css`


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix."""

    photos: int
    shade: int
    """The share of the row's photos, in tenths that are begun; 0 for none."""
    right: bool
    pair: str | None
    """The `id` of the pair of tags below whose photos are shown, if they are."""


@dataclass(frozen=True)
class Pair:
    """Photos of one tag that are given another one."""

    id: str
    own: str
    given: str
    photos: int
    of: int
    """All photos of the tag."""
    shown: tuple[Mistake, ...]


@dataclass(frozen=True)
class Judged:
    """The mistakes on one set of photos: out of fold, or in the folder of `--test`."""

    id: str
    title: str
    thumbnails: Mapping[str, str]
    matrix: tuple[tuple[Cell, ...], ...]
    """Rows in the order of the tags; empty for many tags, and for multi-label models."""
    pairs: tuple[Pair, ...]
    """The most confused pairs of tags; empty for multi-label models."""
    more: int
    """Number of the other pairs."""
    mistakes: tuple[Mistake, ...]
    """Photos with wrong or missing tags of a multi-label model."""

    @property
    def folded(self) -> bool:
        """Whether the matrix is so large that it is shown only on demand."""
        return len(self.matrix) > _TAGS


@dataclass(frozen=True)
class TagRow:
    """A row of the table of tags."""

    own: TagFigures
    test: TagFigures | None


@dataclass(frozen=True)
class Numbered:
    """A candidate, and its number in the chart."""

    number: int
    candidate: Candidate


@dataclass(frozen=True)
class Chapter:
    """Everything that the chapter shows."""

    training: Training
    tags: tuple[TagRow, ...]
    """From the lowest recall to the highest."""
    weakest: tuple[TagRow, ...]
    """The first of them; all of them if they are few."""
    judged: tuple[Judged, ...]
    """Sets of photos with mistakes that can be shown."""
    candidates: tuple[Numbered, ...]
    best: tuple[Numbered, ...]
    """Those that no other one beats in both bytes and accuracy, and the chosen one."""
    chosen: Candidate | None
    is_smallest: bool
    """Whether it is of the smallest size within the points below the best that are allowed. One
    that was asked for by `--depth` or `--max-bytes` may be another."""
    suspects: tuple[Suspect, ...]
    duplicates: tuple[Duplicates, ...]
    charts: Mapping[str, Chart | None]


def chapter(report: Report) -> Chapter | None:
    """Return the chapter; None if the model was not trained by this tool."""
    training = report.training
    if training is None:
        return None
    tags = _tags(training)
    numbered = tuple(Numbered(*each) for each in enumerate(training.candidates, start=1))
    best = training_charts.front(training.candidates)
    chosen = next((one for one in training.candidates if one.chosen), None)
    judged = [
        _judged(training, accuracy, name, title, thumbnails)
        for accuracy, name, title, thumbnails in (
            (training.out_of_fold, "fold", "Out of fold", report.training_thumbnails),
            (training.test, "test", f"In {training.test_folder}", report.test_thumbnails),
        )
        if accuracy is not None
    ]
    return Chapter(
        training=training,
        tags=tags,
        weakest=tags if len(tags) <= _TAGS else tags[:_WEAKEST],
        judged=tuple(each for each in judged if each.matrix or each.pairs or each.mistakes),
        candidates=numbered,
        best=tuple(each for each in numbered if each.candidate in best or each.candidate.chosen),
        chosen=chosen,
        is_smallest=chosen is not None and _is_smallest(chosen, training),
        suspects=training.suspects[:_SUSPECTS],
        duplicates=shown_duplicates(training),
        charts={
            "candidates": training_charts.candidates(training),
            "learning": training_charts.learning(training),
            "calibration": training_charts.calibration(training),
        },
    )


def _is_smallest(chosen: Candidate, training: Training) -> bool:
    """Tell whether no candidate within the points that are allowed is of a smaller size."""
    least = training_charts.allowed(training) - _ROUNDING
    within = [one for one in training.candidates if 100 * one.accuracy.value >= least]
    most = SAME_SIZE * min(one.expected_bytes for one in within)
    return chosen in within and chosen.expected_bytes <= most


def shown_photos(training: Training) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the photos of which the chapter shows thumbnails, as their paths in the two folders.

    Returns:
        Photos in the folder of training, and photos in that of `--test`; each one once, sorted.
    """
    own = [
        *(each.photo for each in _shown_mistakes(training, training.out_of_fold)),
        *(each.photo for each in training.suspects[:_SUSPECTS]),
        *(photo for each in shown_duplicates(training) for photo in each.photos),
    ]
    test = [] if training.test is None else _shown_mistakes(training, training.test)
    return tuple(sorted(set(own))), tuple(sorted({each.photo for each in test}))


def shown_duplicates(training: Training) -> tuple[Duplicates, ...]:
    """Return the first duplicates, those under several tags before the others."""
    ordered = sorted(training.duplicates, key=lambda each: len(each.tags) == 1)
    return tuple(
        each.model_copy(update={"photos": each.photos[:_COPIES]}) for each in ordered[:_DUPLICATES]
    )


def _shown_mistakes(training: Training, accuracy: Accuracy) -> list[Mistake]:
    judged = _judged(training, accuracy, "", "", {})
    return [*judged.mistakes, *(each for pair in judged.pairs for each in pair.shown)]


def _tags(training: Training) -> tuple[TagRow, ...]:
    tests = {} if training.test is None else {each.tag: each for each in training.test.tags}
    rows = [TagRow(own, tests.get(own.tag)) for own in training.out_of_fold.tags]
    return tuple(sorted(rows, key=lambda row: row.own.recall.value if row.own.recall else math.inf))


def _judged(
    training: Training,
    accuracy: Accuracy,
    name: str,
    title: str,
    thumbnails: Mapping[str, str],
) -> Judged:
    if not accuracy.confusion:
        mistakes = accuracy.mistakes[: 2 * _PAIRS]
        return Judged(name, title, thumbnails, (), (), 0, mistakes)
    confused = _confused(accuracy)
    pairs = tuple(_pair(training.tags, accuracy, name, *each) for each in confused[:_PAIRS])
    matrix: tuple[tuple[Cell, ...], ...] = ()
    if len(training.tags) <= _MATRIX:
        matrix = _matrix(accuracy.confusion, {pair.id for pair in pairs}, name)
    return Judged(name, title, thumbnails, matrix, pairs, len(confused) - len(pairs), ())


def _confused(accuracy: Accuracy) -> list[tuple[int, int]]:
    """Return the places of confused tags, own and given; those of the most photos first."""
    found = [
        (photos, own, given)
        for own, row in enumerate(accuracy.confusion)
        for given, photos in enumerate(row)
        if photos and own != given
    ]
    found.sort(key=lambda each: (-each[0], each[1:]))
    return [each[1:] for each in found]


def _pair(tags: Sequence[str], accuracy: Accuracy, name: str, own: int, given: int) -> Pair:
    """Return a pair of tags with those of its photos that the record names."""
    pair = (tags[own],), (tags[given],)
    row = accuracy.confusion[own]
    return Pair(
        id=_id(name, own, given),
        own=tags[own],
        given=tags[given],
        photos=row[given],
        of=sum(row),
        shown=tuple(each for each in accuracy.mistakes if (each.tags, each.given) == pair),
    )


def _matrix(
    confusion: Sequence[Sequence[int]], pairs: set[str], name: str
) -> tuple[tuple[Cell, ...], ...]:
    def cell(own: int, given: int, photos: int, of: int) -> Cell:
        pair = _id(name, own, given)
        shade = math.ceil(_SHADES * photos / of) if photos else 0
        return Cell(photos, shade, own == given, pair if pair in pairs else None)

    return tuple(
        tuple(cell(own, given, photos, sum(row)) for given, photos in enumerate(row))
        for own, row in enumerate(confusion)
    )


def _id(name: str, own: int, given: int) -> str:
    return f"{name}-{own}-{given}"
