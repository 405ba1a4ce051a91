"""What networks compute for several random views of each photo, for learning more than a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.executors import cores, executor_for, use_one_thread
from toolchain.graph import preprocess
from toolchain.images import augmentation, pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolchain.images.augmentation import View
    from toolchain.progress import Progress
    from toolchain.records.card import InputSpec
    from toolchain.training.features import Extraction
    from toolchain.training.photo_set import Photo

    Array = np.ndarray[Any, Any]

_BATCH = 8  # photos
_WEAK = 3  # of the views; the rest are strong. Chosen
_LARGEST = float(np.finfo(np.float16).max)
_SEED_WORDS = 4  # of a photo's digest that its views are drawn from


@dataclass(frozen=True)
class Front:
    """The first part of a network, as a SavedModel: `image` → `scores`."""

    folder: Path
    input: InputSpec


@dataclass(frozen=True)
class Job:
    """Some photos, and what to compute for their views."""

    fronts: tuple[Front, ...]
    photos: tuple[Path, ...]
    views: tuple[tuple[View, ...], ...]
    """For each photo: the views beside the photo as the page sees it."""


def draw(photo: Photo, count: int, seed: int) -> tuple[View, ...]:
    """Draw the views of a photo, weak ones first; they do not depend on the other photos.

    Args:
        photo: The photo.
        count: How many views.
        seed: Of the run.
    """
    words = [int(photo.sha256[8 * at : 8 * at + 8], 16) for at in range(_SEED_WORDS)]
    random = np.random.default_rng([seed, *words])
    return tuple(augmentation.draw(random, is_strong=place >= _WEAK) for place in range(count))


def weak(count: int) -> int:
    """Return how many of a photo's pictures are nearly the photo: itself, and its weak views."""
    return 1 + min(count, _WEAK)


def compute(
    photos: Sequence[Photo],
    fronts: Sequence[Front],
    count: int,
    where: Extraction,
    *,
    seed: int,
    progress: Progress,
) -> list[Array]:
    """Return what the fronts compute for each photo and its views.

    Args:
        photos: Readable photos.
        fronts: The networks' first parts; each photo is decoded once for all of them.
        count: How many views of each photo, beside the photo as the page sees it.
        where: Where to compute.
        seed: Of the views.
        progress: Advances with each photo.

    Returns:
        For each front float16 `[photos, 1 + count, …]`.

    Raises:
        ToolchainError: The workers failed.
    """
    use_one_thread()
    jobs = [
        Job(
            tuple(fronts),
            tuple(photo.path.absolute() for photo in some),
            tuple(draw(photo, count, seed) for photo in some),
        )
        for some in (photos[at : at + _BATCH] for at in range(0, len(photos), _BATCH))
    ]
    found: list[list[Array]] = [[] for _ in fronts]
    with (
        executor_for(cores(), workers=where.workers, engine=where.engine) as executor,
        progress.track("Computing views", len(photos), "photos") as tracker,
    ):
        for job, answers in zip(jobs, executor.map(answer, jobs), strict=True):
            for rows, outputs in zip(found, answers, strict=True):
                rows.append(outputs)
            tracker.advance(len(job.photos))
    return [np.concatenate(rows) for rows in found]


def answer(job: Job) -> tuple[Array, ...]:
    """Compute one job; for each front float16 `[photos, 1 + views, …]`."""
    use_one_thread()
    runs = [(front.input, _load(front)) for front in job.fronts]
    rows: list[list[Array]] = [[] for _ in runs]
    for path, views in zip(job.photos, job.views, strict=True):
        image = pictures.read(path)
        pixels = np.asarray(pictures.over_white(image), np.float32)
        for found, (spec, run) in zip(rows, runs, strict=True):
            inputs = [preprocess.prepare(image, spec)]
            inputs += [_seen(pixels, view, spec) for view in views]
            found.append(np.clip(run(np.stack(inputs)), -_LARGEST, _LARGEST).astype(np.float16))
    return tuple(np.stack(each) for each in rows)


def _seen(pixels: Array, view: View, spec: InputSpec) -> Array:
    part = augmentation.crop(pixels, view, spec.width / spec.height)
    small = preprocess.resize(part, spec.height, spec.width)
    return preprocess.values(augmentation.recolour(small, view), spec)


@lru_cache(maxsize=2)
def _load(front: Front) -> Callable[[Array], Array]:
    with tensorflow.quiet():
        tf = tensorflow.load()
        loaded = tf.saved_model.load(str(front.folder))
    call = loaded.signatures["serving_default"]

    def run(images: Array) -> Array:
        _ = loaded  # its functions work only while it exists
        found: Array = call(tf.constant(images))["scores"].numpy()
        return found

    return run
