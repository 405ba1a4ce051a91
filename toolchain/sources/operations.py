"""What a SavedModel would do when it is loaded and run, read before TensorFlow has it.

A model is a program (TensorFlow's SECURITY.md): operations read and write files, call Python,
open connections. So only those pass that are known to compute and do nothing else, wherever they
stand: TensorFlow computes some already when it imports a graph, to know the shapes in it, even
those that nothing calls, and `ReadFile` is among them. The part that saves and restores variables
may hold what TensorFlow's savers need. A classifier does not need numbers by the billion either
that the file declares and does not hold.
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
# Numbers that constants may declare altogether; MobileNet-class models have some millions.
_MAX_NUMBERS = 1 << 30
_MAX_NODES = 100_000
_MAX_DEPTH = 64  # functions that call each other; TensorFlow inlines them by recursion


@dataclass(frozen=True)
class _Node:
    name: str
    operations: tuple[str, ...]
    """One; a message may write it again, and whoever reads the last one sees another."""
    inputs: tuple[str, ...]
    calls: frozenset[str]
    """Functions that it names; those that there are count."""


@dataclass
class _Graph:
    nodes: list[_Node] = field(default_factory=list)
    functions: dict[str, list[_Node]] = field(default_factory=lambda: defaultdict(list))
    signatures: set[str] = field(default_factory=set)
    """Nodes that a call of the model begins and ends with, and those that prepare it."""
    restores: set[str] = field(default_factory=set)
    """Nodes that the saver begins with when a model is loaded."""
    saves: set[str] = field(default_factory=set)
    filenames: set[str] = field(default_factory=set)
    """The node through which TensorFlow says which file the weights are in."""
    objects: bytes = b""
    """The object graph, which names the functions that loading may call."""
    numbers: int = 0


def check(fetched: Fetched, progress: Progress) -> None:
    """See that a model does nothing but compute, before TensorFlow loads it.

    Where the user trusts it, what it would do is a warning.

    Raises:
        BadInputError: It does more, or is no SavedModel.
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
    """Return what a SavedModel would do that no classifier needs, as one clause, or None.

    Args:
        saved_model: The content of `saved_model.pb`.

    Raises:
        ValueError: It is no message.
    """
    meta_graphs = protobuf.parse(saved_model).meta_graphs
    for meta_graph in meta_graphs:
        if _nodes_in(meta_graph.graph_def) > _MAX_NODES:
            return f"its graph has more than {_MAX_NODES:,} operations"
        graph = _read(meta_graph)
        # TensorFlow goes by the object graph where there is but one graph, and it has some.
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
    """Return the nodes that tensors and nodes are named by; a field that is absent is empty."""
    return {_node_name(text) for text in texts if text}


def _node_name(text: str) -> str:
    """Return the name of a node: tensors are written `name:output`, order `^name`."""
    return text.removeprefix("^").partition(":")[0]


def _size_fault(graph: _Graph) -> str | None:
    if graph.numbers > _MAX_NUMBERS:
        return f"its constants declare {graph.numbers:,} numbers"
    return _depth_fault(graph.functions)


def _depth_fault(functions: Mapping[str, list[_Node]]) -> str | None:
    """Tell whether functions call each other in a circle, or too deep."""
    waiting = {
        name: {call for node in body for call in node.calls if call in functions}
        for name, body in functions.items()
    }
    for _ in range(_MAX_DEPTH):
        done = {name for name, calls in waiting.items() if not calls}
        if not waiting:
            return None
        if not done:
            return f"its function {min(waiting)!r} calls itself, or another that does"
        waiting = {name: calls - done for name, calls in waiting.items() if name not in done}
    return f"its functions call each other more than {_MAX_DEPTH} deep" if waiting else None


def _not_allowed(graph: _Graph, *, by_objects: bool) -> str | None:
    """Name an operation that is not on the list for the part of the model in which it stands."""
    saver, restoring = (_reached(graph, names) for names in (graph.saves, graph.restores))
    saved = saver | restoring
    # All functions but the saver's; of those only the ones that the object graph names.
    others = {
        name for name in graph.functions if name not in saved or name.encode() in graph.objects
    }
    called = _reached(graph, graph.signatures) | others
    called |= _called_from(graph, others)
    # From the strictest on: what may run, what restores, what saves, what nothing leads to.
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
    """Name an operation that would read weights from another file than the model's own.

    Models with an object graph are restored by TensorFlow's own code, not by their graph's.
    """
    for key, node, where in _every_node(graph):
        reads = _READING.intersection(node.operations)
        if key not in restoring or not reads or (where and by_objects):
            continue
        # Of a function the arguments decide, and no saver of TensorFlow 1 is one.
        if where or not node.inputs or node.inputs[0] not in graph.filenames:
            return f"its operation {min(reads)}{where} names the file that it reads"
    return None


def _every_node(graph: _Graph) -> Iterator[tuple[str, _Node, str]]:
    """Yield every node with the name of the node or function that brings it to run."""
    for node in graph.nodes:
        yield node.name, node, ""
    for name, body in graph.functions.items():
        for node in body:
            yield name, node, f" in the function {name!r}"


def _reached(graph: _Graph, names: set[str]) -> set[str]:
    """Return the nodes that some nodes wait for, they too, and the functions they call."""
    inputs: dict[str, set[str]] = defaultdict(set)
    calls: dict[str, frozenset[str]] = defaultdict(frozenset)
    for node in graph.nodes:
        inputs[node.name].update(node.inputs)
        calls[node.name] |= node.calls
    nodes = _closure(names, inputs)
    functions = {call for name in nodes if name in calls for call in calls[name]}
    return nodes | _called_from(graph, functions & graph.functions.keys())


def _called_from(graph: _Graph, functions: set[str]) -> set[str]:
    """Return functions and all that they call."""
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
