"""Calibration inputs: the user's photos, or generated pictures.

Without photos the pictures are "dead leaves" (Lee, Mumford & Huang 2001; as training data:
Baradad et al. 2021, arXiv:2106.05963): discs of random colour and texture that cover each
other. Their sizes follow a power law, as the sizes of objects in photos do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.graph import preprocess
from toolchain.photos.photo_folder import Photos, label_indices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.progress import Progress
    from toolchain.records.card import InputSpec, ModelCard

    Array = np.ndarray[Any, Any]

_LEAVES = 400  # discs in a picture; chosen, not measured
_POWER = 3.0  # exponent of the sizes' distribution, as in Lee, Mumford & Huang


@dataclass(frozen=True)
class Inputs:
    """Photos as network inputs, with their labels if they have any."""

    images: Array
    """float32 `[n, height, width, 3]`."""
    truth: Array | None
    """Index of each photo's label among the model's labels, `[n]`."""
    held_out: Array | None = None
    """The outputs for each photo by a model that has not learned from it, `[n, classes]`, with NaN
    where they are not known; None for models that were not trained on these photos."""

    def cut(self, start: int, end: int) -> Inputs:
        """Return the photos from `start` up to `end`, which is not included."""
        truth, held_out = self.truth, self.held_out
        return Inputs(
            self.images[start:end],
            None if truth is None else truth[start:end],
            None if held_out is None else held_out[start:end],
        )


def load(
    photos: Photos,
    card: ModelCard,
    *,
    held_out: Mapping[str, Array] | None = None,
    label: str,
    progress: Progress,
) -> Inputs:
    """Read photos; files that cannot be read are counted and left out.

    Args:
        photos: Which photos, in order.
        card: Says how photos become inputs, and lists the labels.
        held_out: Outputs `[classes]` by the digests of photos that the model was trained on, from
            models that have not learned from them; None if it was not trained here.
        label: What the progress bar says.
        progress: Advances with each photo.

    Raises:
        BadInputError: No photo can be read, or a class folder matches no label.
    """
    indices = (
        None
        if photos.classes is None
        else label_indices(photos.classes, card.labels, photos.folder)
    )
    images: list[Array] = []
    truth: list[int] = []
    outputs: list[Array] = []
    unknown = np.full(card.classes, np.nan, np.float32)
    with progress.track(label, len(photos.paths), "photos") as tracker:
        for place, path in enumerate(photos.paths):
            try:
                images.append(preprocess.load(path, card.input))
            except BadInputError:
                continue
            finally:
                tracker.advance(1)
            if indices is not None and photos.classes is not None:
                truth.append(indices[photos.classes[place]])
            if held_out is not None:
                outputs.append(held_out.get(digest.of_file(path), unknown))
    if not images:
        raise BadInputError(f"{photos.folder} holds no photo that can be read; give other photos")
    if broken := len(photos.paths) - len(images):
        progress.warn(f"{broken} files in {photos.folder} cannot be read and are left out")
    return Inputs(
        np.stack(images),
        None if indices is None else np.array(truth),
        np.stack(outputs) if outputs else None,
    )


def generated(spec: InputSpec, *, count: int, seed: int) -> Array:
    """Return generated pictures as inputs, float32 `[count, height, width, 3]`."""
    random = np.random.default_rng(seed)
    pictures = [_dead_leaves(spec.height, spec.width, random) for _ in range(count)]
    return preprocess.values(np.stack(pictures) * np.float32(255), spec)


def _dead_leaves(height: int, width: int, random: np.random.Generator) -> Array:
    """Return one picture within 0…1, float32 `[height, width, 3]`."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    picture = np.broadcast_to(random.uniform(0, 1, 3), (height, width, 3)).astype(np.float32)
    largest = max(height, width) / 3
    # From the back to the front. The radii are drawn from their power law by inverting its
    # distribution function.
    uniform = random.uniform(0, 1, _LEAVES)
    ratio = (largest / 2.0) ** (1 - _POWER)
    radii = 2.0 * (1 - uniform * (1 - ratio)) ** (1 / (1 - _POWER))
    for radius in radii:
        top, left = random.uniform(0, height), random.uniform(0, width)
        stretch = random.uniform(0.5, 2.0)
        # Most leaves are small, so only the rectangle around each is computed.
        tall, wide = radius / stretch**0.5, radius * stretch**0.5
        box = (
            slice(max(0, int(top - tall)), int(top + tall) + 2),
            slice(max(0, int(left - wide)), int(left + wide) + 2),
        )
        down, right = rows[box], columns[box]
        inside = (down - top) ** 2 * stretch + (right - left) ** 2 / stretch < radius**2
        colour = random.uniform(0, 1, 3)
        grating = np.sin(
            down * random.normal(0, 0.4) + right * random.normal(0, 0.4)
        ) * random.uniform(0, 0.3)
        picture[box][inside] = colour + grating[inside][:, None]
    noise = random.normal(0, 0.02, picture.shape)
    clipped: Array = np.clip(picture + noise, 0, 1).astype(np.float32)
    return clipped
