"""Computes ONNX' operators that move, cut, join and repeat numbers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import UnsupportedError
from toolchain.formats.onnx_elements import aligned
from toolchain.formats.onnx_value import (
    Attributes,
    Inputs,
    Value,
    check_size,
    integers,
    kind_of,
    need,
    number,
    plain,
    reshaped,
    stored_as,
)

if TYPE_CHECKING:
    from toolchain.formats.onnx_value import Operator

_IMAGE = 4  # axes
_LATER_SLICE = 10  # the version from which the limits are inputs


def without(value: Value, axes: list[int]) -> Value:
    """Return a tensor without axes of length one.

    Raises:
        UnsupportedError: One of them is longer.
    """
    gone = {value.axis(axis) for axis in axes}
    if any(value.shape[axis] != 1 for axis in gone):
        raise UnsupportedError("a Squeeze of an axis that is longer than one")
    left = [axis for axis in value.axes if axis not in gone]
    renamed = tuple(sorted(left).index(axis) for axis in left)
    return Value(stored_as(value.stored, [value.shape[axis] for axis in left]), renamed)


def _squeeze(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    axes = integers(inputs, 1, attributes.get("axes"))
    ones = [axis for axis, side in enumerate(value.shape) if side == 1]
    return without(value, ones if axes is None else axes)


def _unsqueeze(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    axes = integers(inputs, 1, attributes.get("axes")) or []
    rank = len(value.axes) + len(axes)
    new = {axis % rank for axis in axes}
    old = [axis for axis in range(rank) if axis not in new]
    places = (*(old[axis] for axis in value.axes), *sorted(new))
    stored = stored_as(value.stored, [*value.stored.shape, *(1 for _ in new)])
    return Value(stored, places)


def _reshape(inputs: Inputs, attributes: Attributes) -> Value:
    value, shape = need(inputs, 0), integers(inputs, 1, attributes.get("shape")) or []
    if not attributes.get("allowzero"):
        shape = [value.shape[at] if side == 0 else side for at, side in enumerate(shape)]
    return reshaped(value, shape)


def _flatten(inputs: Inputs, attributes: Attributes) -> Value:
    value, axis = need(inputs, 0), attributes.get("axis", 1)
    axis = axis + len(value.axes) if axis < 0 else axis
    return reshaped(value, [prod(value.shape[:axis]), prod(value.shape[axis:])])


def transposed(value: Value, order: list[int]) -> Value:
    """Return a tensor with its axes in another order; nothing moves.

    Raises:
        UnsupportedError: The order is not one of its axes.
    """
    if sorted(order) != list(value.axes_in_order):
        raise UnsupportedError("a Transpose whose order does not fit its input")
    return Value(value.stored, tuple(order.index(axis) for axis in value.axes))


def _transpose(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    return transposed(value, list(attributes.get("perm", reversed(value.axes_in_order))))


def _concat(inputs: Inputs, attributes: Attributes) -> Value:
    values = [value for value in inputs if value is not None]
    if len({len(value.axes) for value in values}) != 1:
        raise UnsupportedError("a Concat of tensors of different ranks")
    tensors, axes = aligned(values)
    at = Value(tensors[0], axes).at(attributes["axis"])
    whole = next((each for each in tensors if not isinstance(each, np.ndarray)), None)
    if whole is not None and at > 0:
        # A class token is the same for each photo: it is repeated for as many as there are.
        one = whole[tuple(slice(0, 1) if axis == at else slice(None) for axis in range(len(axes)))]
        tensors = [one * 0 + each if isinstance(each, np.ndarray) else each for each in tensors]
    return Value(tensorflow.load().concat(tensors, at), axes)


def _split(inputs: Inputs, attributes: Attributes) -> list[Value]:
    value, results = need(inputs, 0), attributes["results"]
    axis = attributes.get("axis", 0)
    side = value.shape[value.axis(axis)]
    even = -(-side // results)
    sizes = integers(inputs, 1, attributes.get("split"))
    if sizes is None:
        sizes = [even] * (results - 1) + [side - even * (results - 1)]
    if sum(sizes) != side or min(sizes) < 0 or len(sizes) != results:
        raise UnsupportedError("a Split into parts that do not fit")
    ends = np.cumsum(sizes)
    return [
        _cut(value, axis, slice(int(end) - size, int(end)))
        for end, size in zip(ends, sizes, strict=True)
    ]


def _cut(value: Value, axis: int, part: slice) -> Value:
    cut = [slice(None)] * len(value.axes)
    cut[value.at(axis)] = part
    return Value(value.stored[tuple(cut)], value.axes)


def _slice(inputs: Inputs, attributes: Attributes) -> Value:
    value = need(inputs, 0)
    given = attributes if attributes["opset"] < _LATER_SLICE else {}
    starts = integers(inputs, 1, given.get("starts")) or []
    ends = integers(inputs, 2, given.get("ends")) or []
    axes = integers(inputs, 3, given.get("axes")) or list(range(len(starts)))
    steps = integers(inputs, 4) or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise UnsupportedError("a Slice with a step of 0")
        side = value.shape[value.axis(axis)]
        first, last, _ = slice(start, end, step).indices(side)
        if step < 0:
            value = taken(value, axis, np.arange(first, last, step))
        elif (first, last, step) != (0, side, 1):
            value = _cut(value, axis, slice(first, last, step))
    return value


def taken(value: Value, axis: int, places: Any) -> Value:
    """Return the given places, a row of numbers, of an axis."""
    return Value(tensorflow.load().gather(value.stored, places, axis=value.at(axis)), value.axes)


def _gather(inputs: Inputs, attributes: Attributes) -> Value:
    value, index = need(inputs, 0), need(inputs, 1)
    if not index.known:
        raise UnsupportedError("a Gather whose places depend on the photo")
    axis = value.axis(attributes.get("axis", 0))
    side, places = value.shape[axis], index.ordered()
    if places.size and not (-side <= places.min() and places.max() < side):
        raise UnsupportedError("a Gather beyond its input")
    row = places.reshape(-1) % max(1, side)
    if row.size == 1:
        found = _cut(value, axis, slice(int(row[0]), int(row[0]) + 1))
    else:
        check_size((*value.shape[:axis], *value.shape[axis + 1 :], row.size))
        found = taken(value, axis, row.astype(np.int32))
    if not places.shape:
        return without(found, [axis])
    return reshaped(found, [*value.shape[:axis], *places.shape, *value.shape[axis + 1 :]])


def _gather_nd(inputs: Inputs, attributes: Attributes) -> Value:
    index = need(inputs, 1)
    if not index.known or attributes.get("batch_dims"):
        raise UnsupportedError("a GatherND whose places depend on the photo")
    check_size((*index.shape[:-1], *need(inputs, 0).shape[index.shape[-1] :]))
    return plain(tensorflow.load().gather_nd(need(inputs, 0).ordered(), index.ordered()))


def _scatter_nd(inputs: Inputs, attributes: Attributes) -> Value:
    value, index, update = (need(inputs, at).ordered() for at in range(3))
    if attributes.get("reduction", b"none") != b"none" or not need(inputs, 1).known:
        raise UnsupportedError("a ScatterND whose places depend on the photo")
    tf = tensorflow.load()
    return plain(tf.tensor_scatter_nd_update(value, index.astype(np.int32), update))


def _expand(inputs: Inputs, _: Attributes) -> Value:
    value, shape = need(inputs, 0), integers(inputs, 1) or []
    check_size(tuple(shape))
    both = np.broadcast_shapes(value.shape, tuple(shape))
    check_size(both)
    if both == value.shape:
        return value
    wider = reshaped(value, [1] * (len(both) - len(value.axes)) + list(value.shape))
    # A product takes any number of photos.
    ones = np.ones([both[axis] for axis in wider.axes], kind_of(wider.stored))
    return Value(wider.stored * ones, wider.axes)


def _tile(inputs: Inputs, _: Attributes) -> Value:
    value, times = need(inputs, 0), integers(inputs, 1) or []
    if len(times) != len(value.axes):
        raise UnsupportedError("a Tile that does not fit its input")
    check_size(tuple(side * each for side, each in zip(value.shape, times, strict=True)))
    return Value(
        tensorflow.load().tile(value.stored, [times[axis] for axis in value.axes]), value.axes
    )


def _pad(inputs: Inputs, attributes: Attributes) -> Value:
    tf, value = tensorflow.load(), need(inputs, 0)
    pads = integers(inputs, 1, attributes.get("pads") or attributes.get("paddings")) or []
    fill = number(inputs, 2, attributes.get("value", 0.0)) or 0.0
    axes = integers(inputs, 3)
    axes = list(value.axes_in_order) if axes is None else [value.axis(axis) for axis in axes]
    if len(pads) != 2 * len(axes):
        raise UnsupportedError("a Pad that does not fit its input")
    before = dict(zip(axes, pads, strict=False))
    after = dict(zip(axes, pads[len(axes) :], strict=True))
    for axis in axes:  # negative widths cut
        start, end = max(0, -before[axis]), max(0, -after[axis])
        if start or end:
            value = _cut(value, axis, slice(start, value.shape[axis] - end))
    widths = [[max(0, each.get(axis, 0)) for each in (before, after)] for axis in value.axes]
    if not any(map(sum, widths)):
        return value
    sides = [side + sum(width) for side, width in zip(value.stored.shape, widths, strict=True)]
    check_size(tuple(sides))
    mode = attributes.get("mode", b"constant")
    if mode == b"constant":
        # Without the value, it is a `Pad`, which a convolution takes into itself.
        more = {"constant_values": np.asarray(fill, kind_of(value.stored))} if fill else {}
        return Value(tf.pad(value.stored, widths, **more), value.axes)
    if mode == b"reflect":
        return Value(tf.pad(value.stored, widths, "REFLECT"), value.axes)
    for axis in axes:
        side, (start, end) = value.shape[axis], widths[value.at(axis)]
        places = np.arange(-start, side + end)
        if mode == b"edge":
            places = places.clip(0, side - 1)
        elif mode == b"wrap":
            places = places % side
        else:
            raise UnsupportedError("a Pad of an unusual mode")
        value = taken(value, axis, places.astype(np.int32)) if start or end else value
    return value


def _shape(inputs: Inputs, attributes: Attributes) -> Value:
    shape = np.asarray(need(inputs, 0).shape, np.int64)
    return plain(shape[attributes.get("start", 0) : attributes.get("end", len(shape))])


def _size(inputs: Inputs, _: Attributes) -> Value:
    return plain(np.asarray(prod(need(inputs, 0).shape), np.int64))


def _filled(inputs: Inputs, attributes: Attributes) -> Value:
    shape = tuple(integers(inputs, 0) or [])
    check_size(shape)
    fill = np.asarray(attributes.get("value", np.zeros(1, np.float32))).reshape(-1)
    return plain(np.full(shape, fill[0]))


def _range(inputs: Inputs, _: Attributes) -> Value:
    start, limit, step = (need(inputs, at) for at in range(3))
    if not (start.known and limit.known and step.known):
        raise UnsupportedError("a Range that depends on the photo")
    ends = [each.stored.reshape(-1)[0] for each in (start, limit, step)]
    if ends[2] == 0:
        raise UnsupportedError("a Range with a step of 0")
    check_size((max(0, int((ends[1] - ends[0]) / ends[2])),))
    return plain(np.arange(*ends, dtype=start.stored.dtype))


def _nonzero(inputs: Inputs, _: Attributes) -> Value:
    value = need(inputs, 0)
    if not value.known:
        raise UnsupportedError("the operator NonZero of the photo's numbers")
    return plain(np.stack(np.nonzero(value.ordered())).astype(np.int64))


def _triangle(inputs: Inputs, attributes: Attributes) -> Value:
    value, shift = need(inputs, 0), int(number(inputs, 1) or 0)
    cut = np.triu if attributes.get("upper", 1) else np.tril
    mask = cut(np.ones(value.shape[-2:], np.float32), shift)
    tensor = value.ordered()
    return plain(tensor * mask.astype(tensor.dtype if value.known else np.float32))


def _depth_to_space(inputs: Inputs, attributes: Attributes) -> Value:
    value, size = need(inputs, 0), attributes["blocksize"]
    if len(value.axes) != _IMAGE:
        raise UnsupportedError("a DepthToSpace of something else than an image")
    count, depth, height, width = value.shape
    less = depth // (size * size)
    if attributes.get("mode", b"DCR") == b"CRD":
        parts = reshaped(value, [count, less, size, size, height, width])
        moved = transposed(parts, [0, 1, 4, 2, 5, 3])
    else:
        parts = reshaped(value, [count, size, size, less, height, width])
        moved = transposed(parts, [0, 3, 4, 1, 5, 2])
    return reshaped(moved, [count, less, height * size, width * size])


def _space_to_depth(inputs: Inputs, attributes: Attributes) -> Value:
    value, size = need(inputs, 0), attributes["blocksize"]
    if len(value.axes) != _IMAGE:
        raise UnsupportedError("a SpaceToDepth of something else than an image")
    count, depth, height, width = value.shape
    parts = reshaped(value, [count, depth, height // size, size, width // size, size])
    moved = transposed(parts, [0, 3, 5, 1, 2, 4])
    return reshaped(moved, [count, depth * size * size, height // size, width // size])


OPERATORS: dict[str, Operator] = {
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "ScatterND": _scatter_nd,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "Shape": _shape,
    "Size": _size,
    "ConstantOfShape": _filled,
    "Range": _range,
    "NonZero": _nonzero,
    "Trilu": _triangle,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
