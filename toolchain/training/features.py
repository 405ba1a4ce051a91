"""The features of photos, computed once for each photo and base network and then kept.

The cache holds them in 64 parts, by the first digits of the photos' digests. So ten more photos
cost ten forward passes, and an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain.cache import fingerprint
from toolchain.evaluation.batches import Batch, answer
from toolchain.executors import cores, executor_for, use_one_thread
from toolchain.training import backbone as backbones

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.evaluation.batches import Network
    from toolchain.progress import Progress
    from toolchain.training.backbone import Backbone
    from toolchain.training.photo_set import Photo

    Array = np.ndarray[Any, Any]

_KIND = "features"
_PARTS = 64
_BATCH = 16  # photos; a result does not depend on it
# With this many photos or fewer, one process is done before a second has imported TensorFlow.
# Chosen, not measured.
_FEW = 256
_ROWS, _NAMES = "features.npy", "photos.json"


@dataclass(frozen=True)
class Extraction:
    """Where features are computed."""

    workers: int | None = None
    """Processes on this machine; None to choose by the number of photos."""
    engine: str | None = None
    """Address of a Dask scheduler that does the work."""


@dataclass
class _Part:
    """One part of the cache for one base network."""

    key: str
    rows: dict[str, Array | None] = field(default_factory=dict)
    """Features `[width]` by the photo's digest; None for a photo that cannot be read."""
    is_changed: bool = False


def extract(
    photos: Sequence[Photo],
    bases: Sequence[Backbone],
    where: Extraction,
    *,
    store: Store,
    progress: Progress,
) -> tuple[list[Array], frozenset[str]]:
    """Return the features of photos at all depths of all base networks.

    Args:
        photos: The photos.
        bases: The base networks; each photo is decoded once for all of them.
        where: Where to compute.
        store: The cache.
        progress: Advances with each photo that is not in the cache.

    Returns:
        For each base float32 `[photos, width]`, with rows of zeros for photos that cannot be read;
        and the digests of these.

    Raises:
        BadInputError: A network fails on a photo.
        ToolchainError: The workers failed.
    """
    use_one_thread()
    kept = [_Kept(base, store) for base in bases]
    needed = {photo.sha256: photo.path for photo in photos}
    for each in kept:
        each.load(needed)
    missing: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for sha256 in sorted(needed):
        lacking = tuple(index for index, each in enumerate(kept) if not each.has(sha256))
        if lacking:
            missing[lacking].append(sha256)
    if missing:
        networks = [backbones.network_of(base, store=store, progress=progress) for base in bases]
        _compute(missing, needed, kept, networks, where, progress)
    matrices = [each.matrix(photos) for each in kept]
    broken = frozenset(sha256 for sha256 in needed if any(each.lacks(sha256) for each in kept))
    return matrices, broken


def _compute(
    missing: dict[tuple[int, ...], list[str]],
    paths: dict[str, Path],
    kept: Sequence[_Kept],
    networks: Sequence[Network],
    where: Extraction,
    progress: Progress,
) -> None:
    """Compute missing features, and keep those that are done whatever happens."""
    batches = [
        (wanted, digests[start : start + _BATCH])
        for wanted, digests in missing.items()
        for start in range(0, len(digests), _BATCH)
    ]
    total = sum(len(digests) for _, digests in batches)
    jobs = [
        Batch(tuple(networks[index] for index in wanted), tuple(paths[each] for each in digests))
        for wanted, digests in batches
    ]
    worthwhile = 1 if total <= _FEW else cores()
    with (
        executor_for(worthwhile, workers=where.workers, engine=where.engine) as executor,
        progress.track("Computing features", total, "photos") as tracker,
    ):
        try:
            for (wanted, digests), answers in zip(batches, executor.map(answer, jobs), strict=True):
                broken = set(answers.broken)
                whole = [each for place, each in enumerate(digests) if place not in broken]
                for index, outputs in zip(wanted, answers.outputs, strict=True):
                    kept[index].add(zip(whole, outputs, strict=True))
                    kept[index].add((digests[place], None) for place in broken)
                for each in kept:
                    each.save_before(digests[-1])
                tracker.advance(len(digests))
        finally:
            for each in kept:
                each.save_all()


class _Kept:
    """The features of one base network in the cache."""

    def __init__(self, base: Backbone, store: Store) -> None:
        self._base, self._store = base, store
        self._code = fingerprint.of(__name__)
        self._parts: dict[int, _Part] = {}

    def load(self, wanted: Iterable[str]) -> None:
        """Read the parts that hold these photos, as far as they are in the cache."""
        for number in sorted({_part_of(sha256) for sha256 in wanted}):
            key = digest.of_json([self._base.key, self._code, number])
            part = self._parts[number] = _Part(key)
            entry = self._store.get(_KIND, key)
            if entry is None:
                continue
            rows = np.load(entry / _ROWS)
            found = json.loads((entry / _NAMES).read_text("utf-8"))
            part.rows.update(zip(found["whole"], rows, strict=True))
            part.rows.update((sha256, None) for sha256 in found["broken"])

    def has(self, sha256: str) -> bool:
        return sha256 in self._parts[_part_of(sha256)].rows

    def lacks(self, sha256: str) -> bool:
        """Tell whether a photo cannot be read."""
        return self._parts[_part_of(sha256)].rows[sha256] is None

    def add(self, rows: Iterable[tuple[str, Array | None]]) -> None:
        for sha256, row in rows:
            part = self._parts[_part_of(sha256)]
            part.rows[sha256] = row
            part.is_changed = True

    def save_before(self, sha256: str) -> None:
        """Write the parts before that of a photo; photos are computed in the parts' order."""
        for number, part in self._parts.items():
            if number < _part_of(sha256):
                self._save(part)

    def save_all(self) -> None:
        for part in self._parts.values():
            self._save(part)

    def _save(self, part: _Part) -> None:
        if not part.is_changed:
            return
        fingerprint.require_unchanged(__name__)
        whole = {sha256: row for sha256, row in part.rows.items() if row is not None}
        with self._store.put(_KIND, part.key) as folder:
            rows = np.array(list(whole.values()), np.float32).reshape(len(whole), -1)
            np.save(folder / _ROWS, rows, allow_pickle=False)
            broken = [sha256 for sha256, row in part.rows.items() if row is None]
            names = json.dumps({"whole": list(whole), "broken": broken})
            (folder / _NAMES).write_text(names, "utf-8")
        part.is_changed = False

    def matrix(self, photos: Sequence[Photo]) -> Array:
        """Return the features of photos, float32 `[photos, width]`."""
        found = np.zeros((len(photos), self._base.width), np.float32)
        for place, photo in enumerate(photos):
            row = self._parts[_part_of(photo.sha256)].rows[photo.sha256]
            if row is not None:
                found[place] = row
        return found


def _part_of(sha256: str) -> int:
    return int(sha256[:8], 16) * _PARTS >> 32
