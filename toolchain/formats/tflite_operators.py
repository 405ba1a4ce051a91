"""The operators of TFLite that are computed with TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.formats import tflite_elements, tflite_layers, tflite_shapes

if TYPE_CHECKING:
    from toolchain.formats.tflite_call import Operator

OPERATORS: dict[str, Operator] = {
    **tflite_elements.OPERATORS,
    **tflite_shapes.OPERATORS,
    **tflite_layers.OPERATORS,
}
"""The functions that compute operators, by their names in `BuiltinOperator`. Each returns the only
result, or a list of all."""
