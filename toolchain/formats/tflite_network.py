"""Rebuilds the part of a TFLite graph that some outputs need, operator by operator, in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.formats import tflite_call, tflite_operators
from toolchain.formats.format import UnsupportedError
from toolchain.formats.tflite_call import Call
from toolchain.text import brief

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolchain.formats.tflite_file import LiteGraph, Step, Tensor

_MOST_KNOWN = 1 << 27  # numbers that do not depend on the photo, in all
_MOST_COMPUTED = 1 << 28  # numbers of all other tensors for one photo


class Network:
    """The operators that some outputs need.

    Args:
        graph: What the file holds.
        outputs: Indices of tensors.

    Raises:
        UnsupportedError: One of the operators is not known.
    """

    def __init__(self, graph: LiteGraph, outputs: list[int]) -> None:
        self._graph = graph
        self._outputs = outputs
        self._constants: dict[int, Any] = {}
        self.known: dict[int, Any] = {}
        """What :meth:`compute` found not to depend on the photo, by tensor."""
        self._known = self._computed = 0
        makers = {made: number for number, step in enumerate(graph.steps) for made in step.outputs}
        waiting, reached, self.read = list(outputs), set[int](), set[int]()
        while waiting:
            tensor = waiting.pop()
            number = makers.get(tensor)
            if number is None or number in reached or graph.tensors[tensor].bytes is not None:
                continue
            reached.add(number)
            needed = [at for at in graph.steps[number].inputs if at >= 0]
            self.read.update(needed)
            waiting += needed
        self.steps = [graph.steps[number] for number in sorted(reached)]
        for step in self.steps:
            if step.kind not in tflite_operators.OPERATORS:
                raise UnsupportedError(f"the operator {step.kind}")

    def tensor(self, index: int) -> Tensor:
        """Return what the file says of a tensor."""
        return self._graph.tensors[index]

    def compute(self, photo: int, image: Any) -> dict[int, Any]:
        """Return all tensors for a photo, by index; those that do not depend on it as arrays.

        Args:
            photo: The index of the tensor that takes it.
            image: The photo, a tensor of a graph that is being made.

        Raises:
            UnsupportedError: Something of it is not read.
        """
        values: dict[int, Any] = {photo: image}
        for step in self.steps:
            call = self.call(step, values)
            made = _known(call) if call.is_known else self.results(call)
            for index, value in zip(step.outputs, made, strict=True):
                count = tflite_call.check_size(tuple(value.shape))
                if isinstance(value, np.ndarray):
                    self.known[index] = value
                    self._known += count
                else:
                    self._computed += count
                values[index] = value
            self._check_sums()
        if all(isinstance(values.get(at), np.ndarray | None) for at in self._outputs):
            raise UnsupportedError("outputs that do not depend on the photo")
        return values

    def call(self, step: Step, values: Mapping[int, Any]) -> Call:
        """Return an operator with its inputs.

        Args:
            step: The operator.
            values: The tensors that were computed, by index.

        Raises:
            UnsupportedError: An input is not computed.
        """
        tensors = tuple(None if at < 0 else self.tensor(at) for at in step.inputs)
        inputs = tuple(
            None if tensor is None else self._value(step, tensor, values) for tensor in tensors
        )
        return Call(step, tensors, inputs, tuple(self.tensor(at) for at in step.outputs))

    def results(self, call: Call) -> list[Any]:
        """Compute an operator.

        Raises:
            UnsupportedError: Its options or inputs are not read.
        """
        made = tflite_operators.OPERATORS[call.step.kind](call)
        found = list(made) if isinstance(made, list | tuple) else [made]
        if len(found) != len(call.results):
            raise UnsupportedError(
                f"the operator {call.step.kind} with {len(call.results)} results"
            )
        return found

    def _value(self, step: Step, tensor: Tensor, values: Mapping[int, Any]) -> Any:
        if tensor.index in values:
            return values[tensor.index]
        if tensor.bytes is None:
            raise UnsupportedError(
                f"the operator {step.kind} before its input {brief(tensor.name)} is computed"
            )
        if tensor.index not in self._constants:
            self._known += tflite_call.check_size(tensor.shape)
            self._check_sums()
            self._constants[tensor.index] = tflite_call.numbers_of(tensor)
        return self._constants[tensor.index]

    def _check_sums(self) -> None:
        if self._known > _MOST_KNOWN or self._computed > _MOST_COMPUTED:
            raise UnsupportedError("more numbers than a small classifier has")


def _known(call: Call) -> list[Any]:
    """Compute an operator of known inputs now, after a look at how large its results will be."""
    tf, operator = tensorflow.load(), tflite_operators.OPERATORS[call.step.kind]
    with tf.Graph().as_default():
        tried = operator(call)
        for each in tried if isinstance(tried, list | tuple) else [tried]:
            tflite_call.check_size(tuple(each.shape))
    with tf.init_scope():
        made = operator(call)
        return [np.asarray(each) for each in (made if isinstance(made, list | tuple) else [made])]
