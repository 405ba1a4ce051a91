"""The photos that a trained model brings along, for compressing it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.sources import trained
from toolchain.training import photo_set

if TYPE_CHECKING:
    from toolchain.progress import Progress
    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.sources.saved_model import Fetched


def with_photos(
    settings: QuantizeSettings, fetched: Fetched, progress: Progress
) -> QuantizeSettings:
    """Return settings that quantise a trained model by the photos that it was trained on.

    Args:
        settings: Photos that the user names override the model's own.
        fetched: The model.
        progress: Is warned if the photos are gone.

    Raises:
        BadInputError: The photos have changed since, or the model's folder is damaged.
    """
    if fetched.trained is None or settings.calibration or settings.evaluation:
        return settings
    model = trained.read(fetched.trained)
    if model.photos is None:
        progress.warn(
            f"the photos that {fetched.trained} was trained on are gone, so it is compressed "
            "without; give some with --calibration"
        )
        return settings
    # Photos of --none may lie elsewhere; only those in the folder are compared.
    found = photo_set.read(model.photos, task=model.record.task)
    if found.sha256 != model.record.photos.sha256:
        raise BadInputError(
            f"the photos in {model.photos} have changed since {fetched.trained} was trained on "
            "them; train it again, or name photos with --calibration"
        )
    return replace(settings, calibration=model.photos, held_out=model.out_of_fold)
