"""Runs one batch of photos through the networks, on any worker."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.executors import use_one_thread
from toolchain.graph import classifier, faults, image_network, preprocess, signature
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.graph.signature import Signature
    from toolchain.records.card import InputSpec
    from toolchain.records.none_of_these import NoneOfThese

    Array = np.ndarray[Any, Any]

_LOADING = threading.Lock()  # a cluster's worker may run several batches at once
_LOADED = 2  # networks that a process keeps loaded: a model and its reference


@dataclass(frozen=True)
class Network:
    """Where a network is stored and what input it takes; it is sent to worker processes."""

    folder: Path
    """The SavedModel, or the folder of TF.js artifacts; an absolute path."""
    model_json: str | None
    """Name of the artifacts' `model.json`; None for a SavedModel."""
    sha256: str
    """Digest of the source model, which tells apart models stored in the same place."""
    input: InputSpec
    name: str
    """The user's name for it, for messages."""
    rule: NoneOfThese | None = None
    """Its rule "none of these", if its cosines are wanted."""
    signature: Signature | None = None
    """For a SavedModel, how to call it; None to find it out."""


@dataclass(frozen=True)
class Batch:
    """Photos, and the networks to run on each of them."""

    networks: tuple[Network, ...]
    photos: tuple[Path, ...]


@dataclass(frozen=True)
class Answers:
    """The outputs of the networks for a batch."""

    outputs: tuple[Array, ...]
    """For each network float32 `[readable photos, classes]`."""
    broken: tuple[int, ...]
    """Indices in the batch of photos that cannot be read as a picture."""
    cosines: tuple[Array | None, ...]
    """For each network the greatest cosines of its rule, float64 `[readable photos]`; None for a
    network without one."""


def answer(batch: Batch) -> Answers:
    """Run the networks on a batch of photos, one photo at a time as the page does.

    Raises:
        BadInputError: A network cannot be loaded or run, or a photo is missing.
    """
    use_one_thread()
    with _LOADING:
        functions = [_load(network) for network in batch.networks]
    specs = {network.input for network in batch.networks}
    rows: list[list[Array]] = [[] for _ in batch.networks]
    cosines: list[list[float]] = [[] for _ in batch.networks]
    broken: list[int] = []
    for place, photo in enumerate(batch.photos):
        if not os.path.lexists(photo):
            raise BadInputError(
                f"the photo {photo} is not there; workers must see it under the same path"
            )
        try:
            inputs = {spec: preprocess.load(photo, spec)[None] for spec in specs}
        except BadInputError:
            broken.append(place)
            continue
        for place_of, (network, function) in enumerate(zip(batch.networks, functions, strict=True)):
            with faults.of_model(network.name):
                outputs, features = function(inputs[network.input])
            rows[place_of].append(outputs[0])
            if network.rule is not None and features is not None:
                cosines[place_of] += network.rule.greatest_cosines(features).tolist()
    return Answers(
        tuple(np.array(answers, np.float32) for answers in rows),
        tuple(broken),
        tuple(
            None if network.rule is None else np.array(found, np.float64)
            for network, found in zip(batch.networks, cosines, strict=True)
        ),
    )


@lru_cache(maxsize=_LOADED)
def _load(network: Network) -> Callable[[Array], tuple[Array, Array | None]]:
    """Return a network as a function from `[1, height, width, 3]` to outputs and features.

    The outputs are `[1, classes]`, the features `[1, width]`, or None if no rule needs them.
    """
    if not network.folder.is_dir():
        raise BadInputError(
            f"{network.name} is not at {network.folder}; workers must see it under the same path"
        )
    with tensorflow.quiet(), faults.of_model(network.name, "loaded"):
        folder, model_json = network.folder, network.model_json
        if model_json is None:
            return _saved_model(network)
        if network.rule is not None:
            return execute.load_with_features(folder, model_json, network.name)
        run = execute.load(folder, model_json)
        return lambda images: (run(images), None)


def _saved_model(network: Network) -> Callable[[Array], tuple[Array, Array | None]]:
    tensorflow.load()
    if (found := network.signature) is None:
        found, loaded = signature.read(network.folder)
    else:
        loaded = signature.load(network.folder, network.name)
    if network.rule is not None:
        return image_network.with_features(loaded, found, network.input, network.name)
    return lambda images: (classifier.call(loaded, found, images), None)
