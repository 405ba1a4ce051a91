"""What a run has learned so far, and how a layer is learned on finished features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.training import class_centres, cross_validation, logistic

if TYPE_CHECKING:
    from toolchain.records.card import Task
    from toolchain.training.backbone import Backbone
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Learned:
    """A network of features, the layer behind it, and how both do out of fold."""

    base: Backbone
    taps: tuple[int, ...]
    """Indices of the taps whose features the layer takes, side by side."""
    own: Array
    """Features of the tags' photos, float32 `[photos, width]`."""
    kernel: Array
    """float64 `[width, tags]`, learned from all photos, before the temperature."""
    bias: Array
    """float64 `[tags]`."""
    outputs: Array
    """Of layers that have not learned from the photo, float64 `[photos, tags]`."""
    near: Array
    """Cosine to the nearest centre of photos of other folds, float64 `[photos]`."""
    inverse_regularisation: float
    parameters: int
    """Weights up to the deepest tap, and of the layer."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of the features' parts, one for each tap."""
        return tuple(self.base.taps[tap].width for tap in self.taps)

    def layer_of(self, photos: PhotoSet, used: Array) -> tuple[Array, Array]:
        """Return the layer that some of the photos teach, as `layer_on` does."""
        strength = self.inverse_regularisation
        return layer_on(self.own, self.widths, photos.truth, used, strength, task=photos.task)

    def columns_of(self, rows: Array) -> Array:
        """Return the features that the layer takes, `[photos, width]`, of those of all taps."""
        return np.concatenate([rows[:, self.base.columns(tap)] for tap in self.taps], axis=1)


def with_layer(
    base: Backbone,
    taps: tuple[int, ...],
    own: Array,
    photos: PhotoSet,
    folds: Array,
    strength: float,
) -> Learned:
    """Learn a layer on features, and judge it out of fold.

    Args:
        base: The network.
        taps: Indices of its taps.
        own: Their features side by side, float32 `[photos, width]`.
        photos: The photos and their tags.
        folds: The fold of each photo, int `[photos]`.
        strength: The C of logistic regression.
    """
    widths = tuple(base.taps[tap].width for tap in taps)
    rotated = logistic.rotate(own, split=widths)
    (held_out,) = cross_validation.outputs(
        rotated, photos.truth, folds, task=photos.task, strengths=(strength,)
    )
    weights = logistic.balanced(photos.truth, task=photos.task)
    layer = logistic.fit(rotated.values, photos.truth, weights, strength, task=photos.task)
    kernel, bias = rotated.layer(layer[:-1], layer[-1])
    return Learned(
        base=base,
        taps=taps,
        own=own,
        kernel=kernel,
        bias=bias,
        outputs=held_out.outputs,
        near=class_centres.out_of_fold(own, photos.truth, folds),
        inverse_regularisation=strength,
        parameters=base.taps[taps[-1]].parameters + kernel.size,
    )


def layer_on(
    features: Array,
    widths: tuple[int, ...],
    truth: Array,
    used: Array,
    strength: float,
    *,
    task: Task,
) -> tuple[Array, Array]:
    """Return the layer that some of the photos teach: kernel `[width, tags]` and bias `[tags]`.

    Args:
        features: Of all photos, float32 `[photos, width]`.
        widths: Of the features' parts, from different depths.
        truth: Bool `[photos, tags]`.
        used: Indices of the photos to learn from.
        strength: The C of logistic regression.
        task: Whether tags exclude each other.
    """
    rotated = logistic.rotate(features[used], split=widths)
    weights = logistic.balanced(truth[used], task=task)
    layer = logistic.fit(rotated.values, truth[used], weights, strength, task=task)
    return rotated.layer(layer[:-1], layer[-1])
