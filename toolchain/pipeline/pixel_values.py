"""Converts a model; if nothing states its pixel values, finds them with labelled photos."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.evaluation import ranges
from toolchain.evaluation.ranges import Trial
from toolchain.graph.settling import UnknownRangeError
from toolchain.photos import photo_folder
from toolchain.quantize.planning import photos_digest
from toolchain.sources import operations
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.saved_model import Fetched
    from toolchain.tfjs.convert import Stored
    from toolchain.tfjs.stage import TfjsModel


def convert(
    fetched: Fetched,
    weights: Stored,
    photos: Path | None,
    *,
    offered: Collection[str] = (),
    store: Store,
    progress: Progress,
) -> TfjsModel:
    """Convert a model to TF.js; where its pixel values are a guess, labelled photos decide.

    Args:
        fetched: The model.
        weights: How the converter stores the weights.
        photos: A folder of photos, perhaps in class folders; None if there are none.
        offered: The operations of the page's largest runtime.
        store: The cache, for conversions and for the results on photos.
        progress: Advances with each photo.

    Raises:
        BadInputError: The model cannot be used, or its pixel values cannot be found.
    """

    def run(model: Fetched) -> TfjsModel:
        return tfjs.run(
            model,
            quantization=weights.quantization,
            shard_bytes=weights.shard_bytes,
            offered=offered,
            store=store,
            progress=progress,
        )

    labelled = None if photos is None else photo_folder.find(photos)
    if labelled is None or labelled.classes is None:
        return run(fetched)
    try:
        guessed = run(fetched)
        if guessed.converted.card.range_source != "guessed":
            return guessed
    except UnknownRangeError as error:
        found = _trial(fetched, labelled, store, progress)
        if not found.is_clear:
            raise UnknownRangeError(
                f"{error}; on the photos in {photos} none is clearly the best ({found.best.reason})"
            ) from error
        return run(replace(fetched, range_found=found.best))
    found = _trial(fetched, labelled, store, progress)
    return run(replace(fetched, range_found=found.best)) if found.is_clear else guessed


def _trial(
    fetched: Fetched, labelled: photo_folder.Photos, store: Store, progress: Progress
) -> Trial:
    key = digest.of_json(
        {
            "code": fingerprint.of(__name__),
            "sha256": fetched.sha256,
            "prepared_by": fetched.prepared_by,
            "declared": fetched.declared.model_dump(mode="json"),
            "photos": photos_digest(labelled.folder),
            "trusted": fetched.trusted,
        }
    )

    def make() -> Trial:
        operations.check(fetched, progress)
        with tensorflow.quiet():
            found = ranges.find(fetched, labelled, progress=progress)
        fingerprint.require_unchanged(__name__)
        return found

    found, _ = store.record(
        "ranges",
        key,
        Trial,
        make=make,
        doing=f"trying ranges of pixel values for {fetched.source}",
        progress=progress,
    )
    return found
