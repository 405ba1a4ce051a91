"""What the page's first backend cannot run is named before a visitor meets it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import small_graphs, tfjs_wasm
from tests.small_graphs import CHANNELS, IMAGES, convolution, head, small, values
from toolchain import tf as tensorflow
from toolchain.quantize.unchanged import difference
from toolchain.site import web_bundle
from toolchain.tfjs import runnable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("graphs")


def _graphs() -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Return the clause that each is refused with, and a classifier."""
    tf = tensorflow.load()
    absent = "does not run on WebAssembly"

    def gathered(x: Any) -> Any:
        scores = head(convolution(x))
        places = tf.where(scores[0] > -1e9)
        return tf.gather(scores, places[:, 0], axis=1)

    def whole_numbers(x: Any) -> Any:
        counts = tf.raw_ops.ClipByValue(
            t=tf.cast(x * 9, tf.int32), clip_value_min=-5, clip_value_max=5
        )
        return head(convolution(tf.cast(counts, tf.float32)))

    def pooled(x: Any) -> Any:
        counts = tf.nn.max_pool2d(tf.cast(x * 9, tf.int32), 2, 2, "SAME")
        return head(convolution(tf.cast(counts, tf.float32)))

    def looped(x: Any) -> Any:
        return tf.while_loop(
            lambda y: tf.reduce_sum(y) < 1e6, lambda y: (y * y + 2.0,), (head(convolution(x)),)
        )[0]

    return {
        "Einsum": (absent, lambda x: head(tf.einsum("nhwc,cd->nhwd", x, values(3, 6)))),
        "Where": (absent, gathered),
        "Enter": (absent, looped),
        "Conv2D": (
            "strides and dilates at once",
            lambda x: head(tf.nn.conv2d(x, values(3, 3, 3, CHANNELS), 2, "SAME", dilations=2)),
        ),
        "Dilation2D": (
            "wrong numbers",
            lambda x: head(
                tf.nn.dilation2d(x, values(3, 3, 3), (1, 1, 1, 1), "SAME", "NHWC", (1, 1, 1, 1))
            ),
        ),
        "Cast": (
            "casts numbers to bool",
            lambda x: head(convolution(tf.cast(tf.cast(x, tf.bool), tf.float32)) + x[..., :1]),
        ),
        "OneHot": (
            "wrong numbers",
            lambda x: tf.one_hot(tf.argmax(head(convolution(x)), -1), 5) + head(x),
        ),
        "ClipByValue": ("not of float32", whole_numbers),
        "MaxPool": ("not of float32", pooled),
        "FakeQuantWithMinMaxVars": (
            "TF.js does not do",
            lambda x: head(tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 1.0, 3)),
        ),
    }


def model_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def offered() -> frozenset[str]:
    return web_bundle.load_runtimes()[-1].ops


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, small_graphs.Small]:
    return {
        operation: small(tmp_path_factory.mktemp("small"), call)
        for operation, (_, call) in _graphs().items()
    }


def test_what_cannot_be_run_is_named_with_the_reason(
    made: dict[str, small_graphs.Small], offered: frozenset[str]
) -> None:
    for operation, (reason, _) in _graphs().items():
        found = runnable.obstacles(model_of(made[operation].folder), offered)
        own = [clause for clause in found if clause.startswith(f"{operation} ")]
        assert own, (operation, found)
        assert reason in own[0]


def test_types_that_it_lacks_are_named(offered: frozenset[str], tmp_path: Path) -> None:
    tf = tensorflow.load()
    each = small(tmp_path, lambda x: head(tf.cast(tf.cast(x, tf.bfloat16), tf.float32)))
    (found,) = runnable.obstacles(model_of(each.folder), offered)
    assert found.startswith("Cast ")
    assert found.endswith("casts to a dtype that TF.js lacks")
    (answer,) = tfjs_wasm.outputs([each.folder], IMAGES, tmp_path)
    assert isinstance(answer, str)
    bytes_ = small(
        tmp_path / "bytes",
        lambda x: head(tf.cast(tf.cast(x * 9, tf.uint8) + tf.constant(2, tf.uint8), tf.float32)),
    )
    (found,) = runnable.obstacles(model_of(bytes_.folder), offered)
    assert found.endswith("is of uint8, which TF.js lacks")
    (answer,) = tfjs_wasm.outputs([bytes_.folder], IMAGES, tmp_path)
    assert isinstance(answer, str)


def test_webassembly_fails_at_each_or_gives_other_numbers(
    made: dict[str, small_graphs.Small], tmp_path: Path
) -> None:
    answers = tfjs_wasm.outputs([each.folder for each in made.values()], IMAGES, tmp_path)
    for (operation, each), answer in zip(made.items(), answers, strict=True):
        if not isinstance(answer, str):
            assert difference(each.expected, answer) > 1e-3, operation


def test_the_sentence_names_the_model_and_the_way_out(
    made: dict[str, small_graphs.Small], offered: frozenset[str], tmp_path: Path
) -> None:
    said = runnable.sentence(model_of(made["Einsum"].folder), offered, "birds.keras")
    assert said is not None
    assert said.startswith("birds.keras cannot run in a browser: Einsum ")
    assert said.endswith("; replace such operations in the model")
    fine = small(tmp_path, lambda x: head(convolution(x)))
    assert runnable.sentence(model_of(fine.folder), offered, "birds.keras") is None


def _changed(model: dict[str, Any], operation: str, **attributes: Any) -> dict[str, Any]:
    for node in model["modelTopology"]["node"]:
        if node["op"] == operation:
            node["attr"] |= attributes
    return model


CHANGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "channels first": ("Conv2D", {"data_format": {"s": "TkNIVw=="}}, "channels last"),
    "a pooling over channels": (
        "MaxPool",
        {"ksize": {"list": {"i": ["1", "1", "1", "3"]}}},
        "over images or channels",
    ),
    "a pooling with its own padding": (
        "MaxPool",
        {"padding": {"s": "RVhQTElDSVQ="}},
        "explicit padding",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_the_attributes_say_is_looked_at(
    offered: frozenset[str], tmp_path: Path, what: str
) -> None:
    tf = tensorflow.load()
    each = small(tmp_path, lambda x: head(tf.nn.max_pool2d(convolution(x), 2, 2, "SAME")))
    operation, attributes, reason = CHANGES[what]
    assert runnable.obstacles(model_of(each.folder), offered) == ()
    (found,) = runnable.obstacles(_changed(model_of(each.folder), operation, **attributes), offered)
    assert found.startswith(f"{operation} ")
    assert reason in found
