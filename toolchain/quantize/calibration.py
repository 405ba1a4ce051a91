"""Calibration inputs: the user's photos, or generated pictures.

Without photos the pictures are "dead leaves" (Lee, Mumford & Huang 2001; as training data:
Baradad et al. 2021, arXiv:2106.05963): discs of random colour and texture that cover each
other. Their sizes follow a power law, as the sizes of objects in photos do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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
    ground = random.uniform(0, 1, 3)
    largest = max(height, width) / 3
    # The radii are drawn from their power law by inverting its distribution function.
    uniform = random.uniform(0, 1, _LEAVES)
    ratio = (largest / 2.0) ** (1 - _POWER)
    radii = 2.0 * (1 - uniform * (1 - ratio)) ** (1 / (1 - _POWER))
    leaves = _leaves(radii, height, width, random)
    # Which leaf is seen at each pixel; it takes most of the time, so it is all that each leaf does.
    seen = np.full((height, width), -1)
    # From the back to the front. Most leaves are small, so only the box around each is computed.
    boxes = zip(leaves.rows, leaves.columns, radii**2, strict=True)
    for place, (rows, columns, square) in enumerate(boxes):
        inside = leaves.down[place, rows] + leaves.across[place, :, columns] < square
        seen[rows, columns][inside] = place
    picture = np.broadcast_to(ground, (height, width, 3)).astype(np.float32)
    down, across = np.nonzero(seen >= 0)
    leaf = seen[down, across]
    phases = leaves.phases_down[leaf, down] + leaves.phases_across[leaf, across]
    gratings = np.sin(phases) * leaves.contrasts[leaf]
    picture[down, across] = leaves.colours[leaf] + gratings[:, None]
    noise = random.normal(0, 0.02, picture.shape)
    clipped: Array = np.clip(picture + noise, 0, 1).astype(np.float32)
    return clipped


class _Leaves(NamedTuple):
    """Discs, stretched to ellipses, each with a colour and a grating; `n` is their number."""

    rows: list[slice]
    """The rows of the box around each."""
    columns: list[slice]
    down: Array
    """Each row's part of the square of a pixel's distance to the centre, `[n, height, 1]`."""
    across: Array
    """Each column's part, `[n, 1, width]`."""
    phases_down: Array
    """Each row's part of the grating's phase, `[n, height]`."""
    phases_across: Array
    """Each column's part, `[n, width]`."""
    contrasts: Array
    """The gratings' amplitudes, `[n]`."""
    colours: Array
    """`[n, 3]`."""


def _leaves(radii: Array, height: int, width: int, random: np.random.Generator) -> _Leaves:
    """Draw the places, forms, colours and gratings of leaves with these radii in pixels."""
    # In this order for each leaf, so that a seed gives the same pictures as ever.
    draw, normal = random.random, random.standard_normal
    drawn = [
        (draw(), draw(), draw(), draw(), draw(), draw(), normal(), normal(), draw()) for _ in radii
    ]
    top, left, stretch, red, green, blue, down, across, contrast = np.array(drawn).T
    top, left, stretch = top * height, left * width, 0.5 + stretch * 1.5
    tall, wide = radii / stretch**0.5, radii * stretch**0.5

    def single(values: Array) -> Array:
        return values.astype(np.float32)[:, None]

    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    return _Leaves(
        rows=_slices(top, tall),
        columns=_slices(left, wide),
        down=((rows - single(top)) ** 2 * single(stretch))[:, :, None],
        across=((columns - single(left)) ** 2 / single(stretch))[:, None, :],
        phases_down=rows * single(down * 0.4),
        phases_across=columns * single(across * 0.4),
        contrasts=(contrast * 0.3).astype(np.float32),
        colours=np.stack([red, green, blue], axis=1),
    )


def _slices(middles: Array, radii: Array) -> list[slice]:
    starts = np.maximum(0, (middles - radii).astype(int))
    ends = (middles + radii).astype(int) + 2
    return [slice(*ends_of) for ends_of in zip(starts.tolist(), ends.tolist(), strict=True)]
