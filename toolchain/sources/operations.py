"""Checks what a SavedModel would do, before TensorFlow loads it.

A model is a program (TensorFlow's SECURITY.md): its operations can read and write files, call
Python and open connections. So only operations that are known to only compute are allowed. This
holds for unused parts of the graph too: TensorFlow runs some operations, `ReadFile` among them,
while it imports a graph, to find out its shapes. The part that saves and restores variables may
also hold what TensorFlow's savers need. Constants that declare billions of numbers, which the
file does not hold, are refused too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

from toolchain.errors import BadInputError
from toolchain.sources import protobuf
from toolchain.sources.allowed_operations import COMPUTING, NEVER_RUN, RESTORING, SAVING
from toolchain.sources.saved_model import GRAPH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from toolchain.progress import Progress
    from toolchain.sources.saved_model import Fetched

_READING = RESTORING - {"ShardedFilename"}
# Limits, chosen and not measured.
# For the numbers in all constants together; MobileNets have a few million.
_MAX_NUMBERS = 1 << 30
_MAX_NODES = 100_000
_MAX_DEPTH = 64  # of functions that call each other; TensorFlow inlines them recursively


@dataclass(frozen=True)
class _Node:
    name: str
    operations: tuple[str, ...]
    """Normally one. A protobuf message may repeat the field, and readers use the last value."""
    inputs: tuple[str, ...]
    calls: frozenset[str]
    """Names of the functions that it calls; some may not exist."""


@dataclass
class _Graph:
    nodes: list[_Node] = field(default_factory=list)
    functions: dict[str, list[_Node]] = field(default_factory=lambda: defaultdict(list))
    signatures: set[str] = field(default_factory=set)
    """Inputs and outputs of the model's signatures, and nodes that initialise it."""
    restores: set[str] = field(default_factory=set)
    """Nodes that the saver runs when the model is loaded."""
    saves: set[str] = field(default_factory=set)
    """Nodes that the saver runs when the model is saved."""
    filenames: set[str] = field(default_factory=set)
    """The node into which TensorFlow feeds the name of the file of weights."""
    objects: bytes = b""
    """The object graph, which names the functions that loading may call."""
    numbers: int = 0
    """How many numbers all constants declare."""


def check(fetched: Fetched, progress: Progress) -> None:
    """Check that a model only computes, before TensorFlow loads it.

    If the user trusts the model, there is a warning instead of an error.

    Raises:
        BadInputError: It could do more, or is not a SavedModel.
    """
    try:
        found = fault_of((fetched.path / GRAPH).read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInputError(
            f"{fetched.source} has no readable {GRAPH}: {reason}; save the model again"
        ) from error
    if found is None:
        return
    if not fetched.trusted:
        raise BadInputError(
            f"{fetched.source} is not loaded: {found}; save the model without it, or give --trust "
            "if you know who made it"
        )
    progress.warn(f"--trust: {fetched.source} is loaded although {found}")


def fault_of(saved_model: bytes) -> str | None:
    """Return what a SavedModel holds that no classifier needs, as one clause, or None.

    Args:
        saved_model: The content of `saved_model.pb`.

    Raises:
        ValueError: It is not a protobuf message.
    """
    meta_graphs = protobuf.parse(saved_model).meta_graphs
    for meta_graph in meta_graphs:
        if _nodes_in(meta_graph.graph_def) > _MAX_NODES:
            return f"its graph has more than {_MAX_NODES:,} operations"
        graph = _read(meta_graph)
        # TensorFlow uses the object graph if there is one, and only one meta graph.
        by_objects = bool(graph.objects) and len(meta_graphs) == 1
        if found := _size_fault(graph) or _not_allowed(graph, by_objects=by_objects):
            return found
    return None


def _nodes_in(definition: Any) -> int:
    return len(definition.node) + sum(len(body.node_def) for body in definition.library.function)


def _read(meta_graph: Any) -> _Graph:
    saver, definition = meta_graph.saver_def, meta_graph.graph_def
    graph = _Graph(
        signatures=_names(
            tensor.name
            for signature in meta_graph.signature_def.values()
            for side in (signature.inputs, signature.outputs)
            for tensor in side.values()
        ),
        saves=_names([saver.save_tensor_name]),
        restores=_names([saver.restore_op_name]),
        filenames=_names([saver.filename_tensor_name]),
        objects=meta_graph.object_graph_def.SerializeToString(),
    )
    graph.nodes += [_node(each, graph) for each in definition.node]
    for function in definition.library.function:
        body = [_node(each, graph) for each in function.node_def]
        graph.functions[function.signature.name] += body
    for key, collection in meta_graph.collection_def.items():
        if "init_op" in key or "main_op" in key:
            graph.signatures |= _names(collection.node_list.value)
    return graph


def _node(definition: Any, graph: _Graph) -> _Node:
    calls: set[str] = set()
    for value in definition.attr.values():
        functions = [value.func] if value.HasField("func") else value.list.func
        calls.update(function.name for function in functions)
        if value.HasField("tensor"):
            shape = value.tensor.tensor_shape
            graph.numbers += abs(prod(dimension.size for dimension in shape.dim))
    operations = tuple(definition.op)
    inputs = tuple(map(_node_name, definition.input))
    return _Node(definition.name, operations, inputs, frozenset(calls.union(operations)))


def _names(texts: Iterable[str]) -> set[str]:
    """Return the node names in names of tensors and nodes; empty texts are absent fields."""
    return {_node_name(text) for text in texts if text}


def _node_name(text: str) -> str:
    """Return the node's name: a tensor is written `name:output`, a control input `^name`."""
    return text.removeprefix("^").partition(":")[0]


def _size_fault(graph: _Graph) -> str | None:
    if graph.numbers > _MAX_NUMBERS:
        return f"its constants declare {graph.numbers:,} numbers"
    return _depth_fault(graph.functions)


def _depth_fault(functions: Mapping[str, list[_Node]]) -> str | None:
    """Return a clause if functions call each other in a circle or too deep, else None."""
    waiting = {
        name: {call for node in body for call in node.calls if call in functions}
        for name, body in functions.items()
    }
    for _ in range(_MAX_DEPTH):
        done = {name for name, calls in waiting.items() if not calls}
        if not waiting:
            return None
        if not done:
            return f"its function {min(waiting)!r} calls itself, or a function that does"
        waiting = {name: calls - done for name, calls in waiting.items() if name not in done}
    return f"its functions call each other more than {_MAX_DEPTH} deep" if waiting else None


def _not_allowed(graph: _Graph, *, by_objects: bool) -> str | None:
    """Return a clause with an operation that its part of the model must not hold, or None."""
    saver, restoring = (_reached(graph, names) for names in (graph.saves, graph.restores))
    saved = saver | restoring
    # All functions except the saver's, but including those that the object graph names.
    others = {
        name for name in graph.functions if name not in saved or name.encode() in graph.objects
    }
    called = _reached(graph, graph.signatures) | others
    called |= _called_from(graph, others)
    # From the strictest to the loosest: what may run, what restores, what saves; then the rest.
    own = COMPUTING | graph.functions.keys()
    parts = (
        (called, own),
        (restoring, own | RESTORING),
        (saver, own | RESTORING | SAVING),
    )
    anywhere = own | RESTORING | SAVING | NEVER_RUN
    for key, node, where in _every_node(graph):
        allowed = next((listed for reached, listed in parts if key in reached), anywhere)
        for operation in node.operations:
            if operation not in allowed:
                return f"its operation {operation}{where} is not listed as one that only computes"
    return _other_weights(graph, restoring, by_objects=by_objects)


def _other_weights(graph: _Graph, restoring: set[str], *, by_objects: bool) -> str | None:
    """Return a clause with an operation that would read another file of weights, or None.

    If there is an object graph, TensorFlow's own code restores the model, not the graph's.
    """
    for key, node, where in _every_node(graph):
        reads = _READING.intersection(node.operations)
        if key not in restoring or not reads or (where and by_objects):
            continue
        # In a function, the file name comes from its arguments. TensorFlow 1's savers have none.
        if where or not node.inputs or node.inputs[0] not in graph.filenames:
            return f"its operation {min(reads)}{where} names the file that it reads"
    return None


def _every_node(graph: _Graph) -> Iterator[tuple[str, _Node, str]]:
    """Yield every node with its key, the node's or its function's name, and a clause for where."""
    for node in graph.nodes:
        yield node.name, node, ""
    for name, body in graph.functions.items():
        for node in body:
            yield name, node, f" in the function {name!r}"


def _reached(graph: _Graph, names: set[str]) -> set[str]:
    """Return these nodes, the nodes that they depend on, and the functions that all these call."""
    inputs: dict[str, set[str]] = defaultdict(set)
    calls: dict[str, frozenset[str]] = defaultdict(frozenset)
    for node in graph.nodes:
        inputs[node.name].update(node.inputs)
        calls[node.name] |= node.calls
    nodes = _closure(names, inputs)
    functions = {call for name in nodes if name in calls for call in calls[name]}
    return nodes | _called_from(graph, functions & graph.functions.keys())


def _called_from(graph: _Graph, functions: set[str]) -> set[str]:
    """Return these functions and all functions that they call."""
    calls = {
        name: {call for node in body for call in node.calls if call in graph.functions}
        for name, body in graph.functions.items()
    }
    return _closure(functions, calls)


def _closure(names: set[str], following: Mapping[str, set[str]]) -> set[str]:
    found, waiting = set(names), list(names)
    while waiting:
        more = following.get(waiting.pop(), set()) - found
        found |= more
        waiting += more
    return found
