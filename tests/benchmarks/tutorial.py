"""The way of the usual tutorial, to compare training with: `make bench-train`.

A frozen base network, global average pooling, a dense layer with softmax, Adam for ten passes in
Keras, and float16 by the stock converter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import brotli
import numpy as np

from toolchain import tf as tensorflow
from toolchain.graph import frozen, preprocess
from toolchain.tfjs import converter
from toolchain.training import backbone

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.training.backbone import Backbone
    from toolchain.training.photo_set import PhotoSet

    Array = np.ndarray[Any, Any]

_PASSES, _BATCH = 10, 32


@dataclass(frozen=True)
class Result:
    """What the tutorial's way comes to."""

    accuracy: float
    """Out of fold."""
    bytes: int
    """Of the TF.js model, after Brotli."""
    seconds: float
    """To learn once from all photos; every pass runs the base network, as in the tutorial."""


def run(base: Backbone, photos: PhotoSet, rows: Array, division: Array, scratch: Path) -> Result:
    """Train and convert.

    Args:
        base: The base network.
        photos: The photos.
        rows: Its last features for them, float32 `[photos, width]`: the base is frozen, so a fold
            learns from these without running it again.
        division: The fold of each photo, int `[photos]`.
        scratch: An empty folder.
    """
    tf = tensorflow.load()
    keras = tf.keras
    tags = len(photos.tags)

    def dense() -> Any:
        keras.utils.set_random_seed(0)
        return keras.layers.Dense(tags, activation="softmax")

    def fit(model: Any, inputs: Array, labels: Array) -> None:
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(inputs, labels, batch_size=_BATCH, epochs=_PASSES, verbose=0)

    right = np.zeros(len(rows), bool)
    for fold in np.unique(division):
        held = division == fold
        model = keras.Sequential([keras.Input(rows.shape[1:]), dense()])
        fit(model, rows[~held], photos.labels[~held])
        right[held] = model.predict(rows[held], verbose=0).argmax(axis=1) == photos.labels[held]
    begun = time.perf_counter()
    with tensorflow.quiet():
        graph_def, output = backbone.with_features(base, [len(base.taps) - 1])
        frozen.save(frozen.Frozen(graph_def, base.frozen.input, output), scratch / "features")
    image = keras.Input((base.input.height, base.input.width, 3))
    layer = keras.layers.TFSMLayer(str(scratch / "features"), call_endpoint="serving_default")
    model = keras.Model(image, dense()(layer(image)["scores"]))
    pixels = np.stack([preprocess.load(photo.path, base.input) for photo in photos.photos])
    fit(model, pixels, photos.labels)
    seconds = time.perf_counter() - begun
    with tensorflow.quiet():
        model.export(scratch / "model")
        converter.load().convert_tf_saved_model(
            str(scratch / "model"),
            str(scratch / "tfjs"),
            quantization_dtype_map={"float16": "*"},
        )
    files = sorted((scratch / "tfjs").iterdir())
    size = sum(len(brotli.compress(path.read_bytes())) for path in files)
    return Result(float(right.mean()), size, seconds)
