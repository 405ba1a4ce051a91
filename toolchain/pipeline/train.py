"""`toolchain train`: learns a user's own tags from folders of photos, and writes a model."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.errors import BadInputError
from toolchain.progress import SILENT, Progress
from toolchain.records import training
from toolchain.site import publish
from toolchain.sources import trained
from toolchain.training import export, stage, taught_photos

if TYPE_CHECKING:
    from toolchain.records.training import Training
    from toolchain.training.conclusion import Trained
    from toolchain.training.options import TrainOptions

_MOST_JUDGED = 20_000_000  # outputs out of fold that are kept, for photos × tags; 40 MB as float16
_PHOTOS = "photos"
"""Folder in the model of the photos that came out of a page's file."""


def train(
    options: TrainOptions,
    out: Path,
    *,
    store: Store | None = None,
    progress: Progress = SILENT,
) -> Training:
    """Learn the tags of photos, and put the model in place of the one at `out`.

    Nothing at `out` changes before the last step, whatever fails.

    Args:
        options: What to learn, from which photos.
        out: The folder to write: a SavedModel, `model.toml` and `training.json`. All other
            commands take it as a model.
        store: The cache; None for the user's.
        progress: Shows each step.

    Returns:
        The record that was written as `training.json`.

    Raises:
        BadInputError: The photos or a base network cannot be used.
        ToolchainError: A base network cannot be fetched, or the workers failed.
    """
    publish.prepare(out, training.FILE)
    if options.photos.is_file():
        with tempfile.TemporaryDirectory(prefix="toolchain-taught-") as unpacked:
            if warning := taught_photos.unpack(options.photos, Path(unpacked)):
                progress.warn(warning)
            return _train(replace(options, photos=Path(unpacked)), out, store, progress, keep=True)
    if out.resolve().is_relative_to(options.photos.resolve()):
        raise BadInputError(
            f"{out} lies within the photos {options.photos}; choose a folder beside them with --out"
        )
    return _train(options, out, store, progress, keep=False)


def _train(
    options: TrainOptions, out: Path, store: Store | None, progress: Progress, *, keep: bool
) -> Training:
    """Learn from a folder, and write the model; `keep` puts a copy of the photos into it."""
    found = stage.run(options, store=store or Store.default(), progress=progress)
    with publish.staged(out, progress, mark=training.FILE) as folder:
        with tensorflow.quiet():
            export.write(found.features, found.layer, found.record.task, folder / trained.MODEL)
        photos = {"photos": _PHOTOS if keep else _reference(options.photos, out)}
        if keep:
            shutil.copytree(options.photos, folder / _PHOTOS)
        if options.test is not None:
            photos["test"] = _reference(options.test, out)
        export.write_declarations(found.declared, photos, folder)
        _write_out_of_fold(found, folder)
        (folder / training.FILE).write_text(found.record.to_json(), "utf-8")
    return found.record


def _reference(photos: Path, out: Path) -> str:
    """Return where the photos are, relative to the model if both are below one folder."""
    there, here = photos.resolve(), out.resolve()
    if there.parent == here.parent or there.is_relative_to(here.parent):
        return os.path.relpath(there, here)
    return str(there)


def _write_out_of_fold(found: Trained, folder: Path) -> None:
    """Write the outputs by which `build` judges what compression costs on new photos."""
    count = max(1, _MOST_JUDGED // len(found.photos.tags))
    kept = np.linspace(0, len(found.out_of_fold) - 1, min(count, len(found.out_of_fold)))
    places = kept.astype(int)
    np.savez(
        folder / trained.OUT_OF_FOLD,
        outputs=found.out_of_fold[places].astype(np.float16),
        photos=np.array([found.photos.photos[place].sha256 for place in places]),
    )
