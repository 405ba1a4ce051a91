"""Runs parts of a graph in TensorFlow, from one of its tensors to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Array = np.ndarray[Any, Any]

OPEN = -1
"""The size of an axis that is unknown before the graph runs, such as the number of photos."""


def function_of(graph_def: Any, source: str, target: str) -> Callable[[Array], Array]:
    """Return a part of a graph as a function.

    Args:
        graph_def: A `GraphDef` without variables.
        source: Name of the node whose output is the argument; nodes before it do not run.
        target: Name of the node whose first output is returned.

    Returns:
        A function from the source's tensor to the target's, both as NumPy arrays.
    """
    run = function_to(graph_def, source, (target,))
    return lambda fed: run(fed)[0]


def function_to(
    graph_def: Any, source: str, targets: Sequence[str]
) -> Callable[[Array], tuple[Array, ...]]:
    """Return a part of a graph as a function with several results; else like `function_of`."""
    return function_in(imported(graph_def), source, targets)


def imported(graph_def: Any) -> Any:
    """Return a new `tf.Graph` of a `GraphDef`.

    Raises:
        ValueError: The shapes in it do not fit each other.
    """
    tf = tensorflow.load()
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    return graph


def function_in(
    graph: Any, source: str, targets: Sequence[str]
) -> Callable[[Array], tuple[Array, ...]]:
    """Return a part of a `tf.Graph` without variables as a function; else like `function_to`.

    A session runs it. To make a `tf.function` of it, TensorFlow would copy each operation twice in
    Python: 0.75 CPU-seconds until the first result of MobileNetV2, instead of 0.32.
    """
    tf = tensorflow.load()
    # What tensorflow.load() sets for functions.
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    rewriting.constant_folding = rewriting.OFF
    session = tf.compat.v1.Session(graph=graph, config=config)
    fed, wanted = tensor(source), [tensor(target) for target in targets]
    return lambda value: tuple(session.run(wanted, {fed: value}))


def shapes_of(graph_def: Any, tensors: set[str]) -> dict[str, list[int]]:
    """Return the shapes of tensors, as far as they are known before the graph runs.

    Args:
        graph_def: A `GraphDef` without variables.
        tensors: The tensors' names, as in the inputs of nodes.

    Returns:
        Shapes by name, with :data:`OPEN` for an unknown size; a tensor of unknown rank is left out.
    """
    graph = imported(graph_def)
    found = {}
    for name in tensors:
        shape = graph.get_tensor_by_name(tensor(name)).shape
        if shape.rank is not None:
            found[name] = [OPEN if side is None else side for side in shape.as_list()]
    return found


def tensor(name: str) -> str:
    """Return the name of a node's first output; the name of a tensor is returned unchanged."""
    return name if ":" in name else f"{name}:0"


def node_of(name: str) -> str:
    """Return the node's name in the name of an input, without output number and control mark."""
    return name.removeprefix("^").partition(":")[0]


def sources_of(node: Any) -> list[str]:
    """Return the nodes whose values a node reads, without its control inputs."""
    return [node_of(name) for name in node.input if not name.startswith("^")]


def probe_pictures(height: int, width: int, *, count: int, seed: int = 0) -> Array:
    """Return smooth random pictures to try a network on, float32 `[count, h, w, 3]` in 0…255.

    They are patches of random colour, a sixth of the picture wide, with blurred borders. As with
    photos, every network gives different answers to them.
    """
    random = np.random.default_rng(seed)
    patches = 7
    rows = np.linspace(0, patches - 1, height)
    columns = np.linspace(0, patches - 1, width)
    coarse = random.uniform(0, 255, (count, patches, patches, 3))
    between = _blend(_blend(coarse, rows, 1), columns, 2)
    return np.clip(between + random.normal(0, 8, between.shape), 0, 255).astype(np.float32)


def _blend(values: Array, places: Array, axis: int) -> Array:
    """Interpolate linearly along an axis."""
    low = np.minimum(places.astype(int), values.shape[axis] - 2)
    shape = [1] * values.ndim
    shape[axis] = len(places)
    share = (places - low).reshape(shape)
    first, second = values.take(low, axis), values.take(low + 1, axis)
    blended: Array = first * (1 - share) + second * share
    return blended
