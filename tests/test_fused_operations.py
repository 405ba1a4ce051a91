"""What the converter fuses, and what TF.js' WebAssembly backend runs of that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import small_graphs, tfjs_wasm
from tests.small_graphs import CHANNELS, CLASSES, IMAGES, convolution, head, small, values
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.progress import Silent
from toolchain.quantize import canonical, quantizer, writing
from toolchain.quantize.unchanged import difference
from toolchain.tfjs import execute
from toolchain.tfjs_graph import fused
from toolchain.tfjs_graph import topology as tfjs_topology
from toolchain.tfjs_graph import weights as tfjs_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("graphs")

CLOSE = 1e-5  # of the largest output: sums in another order


def _sums() -> dict[str, Callable[[Any], Any]]:
    """Return classifiers whose bias has every shape that the converter meets."""
    tf = tensorflow.load()
    row, four = values(CHANNELS), values(1, 1, 1, CHANNELS)

    def behind(term: Any) -> Callable[[Any], Any]:
        return lambda x: head(tf.nn.relu(convolution(x) + term))

    def residual(x: Any) -> Any:
        y = tf.nn.relu(convolution(x))
        z = tf.nn.relu(convolution(y, 1) + y)
        return head(convolution(z, 2) + z)

    def depthwise(term: Any) -> Callable[[Any], Any]:
        kernel = values(3, 3, 3, 2)
        return lambda x: head(
            tf.nn.relu(tf.nn.depthwise_conv2d(x, kernel, (1, 1, 1, 1), "SAME") + term)
        )

    def shared(x: Any) -> Any:
        four = tf.constant(values(1, 1, 1, CHANNELS))
        return head(tf.nn.relu(convolution(tf.nn.relu(convolution(x) + four), 1) + four) * four)

    return {
        "a row": behind(row),
        "rank 4": behind(four),
        "rank 3": behind(four[0]),
        "a scalar": behind(np.float32(0.7)),
        "one number": behind(np.array([0.7], np.float32)),
        "a column": behind(values(small_graphs.SIDE, 1)),
        "a whole picture": behind(values(16, 16, CHANNELS)),
        "another branch": residual,
        "shared by two layers and a product": shared,
        "depthwise rank 4": depthwise(values(1, 1, 1, 6)),
        "depthwise scalar": depthwise(np.float32(-0.2)),
        "dense scalar": lambda x: tf.nn.relu(head(convolution(x)) + 0.5),
        "dense rank 2": lambda x: head(convolution(x)) + values(1, CLASSES),
        "dense of a higher rank": lambda x: tf.reshape(
            head(convolution(x)) + values(1, 1, 1, CLASSES), (-1, CLASSES)
        ),
        "dense of one column": lambda x: (
            tf.reduce_mean(convolution(x), (1, 2)) @ values(CHANNELS, 1) + values(CLASSES)
        ),
        "dense transposed": lambda x: (
            tf.matmul(
                tf.reduce_mean(convolution(x), (1, 2)),
                values(CLASSES, CHANNELS),
                transpose_b=True,
            )
            + values(CLASSES)
        ),
    }


def _activations() -> dict[str, Callable[[Any], Any]]:
    """Return classifiers with every activation that the converter may fuse."""
    tf = tensorflow.load()
    bias = values(CHANNELS)

    def with_slopes(*shape: int, biased: bool = True) -> Callable[[Any], Any]:
        slopes = values(*shape, seed=3)

        def call(x: Any) -> Any:
            y = tf.nn.bias_add(convolution(x), bias) if biased else convolution(x)
            return head(tf.nn.relu(y) + (-slopes) * tf.nn.relu(-y))

        return call

    def of(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: head(function(tf.nn.bias_add(convolution(x), bias)))

    row = values(CLASSES)
    return {
        "relu": of(tf.nn.relu),
        "relu6": of(tf.nn.relu6),
        "elu": of(tf.nn.elu),
        "sigmoid": of(tf.nn.sigmoid),
        "tanh": of(tf.nn.tanh),
        "leaky relu": of(lambda y: tf.nn.leaky_relu(y, 0.37)),
        "gelu": of(lambda y: tf.nn.gelu(y, approximate=True)),
        "relu without a bias": lambda x: head(tf.nn.relu(convolution(x))),
        "dense tanh": lambda x: tf.nn.tanh(head(convolution(x)) + row),
        "dense gelu": lambda x: tf.nn.gelu(head(convolution(x)) + row, approximate=True),
        "dense leaky relu": lambda x: tf.nn.leaky_relu(head(convolution(x)) + row, 0.4),
        "prelu by channel": with_slopes(CHANNELS),
        "prelu as Keras shapes it": with_slopes(1, 1, CHANNELS),
        "prelu of every place": with_slopes(16, 16, CHANNELS),
        "prelu by row": with_slopes(16, 1, 1),
        "prelu without a bias": with_slopes(1, 1, CHANNELS, biased=False),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, small_graphs.Small]:
    return {
        name: small(tmp_path_factory.mktemp("small"), function)
        for name, function in (_sums() | _activations()).items()
    }


def fused_nodes(model: dict[str, Any]) -> list[Any]:
    return [node for node in tfjs_topology.graph_of(model).node if node.op in fused.FUSED]


def model_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    return loaded


def test_every_sum_and_activation_is_converted_as_it_is(
    made: dict[str, small_graphs.Small],
) -> None:
    moved = {name: difference(each.expected, each.converted) for name, each in made.items()}
    assert {name: by for name, by in moved.items() if not by < CLOSE} == {}


def test_webassembly_runs_all_of_them(made: dict[str, small_graphs.Small], tmp_path: Path) -> None:
    answers = tfjs_wasm.outputs([each.folder for each in made.values()], IMAGES, tmp_path)
    wrong = {
        name: answer if isinstance(answer, str) else difference(each.expected, answer)
        for (name, each), answer in zip(made.items(), answers, strict=True)
        if isinstance(answer, str) or not difference(each.expected, answer) < CLOSE
    }
    assert wrong == {}


def test_a_bias_by_channel_stays_fused_whatever_its_shape(
    made: dict[str, small_graphs.Small],
) -> None:
    for name in ("a row", "rank 4", "rank 3", "a scalar", "one number", "depthwise scalar"):
        model = model_of(made[name].folder)
        shapes = tfjs_weights.constant_shapes(model)
        (node,) = (node for node in fused_nodes(model) if "MatMul" not in node.op)
        assert fused.steps_of(node) == ["BiasAdd", "Relu"], name
        assert len(shapes[node.input[2]]) == 1, name


@pytest.mark.parametrize("quantization", ["float16", "uint16", "uint8"])
def test_stored_forms_are_mended_too(tmp_path: Path, quantization: Any) -> None:
    each = small(tmp_path, _sums()["shared by two layers and a product"], quantization=quantization)
    nodes = fused_nodes(model_of(each.folder))
    assert [
        len(tfjs_weights.constant_shapes(model_of(each.folder))[n.input[2]]) for n in nodes
    ] == [1] * 2
    assert difference(each.expected, each.converted) < (0.2 if quantization == "uint8" else 0.01)


def test_what_a_graph_ends_with_keeps_its_name(made: dict[str, small_graphs.Small]) -> None:
    for name, each in made.items():
        model = model_of(each.folder)
        (output,) = model["signature"]["outputs"].values()
        assert output["name"].split(":")[0] in {
            node["name"] for node in model["modelTopology"]["node"]
        }, name


def _with_row_of(shape: tuple[int, ...]) -> Callable[[dict[str, Any]], None]:
    def change(model: dict[str, Any]) -> None:
        (node,) = (node for node in fused_nodes(model) if node.op == "_FusedConv2D")
        for entry in model["weightsManifest"][0]["weights"]:
            if entry["name"] == node.input[2]:
                entry["shape"] = list(shape)

    return change


def _with_attribute(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(model: dict[str, Any]) -> None:
        for node in model["modelTopology"]["node"]:
            if node["op"] == "_FusedConv2D":
                node["attr"][key] = value

    return change


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a bias of rank 4": (_with_row_of((1, 1, 1, CHANNELS)), "not one constant for each channel"),
    "a bias of rank 2": (_with_row_of((1, CHANNELS)), "not one constant for each channel"),
    "channels first": (_with_attribute("data_format", {"s": "TkNIVw=="}), "channels first"),
    "an activation that it lacks": (
        _with_attribute("fused_ops", {"list": {"s": ["Qmlhc0FkZA==", "VGFuaA=="]}}),
        "fuses Tanh",
    ),
    "an activation alone": (
        _with_attribute("fused_ops", {"list": {"s": ["UmVsdQ=="]}}),
        "without a bias before it",
    ),
    "another number of arguments": (_with_attribute("num_args", {"i": "2"}), "arguments"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_python_refuses_what_webassembly_refuses(
    made: dict[str, small_graphs.Small], tmp_path: Path, what: str
) -> None:
    change, reason = BROKEN[what]
    source = made["a row"].folder
    model = model_of(source)
    change(model)
    for shard in source.glob("*.bin"):
        (tmp_path / shard.name).write_bytes(shard.read_bytes())
    (tmp_path / "model.json").write_text(json.dumps(model), "utf-8")
    with pytest.raises(BadInputError, match=reason):
        execute.load(tmp_path, "model.json")


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("prelu by channel", ["BiasAdd", "Prelu"]),
        ("prelu of every place", ["BiasAdd", "Prelu"]),
        ("prelu by row", ["BiasAdd"]),
        ("relu6", ["BiasAdd", "Relu6"]),
    ],
)
def test_quantised_artifacts_fuse_what_can_be_fused_again(
    made: dict[str, small_graphs.Small], tmp_path: Path, name: str, steps: list[str]
) -> None:
    read = canonical.read(made[name].folder, "model.json")
    felt = {layer.name: np.ones(read.weights[layer.bias].shape) for layer in read.layers}
    quantiser = quantizer.Quantizer(read, IMAGES, felt, seed=0, progress=Silent())
    result = quantiser.run(1e-9, Silent())
    packed = tmp_path / "packed"
    packed.mkdir()
    writing.write(
        read.with_weights(result.biases),
        result.kernels,
        packed,
        form="packed",
        shard_bytes=4 << 20,
    )
    (node,) = (each for each in fused_nodes(model_of(packed)) if each.op == "_FusedConv2D")
    assert fused.steps_of(node) == steps
    plain = tfjs_wasm.unpacked(packed, "model.json", tmp_path / "plain")
    (answer,) = tfjs_wasm.outputs([plain], IMAGES, tmp_path)
    assert not isinstance(answer, str), answer
    assert difference(made[name].expected, answer) < 0.05


def test_grouped_convolutions_are_refused_as_tfjs_does(tmp_path: Path) -> None:
    tf = tensorflow.load()
    each = small(
        tmp_path,
        lambda x: head(tf.nn.conv2d(convolution(x), values(3, 3, CHANNELS // 2, 6), 1, "SAME")),
    )
    (answer,) = tfjs_wasm.outputs([each.folder], IMAGES, tmp_path)
    assert isinstance(answer, str)
    with pytest.raises(BadInputError, match="8 channels in groups of 4"):
        execute.load(each.folder, "model.json")


@pytest.mark.parametrize("kind", ["float16", "float64", "int64"])
def test_types_that_tfjs_lacks_are_computed_as_it_does(tmp_path: Path, kind: str) -> None:
    tf = tensorflow.load()

    def call(x: Any) -> Any:
        scores = head(convolution(x))
        doubled = tf.cast(tf.nn.relu(scores) * 9, kind) * tf.constant(2, kind)
        return scores + tf.cast(doubled, tf.float32)

    each = small(tmp_path, call)
    (answer,) = tfjs_wasm.outputs([each.folder], IMAGES, tmp_path)
    assert not isinstance(answer, str), answer
    assert difference(each.converted, answer) < CLOSE
    assert difference(each.expected, answer) < 1e-3


def test_keras_models_that_webassembly_could_not_run_do(tmp_path: Path) -> None:
    keras = tensorflow.load().keras
    layers = keras.layers
    random = np.random.default_rng(0)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization(axis=3)(x))
    y = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.Add()([y, x]))
    y = layers.SeparableConv2D(8, 3, padding="same", use_bias=False)(x)
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(layers.Add()([x, y]))
    model = keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))
    model.set_weights([w + random.uniform(0.01, 0.3, w.shape) for w in model.get_weights()])
    each = small(tmp_path, lambda x: model(x, training=False), *model.variables)
    (answer,) = tfjs_wasm.outputs([each.folder], IMAGES, tmp_path)
    assert not isinstance(answer, str), answer
    assert difference(each.expected, answer) < CLOSE
