"""A tensor of an ONNX graph, whose axes may be stored in another order than ONNX has them.

ONNX keeps images as `[batch, channels, height, width]`. A :class:`Value` remembers in which order
its axes are stored, so that a transposition costs nothing, and a network of convolutions runs
with channels last from its input to its output. All shapes are those for one photo.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import MOST_NUMBERS, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNELS_LAST = (0, 2, 3, 1)
"""How the axes of ONNX' images are stored."""


@dataclass(frozen=True)
class Value:
    """A tensor. `axes[i]` is the axis of ONNX that is stored as the axis `i`.

    A NumPy array is known when the graph is made; a TensorFlow tensor is not.
    """

    stored: Any
    axes: tuple[int, ...]

    @property
    def known(self) -> bool:
        """Whether its numbers are known."""
        return isinstance(self.stored, np.ndarray)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape as ONNX has it."""
        return tuple(int(self.stored.shape[self.axes.index(axis)]) for axis in self.axes_in_order)

    @property
    def axes_in_order(self) -> range:
        """ONNX' axes, from the first to the last."""
        return range(len(self.axes))

    def axis(self, axis: int) -> int:
        """Return an axis of ONNX, which may be negative, as a number from 0."""
        if not -len(self.axes) <= axis < len(self.axes):
            raise UnsupportedError(f"an axis {axis} of a tensor of {len(self.axes)} axes")
        return axis % len(self.axes)

    def at(self, axis: int) -> int:
        """Return where an axis of ONNX, which may be negative, is stored."""
        return self.axes.index(self.axis(axis))

    def ordered(self, axes: tuple[int, ...] | None = None) -> Any:
        """Return the tensor with its axes stored as given; None for ONNX' order."""
        wanted = tuple(self.axes_in_order) if axes is None else axes
        if len(wanted) != len(self.axes):
            raise UnsupportedError(f"a tensor of {len(self.axes)} axes, not {len(wanted)}")
        if wanted == self.axes:
            return self.stored
        order = [self.axes.index(axis) for axis in wanted]
        if self.known:
            return np.transpose(self.stored, order)
        sides = list(self.stored.shape)
        # Axes of length one move without moving a number, but there may be more than one photo.
        moved = [at for at in order if sides[at] != 1 or at == 0]
        if moved == sorted(moved):
            return tensorflow.load().reshape(self.stored, [sides[at] for at in order])
        return tensorflow.load().transpose(self.stored, order)


def reshaped(value: Value, shape: list[int]) -> Value:
    """Return a tensor in another shape. Axes that are only split or joined stay where they are.

    Args:
        value: The tensor.
        shape: The new shape; -1 for a length that follows from the others.

    Raises:
        UnsupportedError: The shape does not fit.
    """
    sides = value.shape
    if shape.count(-1) == 1:
        others = -prod(shape)
        shape = [prod(sides) // max(1, others) if side == -1 else side for side in shape]
    if prod(shape) != prod(sides) or min(shape, default=1) < 0:
        raise UnsupportedError(f"a Reshape of {list(sides)} to {shape}")
    if tuple(shape) == sides:
        return value
    groups = _groups(sides, tuple(shape))
    for at, (olds, news) in enumerate(groups[:-1]):
        if not news and any(value.at(axis) == 0 for axis in olds):
            # The axis of the photos becomes part of the next one.
            after, made = groups[at + 1]
            groups[at : at + 2] = [((*olds, *after), made)]
            break
    # The order in which the groups are stored, by the first of their axes that is not of length
    # one, or of the photos; within a joined group, the axes have to be in order and side by side.
    firsts = [
        min(
            (at for axis in olds if (at := value.at(axis)) == 0 or sides[axis] != 1),
            default=len(sides) + number,
        )
        for number, (olds, _) in enumerate(groups)
    ]
    order = sorted(range(len(groups)), key=lambda number: firsts[number])
    tensor = value.ordered(tuple(axis for number in order for axis in groups[number][0]))
    axes = tuple(axis for number in order for axis in groups[number][1])
    return Value(stored_as(tensor, [shape[axis] for axis in axes]), axes)


def stored_as(tensor: Any, shape: list[int]) -> Any:
    """Return a stored tensor in another shape."""
    if isinstance(tensor, np.ndarray):
        return tensor.reshape(shape)
    return tensorflow.load().reshape(tensor, shape)


def _groups(
    old: tuple[int, ...], new: tuple[int, ...]
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the smallest runs of axes, before and after, that hold the same numbers."""
    if 0 in old:
        return [(tuple(range(len(old))), tuple(range(len(new))))]
    groups = []
    a = b = 0
    while a < len(old) or b < len(new):
        first, other = a, b
        left = right = 1
        if a < len(old):
            left, a = old[a], a + 1
        if b < len(new) and (left != 1 or new[b] == 1 or a == len(old)):
            right, b = new[b], b + 1
        while left != right:
            if left < right:
                left, a = left * old[a], a + 1
            else:
                right, b = right * new[b], b + 1
        groups.append((tuple(range(first, a)), tuple(range(other, b))))
    return groups


def kind_of(tensor: Any) -> Any:
    """Return the NumPy dtype of a NumPy array or a TensorFlow tensor."""
    return np.dtype(getattr(tensor.dtype, "as_numpy_dtype", tensor.dtype))


def plain(stored: Any) -> Value:
    """Return a tensor whose axes are stored in ONNX' order.

    Raises:
        UnsupportedError: It is too large.
    """
    if not isinstance(stored, np.ndarray) and isinstance(stored, (np.generic, int, float)):
        stored = np.asarray(stored)
    check_size(tuple(stored.shape))
    return Value(stored, tuple(range(len(stored.shape))))


def check_size(shape: tuple[int, ...]) -> None:
    """Check the shape of a tensor before it is made.

    Raises:
        UnsupportedError: It is too large, or no shape.
    """
    if any(side < 0 for side in shape) or prod(shape) > MOST_NUMBERS:
        raise UnsupportedError(f"a tensor of the shape {shape}")


Inputs = list["Value | None"]
"""An operator's inputs; None for those left out."""
Attributes = dict[str, Any]
"""An operator's attributes, by name. Two more are no attributes of ONNX': `opset`, the version of
the operators, and `results`, how many outputs the operator has."""
if TYPE_CHECKING:
    Operator = Callable[[Inputs, Attributes], Value | list[Value]]
"""Computes an operator: from its inputs and attributes, its first output, or all."""


def need(inputs: Inputs, index: int) -> Value:
    """Return an operator's input.

    Raises:
        UnsupportedError: It is left out.
    """
    value = optional(inputs, index)
    if value is None:
        raise UnsupportedError(f"an operator without its input {index}")
    return value


def optional(inputs: Inputs, index: int) -> Value | None:
    """Return an operator's input, or None if it is left out."""
    return inputs[index] if index < len(inputs) else None


def integers(inputs: Inputs, index: int, given: Any = None) -> list[int] | None:
    """Return integers from an input that must be known, or from an attribute; None if absent.

    Raises:
        UnsupportedError: They depend on the photo.
    """
    value = optional(inputs, index)
    if value is None:
        return None if given is None else [int(number) for number in given]
    if not value.known:
        raise UnsupportedError("a shape or axes that depend on the photo")
    return [int(number) for number in value.ordered().reshape(-1)]


def number(inputs: Inputs, index: int, given: float | None = None) -> float | None:
    """Return a number from an input that must be known, or from an attribute; None if absent.

    Raises:
        UnsupportedError: It depends on the photo.
    """
    value = optional(inputs, index)
    if value is None or value.stored.shape == (0,):
        return given
    if not value.known:
        raise UnsupportedError("a number that depends on the photo where it has to be fixed")
    return float(value.stored.reshape(-1)[0])
