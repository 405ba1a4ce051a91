# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = [
#   "numpy==1.26.4",
#   "onnx==1.16.2",
#   "onnxruntime==1.19.2",
#   "pillow==11.0.0",
#   "tensorflow-cpu==2.15.1",
#   "tf2onnx==1.16.1",
# ]
# ///
"""Make an int8 ONNX model of a SavedModel: `uv run --no-project --script` with three paths.

Its packages are pinned above and not in the lock file, because tf2onnx needs another TensorFlow.
Convolutions are quantised as onnxruntime recommends: statically, with a step for each
output channel of the weights, and activations by the ranges measured on calibration photos.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

OPSET = 17


class Photos(CalibrationDataReader):  # type: ignore[misc]
    """Pass photos to the calibration, one at a time."""

    def __init__(self, folder: Path, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._paths = iter(sorted(folder.glob("*.jpg")))

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        """Return the next photo as the model's input, float32 `[1, size, size, 3]` in 0…1."""
        path = next(self._paths, None)
        if path is None:
            return None
        with Image.open(path) as image:
            scaled = image.convert("RGB").resize((self._size, self._size))
        return {self._name: np.asarray(scaled, np.float32)[None] / 255}


def main() -> None:
    """Convert the SavedModel at the first path with the photos of the second into the third."""
    import onnx

    saved_model, photos, target = map(Path, sys.argv[1:])
    exact, prepared = target.with_suffix(".float.onnx"), target.with_suffix(".pre.onnx")
    subprocess.run(
        [
            *(sys.executable, "-m", "tf2onnx.convert", "--opset", str(OPSET)),
            *("--saved-model", str(saved_model), "--output", str(exact)),
        ],
        check=True,
    )
    model = onnx.load(exact)
    given = model.graph.input[0]
    sides = given.type.tensor_type.shape.dim
    # One photo at a time: with a known shape more can be folded.
    sides[0].dim_value = 1
    onnx.save(model, exact)
    quant_pre_process(exact, prepared)
    quantize_static(
        prepared,
        target,
        Photos(photos, given.name, sides[1].dim_value),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    exact.unlink()
    prepared.unlink()


if __name__ == "__main__":
    main()
