"""Judges the rule "none of these" on photos of a model's labels, and on foreign photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.metrics.shares import share_of
from toolchain.records.evaluation import NoneVerdict
from toolchain.text import printable

if TYPE_CHECKING:
    import numpy as np

    from toolchain.photos.photo_folder import Photos
    from toolchain.records.card import ModelCard

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Seen:
    """What a model with the rule answered to readable photos."""

    cosines: Array
    """The greatest cosine of each photo, float64 `[photos]`."""
    scores: Array
    """Float64 `[photos, labels]`."""


def is_none(card: ModelCard, seen: Seen) -> Array:
    """Tell which photos the page calls none of these, bool `[photos]`.

    They are those that are far from every label. If a photo may have several labels, they are
    also those of which no score reaches the threshold of tags.

    Args:
        card: The model's card; it has the rule.
        seen: The model's answers.
    """
    if (rule := card.none_of_these) is None:
        raise ValueError("the model has no rule none_of_these")
    found: Array = rule.is_none(seen.cosines)
    if card.task == "multi-label":
        found |= seen.scores.max(axis=1) < card.threshold
    return found


def judge(
    card: ModelCard,
    own: Seen,
    has_label: Array | None,
    foreign: tuple[Photos, Seen] | None,
) -> NoneVerdict:
    """Count photos that keep their tags, and foreign photos that get one.

    Args:
        card: The model's card; it has the rule.
        own: Its answers to the photos to judge by.
        has_label: Which of them have a label of the model, bool `[photos]`; None if that is not
            known.
        foreign: Photos of other things, and the answers to those that can be read.
    """
    far = is_none(card, own)
    kept = None
    if has_label is not None and has_label.any():
        kept = share_of(~far[has_label])
    return NoneVerdict(
        called_none=share_of(far),
        kept=kept,
        foreign_folder=None if foreign is None else printable(str(foreign[0].folder)),
        let_through=None if foreign is None else share_of(~is_none(card, foreign[1])),
        foreign_broken=0 if foreign is None else len(foreign[0].paths) - len(foreign[1].cosines),
    )
