"""Groups photos that were taken together, so that cross-validation does not judge by likeness.

A random split flatters: photos of one session look alike, and a model that has learned from one of
them knows the others. So a session is on one side of every split, and so are near duplicates.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from toolchain.errors import BadInputError
from toolchain.images import taken
from toolchain.training.folds import possible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolchain.records.training import Grouping
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

GroupBy = Literal["auto", "exif", "prefix", "none"]

_GAP = timedelta(minutes=30)  # without a photo, after which a new session begins; chosen
_MOST_KNOWN = 0.8  # of the photos must tell their time for `auto` to go by it; chosen
_ALIKE = 0.92  # cosine of features; on the photo sets of docs/train.md such pairs look alike
_SAME = 0.98
_THRESHOLDS = (_ALIKE, 0.95, _SAME)
_LARGEST = 0.2  # of all photos in one group of near duplicates: more are not duplicates. Chosen
_PREFIX = re.compile(r"^([^\W\d_]+)[-_ ]")
_CHUNK = 2048


@dataclass(frozen=True)
class Groups:
    """The group of each photo."""

    of: Array
    """Int `[photos]`, from 0 without gaps."""
    alike: Array
    """Groups of near duplicates alone, int `[photos]`; the same if nothing tells sessions."""
    by: Grouping
    reason: str
    """Why photos were grouped so, as a clause."""

    @property
    def count(self) -> int:
        """Number of groups."""
        return int(self.of.max()) + 1


def find(photos: PhotoSet, features: Array, by: GroupBy) -> Groups:
    """Group photos by session, and by likeness.

    Args:
        photos: The photos.
        features: float32 `[photos, width]`, to find near duplicates by.
        by: What tells sessions. `auto` uses the time in the photos if nearly all have one, else
            the first word of the files' names if it divides every tag's photos, else nothing.

    Raises:
        BadInputError: The user asks for sessions that nothing tells, or all photos of a tag are of
            one session.
    """
    sessions: list[object] | None = None
    how: Grouping = "none"
    reason = "neither times nor names tell sessions"
    if by in ("auto", "exif"):
        sessions, reason, how = _by(photos, _by_time, by, "exif", "the times in the photos")
    if sessions is None and by in ("auto", "prefix"):
        sessions, reason, how = _by(
            photos, _by_prefix, by, "prefix", "the first word of the file names"
        )
    if by == "none":
        reason = "--group-by none"
    alike = _by_likeness(photos, features)
    if sessions is not None:
        return Groups(np.array(_numbered(sessions)), alike, how, reason)
    return Groups(alike, alike, "none", reason)


def _by(
    photos: PhotoSet,
    tell: Callable[[PhotoSet], list[object] | None],
    asked: GroupBy,
    how: Grouping,
    what: str,
) -> tuple[list[object] | None, str, Grouping]:
    """Return sessions if every tag has several, the reason, and how they were told."""
    sessions = tell(photos)
    fault = None
    if sessions is None:
        fault = f"sessions cannot be told by {what}"
    else:
        for place, tag in enumerate(photos.tags):
            its = {s for s, has in zip(sessions, photos.truth[:, place], strict=True) if has}
            if len(its) < 2:  # noqa: PLR2004
                fault = f"by {what}, all photos of {tag} are of one session"
                break
    if fault is None:
        return sessions, f"by {what}", how
    if asked == how:
        raise BadInputError(
            f"{photos.folder} cannot be grouped as asked: {fault}; use --group-by none, or give "
            "photos of another day with --test"
        )
    return None, fault, "none"


def _by_time(photos: PhotoSet) -> list[object] | None:
    times = [taken.when(photo.path) for photo in photos.photos]
    known = sorted({when for when in times if when is not None})
    if len([when for when in times if when is not None]) < _MOST_KNOWN * len(times) or not known:
        return None
    number, numbers = 0, {known[0]: 0}
    for before, now in pairwise(known):
        number += now - before > _GAP
        numbers[now] = number
    # A photo without a time is a session of its own.
    return [f"photo {place}" if when is None else numbers[when] for place, when in enumerate(times)]


def _by_prefix(photos: PhotoSet) -> list[object] | None:
    found = [_PREFIX.match(photo.path.name) for photo in photos.photos]
    words: list[object] = [None if each is None else each[1].casefold() for each in found]
    if None in words or len(set(words)) < 2:  # noqa: PLR2004
        return None
    return words


def _numbered(keys: Sequence[object]) -> list[int]:
    places: dict[object, int] = {}
    return [places.setdefault(key, len(places)) for key in keys]


def pairs(features: Array, least: float = _ALIKE) -> list[tuple[int, int, float]]:
    """Return pairs of photos whose features have at least this cosine, and the cosine.

    Args:
        features: float32 `[photos, width]`.
        least: The least cosine.
    """
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.maximum(norms, 1e-12)).astype(np.float32)
    found = []
    for start in range(0, len(unit), _CHUNK):
        for other in range(start, len(unit), _CHUNK):
            cosines = unit[start : start + _CHUNK] @ unit[other : other + _CHUNK].T
            for row, column in np.argwhere(cosines >= least):
                first, second = int(start + row), int(other + column)
                if first < second:
                    found.append((first, second, float(cosines[row, column])))
    return found


def _by_likeness(photos: PhotoSet, features: Array) -> Array:
    """Return groups of near duplicates; the threshold rises until no group is large."""
    found = pairs(features)
    for least in _THRESHOLDS:
        groups = _joined(len(features), [pair[:2] for pair in found if pair[2] >= least])
        largest = int(np.bincount(groups).max())
        if largest <= max(2, _LARGEST * len(features)) and possible(photos.truth, groups) > 1:
            return groups
    return np.arange(len(features))


def _joined(count: int, joined: Sequence[tuple[int, int]]) -> Array:
    """Return the connected components of a graph, int `[count]`, from 0 without gaps."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = np.array(joined or [(0, 0)]).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(count, count))
    components: Array = connected_components(graph, directed=False)[1]
    return components


def same(features: Array, digests: Sequence[str]) -> list[tuple[tuple[int, ...], bool]]:
    """Return groups of photos that are the same or look the same.

    Args:
        features: float32 `[photos, width]`.
        digests: Of the photos' bytes.

    Returns:
        For each group the indices of its photos, and whether their bytes are the same.
    """
    by_bytes: dict[str, list[int]] = defaultdict(list)
    for place, sha256 in enumerate(digests):
        by_bytes[sha256].append(place)
    found = [(tuple(places), True) for places in by_bytes.values() if len(places) > 1]
    listed = Counter(digests)
    similar = [
        ((first, second), False)
        for first, second, _ in pairs(features, _SAME)
        if digests[first] != digests[second] or listed[digests[first]] == 1
    ]
    return [*found, *similar]
