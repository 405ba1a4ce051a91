"""Photos whose tag may be wrong: the model is sure of another one without having seen them.

The idea is that of confident learning: C. Northcutt, L. Jiang, I. Chuang, J. Artif. Intell. Res.
70 (2021) 1373-1411 (arXiv:1911.00068).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.metrics.scores import scores_of
from toolchain.records.training import Suspect

if TYPE_CHECKING:
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

_SHARE = 10  # one in this many photos is listed at most: of 5 % wrong tags, 95 % are among them
_LISTED = 100  # at most
_DIGITS = 4


def find(outputs: Array, photos: PhotoSet) -> tuple[Suspect, ...]:
    """Return the photos whose own tag has the lowest score out of fold, the lowest first.

    Only photos that the model gives another tag are listed, at most a tenth of all.

    Args:
        outputs: Out of fold, divided by the temperature, float `[photos, tags]`.
        photos: The photos and their tags.
    """
    if photos.task == "single-label":
        return _of_one_tag(scores_of(outputs, "softmax"), photos)
    return _of_several(scores_of(outputs, "sigmoid"), photos)


def _of_one_tag(scores: Array, photos: PhotoSet) -> tuple[Suspect, ...]:
    places = np.arange(len(scores))
    own = scores[places, photos.labels]
    order = np.argsort(own, kind="stable")[: _limit(len(scores))]
    given = scores.argmax(axis=1)
    return tuple(
        Suspect(
            photo=photos.photos[place].name,
            tag=photos.tags[photos.labels[place]],
            seems=photos.tags[given[place]],
            score=round(float(own[place]), _DIGITS),
        )
        for place in order
        if given[place] != photos.labels[place]
    )


def _of_several(scores: Array, photos: PhotoSet) -> tuple[Suspect, ...]:
    """List tags that a photo has or lacks against the score, the least likely first."""
    likely = np.where(photos.truth, scores, 1 - scores)
    worst = likely.argmin(axis=1)
    lowest = likely.min(axis=1)
    order = np.argsort(lowest, kind="stable")[: _limit(len(scores))]
    found = []
    for place in order:
        if lowest[place] >= 0.5:  # noqa: PLR2004 - the model agrees
            continue
        tag = photos.tags[worst[place]]
        has = bool(photos.truth[place, worst[place]])
        found.append(
            Suspect(
                photo=photos.photos[place].name,
                tag=tag if has else f"not {tag}",
                seems=f"not {tag}" if has else tag,
                score=round(float(lowest[place]), _DIGITS),
            )
        )
    return tuple(found)


def _limit(count: int) -> int:
    return min(_LISTED, -(-count // _SHARE))
