"""Rewrites `Einsum`, which TF.js' WebAssembly backend lacks, as matrix products.

Keras' attention layers use it. A product of two tensors sums over the letters that both have and
the result lacks. Transposes and reshapes bring the axes into the order that a matrix product needs:
`[batch…, left…, summed…] · [batch…, summed…, right…] → [batch…, left…, right…]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.graph.running import OPEN, shapes_of


@dataclass(frozen=True)
class _Product:
    """The letters of an equation: those of both inputs and of the result."""

    left: str
    right: str
    result: str

    @property
    def batch(self) -> str:
        return "".join(each for each in self.result if each in self.left and each in self.right)

    @property
    def summed(self) -> str:
        return "".join(each for each in self.left if each in self.right and each not in self.result)

    @property
    def left_only(self) -> str:
        return "".join(each for each in self.left if each not in self.right)

    @property
    def right_only(self) -> str:
        return "".join(each for each in self.right if each not in self.left)


def rewrite(graph_def: Any) -> None:
    """Replace every `Einsum` of two tensors in a graph with matrix products, in place.

    It is left as it is if it repeats a letter, sums over a letter of only one tensor, or has more
    than one axis of unknown size. The build checks later whether it can run.
    """
    found = [node for node in graph_def.node if node.op == "Einsum"]
    if not found:
        return
    shapes = shapes_of(graph_def, {name for node in found for name in node.input})
    for node in found:
        product = _product(node.attr["equation"].s.decode())
        if product is not None:
            sides = [shapes.get(name) for name in node.input]
            _replace(graph_def, node, product, sides)


def _product(equation: str) -> _Product | None:
    inputs, arrow, result = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not arrow or len(terms) != len(("left", "right")) or "." in equation:
        return None
    product = _Product(terms[0], terms[1], result)
    repeated = any(len(set(labels)) != len(labels) for labels in (*terms, result))
    kept = all(each in result for each in (*product.left_only, *product.right_only))
    return product if kept and not repeated else None


def _replace(graph_def: Any, node: Any, product: _Product, sides: list[list[int] | None]) -> None:
    left, right = sides
    if left is None or right is None:
        return
    size = dict(zip(product.left, left, strict=True)) | dict(zip(product.right, right, strict=True))
    if sum(each == OPEN for each in size.values()) > 1:
        return
    writer = _Writer(graph_def, node)
    batch, summed = product.batch, product.summed
    first = writer.ordered(
        node.input[0],
        product.left,
        batch + product.left_only + summed,
        [*(size[each] for each in batch), _size(product.left_only, size), _size(summed, size)],
    )
    second = writer.ordered(
        node.input[1],
        product.right,
        batch + summed + product.right_only,
        [*(size[each] for each in batch), _size(summed, size), _size(product.right_only, size)],
    )
    multiplied = writer.add("product", "BatchMatMulV2" if batch else "MatMul", first, second)
    made = batch + product.left_only + product.right_only
    whole = writer.reshaped("whole", multiplied, [size[each] for each in made])
    node.attr.pop("equation")
    node.attr.pop("N")
    if made == product.result:
        node.op = "Identity"
        node.input[:] = [whole]
        return
    node.op = "Transpose"
    node.input[:] = [whole, writer.constant("order", [made.index(e) for e in product.result])]
    node.attr["Tperm"].type = tensorflow.load().int32.as_datatype_enum


def _size(labels: str, size: dict[str, int]) -> int:
    sizes = [size[each] for each in labels]
    return OPEN if OPEN in sizes else int(np.prod(sizes, dtype=np.int64))


class _Writer:
    """Adds nodes whose names begin with the name of the replaced node."""

    def __init__(self, graph_def: Any, node: Any) -> None:
        self._graph_def = graph_def
        self._name = node.name
        self._kind = node.attr["T"].type
        self._count = 0

    def add(self, what: str, op: str, *inputs: str) -> str:
        self._count += 1
        added = self._graph_def.node.add(
            name=f"{self._name}/{what}_{self._count}", op=op, input=inputs
        )
        added.attr["T"].type = self._kind
        return str(added.name)

    def constant(self, what: str, values: list[int]) -> str:
        tensor = tensorflow.load().make_tensor_proto(np.array(values, np.int32))
        self._count += 1
        added = self._graph_def.node.add(name=f"{self._name}/{what}_{self._count}", op="Const")
        added.attr["dtype"].type = tensor.dtype
        added.attr["value"].tensor.CopyFrom(tensor)
        return str(added.name)

    def reshaped(self, what: str, tensor: str, shape: list[int]) -> str:
        name = self.add(what, "Reshape", tensor, self.constant("shape", shape))
        self._graph_def.node[-1].attr["Tshape"].type = tensorflow.load().int32.as_datatype_enum
        return name

    def ordered(self, tensor: str, labels: str, wanted: str, shape: list[int]) -> str:
        """Transpose a tensor from the order `labels` to `wanted`, then reshape it."""
        if labels != wanted:
            order = self.constant("order", [labels.index(each) for each in wanted])
            tensor = self.add("turned", "Transpose", tensor, order)
            self._graph_def.node[-1].attr["Tperm"].type = tensorflow.load().int32.as_datatype_enum
        return self.reshaped("matrix", tensor, shape)
