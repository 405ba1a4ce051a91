"""Files of other tools that are not read: why not, and what to do instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from pathlib import Path

_TORCH_EXPORT = "`torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), 'model.onnx')`"
# Reading a pickle runs any code in it, and SavedModels are never pickles.
_PICKLES = (".pkl", ".pickle", ".joblib", ".ckpt", ".dill")
_TORCH = (".pt", ".pth")
_CHECKPOINT = re.compile(r"\.(meta|index)$|\.ckpt-\d+|\.data-\d{5}-of-\d{5}$")
_PICKLED = "is a pickle, which runs code of its author when it is read, so it is not opened"
_REASONS: dict[tuple[str, ...], tuple[str, str]] = {
    _PICKLES: (
        _PICKLED,
        "export the model as a SavedModel or a .keras file where it was trained",
    ),
    _TORCH: (_PICKLED, f"export the model as ONNX where it was trained: {_TORCH_EXPORT}"),
    (".safetensors", ".bin"): (
        "holds weights without their network, so it is not read",
        f"load them into the network and export that: {_TORCH_EXPORT}",
    ),
    (".mlmodel", ".mlpackage"): (
        "is a Core ML model, which only Apple's systems run, so it is not read",
        f"export the model that it was made from: {_TORCH_EXPORT}, or `model.save('m.keras')`",
    ),
    (".caffemodel", ".prototxt"): (
        "is a Caffe model, so it is not read",
        "convert it to ONNX, and give the .onnx file",
    ),
    (".pdmodel", ".pdiparams", ".pdparams"): (
        "is a part of a Paddle model, so it is not read",
        "convert the model to ONNX with paddle2onnx, and give the .onnx file",
    ),
}
"""By the ends of the files' names."""


def refuse(path: Path) -> None:
    """Refuse a file of a known tool that cannot be read.

    Args:
        path: An existing file, or a Core ML package, which is a folder.

    Raises:
        BadInputError: It is such a file; the message tells how to export the model instead.
    """
    name = path.name.lower()
    for ends, (reason, way_out) in _REASONS.items():
        if name.endswith(ends) and (path.is_file() or name.endswith(".mlpackage")):
            raise BadInputError(f"{path} {reason}; {way_out}")
    if _CHECKPOINT.search(name) and path.is_file():
        raise BadInputError(
            f"{path} is a part of a TensorFlow checkpoint, which tools cannot run without the code "
            "that made it; export a SavedModel there, or freeze the graph with "
            "tf.compat.v1.graph_util.convert_variables_to_constants"
        )
