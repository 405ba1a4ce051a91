"""Counts a classifier's parameters, multiply-adds, operations and bytes."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.records.graph_facts import GraphFacts

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.graph.frozen import Frozen
    from toolchain.records.card import InputSpec


_MAX_NUMBERS = 1 << 29  # in the output of one operation: two gigabytes; chosen, not measured


def measure(path: Path, frozen: Frozen, spec: InputSpec, name: str) -> GraphFacts:
    """Count the parts of a SavedModel's graph.

    Args:
        path: The SavedModel's folder.
        frozen: The signature's graph.
        spec: The input, for the image size.
        name: How messages name the model.

    Raises:
        BadInputError: The graph cannot take images of that size.
    """
    tf = tensorflow.load()
    # Import again with one image of the final size, so that all shapes are known.
    graph = tf.Graph()
    with graph.as_default():
        image = tf.compat.v1.placeholder(tf.float32, (1, spec.height, spec.width, 3))
        try:
            tf.import_graph_def(frozen.graph_def, input_map={frozen.input: image}, name="")
        except ValueError as error:
            raise BadInputError(
                f"{name} cannot take images of {spec.height}×{spec.width} "
                f"({str(error).splitlines()[0].rstrip('.')}); choose another --input-size"
            ) from error
    operations = graph.get_operations()
    _refuse_swelling(name, operations)
    weights = [
        operation.outputs[0]
        for operation in operations
        if operation.type == "Const" and operation.outputs[0].shape.num_elements() > 1
    ]
    floating = [weight for weight in weights if weight.dtype.is_floating]
    return GraphFacts(
        parameters=sum(weight.shape.num_elements() for weight in floating),
        multiply_adds=sum(_multiply_adds(operation) for operation in operations),
        file_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        memory_bytes=sum(weight.shape.num_elements() * weight.dtype.size for weight in weights),
        ops=dict(sorted(Counter(operation.type for operation in operations).items())),
        dtypes=dict(sorted(Counter(weight.dtype.name for weight in weights).items())),
    )


def _refuse_swelling(name: str, operations: list[Any]) -> None:
    """Check that no operation has an output of far too many numbers; conversion may compute it.

    Raises:
        BadInputError: One has.
    """
    for operation in operations:
        for output in operation.outputs:
            shape = output.shape
            if shape.is_fully_defined() and shape.num_elements() > _MAX_NUMBERS:
                sizes = "×".join(map(str, shape.as_list()))
                raise BadInputError(
                    f"{name} computes {sizes} numbers at once in {operation.name}, far more than "
                    "an image classifier for the web needs; make that output smaller"
                )


def _multiply_adds(operation: Any) -> int:
    """Count one operation's multiply-adds; 0 for the cheap ones and for unknown shapes."""
    kernel_axes = {
        "Conv2D": (0, 1, 2),  # [height, width, in, out]
        "DepthwiseConv2dNative": (0, 1),  # [height, width, in, multiplier]
    }
    if operation.type in kernel_axes:
        output, kernel = operation.outputs[0].shape, operation.inputs[1].shape
        if not (output.is_fully_defined() and kernel.is_fully_defined()):
            return 0
        return int(
            output.num_elements() * prod(kernel[axis] for axis in kernel_axes[operation.type])
        )
    if operation.type in ("MatMul", "BatchMatMulV2"):
        output, left = operation.outputs[0].shape, operation.inputs[0].shape
        if not (output.is_fully_defined() and left.is_fully_defined()):
            return 0
        transposed = operation.type == "MatMul" and operation.get_attr("transpose_a")
        return int(output.num_elements() * left[-2 if transposed else -1])
    return 0
