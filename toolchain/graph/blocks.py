"""Finds what can be left out of a network: residual blocks, and channels between two layers.

A residual block adds something to its input, so without it the input goes on. In a separable
chain, a 1×1 convolution is followed by a depthwise one and by another 1×1 convolution; a channel in
between can be left out of all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.graph.running import node_of, sources_of
from toolchain.graph.taps import POINTWISE

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

_ADDS = frozenset({"Add", "AddV2"})
_DEPTHWISE = "DepthwiseConv2dNative"
# What biases and scales are computed by, channel by channel.
_BY_CHANNEL = frozenset(
    {
        "Const",
        "Identity",
        "Reshape",
        "Squeeze",
        "Rsqrt",
        "Sqrt",
        "Mul",
        "Add",
        "AddV2",
        "Sub",
        "Neg",
    }
    | {"RealDiv", "Maximum", "Minimum"}
)


@dataclass(frozen=True)
class Chain:
    """Two 1×1 convolutions with a depthwise one between them, and its channels."""

    channels: int
    first: str
    """`Const` node of the first kernel, `[1, 1, inputs, channels]`."""
    depthwise: str
    """`Const` node of the depthwise kernel, `[height, width, channels, 1]`."""
    others: tuple[str, ...]
    """`Const` nodes of biases, scales and the like; their last axis are the channels."""
    shapes: tuple[str, ...]
    """`Const` nodes of shapes whose last number is that of the channels."""
    last: str
    """`Const` node of the last kernel, `[1, 1, channels, outputs]`."""
    start: str
    """Node whose output the first convolution takes."""
    middle: str
    """Node whose output the last convolution takes, `[n, h, w, channels]`."""
    end: str
    """Node of the last convolution."""


class Blocks:
    """The part of a graph between one of its tensors and some later ones."""

    def __init__(self, graph_def: Any, source: str, targets: Sequence[str]) -> None:
        self._nodes = {node.name: node for node in graph_def.node}
        self._targets = set(targets)
        self._data: dict[str, bool] = {source: True}
        self._order: list[str] = []
        for target in targets:
            self._visit(target)
        self._users: dict[str, list[str]] = {}
        for node in graph_def.node:
            for used in sources_of(node):
                self._users.setdefault(used, []).append(node.name)

    def _visit(self, target: str) -> None:
        """List the nodes that depend on the source, sources before their users."""
        waiting = [(target, False)]
        while waiting:
            name, is_done = waiting.pop()
            if is_done:
                self._data[name] = any(self._data[each] for each in sources_of(self._nodes[name]))
                if self._data[name]:
                    self._order.append(name)
            elif name not in self._data:
                self._data[name] = False
                waiting.append((name, True))
                waiting += [(each, False) for each in sources_of(self._nodes[name])]

    def residuals(self) -> list[tuple[str, str]]:
        """Return additions and the one of their inputs that goes around the block, in order."""
        found = []
        for name in self._order:
            node = self._nodes[name]
            if node.op not in _ADDS or name in self._targets:
                continue
            inputs = [each for each in sources_of(node) if self._data.get(each)]
            if len(inputs) < 2:  # noqa: PLR2004
                continue
            around = [each for each in inputs if self._leads_to(inputs, each)]
            if len(around) == 1:
                found.append((name, around[0]))
        return found

    def _leads_to(self, inputs: list[str], early: str) -> bool:
        """Tell whether the other inputs depend on an early one."""
        for other in inputs:
            if other == early:
                continue
            waiting, seen = [other], set[str]()
            while waiting:
                name = waiting.pop()
                if name == early:
                    return True
                if name not in seen and self._data.get(name):
                    seen.add(name)
                    node = self._nodes[name]
                    waiting += sources_of(node)
        return False

    def chains(self) -> list[Chain]:
        """Return the separable chains, in order; none whose weights other layers use too."""
        names = [name for name in self._order if self._nodes[name].op == _DEPTHWISE]
        return [chain for chain in map(self._chain, names) if chain is not None]

    def _chain(self, depthwise: str) -> Chain | None:
        kernel = self._constant(self._nodes[depthwise].input[1])
        if kernel is None or self._value(kernel).shape[3] != 1:
            return None
        channels = int(self._value(kernel).shape[2])
        passed = {depthwise}
        name = node_of(self._nodes[depthwise].input[0])
        while self._is_pointwise(name):
            passed.add(name)
            (name,) = self._inputs(name)
        first = self._kernel(name, channels, axis=3)
        passed.add(name)
        middle = depthwise
        while (user := self._only_user(middle)) is not None and self._is_pointwise(user):
            passed.add(user)
            middle = user
        last = None if user is None else self._kernel(user, channels, axis=2)
        if first is None or last is None or user is None or middle in self._targets:
            return None
        if any(self._only_user(each) is None or each in self._targets for each in passed):
            return None
        others = self._others(passed - {depthwise, name}, channels)
        if others is None:
            return None
        start = sources_of(self._nodes[name])[0]
        return Chain(channels, first, kernel, *others, last, start, middle, user)

    def _is_pointwise(self, name: str) -> bool:
        return self._nodes[name].op in POINTWISE and len(self._inputs(name)) == 1

    def _inputs(self, name: str) -> list[str]:
        return [each for each in sources_of(self._nodes[name]) if self._data.get(each)]

    def _only_user(self, name: str) -> str | None:
        users = set(self._users.get(name, []))
        return users.pop() if len(users) == 1 else None

    def _kernel(self, name: str, channels: int, axis: int) -> str | None:
        """Return the kernel of a 1×1 convolution with so many channels, if it is one."""
        node = self._nodes[name]
        if node.op != "Conv2D" or list(node.attr["strides"].list.i) != [1, 1, 1, 1]:
            return None
        kernel = self._constant(node.input[1])
        if kernel is None:
            return None
        shape = self._value(kernel).shape
        return kernel if shape[:2] == (1, 1) and shape[axis] == channels else None

    def _constant(self, name: str) -> str | None:
        """Return the `Const` node behind an input, if nothing else uses it."""
        node = self._nodes[node_of(name)]
        while node.op == "Identity":
            node = self._nodes[sources_of(node)[0]]
        return node.name if node.op == "Const" and self._only_user(node.name) else None

    def _others(
        self, nodes: set[str], channels: int
    ) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Return the constants of these nodes that have a value for each channel, and shapes.

        None if they cannot be told, or something else uses them too.
        """
        found: set[str] = set()
        shapes: set[str] = set()
        waiting = [each for name in nodes for each in sources_of(self._nodes[name])]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in seen or self._data.get(name):
                continue
            seen.add(name)
            node = self._nodes[name]
            if node.op not in _BY_CHANNEL:
                return None
            if node.op == "Reshape":
                source, shape = sources_of(node)
                if (kept := self._constant(shape)) is None:
                    return None
                if self._value(kept)[-1] == channels:
                    shapes.add(kept)
                seen.add(node_of(shape))
                waiting.append(source)
                continue
            if node.op == "Const":
                sides = self._value(name).shape
                if sides and sides[-1] == channels:
                    found.add(name)
            waiting += sources_of(node)
        if any(not set(self._users[name]) <= seen | nodes for name in found):
            return None
        return tuple(sorted(found)), tuple(sorted(shapes))

    def _value(self, name: str) -> Array:
        tf = tensorflow.load()
        found: Array = tf.make_ndarray(self._nodes[name].attr["value"].tensor)
        return found

    def kernel_of(self, name: str) -> Array:
        """Return the value of a `Const` node."""
        return self._value(name)

    def pruned(self, chain: Chain, kept: Array, last: Array) -> dict[str, Array]:
        """Return the constants of a chain with fewer channels, by their nodes' names.

        Args:
            chain: The chain.
            kept: Indices of the channels that stay.
            last: The new last kernel, float32 `[len(kept), outputs]`.
        """
        changed = {name: self._value(name)[..., kept] for name in (chain.first, *chain.others)}
        changed[chain.depthwise] = self._value(chain.depthwise)[:, :, kept, :]
        for name in chain.shapes:
            shape = self._value(name).copy()
            shape[-1] = len(kept)
            changed[name] = shape
        changed[chain.last] = last[None, None].astype(np.float32)
        return changed


def without(graph_def: Any, left_out: Sequence[tuple[str, str]]) -> Any:
    """Return a copy of a graph without some residual blocks.

    Args:
        graph_def: A `GraphDef`.
        left_out: Additions, and the input of each that goes on instead.
    """
    copy = type(graph_def)()
    copy.CopyFrom(graph_def)
    instead = dict(left_out)

    def settled(name: str) -> str:
        while name in instead:
            name = instead[name]
        return name

    for node in copy.node:
        for place, name in enumerate(node.input):
            if not name.startswith("^") and node_of(name) in instead:
                node.input[place] = settled(node_of(name))
    return copy
