"""Finds out how a classifier's outputs become scores, from its last operations and by running it.

A trailing Softmax or Sigmoid is cut off: the network before it is quantised and measured, and the
page applies the activation. One output for two labels becomes two outputs, so that the rest of
the tool sees only rows of scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph.running import function_of, node_of, sources_of
from toolchain.metrics.scores import scores_of

if TYPE_CHECKING:
    from toolchain.graph.frozen import Frozen
    from toolchain.records.card import Activation, Declared, Task

    Array = np.ndarray[Any, Any]

_PASSING = frozenset({"Identity", "Reshape", "Squeeze", "StopGradient", "EnsureShape", "Snapshot"})
_WEIGHTED = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul", "BatchMatMulV2", "Einsum"})
# Tolerance for a sum of float32 scores; the rounding error of ten thousand scores is smaller.
_SUMS_TO_ONE = 1e-3
# Tolerance for scores of the network without its activation: the rounding of one softmax.
_SAME = 1e-5


@dataclass(frozen=True)
class Ending:
    """How to read outputs: those of the source model, and those of the network to convert."""

    source: Activation
    """The activation to apply to the source model's outputs."""
    converted: Activation
    """The activation to apply after a trailing activation has been cut off."""
    task: Task
    is_binary: bool = False
    """Whether the source returns one number for two labels, the score of the second."""


def settle(
    frozen: Frozen, declared: Declared, classes: int, probe: Array, name: str
) -> tuple[Frozen, Ending]:
    """Cut off a trailing activation, and find out how to read the outputs.

    Args:
        frozen: The source's graph.
        declared: What was declared about the task and the labels.
        classes: Number of the source's outputs.
        probe: Inputs to run it on, float32 `[n, height, width, 3]`, in several ranges.
        name: How messages name the model.

    Returns:
        The graph to convert, which may have another output node, and the ending.

    Raises:
        BadInputError: What was declared contradicts the graph, or an output is not a number.
    """
    raw = answers(frozen, probe)
    if not np.isfinite(raw).all():
        raise BadInputError(
            f"{name} returns outputs that are not numbers for ordinary pictures; train or export "
            "it again"
        )
    found, place = _trailing(frozen)
    cut = _without(frozen, place) if place else frozen
    if place and not _gives(cut, found, probe, raw):
        found, cut = "none", frozen
    if found == "none" and not place and not _are_scores(frozen, raw):
        found = "softmax"
    source: Activation = "none" if place or found == "none" else found
    ending = _by_task(found, source, raw, declared, classes, name)
    if ending.is_binary:
        return _as_two(cut, ending), ending
    return cut, ending


def answers(frozen: Frozen, pictures: Array) -> Array:
    """Run a graph on one picture at a time, as the page does; return float32 `[n, …]`."""
    run = function_of(frozen.graph_def, frozen.input, frozen.output)
    found: Array = np.concatenate([run(picture[None]) for picture in pictures])
    return found


def of_two(outputs: Array, activation: Activation) -> Array:
    """Return a binary model's outputs `[n, 1]` as outputs for two labels, float64 `[n, 2]`."""
    wide = np.asarray(outputs, np.float64)
    first = 1 - wide if activation == "none" else np.zeros_like(wide)
    return np.concatenate([first, wide], axis=1)


def _trailing(frozen: Frozen) -> tuple[Activation, str | None]:
    """Return the activation that the graph ends with, and its node's name."""
    nodes = {node.name: node for node in frozen.graph_def.node}
    node = nodes[frozen.output]
    while node.op in _PASSING and node.input:
        node = nodes[node_of(node.input[0])]
    if node.op == "Softmax":
        return "softmax", node.name
    if node.op == "Sigmoid":
        return "sigmoid", node.name
    return "none", None


def _without(frozen: Frozen, place: str) -> Frozen:
    """Return a graph without a node: its readers read the node's input instead."""
    tf = tensorflow.load()
    graph_def = type(frozen.graph_def)()
    graph_def.CopyFrom(frozen.graph_def)
    (node,) = (node for node in graph_def.node if node.name == place)
    before = node.input[0]
    for reader in graph_def.node:
        for index, source in enumerate(reader.input):
            if node_of(source) == place and not source.startswith("^"):
                reader.input[index] = before
    output = frozen.output
    if output == place:
        # A new node, because the input may not be the first output of its node.
        output = "toolchain/logits"
        last = graph_def.node.add(name=output, op="Identity", input=[before])
        last.attr["T"].CopyFrom(node.attr["T"])
    pruned = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [output])
    return replace(frozen, graph_def=pruned, output=output)


def _gives(cut: Frozen, activation: Activation, probe: Array, raw: Array) -> bool:
    outputs = answers(cut, probe)
    if outputs.shape != raw.shape:
        return False
    return bool(np.abs(scores_of(outputs, activation) - raw).max() < _SAME)


def _are_scores(frozen: Frozen, raw: Array) -> bool:
    """Tell whether outputs are scores although the graph does not end with an activation.

    They are if each row sums to one. They are too if they lie in 0…1 and come after a softmax or
    sigmoid without weights in between: an average of two heads, or a clipped softmax.
    """
    if raw.min() < -_SUMS_TO_ONE or raw.max() > 1 + _SUMS_TO_ONE:
        return False
    if raw.shape[1] > 1 and np.abs(raw.sum(axis=1) - 1).max() < _SUMS_TO_ONE:
        return True
    nodes = {node.name: node for node in frozen.graph_def.node}
    waiting, seen = [frozen.output], set[str]()
    while waiting:
        node = nodes[waiting.pop()]
        if node.name in seen or node.op in _WEIGHTED:
            continue
        if node.op in ("Softmax", "Sigmoid"):
            return True
        seen.add(node.name)
        waiting += sources_of(node)
    return False


def _by_task(
    found: Activation,
    source: Activation,
    raw: Array,
    declared: Declared,
    classes: int,
    name: str,
) -> Ending:
    wanted = declared.task
    if classes == 1:
        one_label = declared.labels is not None and len(declared.labels) == 1
        if wanted == "multi-label" or (wanted is None and one_label):
            activation: Activation = "none" if found == "none" else "sigmoid"
            return Ending("none" if source == "none" else "sigmoid", activation, "multi-label")
        return Ending(source, "softmax" if found != "none" else "none", "single-label", True)
    exclusive = found == "softmax" if source == "none" else False
    exclusive = exclusive or bool(
        found == "none" and np.abs(raw.sum(axis=1) - 1).max() < _SUMS_TO_ONE
    )
    if wanted == "multi-label" and exclusive:
        raise BadInputError(
            f"{name} ends with a softmax, so its labels exclude each other; leave out "
            "--task multi-label, or export it without the softmax"
        )
    if wanted == "multi-label" and found == "softmax":
        return Ending("sigmoid", "sigmoid", "multi-label")
    if wanted is None and not exclusive and found != "softmax":
        return Ending(source, found, "multi-label")
    return Ending(source, found, wanted or "single-label")


def _as_two(cut: Frozen, ending: Ending) -> Frozen:
    """Return a graph with outputs for two labels in place of its one output.

    A logit gets a zero beside it: the softmax of both is the sigmoid of the logit.
    """
    tf = tensorflow.load()
    single = tf.float32.as_datatype_enum
    graph_def = type(cut.graph_def)()
    graph_def.CopyFrom(cut.graph_def)

    def constant(name: str, value: Any) -> str:
        node = graph_def.node.add(name=f"toolchain/{name}", op="Const")
        made = tf.make_tensor_proto(value)
        node.attr["dtype"].type = made.dtype
        node.attr["value"].tensor.CopyFrom(made)
        return str(node.name)

    output = "toolchain/two"
    if ending.converted == "softmax":
        sides = constant("sides", np.array([[0, 0], [1, 0]], np.int32))
        pad = graph_def.node.add(name=output, op="Pad", input=[cut.output, sides])
        pad.attr["T"].type = single
        pad.attr["Tpaddings"].type = tf.int32.as_datatype_enum
    else:
        first = graph_def.node.add(name="toolchain/first", op="Sub")
        first.input.extend([constant("one", np.float32(1)), cut.output])
        first.attr["T"].type = single
        both = graph_def.node.add(name=output, op="ConcatV2")
        both.input.extend([first.name, cut.output, constant("axis", np.int32(1))])
        both.attr["T"].type = single
        both.attr["N"].i = 2
        both.attr["Tidx"].type = tf.int32.as_datatype_enum
    return replace(cut, graph_def=graph_def, output=output)
