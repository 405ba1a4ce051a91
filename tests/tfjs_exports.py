"""Writes layers models of TF.js, and what Teachable Machine exports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests import tiny_models
from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from pathlib import Path

LABELS = tiny_models.names()


def write_layers(folder: Path, model: Any) -> None:
    """Write a model of Keras 2 as `model.save` of TF.js does."""
    arrays = {weight.name.partition(":")[0]: weight.numpy() for weight in model.weights}
    entries = [
        {"name": name, "shape": list(values.shape), "dtype": "float32"}
        for name, values in arrays.items()
    ]
    content = {
        "format": "layers-model",
        "modelTopology": {"keras_version": "2.4.0", "model_config": json.loads(model.to_json())},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": entries}],
    }
    (folder / "weights.bin").write_bytes(
        b"".join(values.astype("<f4").tobytes() for values in arrays.values())
    )
    (folder / "model.json").write_text(json.dumps(content), "utf-8")


def teachable(folder: Path, model: Any, form: str) -> Path:
    """Write an export of Teachable Machine."""
    folder.mkdir()
    if form == "tfjs":
        write_layers(folder, model)
        told = {
            "labels": LABELS,
            "imageSize": tiny_models.SIDE,
            "modelName": "pets",
            "tmVersion": "2.4.5",
        }
        (folder / "metadata.json").write_text(json.dumps(told), "utf-8")
        return folder
    lines = [f"{place} {label}" for place, label in enumerate(LABELS)]
    (folder / "labels.txt").write_text("\n".join(lines), "utf-8")
    if form == "keras":
        tiny_models.save_keras(model, folder / "keras_model.h5")
    else:
        with tensorflow.quiet():
            model.save(folder / "model.savedmodel", save_format="tf")
    return folder
