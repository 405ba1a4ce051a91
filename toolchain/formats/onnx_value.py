"""A tensor of an ONNX graph, whose axes may be stored in another order than ONNX has them.

ONNX keeps images as `[batch, channels, height, width]`. A :class:`Value` remembers in which order
its axes are stored, so that a transposition costs nothing, and a network of convolutions runs
with channels last from its input to its output.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from toolchain import tf as tensorflow

CHANNELS_LAST = (0, 2, 3, 1)
"""How the axes of ONNX' images are stored."""
MOST_NUMBERS = 1 << 28
"""The most numbers of one tensor. Chosen: far above any layer of a small classifier."""


class UnsupportedError(Exception):
    """The graph has something that is not translated; the text is one clause."""


def side_of(side: int | None) -> int:
    """Return the length of an axis; that of the photos, which is open, counts as one."""
    return 1 if side is None else int(side)


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
        """Its shape as ONNX has it, for one photo."""
        return tuple(
            side_of(self.stored.shape[self.axes.index(axis)]) for axis in self.axes_in_order
        )

    @property
    def axes_in_order(self) -> range:
        """ONNX' axes, from the first to the last."""
        return range(len(self.axes))

    def at(self, axis: int) -> int:
        """Return where an axis of ONNX, which may be negative, is stored."""
        if not -len(self.axes) <= axis < len(self.axes):
            raise UnsupportedError(f"an axis {axis} of a tensor of {len(self.axes)} axes")
        return self.axes.index(axis % len(self.axes))

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
        shape = self.stored.shape
        # Axes of length one move without moving a number.
        moved = [at for at in order if shape[at] != 1]
        if moved == sorted(moved):
            sides = [-1 if shape[at] is None else shape[at] for at in order]
            return tensorflow.load().reshape(self.stored, sides)
        return tensorflow.load().transpose(self.stored, order)


def reshaped(tensor: Any, shape: list[int]) -> Any:
    """Return a tensor in ONNX' order in another shape, in which the axis of the photos stays open.

    Args:
        tensor: A NumPy array or a TensorFlow tensor.
        shape: The new shape for one photo; -1 for a length that follows from the others.

    Raises:
        UnsupportedError: The shape does not fit, or merges the photos with another axis.
    """
    sides = [side_of(side) for side in tensor.shape]
    if -1 in shape:
        others = prod(side for side in shape if side != -1)
        shape = [prod(sides) // max(1, others) if side == -1 else side for side in shape]
    if prod(shape) != prod(sides) or min(shape, default=1) < 0:
        raise UnsupportedError(f"a Reshape of {sides} to {shape}")
    if isinstance(tensor, np.ndarray):
        return tensor.reshape(shape)
    if None in tensor.shape:
        before = prod(sides[: list(tensor.shape).index(None)])
        places = [at for at, side in enumerate(shape) if prod(shape[:at]) == before and side == 1]
        if not places:
            raise UnsupportedError("a Reshape that merges the photos with another axis")
        shape = [-1 if at == places[0] else side for at, side in enumerate(shape)]
    return tensorflow.load().reshape(tensor, shape)


def plain(stored: Any) -> Value:
    """Return a tensor whose axes are stored in ONNX' order."""
    if not isinstance(stored, np.ndarray) and isinstance(stored, (np.generic, int, float)):
        stored = np.asarray(stored)
    if prod(side_of(side) for side in stored.shape) > MOST_NUMBERS:
        raise UnsupportedError(f"a tensor of the shape {tuple(stored.shape)}")
    return Value(stored, tuple(range(len(stored.shape))))


Inputs = list["Value | None"]
"""An operator's inputs; None for those left out."""
Attributes = dict[str, Any]
"""An operator's attributes, by name."""


def need(inputs: Inputs, index: int) -> Value:
    """Return an operator's input.

    Raises:
        UnsupportedError: It is left out.
    """
    value = inputs[index] if index < len(inputs) else None
    if value is None:
        raise UnsupportedError(f"an operator without its input {index}")
    return value
