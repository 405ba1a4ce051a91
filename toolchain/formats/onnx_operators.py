"""The operators of ONNX' default domain that are computed with TensorFlow.

They are those that its versions 7 to 24 define; where a later version means something else, the
operator looks at the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.formats import onnx_elements, onnx_images, onnx_layers, onnx_shapes

if TYPE_CHECKING:
    from toolchain.formats.onnx_value import Operator

OPERATORS: dict[str, Operator] = {
    **onnx_elements.OPERATORS,
    **onnx_shapes.OPERATORS,
    **onnx_images.OPERATORS,
    **onnx_layers.OPERATORS,
}
"""The functions that compute operators, by name. Each takes the inputs, None for those left out,
and the attributes, and returns the first output or all."""
