"""Finds where a network can be cut: the tensors that everything after them depends on alone.

A network that is cut there and pooled still tells photos apart, with a part of the weights: the
features of early layers are general ones, as Yosinski et al. 2014 (arXiv:1411.1792) measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.graph import features
from toolchain.graph.running import node_of, shapes_of, sources_of

if TYPE_CHECKING:
    from toolchain.graph.frozen import Frozen

_LINEAR = frozenset({"Conv2D", "MatMul"})
_DEPTHWISE = "DepthwiseConv2dNative"
# What a layer does with its sum: everything that keeps the shape and uses each value by itself.
POINTWISE = frozenset(
    {"Add", "AddV2", "BiasAdd", "Elu", "FusedBatchNorm", "FusedBatchNormV3", "Identity"}
    | {"LeakyRelu", "Maximum", "Minimum", "Mul", "Neg", "RealDiv", "Relu", "Relu6", "Selu"}
    | {"Sigmoid", "Softplus", "Sub", "Tanh", "Pad", "PadV2", "Erf", "Pow", "HardSwish"}
)
_POOLS = frozenset({"AvgPool", "Max", "MaxPool", "Mean"})
_RESHAPED = frozenset({"Identity", "Reshape", "Squeeze"})
_MOST = 12  # cuts; the deepest ones. Chosen: features of more take longer to compare
_LEAST_SHARE = 0.02  # of the weights that a cut keeps; chosen
_IMAGE = len("nhwc")
_ROW = len("nc")


@dataclass(frozen=True)
class Tap:
    """A place where the network can be cut."""

    node: str
    """The node whose output are the features: float32 `[n, h, w, width]`, which are then averaged
    over the image, or `[n, width]`."""
    width: int
    parameters: int
    """Number of weights that the output depends on."""
    is_pooled: bool
    """Whether it is `[n, width]` already."""
    block: int
    """Which block it ends, counted from 1, the last dense layer's input included."""


def find(frozen: Frozen, name: str) -> tuple[Tap, ...]:
    """Return the places where a network can be cut, from the first to the last.

    The last one is the input of its last dense layer, or its output if that is a row of features.

    Args:
        frozen: The network's graph.
        name: How messages name the model.

    Raises:
        BadInputError: The network does not end with a dense layer, and gives no features.
    """
    graph = _Graph(frozen)
    last = graph.last_features()
    if last is None:
        raise BadInputError(
            f"{name} does not end with one dense layer that new tags could replace; "
            "give another model with --base, such as a MobileNet"
        )
    taps: list[Tap] = []
    for node in graph.cuts_before(last):
        if (tap := graph.tap(node, len(taps) + 1)) is not None:
            taps.append(tap)
    end = graph.tap(last, len(taps) + 1, at_end=True)
    if end is None:
        raise BadInputError(
            f"{name} has features of unknown size before its last layer; export it for one size "
            "of images"
        )
    least = _LEAST_SHARE * end.parameters
    kept = [tap for tap in taps if least <= tap.parameters < end.parameters]
    return (*kept[-(_MOST - 1) :], end)


class _Graph:
    """A frozen graph as nodes in the order of their computation."""

    def __init__(self, frozen: Frozen) -> None:
        self._frozen = frozen
        self._input, self._output = frozen.input, frozen.output
        self._nodes = {node.name: node for node in frozen.graph_def.node}
        self._order = self._data()
        self._place = {name: place for place, name in enumerate(self._order)}
        self._users: dict[str, list[str]] = {name: [] for name in self._order}
        for name in self._order:
            for source in self._data_sources(name):
                self._users[source].append(name)
        self._shapes = shapes_of(frozen.graph_def, set(self._order))

    def _data(self) -> list[str]:
        """Return the nodes between input and output, sources before their users."""
        depends: dict[str, bool] = {}
        order: list[str] = []
        stack = [(self._output, False)]
        while stack:
            name, is_done = stack.pop()
            if name in depends and not is_done:
                continue
            sources = sources_of(self._nodes[name])
            if is_done:
                depends[name] = name == self._input or any(depends[each] for each in sources)
                if depends[name]:
                    order.append(name)
            else:
                depends[name] = False
                stack.append((name, True))
                stack += [(each, False) for each in sources if each not in depends]
        return order

    def _data_sources(self, name: str) -> list[str]:
        return [each for each in sources_of(self._nodes[name]) if each in self._place]

    def cuts_before(self, last: str) -> list[str]:
        """Return the nodes before `last` that every path from the input passes, in order."""
        found: list[str] = []
        furthest = 0  # place of the last user of any earlier node
        for place, name in enumerate(self._order):
            if name == last:
                break
            if place and furthest <= place:
                found.append(name)
            furthest = max([furthest, *(self._place[user] for user in self._users[name])])
        return found

    def tap(self, name: str, block: int, *, at_end: bool = False) -> Tap | None:
        """Return a node as a tap; None if it is in the middle of a layer or a block."""
        shape = self._shapes.get(name)
        if shape is None or shape[-1] <= 0:
            return None
        if not at_end and (len(shape) != _IMAGE or self._is_inside(name, shape[-1])):
            return None
        if len(shape) not in (_IMAGE, _ROW):
            return None
        return Tap(name, shape[-1], self._parameters(name), len(shape) == _ROW, block)

    def _is_inside(self, name: str, width: int) -> bool:
        """Tell whether a node is not the end of a block: its layer goes on, or it is widened."""
        users = [self._nodes[user] for user in self._users[name]]
        if all(user.op in POINTWISE for user in users):
            return True
        if self._origin(name) == _DEPTHWISE:
            return True
        # The wide middle of an inverted residual: a depthwise layer and a narrower one follow.
        widths = [self._width_after(user.name) for user in users if user.op == _DEPTHWISE]
        return any(after is not None and after < width for after in widths)

    def _origin(self, name: str) -> str:
        """Return the operation of the layer that a node ends."""
        while self._nodes[name].op in POINTWISE:
            sources = self._data_sources(name)
            if len(sources) != 1:
                return str(self._nodes[name].op)
            name = sources[0]
        return str(self._nodes[name].op)

    def _width_after(self, name: str) -> int | None:
        """Return the number of channels of the next layer that mixes channels."""
        while len(self._users[name]) == 1:
            (name,) = self._users[name]
            if self._nodes[name].op in _LINEAR:
                shape = self._shapes.get(name)
                return None if shape is None else shape[-1]
        return None

    def last_features(self) -> str | None:
        """Return the input of the last dense layer, or the output if it is a row of features."""
        found = features.name_in(self._frozen)
        if found is not None and self._is_row(found):
            return found
        name = self._output
        while self._nodes[name].op in _RESHAPED:
            name = sources_of(self._nodes[name])[0]
        return self._output if self._nodes[name].op in _POOLS else None

    def _is_row(self, name: str) -> bool:
        """Tell whether a tensor is `[n, width]` or `[n, 1, 1, width]`."""
        shape = self._shapes.get(name)
        if shape is None:
            return False
        return len(shape) == _ROW or (len(shape) == _IMAGE and shape[1:3] == [1, 1])

    def _parameters(self, name: str) -> int:
        """Return the number of weights that a node depends on: those of kernels."""
        seen: set[str] = set()
        stack, total = [name], 0
        while stack:
            each = node_of(stack.pop())
            if each in seen:
                continue
            seen.add(each)
            node = self._nodes[each]
            if node.op == "Const":
                sides = [side.size for side in node.attr["value"].tensor.tensor_shape.dim]
                total += prod(sides) if len(sides) >= _ROW else 0
            stack += sources_of(node)
        return total
