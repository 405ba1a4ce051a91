"""Rewrites `Einsum`, which TF.js' WebAssembly backend lacks, as products of matrices.

Attention layers of Keras are written with it. A product of two tensors sums over the labels that
both have and the result has not; the rest is put in order by transposes and reshapes:
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
    """The labels of a product, each a letter, by what becomes of them."""

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
    """Replace every `Einsum` of two tensors in a graph by products of matrices, in place.

    One that repeats a label, sums over a label of one tensor alone, or has more than one side of
    unknown size is left as it is; the build finds out whether that can run.
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
    """Adds nodes below the name of the one that is replaced."""

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
        """Bring a tensor's sides into another order, and then into another shape."""
        if labels != wanted:
            order = self.constant("order", [labels.index(each) for each in wanted])
            tensor = self.add("turned", "Transpose", tensor, order)
            self._graph_def.node[-1].attr["Tperm"].type = tensorflow.load().int32.as_datatype_enum
        return self.reshaped("matrix", tensor, shape)
