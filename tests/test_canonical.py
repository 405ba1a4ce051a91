"""The graph that compression works on computes what the converted one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from tests.small_graphs import (
    CHANNELS,
    CLASSES,
    IMAGES,
    SIDE,
    Small,
    convolution,
    head,
    small,
    values,
)
from toolchain import tf as tensorflow
from toolchain.errors import ToolchainError
from toolchain.progress import Silent
from toolchain.quantize import canonical, layer_graph, quantizer, sensitivity, unchanged
from toolchain.quantize.judge import outputs
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched
from toolchain.tfjs import stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("graphs")

CLOSE = 1e-5
PADDING = [[0, 0], [1, 2], [0, 1], [0, 0]]


def _pooled(x: Any) -> Any:
    tf = tensorflow.load()
    return tf.reduce_mean(tf.nn.relu(convolution(x)), (1, 2))


def _with_factor(*shape: int) -> Callable[[Any], Any]:
    tf = tensorflow.load()
    return lambda x: head(tf.nn.relu(convolution(x) * values(*shape, mean=1.0)))


def _with_term(*shape: int) -> Callable[[Any], Any]:
    tf = tensorflow.load()
    bias = values(CHANNELS, seed=4)

    return lambda x: head(tf.nn.relu(tf.nn.bias_add(convolution(x), bias) + values(*shape)))


def _constants_of_every_shape() -> dict[str, Callable[[Any], Any]]:
    shapes = {
        "row": (CHANNELS,),
        "rank 4": (1, 1, 1, CHANNELS),
        "scalar": (),
        "one": (1,),
        "column": (SIDE, 1),
        "rows": (SIDE, 1, 1),
        "places": (1, SIDE, SIDE, 1),
        "whole": (SIDE, SIDE, CHANNELS),
    }
    made = {f"factor: {name}": _with_factor(*shape) for name, shape in shapes.items()}
    made |= {f"term: {name}": _with_term(*shape) for name, shape in shapes.items()}
    return made


def _dense() -> dict[str, Callable[[Any], Any]]:
    tf = tensorflow.load()
    square, row = values(CHANNELS, CHANNELS), values(CHANNELS, mean=1.0)
    last = values(CHANNELS, CLASSES, seed=2)

    def tied(x: Any) -> Any:
        matrix = tf.constant(square)
        hidden = tf.nn.relu(_pooled(x) @ matrix)
        return (tf.matmul(hidden, matrix, transpose_b=True) * row) @ last

    return {
        "transposed, scaled": lambda x: (
            tf.nn.relu(tf.matmul(_pooled(x), square, transpose_b=True) * row) @ last
        ),
        "transposed, not square": lambda x: tf.matmul(_pooled(x), last.T.copy(), transpose_b=True),
        "one matrix, both ways": tied,
        "factor of rank 4": lambda x: tf.reshape(
            (_pooled(x) @ last) * values(1, 1, 1, CLASSES), (-1, CLASSES)
        ),
        "term that adds columns": lambda x: _pooled(x) @ values(CHANNELS, 1) + values(CLASSES),
        "factor that adds columns": lambda x: (_pooled(x) @ values(CHANNELS, 1)) * values(CLASSES),
    }


def _shared() -> dict[str, Callable[[Any], Any]]:
    tf = tensorflow.load()
    row = values(CHANNELS, mean=1.0)

    def kernel(x: Any) -> Any:
        weights = tf.constant(values(3, 3, CHANNELS, CHANNELS) / 4)
        y = tf.nn.relu(tf.nn.conv2d(convolution(x), weights, 1, "SAME"))
        return head(tf.nn.conv2d(y, weights, 1, "SAME"))

    def kinds(x: Any) -> Any:
        weights = tf.constant(values(3, 3, CHANNELS, 2))
        y = convolution(x)
        wide = tf.nn.depthwise_conv2d(y, weights, (1, 1, 1, 1), "SAME")
        return head(tf.concat([wide, tf.nn.conv2d(y, weights, 1, "SAME")], -1))

    def biases(x: Any) -> Any:
        zeros = tf.constant(np.zeros(CHANNELS, np.float32))
        y = tf.nn.relu(tf.nn.bias_add(convolution(x), zeros))
        z = tf.nn.bias_add(convolution(y, 1), zeros) + y + row
        return head(tf.nn.relu(tf.nn.bias_add(convolution(z, 2), zeros)))

    def output(x: Any) -> Any:
        y = convolution(x)
        return head(y * row + tf.nn.relu(y))

    return {
        "one kernel, two layers": kernel,
        "one kernel, two kinds": kinds,
        "one bias of zeros": biases,
        "with its factor and without": output,
    }


def _branches() -> dict[str, Callable[[Any], Any]]:
    tf = tensorflow.load()
    row, half = values(CHANNELS), CHANNELS // 2

    def groups(x: Any) -> Any:
        first, second = tf.split(tf.nn.relu(convolution(x)), 2, -1)
        return head(tf.concat([convolution(first, 1, half), convolution(second, 2, half)], -1))

    def unpacked(x: Any) -> Any:
        y = tf.stack([convolution(x), convolution(x, 1)], 1)
        first, second = tf.unstack(y, axis=1)
        return head(first + tf.nn.relu(second) * row)

    def added(x: Any) -> Any:
        y = convolution(x)
        return head(tf.add_n([convolution(y, 1), y, convolution(y, 2)]) + row)

    def larger(x: Any) -> Any:
        y = convolution(x)
        small_ = tf.nn.conv2d(
            tf.reduce_mean(y, (1, 2), keepdims=True), values(1, 1, CHANNELS, CHANNELS), 1, "SAME"
        )
        return head((small_ + y) + row) + head(tf.nn.relu(small_ + y + row))

    return {
        "groups": groups,
        "unpacked": unpacked,
        "AddN": added,
        "a sum that is larger than its layer": larger,
        "padded": lambda x: head(tf.nn.conv2d(tf.pad(x, PADDING), values(3, 3, 3, 4), 1, "VALID")),
        "best first": lambda x: tf.math.top_k(head(convolution(x)), CLASSES)[0],
    }


GRAPHS = ("constants", "dense", "shared", "branches")


def _graphs(kind: str) -> dict[str, Callable[[Any], Any]]:
    makers = {
        "constants": _constants_of_every_shape,
        "dense": _dense,
        "shared": _shared,
        "branches": _branches,
    }
    return makers[kind]()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Small]:
    return {
        name: small(tmp_path_factory.mktemp("small"), call)
        for kind in GRAPHS
        for name, call in _graphs(kind).items()
    }


def read(each: Small) -> layer_graph.LayerGraph:
    return canonical.read(each.folder, "model.json")


def operations(read_: layer_graph.LayerGraph) -> list[str]:
    return [read_.nodes[name].op for name in read_.order()]


def test_the_answer_is_the_converted_ones(made: dict[str, Small]) -> None:
    moved = {}
    for name, each in made.items():
        canonical = outputs(read(each), IMAGES)
        moved[name] = max(
            unchanged.difference(each.expected, each.converted),
            unchanged.difference(each.converted, canonical),
        )
    assert len(moved) == 32
    assert {name: by for name, by in moved.items() if not by < CLOSE} == {}


def test_only_constants_along_the_channels_are_folded(made: dict[str, Small]) -> None:
    along = ("row", "rank 4", "scalar", "one")
    for name, each in made.items():
        kind, _, shape = name.partition(": ")
        if kind == "factor":
            assert ("Mul" in operations(read(each))) == (shape not in along), name
        if kind == "term":
            assert ("AddV2" in operations(read(each))) == (shape not in along), name


def test_transposed_dense_layers_are_layers(made: dict[str, Small]) -> None:
    for name in ("transposed, scaled", "transposed, not square", "one matrix, both ways"):
        found = read(made[name])
        products = [each for each in operations(found) if each == "MatMul"]
        assert [layer.kind for layer in found.layers].count("dense") == len(products), name
    assert "Mul" not in operations(read(made["transposed, scaled"]))


def test_every_layer_has_a_bias_of_its_own(made: dict[str, Small]) -> None:
    for name, each in made.items():
        found = read(each)
        consumers = found.consumers()
        for layer in found.layers:
            (add,) = consumers[layer.name]
            assert consumers[layer.bias] == [add], name
            assert found.nodes[add].op == "BiasAdd", name


def test_kernels_that_are_shared_stay_so_and_are_rounded_once(made: dict[str, Small]) -> None:
    found = read(made["one kernel, two layers"])
    shared = [layer for layer in found.layers if layer.kernel == found.layers[-2].kernel]
    assert len(shared) == 2
    felt = sensitivity.measure(found, IMAGES[:1], seed=0, progress=Silent())
    result = quantizer.Quantizer(found, IMAGES, felt, seed=0, progress=Silent()).run(1e-9, Silent())
    assert result.kernels.keys() == {layer.kernel for layer in found.layers}
    float_, rounded = outputs(found, IMAGES), outputs(result.applied_to(found), IMAGES)
    assert unchanged.difference(float_, rounded) < 0.05


def test_grouped_convolutions_read_each_their_part(made: dict[str, Small]) -> None:
    found = read(made["groups"])
    parts = [layer.input for layer in found.layers if "split" in layer.input]
    assert len(parts) == 2
    assert parts[1] == f"{parts[0]}:1"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, session_store: Store) -> stage.TfjsModel:
    path = tiny_models.saved_model(tmp_path_factory.mktemp("tiny") / "model")
    declared = Declared(name="Five things", labels=tiny_models.names(), value_range=(0, 1))
    return stage.run(
        Fetched(path, "6" * 64, "tiny", declared),
        quantization="none",
        shard_bytes=4 << 20,
        store=session_store,
        progress=Silent(),
    )


def test_a_canonical_graph_that_answers_otherwise_is_an_error(converted: stage.TfjsModel) -> None:
    found = canonical.read(converted.folder, converted.converted.artifacts.model_json)
    unchanged.check(converted, found, seed=0)
    kernel = found.layers[0].kernel
    moved = found.with_weights({kernel: found.weights[kernel] * np.float32(1.1)})
    with pytest.raises(ToolchainError, match=r"Five things cannot be quantised.*float16"):
        unchanged.check(converted, moved, seed=0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_so_is_one_that_answers_no_number(converted: stage.TfjsModel, value: float) -> None:
    found = canonical.read(converted.folder, converted.converted.artifacts.model_json)
    bias = found.layers[-1].bias
    moved = found.with_weights({bias: np.full_like(found.weights[bias], value)})
    with pytest.raises(ToolchainError, match="changed the output by inf"):
        unchanged.check(converted, moved, seed=0)


def test_answers_of_another_shape_differ() -> None:
    one = np.ones((2, 3), np.float32)
    assert unchanged.difference(one, one) == 0
    assert unchanged.difference(one, np.ones((3, 2), np.float32)) == float("inf")
