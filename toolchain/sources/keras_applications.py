"""The classifiers of `keras.applications`, by name, with the weights that Keras publishes.

Keras builds the network, and says where its weights are and which checksum they have. The
project's own client fetches them, with its time limits, retries and limits of size.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.labels import imagenet
from toolchain.records.card import Declared
from toolchain.sources import download
from toolchain.sources.retries import AttemptError
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.download import Get
    from toolchain.sources.retries import NetworkPolicy

PREFIX = "keras:"
MIRROR = "TOOLCHAIN_KERAS_MIRROR"
"""Environment variable: the address of a host that has copies of Keras' weights, at their paths."""
_MODEL = "saved_model"
_MAX_BYTES = 2 << 30  # ConvNeXtXLarge, the largest, has 1.4 GB
_OFFERED = 3  # names in a suggestion, at most; chosen
_ALGORITHMS = {32: "md5", 64: "sha256"}  # by the length of a checksum, as Keras tells them apart

_INSIDE = Declared(value_range=(0.0, 255.0))
_SIGNED = Declared(value_range=(-1.0, 1.0))
_TORCH = Declared(value_range=(0.0, 1.0), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_CAFFE = Declared(value_range=(0.0, 255.0), mean=(123.68, 116.779, 103.939), channels="bgr")
# How each network wants its pixels: what `preprocess_input` of its module does.
_PREPARATIONS = {
    **dict.fromkeys(("MobileNet", "MobileNetV2", "NASNetMobile", "NASNetLarge"), _SIGNED),
    **dict.fromkeys(("InceptionV3", "InceptionResNetV2", "Xception"), _SIGNED),
    **dict.fromkeys(("ResNet50V2", "ResNet101V2", "ResNet152V2"), _SIGNED),
    **dict.fromkeys(("ResNet50", "ResNet101", "ResNet152", "VGG16", "VGG19"), _CAFFE),
    **dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), _TORCH),
    **dict.fromkeys(("MobileNetV3Small", "MobileNetV3Large"), _INSIDE),
    **dict.fromkeys((f"EfficientNetB{size}" for size in range(8)), _INSIDE),
    **dict.fromkeys((f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3")), _INSIDE),
    **dict.fromkeys((f"EfficientNetV2{size}" for size in "SML"), _INSIDE),
    **dict.fromkeys(
        (f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")), _INSIDE
    ),
}
NAMES = tuple(_PREPARATIONS)
"""The classifiers that `keras.applications` has weights of ImageNet for."""


def recognises(handle: str) -> bool:
    """Tell whether a word means a model of Keras."""
    return handle.strip().startswith(PREFIX)


def canonical(handle: str) -> str:
    """Return a handle with the name as Keras writes it.

    Raises:
        BadInputError: Keras has no classifier of that name; the message suggests similar names.
    """
    name = handle.strip().removeprefix(PREFIX)
    by_form = {each.casefold(): each for each in NAMES}
    if found := by_form.get(name.casefold()):
        return f"{PREFIX}{found}"
    near = difflib.get_close_matches(name.casefold(), by_form, n=_OFFERED)
    offered = " or ".join(f"{PREFIX}{by_form[form]}" for form in near)
    raise BadInputError(
        f"keras.applications has no classifier {name!r}; "
        + (f"did you mean {offered}?" if near else f"write a name such as {PREFIX}MobileNetV2")
    )


def origin() -> str:
    """Return what Keras' weights come from, for messages and for the memory of absent hosts.

    Raises:
        BadInputError: The mirror that the environment names is not an http(s) address.
    """
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    if mirror and not mirror.startswith(("http://", "https://")):
        raise BadInputError(
            f"{MIRROR} is {mirror!r}, which is not an http(s) address; unset that variable to "
            "ask the host that Keras names"
        )
    return mirror or "the host of Keras' weights"


def fetch(handle: str, *, store: Store, policy: NetworkPolicy, progress: Progress) -> Fetched:
    """Return a model of Keras with its published weights, as a SavedModel that gives logits.

    Args:
        handle: The handle in canonical form.
        store: The cache.
        policy: Time limits and retries.
        progress: Told of the download, and when the network is built.

    Raises:
        BadInputError: The environment names a mirror, a proxy or certificates that cannot be used.
        UnreachableError: Nothing answered.
        SourceError: The weights cannot be fetched, or are not those that Keras names.
    """
    name = handle.removeprefix(PREFIX)
    mirror = os.environ.get(MIRROR, "").rstrip("/")
    progress.say(f"Building {name} with Keras")

    def attempt(scratch: Path, get: Get) -> Path:
        folder = scratch / "weights"
        folder.mkdir(exist_ok=True)

        def fetched(file: str, url: str, checksum: str | None) -> Path:
            address = mirror + urlsplit(url).path if mirror else url
            get(address, folder / file, limit=_MAX_BYTES)
            if checksum and _checksum(folder / file, checksum) != checksum:
                raise AttemptError(f"{file} has not the checksum that Keras names", transient=True)
            return folder / file

        _build(name, fetched)
        return folder

    folder = download.through_store(
        "keras",
        handle,
        attempt,
        store=store,
        policy=policy,
        progress=progress,
        fault=fault,
    )
    (weights,) = folder.iterdir()
    sha256, code = digest.of_file(weights), fingerprint.of(__name__)

    def make(made: Path) -> None:
        with tensorflow.quiet():
            model = _build(name, lambda *_: weights)
            model.export(str(made / _MODEL), format="tf_saved_model", verbose=False)
        fingerprint.require_unchanged(__name__)

    kept, _ = store.result(
        "keras-models",
        digest.of_json([handle, sha256, code]),
        read=lambda entry: entry / _MODEL,
        make=make,
        doing=f"building {name}",
        progress=progress,
    )
    declared = Declared(name=name, labels=imagenet.labels(), label_offset=0)
    return Fetched(
        path=kept,
        sha256=sha256,
        source=handle,
        declared=declared.over(_PREPARATIONS[name]),
        prepared_by=code,
    )


def fault(folder: Path) -> str | None:
    """Return what is missing of a downloaded folder, as one clause, or None."""
    return None if any(folder.iterdir()) else "set of weights"


def _build(name: str, weights: Callable[[str, str, str | None], Path]) -> Any:
    """Build a network, and let a function fetch its weights.

    Args:
        name: The class in `keras.applications`.
        weights: Called with the file's name, its address and its checksum; returns the file.
    """
    keras = tensorflow.load().keras
    # The applications look this function up in its module each time they need weights.
    module: Any = sys.modules[keras.utils.get_file.__module__]
    usual = module.get_file

    def get_file(fname: str, origin: str, *, file_hash: str | None = None, **_options: Any) -> str:
        return str(weights(fname, origin, file_hash))

    module.get_file = get_file
    try:
        with tensorflow.quiet():
            return getattr(keras.applications, name)(classifier_activation=None)
    finally:
        module.get_file = usual


def _checksum(file: Path, like: str) -> str:
    """Return a file's checksum by the algorithm that gives one of this length."""
    return hashlib.new(_ALGORITHMS[len(like)], file.read_bytes()).hexdigest()
