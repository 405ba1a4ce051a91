"""Records of training for tests: made up, but consistent and of the sizes that users have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from toolchain import __version__
from toolchain.metrics import intervals
from toolchain.records import training
from toolchain.records.verdict import Share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
_DEPTHS = ((0.26, 74), (0.72, 82), (0.94, 88), (1.43, 89.5), (3.00, 90.5), (3.41, 88.5))
"""Millions of parameters and accuracy in percent of the flowers' candidates."""


def share(hits: int, of: int) -> Share:
    """Return a share with its interval."""
    low, high = intervals.wilson(hits, of)
    return Share(hits=hits, of=of, value=hits / of, low=low, high=high)


def record(
    tags: Sequence[str] = FLOWERS,
    *,
    photos: int = 40,
    several: bool = False,
    test: bool = True,
    none: bool = True,
    candidates: int = len(_DEPTHS),
    suspects: int = 10,
    duplicates: int = 3,
    attempts: bool = True,
    seed: int = 0,
) -> training.Training:
    """Return a record.

    Args:
        tags: The tags.
        photos: Photos of each tag.
        several: Whether the model is a multi-label one.
        test: Whether there was a folder of test photos.
        none: Whether there were photos of none of the tags.
        candidates: How many depths were compared.
        suspects: Photos whose tag may be wrong.
        duplicates: Groups of photos that are the same.
        attempts: Whether something beyond the last layer was tried.
        seed: Of the made-up mistakes.
    """
    random = np.random.default_rng(seed)
    compared = _candidates(candidates, photos * len(tags))
    chosen = next((one for one in compared if one.chosen), compared[-1])
    out_of_fold = _accuracy(tags, photos, chosen.accuracy.value, random, several=several)
    return training.Training(
        toolchain=__version__,
        task="multi-label" if several else "single-label",
        tags=tuple(tags),
        photos=training.PhotosUsed(
            folder="photos",
            sha256="0" * 64,
            photos=photos * len(tags),
            none=60 if none else 0,
            broken=2,
            broken_photos=(f"{tags[0]}/cut off.jpg", f"{tags[-1]}/empty.png"),
        ),
        split=training.Split(
            grouping="prefix",
            reason="by the first word of the file names",
            groups=max(2, photos * len(tags) // 5),
            folds=5,
        ),
        base="efficientnet-lite0",
        base_sha256="1" * 64,
        licence="Apache-2.0",
        candidates=compared,
        max_drop=1.0,
        temperature=1.3,
        out_of_fold=out_of_fold,
        test=_accuracy(tags, max(2, photos // 5), 0.85, random, several=several) if test else None,
        test_folder="other_day" if test else None,
        none_of_these=training.NoneFigures(
            threshold=0.62,
            kept=share(round(0.95 * photos * len(tags)), photos * len(tags)),
            let_through=share(2, 60) if none else None,
            bytes=1290,
        ),
        learning=tuple(
            training.LearningPoint(
                photos=round(part * photos * len(tags)),
                accuracy=share(round(right * photos * len(tags)), photos * len(tags)),
            )
            for part, right in ((0.1, 0.61), (0.2, 0.74), (0.4, 0.82), (0.8, 0.89))
        ),
        more_photos=tuple(tags[2:4]),
        suspects=tuple(_suspect(tags, place) for place in range(suspects)),
        duplicates=tuple(_duplicates(tags, place) for place in range(duplicates)),
        attempts=_attempts(out_of_fold.accuracy) if attempts else (),
        warnings=(f"{tags[0]} has 4 photos; no accuracy can be promised for fewer than 5",),
        seed=0,
    )


def _candidates(count: int, of: int) -> tuple[training.Candidate, ...]:
    """Return candidates that lose accuracy where they are small; the fourth is the chosen one."""
    return tuple(
        training.Candidate(
            base="efficientnet-lite0",
            depth="whole" if place == len(_DEPTHS) - 1 else f"block {7 + place} of 16",
            width=(80, 112, 192, 192, 320, 1280)[place % len(_DEPTHS)],
            parameters=round(1e6 * _DEPTHS[place % len(_DEPTHS)][0]),
            expected_bytes=round((0.36 + place / 100) * 1e6 * _DEPTHS[place % len(_DEPTHS)][0]),
            inverse_regularisation=1.0,
            accuracy=share(round(_DEPTHS[place % len(_DEPTHS)][1] * of / 100), of),
            chosen=place == min(3, count - 1),
        )
        for place in range(count)
    )


def _accuracy(
    tags: Sequence[str],
    photos: int,
    right: float,
    random: np.random.Generator,
    *,
    several: bool,
) -> training.Accuracy:
    """Return figures whose tables add up, with mistakes at random."""
    count = len(tags)
    kept = np.clip(random.normal(right, 0.06, count), 0.4, 1)
    confusion = np.zeros((count, count), int)
    for own in range(count):
        likely = random.dirichlet(np.full(count - 1, 0.4)) * (1 - kept[own])
        confusion[own] = random.multinomial(photos, np.insert(likely, own, kept[own]))
    hits = int(np.trace(confusion))
    return training.Accuracy(
        photos=photos * count,
        accuracy=share(hits, photos * count),
        tags=_tag_figures(tags, confusion),
        confusion=() if several else tuple(tuple(map(int, row)) for row in confusion),
        mistakes=_mistakes(tags, confusion, several=several),
        calibration_error=2.4,
        calibration=tuple(
            training.CalibrationBin(
                low=low / 10,
                high=(low + 1) / 10,
                photos=1 + photos * count * low // 60,
                score=(low + 0.6) / 10,
                right=float(np.clip(low / 10 + random.normal(0.05, 0.06), 0, 1)),
            )
            for low in range(3, 10)
        ),
    )


def _tag_figures(
    tags: Sequence[str], confusion: NDArray[np.int_]
) -> tuple[training.TagFigures, ...]:
    given, own = confusion.sum(axis=0), confusion.sum(axis=1)
    return tuple(
        training.TagFigures(
            tag=tag,
            photos=int(own[place]),
            precision=share(int(confusion[place, place]), int(given[place]))
            if given[place]
            else None,
            recall=share(int(confusion[place, place]), int(own[place])) if own[place] else None,
        )
        for place, tag in enumerate(tags)
    )


def _mistakes(
    tags: Sequence[str], confusion: NDArray[np.int_], *, several: bool
) -> tuple[training.Mistake, ...]:
    """Return the record's share of the photos that are off the diagonal."""
    off = confusion - np.diag(np.diag(confusion))
    pairs = sorted(zip(*np.nonzero(off), strict=True), key=lambda pair: -int(off[pair]))
    found = [
        training.Mistake(
            photo=f"{tags[own]}/{number}.jpg",
            tags=tuple(dict.fromkeys((tags[own], tags[0]) if several else (tags[own],))),
            given=(tags[given],),
            score=round(0.95 - 0.05 * number, 3),
        )
        for own, given in pairs
        for number in range(min(training.OF_A_PAIR, int(off[own, given])))
    ]
    return tuple(found[: training.MISTAKES])


def _suspect(tags: Sequence[str], place: int) -> training.Suspect:
    tag, seems = tags[place % len(tags)], tags[(place + 1) % len(tags)]
    return training.Suspect(
        photo=f"{tag}/{place}.jpg", tag=tag, seems=seems, score=0.004 * (place + 1)
    )


def _duplicates(tags: Sequence[str], place: int) -> training.Duplicates:
    first, second = tags[0], tags[1] if place == 0 else tags[0]
    return training.Duplicates(
        photos=(f"{first}/{place}.jpg", f"{second}/copy of {place}.jpg"),
        tags=tuple(dict.fromkeys((first, second))),
        same_bytes=place % 2 == 0,
    )


def _attempts(before: Share) -> tuple[training.Attempt, ...]:
    won = min(before.of, before.hits + round(0.04 * before.of))
    lost = max(0, before.hits - round(0.01 * before.of))
    return (
        training.Attempt(
            method="fine-tune",
            detail="the last two blocks for 12 epochs, at a learning rate of 0.0001",
            before=before,
            after=share(won, before.of),
            gain_points=100 * (won - before.hits) / before.of,
            gain_low=0.6,
            gain_high=7.4,
            bytes_before=519_000,
            bytes_after=521_000,
            seconds=412.0,
            accepted=True,
            reason="The whole interval of the gain is above zero.",
        ),
        training.Attempt(
            method="prune",
            detail="a fifth of the channels of block 12",
            before=before,
            after=share(lost, before.of),
            gain_points=100 * (lost - before.hits) / before.of,
            gain_low=-4.2,
            gain_high=1.9,
            bytes_before=519_000,
            bytes_after=448_000,
            seconds=38.0,
            accepted=False,
            reason="It saves 71 kB but may lose 4.2 points, and 1 is allowed.",
        ),
    )
