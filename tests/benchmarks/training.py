"""Measure training on photo sets, beside scikit-learn: `make bench-train`.

The sets are `flowers`, `trash` and `groceries` in `../shared/data` (or `$TOOLCHAIN_SHARED/data`),
and `imagenet-500` for foreign photos. Accuracies are out of fold, but that of groceries, which is
on another visit to the shop. Seconds are those of an empty cache.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer
from threadpoolctl import threadpool_limits

from tests.benchmarks import trained_sites, tutorial
from toolchain.cache.store import Store
from toolchain.photos import photo_folder
from toolchain.pipeline.train import train
from toolchain.progress import SILENT
from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.training import (
    backbone,
    class_centres,
    cross_validation,
    features,
    folds,
    logistic,
    photo_set,
    selection,
    temperature,
)
from toolchain.training.options import TrainOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.records.training import Training
    from toolchain.training.backbone import Backbone
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

DATA = Path(os.environ.get("TOOLCHAIN_SHARED", Path(__file__).parents[3] / "shared")) / "data"
SETS = ("flowers", "trash", "groceries")
_DIVISIONS = 4  # into five folds
_DRAWS = 10  # of five photos a tag
_PLANTED = 0.05  # of the tags


@dataclass(frozen=True)
class Subject:
    """A photo set, with the features of all depths and the chosen one."""

    photos: PhotoSet
    rows: Array
    """Features of the chosen cut, float32 `[photos, width]`."""
    turned: logistic.Rotated
    division: Array
    strength: float
    foreign: Array
    """Features of foreign photos at the same cut."""


def subject_of(name: str, base: Backbone, record: Training, store: Store) -> Subject:
    """Read the features of a photo set at the cut that training has chosen."""
    photos = photo_set.read(DATA / name)
    chosen = next(each for each in record.candidates if each.chosen)
    cut = next(
        each
        for each in selection.cuts_of((base,), None)
        if selection.described(base, each.taps) == chosen.depth
    )
    away = [
        photo_set.photo_of(path, DATA.resolve())
        for path in photo_folder.find(DATA / "imagenet-500", by_folders=False).paths
    ]
    where = features.Extraction()
    (own,), _ = features.extract(photos.photos, (base,), where, store=store, progress=SILENT)
    (foreign,), _ = features.extract(away, (base,), where, store=store, progress=SILENT)
    return Subject(
        photos=photos,
        rows=selection.features_of(cut, (base,), [own]),
        turned=selection.rotated(cut, (base,), [own]),
        division=folds.divide(photos.truth, np.arange(len(photos.photos)), seed=1),
        strength=chosen.inverse_regularisation,
        foreign=selection.features_of(cut, (base,), [foreign]),
    )


def out_of_fold(subject: Subject, truth: Array | None = None) -> Array:
    """Return the outputs of our own layer out of fold, float `[photos, tags]`."""
    (found,) = cross_validation.outputs(
        subject.turned,
        subject.photos.truth if truth is None else truth,
        subject.division,
        task="single-label",
        strengths=(subject.strength,),
    )
    return found.outputs


def by_scikit_learn(values: Array, labels: Array, held: Array, strength: float) -> Array:
    """Return the tags that scikit-learn gives to the held photos."""
    from sklearn.linear_model import LogisticRegression

    judge = LogisticRegression(C=strength, max_iter=3000, tol=1e-6)
    judge.fit(values[~held], labels[~held])
    found: Array = judge.predict(values[held])
    return found


def lines_of(name: str, subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield what is measured of a photo set, and the figure."""
    labels = subject.photos.labels
    outputs = out_of_fold(subject)
    ours = outputs.argmax(axis=1)
    shares = []
    for seed in range(_DIVISIONS):
        division = folds.divide(subject.photos.truth, np.arange(len(labels)), seed=seed)
        again = out_of_fold(replace(subject, division=division)).argmax(axis=1)
        shares.append(100 * (again == labels).mean())
    mean, least, most = np.mean(shares), min(shares), max(shares)
    yield f"accuracy, mean of {_DIVISIONS} divisions", f"{mean:.1f} % ({least:.1f} … {most:.1f})"
    theirs = np.zeros_like(labels)
    for fold in np.unique(subject.division):
        held = subject.division == fold
        theirs[held] = by_scikit_learn(subject.turned.values, labels, held, subject.strength)
    yield "scikit-learn on the same features", f"{100 * (theirs == labels).mean():.1f} %"
    yield "same tag as scikit-learn", f"{100 * (ours == theirs).mean():.1f} %"
    yield "five photos a tag, ours / scikit-learn", five_photos(subject)
    heat = temperature.find(outputs, subject.photos.truth, task="single-label")
    for words, cooled in (("before", outputs), ("after", outputs / heat)):
        shares = np.exp(cooled - cooled.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        error = temperature.calibration_error(shares.max(axis=1), ours == labels)
        yield f"calibration error {words} the temperature", f"{error:.1f} points"
    near = class_centres.out_of_fold(subject.rows, subject.photos.truth, subject.division)
    least = class_centres.threshold(near, None)
    rule = class_centres.learn(subject.rows, subject.photos.truth, least)
    passed = (rule.greatest_cosines(subject.foreign) >= least).mean()
    stored = rule.vectors.size + 2 * len(rule.indices)
    yield "foreign photos let through, 95 % of own kept", f"{100 * passed:.1f} %"
    yield "bytes of none of these", f"{stored:,}"
    yield f"of {_PLANTED:.0%} planted wrong tags among the tenth listed", planted(name, subject)


def five_photos(subject: Subject) -> str:
    """Compare both layers, learned from five photos of each tag, on all others."""
    labels, random = subject.photos.labels, np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(_DRAWS):
        order = random.permutation(len(labels))
        used = np.concatenate([order[labels[order] == tag][:5] for tag in np.unique(labels)])
        held = np.ones(len(labels), bool)
        held[used] = False
        weights = (~held).astype(float)
        layer = logistic.fit(
            subject.turned.values,
            subject.photos.truth,
            weights,
            subject.strength,
            task="single-label",
        )
        given = (subject.turned.values[held] @ layer[:-1] + layer[-1]).argmax(axis=1)
        ours.append((given == labels[held]).mean())
        answers = by_scikit_learn(subject.turned.values, labels, held, subject.strength)
        theirs.append((answers == labels[held]).mean())
    return f"{100 * np.mean(ours):.1f} / {100 * np.mean(theirs):.1f} %"


def planted(name: str, subject: Subject) -> str:
    """Give some photos a wrong tag, and count how many are among the least likely tenth."""
    labels = subject.photos.labels.copy()
    random = np.random.default_rng(len(name))
    wrong = random.choice(len(labels), round(_PLANTED * len(labels)), replace=False)
    tags = len(subject.photos.tags)
    labels[wrong] = (labels[wrong] + random.integers(1, tags, len(wrong))) % tags
    truth = np.eye(tags, dtype=bool)[labels]
    outputs = out_of_fold(subject, truth)
    shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    own = shares[np.arange(len(labels)), labels]
    listed = np.argsort(own)[: -(-len(labels) // 10)]
    found = np.isin(wrong, listed).sum()
    return f"{found} of {len(wrong)}"


def by_tutorial(
    base: Backbone, subject: Subject, store: Store, scratch: Path
) -> Iterator[tuple[str, str]]:
    """Yield what the tutorial's way comes to on the same photos, and the figure."""
    scratch.mkdir()
    (rows,), _ = features.extract(
        subject.photos.photos, (base,), features.Extraction(), store=store, progress=SILENT
    )
    last = rows[:, base.columns(len(base.taps) - 1)]
    found = tutorial.run(base, subject.photos, last, subject.division, scratch)
    yield "the tutorial's accuracy", f"{100 * found.accuracy:.1f} %"
    yield "the tutorial's bytes", f"{found.bytes:,}"
    yield "the tutorial's seconds", f"{found.seconds:.0f}"


def beyond(base: str, store: Store, scratch: Path) -> Iterator[str]:
    """Yield what each way beyond the last layer brings, a line each."""
    for name in ("flowers", "trash"):
        options = TrainOptions(
            DATA / name, (Request(base),), group_by="none", prune=True, fine_tune=True
        )
        record = train(options, scratch / f"{name} beyond.model", store=store)
        for attempt in record.attempts:
            yield (
                f"{name}, {attempt.method}, {attempt.detail}: {attempt.gain_points:+.1f} points "
                f"({attempt.gain_low:+.1f} … {attempt.gain_high:+.1f}), {attempt.bytes_before:,} → "
                f"{attempt.bytes_after:,} bytes, {attempt.seconds:.0f} s. {attempt.reason}"
            )


def by_visit(base: str, store: Store, scratch: Path) -> Training:
    """Train on two visits to the shop, and test on a third."""
    for path in sorted((DATA / "groceries").glob("*/*.jpg")):
        visit = "test" if path.name.startswith("test_") else "train"
        target = scratch / f"groceries-{visit}" / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    options = TrainOptions(
        scratch / "groceries-train", (Request(base),), test=scratch / "groceries-test"
    )
    return train(options, scratch / "groceries.model", store=store)


def cold_and_warm(base: str, scratch: Path) -> str:
    """Time 300 photos in an empty cache, and ten more."""
    photos, store = scratch / "some", Store(scratch / "cold")
    for folder in sorted((DATA / "trash").iterdir()):
        if folder.is_dir():
            (photos / folder.name).mkdir(parents=True)
            for path in sorted(folder.iterdir())[:50]:
                shutil.copy(path, photos / folder.name)
    options = TrainOptions(photos, (Request(base),))
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        train(options, scratch / "some.model", store=store)
        seconds.append(time.perf_counter() - begun)
        for path in sorted((DATA / "trash" / "glass").iterdir())[50:60]:
            shutil.copy(path, photos / "glass")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return f"{seconds[0]:.0f} s / {seconds[1]:.0f} s, at most {most:.1f} GB in this process"


def main() -> None:
    """Print the tables."""
    base = sys.argv[1] if len(sys.argv) > 1 else "embedded"
    store = Store.default()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        typer.echo(f"300 photos, then ten more: {cold_and_warm(base, scratch)}")
        visit = by_visit(base, store, scratch)
        assert visit.test is not None
        told, found = visit.out_of_fold.accuracy, visit.test.accuracy
        typer.echo(
            f"groceries by visit: {100 * found.value:.1f} % "
            f"({100 * found.low:.1f} … {100 * found.high:.1f}) on the other visit; "
            f"{100 * told.value:.1f} % told out of fold, grouped {visit.split.reason}"
        )
        network = backbone.read(Request(base), Declared(), store=store, progress=SILENT)
        typer.echo("\n| | " + " | ".join(SETS) + " |\n|---|" + "--:|" * len(SETS))
        columns = []
        for name in SETS:
            record = train(
                TrainOptions(DATA / name, (Request(base),), group_by="none"),
                scratch / f"{name}.model",
                store=store,
            )
            chosen = next(each for each in record.candidates if each.chosen)
            rows = {
                "chosen depth": chosen.depth,
                "expected bytes": f"{chosen.expected_bytes:,}",
                "told accuracy": f"{100 * record.out_of_fold.accuracy.value:.1f} %",
            }
            with threadpool_limits(1, user_api="blas"):
                subject = subject_of(name, network, record, store)
                rows |= dict(lines_of(name, subject))
            rows |= dict(by_tutorial(network, subject, store, scratch / f"{name} tutorial"))
            columns.append(rows)
        for words in columns[0]:
            typer.echo(f"| {words} | " + " | ".join(rows[words] for rows in columns) + " |")
        for line in trained_sites.rows(DATA, base, store, scratch):
            typer.echo(line)
        for line in beyond(base, store, scratch):
            typer.echo(line)


if __name__ == "__main__":
    main()
