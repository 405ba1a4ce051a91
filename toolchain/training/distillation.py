"""A teacher for distillation: what a better network says of each view of a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit, softmax

from toolchain.training import backbone, temperature, views

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.training.learned import Learned
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Teacher:
    """A network and what was learned on its features."""

    learned: Learned

    def front(self, store: Store, progress: Progress) -> views.Front:
        """Return the network of its features at all taps, for views."""
        network = backbone.network_of(self.learned.base, store=store, progress=progress)
        return views.Front(network.folder, self.learned.base.input)

    def say(self, seen: Array, photos: PhotoSet, folds: Array, used: Array) -> Array:
        """Return what it says of the views, float32 `[photos, views, tags]` in 0…1.

        What it says of a photo comes from a layer that has learned from other folds of the photos
        in use, so its scores are as sure as they are right.

        Args:
            seen: Its features at all taps, `[photos, views, width]`.
            photos: The photos and their tags.
            folds: The fold of each photo, int `[photos]`.
            used: Indices of the photos in use; no layer learns from others.
        """
        base, taps = self.learned.base, self.learned.taps
        rows = np.concatenate([seen[..., base.columns(tap)] for tap in taps], axis=-1)
        outputs = np.zeros((*rows.shape[:2], photos.truth.shape[1]))
        for fold in np.unique(folds):
            shown = folds == fold
            others = used[folds[used] != fold]
            if not photos.truth[others].any(axis=0).all():
                others = used
            kernel, bias = self.learned.layer_of(photos, others)
            outputs[shown] = rows[shown].astype(np.float64) @ kernel + bias
        heat = temperature.find(outputs[used, 0], photos.truth[used], task=photos.task)
        scores = (
            softmax(outputs / heat, axis=-1)
            if photos.task == "single-label"
            else expit(outputs / heat)
        )
        told: Array = scores.astype(np.float32)
        return told
