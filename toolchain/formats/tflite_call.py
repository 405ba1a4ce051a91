"""One operator of a TFLite file with its inputs, whose integers have become the numbers they mean.

A file may hold integers `q` with scales and zero points, which stand for `scale * (q - zero_point)`
(Jacob et al. 2018, arXiv:1712.05877). The network is rebuilt with those numbers as float32. Weights
keep their rounded values; what a layer computes is no longer rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats.format import MOST_NUMBERS, UnsupportedError
from toolchain.formats.tflite_file import KINDS
from toolchain.text import brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.formats.tflite_file import Step, Tensor

COARSE = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
"""The kinds of integers that stand for numbers, with the least and the greatest one."""
_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")  # by `ActivationFunctionType`
_RELU6 = 6.0


@dataclass(frozen=True)
class Call:
    """An operator with its inputs.

    A NumPy array is known when the network is rebuilt; a TensorFlow tensor is not.
    """

    step: Step
    tensors: tuple[Tensor | None, ...]
    """How the file describes its inputs; None for those left out."""
    values: tuple[Any, ...]
    results: tuple[Tensor, ...]
    """How the file describes its outputs."""

    @property
    def is_known(self) -> bool:
        """Whether all its inputs are known."""
        return all(value is None or isinstance(value, np.ndarray) for value in self.values)

    def need(self, index: int) -> Any:
        """Return an input.

        Raises:
            UnsupportedError: It is left out.
        """
        value = self.optional(index)
        if value is None:
            raise UnsupportedError(f"the operator {self.step.kind} without its input {index}")
        return value

    def optional(self, index: int) -> Any:
        """Return an input, or None if it is left out."""
        return self.values[index] if index < len(self.values) else None

    def constant(self, index: int) -> Any:
        """Return an input as an array.

        Raises:
            UnsupportedError: It depends on the photo.
        """
        value = self.need(index)
        if not isinstance(value, np.ndarray):
            raise UnsupportedError(
                f"the operator {self.step.kind} with an input {index} that depends on the photo"
            )
        return value

    def integers(self, index: int) -> list[int]:
        """Return an input as integers.

        Raises:
            UnsupportedError: It depends on the photo.
        """
        return [int(each) for each in self.constant(index).reshape(-1)]

    def option(self, name: str) -> Any:
        """Return an option.

        Raises:
            UnsupportedError: The file does not have it.
        """
        if name not in self.step.options:
            raise UnsupportedError(f"the operator {self.step.kind} without its options")
        return self.step.options[name]

    def bias(self) -> Any:
        """Return what is added to each channel of a product, or None.

        Integers of 32 or 64 bits count in steps of the input times those of the weights, whatever
        the file says of their own; the runtime computes so.
        """
        value = self.optional(2)
        described = self.tensors[2] if len(self.tensors) > 2 else None  # noqa: PLR2004
        if described is None or described.kind not in ("INT32", "INT64"):
            return value
        image, weights = self.tensors[0], self.tensors[1]
        if not image or not weights or not image.steps or not weights.steps:
            raise UnsupportedError(f"the operator {self.step.kind} with a bias without its scales")
        scales = weights.steps.along(1)[0] * image.steps.along(0)[0]
        return (self.constant(2) * scales).astype(np.float32)

    def activated(self, value: Any) -> Any:
        """Return an operator's result after the activation that is a part of it.

        Integers cannot leave their range. Where it begins at 0, or is 0…6, converters leave out
        ReLU or ReLU6, because the range does the same.
        """
        tf = tensorflow.load()
        number = self.step.options.get("FusedActivationFunction", 0)
        fused = _ACTIVATIONS[number] if 0 <= number < len(_ACTIVATIONS) else f"number {number}"
        if fused in ("NONE", "RELU") and (limits := limits_of(self.results[0])):
            low, high, step = limits
            if low == 0:
                fused = "RELU6" if abs(high - _RELU6) <= step else "RELU"
        if fused == "NONE":
            return value
        if fused == "RELU":
            return tf.nn.relu(value)
        if fused == "RELU6":
            return tf.nn.relu6(value)
        if fused == "RELU_N1_TO_1":
            return tf.clip_by_value(value, -1.0, 1.0)
        # The interpreter ignores the others, TANH and SIGN_BIT.
        raise UnsupportedError(f"the activation {fused}")


if TYPE_CHECKING:
    Operator = Callable[[Call], Any]
    """Computes an operator: its only result, or a list of all."""


def limits_of(tensor: Tensor) -> tuple[float, float, float] | None:
    """Return the least and the greatest number that a tensor of integers can hold, and its step.

    None for a tensor whose integers do not stand for other numbers.
    """
    if tensor.steps is None or tensor.kind not in COARSE:
        return None
    scale, point = tensor.steps.along(0)
    if np.ndim(scale):
        raise UnsupportedError(f"the result {brief(tensor.name)} with a scale for each channel")
    least, greatest = COARSE[tensor.kind]
    return float(scale * (least - point)), float(scale * (greatest - point)), float(scale)


def numbers_of(tensor: Tensor) -> Any:
    """Return the numbers of a tensor in the file; those that integers stand for, as float32.

    Raises:
        UnsupportedError: Its scales are not numbers.
    """
    raw = np.frombuffer(tensor.bytes, KINDS[tensor.kind]).reshape(tensor.shape)
    return meant(tensor, raw)


def meant(tensor: Tensor, raw: Any) -> Any:
    """Return the numbers that a tensor's integers stand for, or its floats as float32.

    Args:
        tensor: What the file says of it.
        raw: Its content, of the tensor's kind.

    Raises:
        UnsupportedError: Its scales are not numbers.
    """
    if tensor.kind == "FLOAT16":
        return raw.astype(np.float32)
    if tensor.steps is None or tensor.kind not in COARSE:
        return np.array(raw)
    scales, points = tensor.steps.along(raw.ndim)
    return ((raw - points) * scales).astype(np.float32)


def check_size(shape: tuple[int | None, ...]) -> int:
    """Return how many numbers a result has.

    Raises:
        UnsupportedError: They are too many, or it is not known how many.
    """
    count = 1
    for side in shape:
        if side is None:
            raise UnsupportedError("a shape that depends on the photo")
        count *= side
    if count > MOST_NUMBERS:
        raise UnsupportedError(f"a result of the shape {list(shape)}")
    return count
