"""Computes TFLite's operators that move numbers: shapes, slices, paddings and resizing."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError

if TYPE_CHECKING:
    from toolchain.formats.tflite_call import Call, Operator

_FIRST = 1  # the bit of the first axis in the masks of STRIDED_SLICE


def reshaped(value: Any, shape: list[int]) -> Any:
    """Return a tensor in another shape.

    Args:
        value: The tensor.
        shape: The new shape; -1 for a length that follows from the others. That length is
            computed here, because only so the number of photos can be left open later.

    Raises:
        UnsupportedError: The shape does not fit.
    """
    sides = [int(side) for side in value.shape]
    if shape.count(-1) == 1:
        others = max(1, -prod(shape))
        shape = [prod(sides) // others if side == -1 else side for side in shape]
    if prod(shape) != prod(sides) or min(shape, default=1) < 0:
        raise UnsupportedError(f"a reshape of {sides} to {shape}")
    return value if shape == sides else tensorflow.load().reshape(value, shape)


def _reshape(call: Call) -> Any:
    if call.optional(1) is not None:
        return reshaped(call.need(0), call.integers(1))
    return reshaped(call.need(0), [int(side) for side in call.option("NewShape")])


def _squeeze(call: Call) -> Any:
    value, axes = call.need(0), call.step.options.get("SqueezeDims", 0)
    sides = [int(side) for side in value.shape]
    # flatbuffers has 0 for a list that is not there.
    axes = [] if isinstance(axes, int) else [_axis(int(axis), len(sides)) for axis in axes]
    gone = set(axes) or {at for at, side in enumerate(sides) if side == 1}
    return reshaped(value, [side for at, side in enumerate(sides) if at not in gone])


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise UnsupportedError(f"an axis {axis} of {rank}")
    return axis % rank


def _expand(call: Call) -> Any:
    value, (axis,) = call.need(0), call.integers(1)
    sides = [int(side) for side in value.shape]
    sides.insert(_axis(axis, len(sides) + 1), 1)
    return reshaped(value, sides)


def _shape(call: Call) -> Any:
    return np.array([int(side) for side in call.need(0).shape], np.int32)


def _rank(call: Call) -> Any:
    return np.array(len(call.need(0).shape), np.int32)


def _transpose(call: Call) -> Any:
    return tensorflow.load().transpose(call.need(0), call.integers(1))


def _pad(call: Call) -> Any:
    widths = call.constant(1).tolist()
    fill = call.optional(2)
    value = 0 if fill is None else call.constant(2).reshape(-1)[0]
    return tensorflow.load().pad(call.need(0), widths, constant_values=value)


def _mirror(call: Call) -> Any:
    mode = "SYMMETRIC" if call.option("Mode") else "REFLECT"
    return tensorflow.load().pad(call.need(0), call.constant(1).tolist(), mode)


def _concatenate(call: Call) -> Any:
    parts = [call.need(at) for at in range(len(call.values))]
    return call.activated(tensorflow.load().concat(parts, call.option("Axis")))


def _split(call: Call) -> Any:
    (axis,) = call.integers(0)
    count = call.option("NumSplits")
    if count != len(call.results):
        raise UnsupportedError("a SPLIT into another number of parts")
    return tensorflow.load().split(call.need(1), count, axis)


def _split_by_size(call: Call) -> Any:
    sizes, (axis,) = call.integers(1), call.integers(2)
    if len(sizes) != len(call.results):
        raise UnsupportedError("a SPLIT_V into another number of parts")
    return tensorflow.load().split(call.need(0), sizes, axis)


def _slice(call: Call) -> Any:
    value, starts, sizes = call.need(0), call.integers(1), call.integers(2)
    if starts[:1] == [0] and sizes and sizes[0] == value.shape[0]:
        sizes[0] = -1  # all photos
    return tensorflow.load().slice(value, starts, sizes)


def _strided_slice(call: Call) -> Any:
    value, starts, ends, strides = call.need(0), *(call.integers(at) for at in (1, 2, 3))
    names = ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")
    begin, end, ellipsis, new, shrunk = (call.option(f"{name}Mask") for name in names)
    if call.option("Offset"):
        ends = [start + length for start, length in zip(starts, ends, strict=True)]
    is_whole = bool(starts) and starts[0] == 0 and strides[0] == 1 and ends[0] >= value.shape[0]
    if is_whole and not _FIRST & (ellipsis | new | shrunk):
        begin, end = begin | _FIRST, end | _FIRST  # all photos
    return tensorflow.load().strided_slice(
        value, starts, ends, strides, begin, end, ellipsis, new, shrunk
    )


def _pack(call: Call) -> Any:
    parts = [call.need(at) for at in range(len(call.values))]
    return tensorflow.load().stack(parts, call.option("Axis"))


def _unpack(call: Call) -> Any:
    found = tensorflow.load().unstack(call.need(0), len(call.results), call.option("Axis"))
    return list(found)


def _gather(call: Call) -> Any:
    return tensorflow.load().gather(
        call.need(0),
        call.need(1),
        axis=call.option("Axis"),
        batch_dims=call.step.options.get("BatchDims", 0),
    )


def _resizing(name: str) -> Operator:
    def compute(call: Call) -> Any:
        function = getattr(tensorflow.load().raw_ops, name)
        return function(
            images=call.need(0),
            size=call.integers(1),
            align_corners=bool(call.option("AlignCorners")),
            half_pixel_centers=bool(call.option("HalfPixelCenters")),
        )

    return compute


def _fill(call: Call) -> Any:
    return tensorflow.load().fill(call.integers(0), call.need(1))


def _broadcast(call: Call) -> Any:
    value, shape = call.need(0), call.integers(1)
    kind = tensorflow.load().as_dtype(value.dtype)
    if len(value.shape) == len(shape) and value.shape[0] == shape[0] and not kind.is_bool:
        zeros = np.zeros((), kind.as_numpy_dtype)
        return value + tensorflow.load().broadcast_to(zeros, [1, *shape[1:]])  # for all photos
    return tensorflow.load().broadcast_to(value, shape)


def _tile(call: Call) -> Any:
    return tensorflow.load().tile(call.need(0), call.integers(1))


def _blocks(name: str) -> Operator:
    """Return DEPTH_TO_SPACE or SPACE_TO_DEPTH."""

    def compute(call: Call) -> Any:
        return getattr(tensorflow.load().nn, name)(call.need(0), call.option("BlockSize"))

    return compute


def _to_batch(call: Call) -> Any:
    return tensorflow.load().space_to_batch_nd(
        call.need(0), call.integers(1), call.constant(2).tolist()
    )


def _from_batch(call: Call) -> Any:
    return tensorflow.load().batch_to_space(
        call.need(0), call.integers(1), call.constant(2).tolist()
    )


def _range(call: Call) -> Any:
    return tensorflow.load().range(*(call.constant(at).reshape(()) for at in range(3)))


def _reverse(call: Call) -> Any:
    return tensorflow.load().reverse(call.need(0), call.integers(1))


OPERATORS: dict[str, Operator] = {
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand,
    "SHAPE": _shape,
    "RANK": _rank,
    "TRANSPOSE": _transpose,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _mirror,
    "CONCATENATION": _concatenate,
    "SPLIT": _split,
    "SPLIT_V": _split_by_size,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "PACK": _pack,
    "UNPACK": _unpack,
    "GATHER": _gather,
    "RESIZE_BILINEAR": _resizing("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resizing("ResizeNearestNeighbor"),
    "FILL": _fill,
    "BROADCAST_TO": _broadcast,
    "TILE": _tile,
    "DEPTH_TO_SPACE": _blocks("depth_to_space"),
    "SPACE_TO_DEPTH": _blocks("space_to_depth"),
    "SPACE_TO_BATCH_ND": _to_batch,
    "BATCH_TO_SPACE_ND": _from_batch,
    "RANGE": _range,
    "REVERSE_V2": _reverse,
}
"""The functions that compute operators, by name."""
