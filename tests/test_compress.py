"""Compression: the graph it works on, its rounding, its two forms, and what it promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests import tiny_models
from tests.browser import chromium, logits_in_stock_tfjs
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, ToolchainError
from toolchain.progress import Silent
from toolchain.quantize import (
    calibration,
    canonical,
    clipping,
    judge,
    layer_graph,
    pruning,
    quantizer,
    rounding,
    sensitivity,
    stage,
    writing,
)
from toolchain.quantize.quantizer import entropy
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched
from toolchain.tfjs import execute
from toolchain.tfjs import stage as tfjs
from toolchain.tfjs_graph import packing
from toolchain.tfjs_graph import weights as tfjs_weights

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("compress")

LABELS = tuple("abcde")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, session_store: Store) -> tfjs.TfjsModel:
    """A Keras export with convolution, depthwise convolution, BatchNorm and dense layer."""
    keras = tensorflow.load().keras
    layers = keras.layers
    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, 2, "same", use_bias=False)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    entry = x
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(16, 1, use_bias=False)(x)
    x = layers.Add()([entry, layers.BatchNormalization()(x)])
    x = layers.Conv2D(64, 1)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    model = keras.Model(image, layers.Dense(len(LABELS))(x))
    random = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            size = layer.gamma.shape[0]
            draws = [random.uniform(low, high, size) for low, high in ((0.5, 2), (-1, 1), (-1, 1))]
            layer.set_weights([*draws, random.uniform(0.5, 2, size)])
    path = tmp_path_factory.mktemp("keras") / "model"
    model.export(str(path), format="tf_saved_model", verbose=False)
    fetched = Fetched(path, "1" * 64, "test", Declared(labels=LABELS, value_range=(0, 1)))
    return tfjs.run(
        fetched,
        quantization="none",
        shard_bytes=4 << 20,
        store=session_store,
        progress=Silent(),
    )


@pytest.fixture(scope="module")
def read(source: tfjs.TfjsModel) -> layer_graph.LayerGraph:
    return canonical.read(source.folder, source.converted.artifacts.model_json)


@pytest.fixture(scope="module")
def images() -> np.ndarray[Any, Any]:
    return np.random.default_rng(5).uniform(0, 1, (24, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def quantiser(read: layer_graph.LayerGraph, images: np.ndarray[Any, Any]) -> quantizer.Quantizer:
    felt = sensitivity.measure(read, images[:8], seed=0, progress=Silent())
    return quantizer.Quantizer(read, images, felt, seed=0, progress=Silent())


def test_folding_leaves_a_bias_behind_every_layer_and_the_answer_as_it_was(
    source: tfjs.TfjsModel, read: layer_graph.LayerGraph, images: np.ndarray[Any, Any]
) -> None:
    operations = [read.nodes[name].op for name in read.order()]
    assert len(read.layers) == 5
    assert operations.count("BiasAdd") == 5
    assert "Mul" not in operations
    before = execute.load(source.folder, source.converted.artifacts.model_json)(images)
    after = judge.outputs(read, images)
    # Folding multiplies in another order, so float32's last bits differ.
    assert np.abs(before - after).max() < 1e-4 * np.abs(before).max()


@pytest.mark.parametrize("form", writing.FORMATS)
def test_both_forms_hold_the_same_weights_to_the_bit(
    read: layer_graph.LayerGraph,
    quantiser: quantizer.Quantizer,
    images: np.ndarray[Any, Any],
    tmp_path: Path,
    form: writing.Format,
) -> None:
    result = quantiser.run(quantiser.coarseness_for(2000), Silent())
    changed = read.with_weights(result.biases)
    writing.write(changed, result.kernels, tmp_path, form=form, shard_bytes=500)
    assert len(list(tmp_path.glob("*.bin"))) > 1
    model = json.loads((tmp_path / "model.json").read_text("utf-8"))
    decoded = tfjs_weights.decode_weights(tmp_path, model)
    for name, rounded in result.kernels.items():
        expected = rounded.decode().reshape(read.weights[name].shape)
        if form == "packed":
            found = decoded[name]
        else:
            whole = decoded[f"{name}/whole"].astype(np.float64)
            found = (whole * decoded[f"{name}/steps"]).astype(np.float32)
        assert found.tobytes() == expected.tobytes()
    answers = execute.load(tmp_path, "model.json")(images)
    assert np.abs(answers - judge.outputs(result.applied_to(read), images)).max() < 1e-4


def test_more_bytes_bring_a_smaller_error(
    read: layer_graph.LayerGraph, quantiser: quantizer.Quantizer, images: np.ndarray[Any, Any]
) -> None:
    exact = judge.outputs(read, images)
    errors = []
    for wanted in (1200, 1800, 2400):
        result = quantiser.run(quantiser.coarseness_for(wanted), Silent())
        answers = judge.outputs(result.applied_to(read), images)
        errors.append(float(np.abs(answers - exact).mean()))
    assert errors[0] > errors[1] > errors[2]


def test_an_estimate_is_near_what_the_rounding_comes_to(quantiser: quantizer.Quantizer) -> None:
    coarseness = quantiser.coarseness_for(2000)
    assert quantiser.estimate(coarseness) == pytest.approx(2000, rel=0.05)
    assert quantiser.run(coarseness, Silent()).bytes == pytest.approx(2000, rel=0.15)


def compress(source: tfjs.TfjsModel, store: Store, **options: Any) -> stage.Compressed:
    return stage.run(source, QuantizeSettings(**options), store=store, progress=Silent())


def test_the_same_input_and_seed_give_the_same_bytes(
    source: tfjs.TfjsModel, store: Store, tmp_path: Path
) -> None:
    from toolchain.cache.store import Store as AnotherStore

    one = compress(source, store, recipe="mixed")
    other = compress(source, AnotherStore(tmp_path / "another"), recipe="mixed")
    assert one.model.folder != other.model.folder
    assert one.model.converted.artifacts == other.model.converted.artifacts
    assert one.plan == other.plan
    assert compress(source, store, recipe="mixed").model.reused


def test_recipes_take_the_bits_they_say(source: tfjs.TfjsModel, store: Store) -> None:
    plans = {name: compress(source, store, recipe=name).plan for name in ("int8", "mixed", "tiny")}
    assert plans["int8"].bits > plans["mixed"].bits > plans["tiny"].bits
    assert [tensor.name for tensor in plans["tiny"].tensors] == [
        tensor.name for tensor in plans["int8"].tensors
    ]
    assert all(tensor.error < 0.02 for tensor in plans["int8"].tensors)


def test_auto_keeps_the_drop_or_says_what_is_nearest(source: tfjs.TfjsModel, store: Store) -> None:
    found = compress(source, store, recipe="auto", max_drop=20.0)
    assert found.verdict is not None
    # There are no photos, so it is the drop that the float network's scores let expect.
    assert found.verdict.expected_drop is not None
    assert found.verdict.expected_drop.high <= 20.0
    with pytest.raises(ToolchainError, match=r"the nearest found has .* --max-drop") as raised:
        compress(source, store, recipe="auto", max_drop=0.0, max_bytes=300)
    assert "MB" in str(raised.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named(
    source: tfjs.TfjsModel, tmp_path: Path, value: float
) -> None:
    artifacts = source.converted.artifacts
    model = json.loads((source.folder / artifacts.model_json).read_text("utf-8"))
    entry = model["weightsManifest"][0]["weights"][0]
    for shard in artifacts.shards:
        data = bytearray((source.folder / shard).read_bytes())
        data[:4] = np.float32(value).tobytes()
        (tmp_path / shard).write_bytes(data)
    (tmp_path / "model.json").write_text(json.dumps(model), "utf-8")
    with pytest.raises(BadInputError, match="NaN or infinity") as raised:
        canonical.read(tmp_path, "model.json")
    assert entry["name"] in str(raised.value)


def test_generated_pictures_stay_in_the_value_range_and_repeat(source: tfjs.TfjsModel) -> None:
    spec = source.converted.card.input
    one, other = (calibration.generated(spec, count=2, seed=4) for _ in range(2))
    assert one.shape == (2, 32, 32, 3)
    assert one.dtype == np.float32
    assert (one == other).all()
    low, high = spec.value_range
    assert low <= one.min() < one.max() <= high
    assert one.std() > 0.1 * (high - low)


kernels = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 12), st.integers(1, 6)),
    elements=st.floats(-8, 8, width=32),
)


@settings(deadline=None, max_examples=60)
@given(weights=kernels, step=st.floats(2**-4, 2.0))
def test_rounding_with_unrelated_inputs_moves_no_weight_past_half_a_step(
    weights: np.ndarray[Any, Any], step: float
) -> None:
    # With a diagonal covariance there is nothing to hand on, so this is plain rounding.
    steps = np.full(weights.shape[1], max(step, 8 / rounding.LARGEST), np.float32)
    rounded = rounding.round_weights(
        weights, rounding.decompose(np.eye(len(weights))), steps, pruning.ROUNDING
    )
    assert np.abs(rounded.values).max() <= rounding.LARGEST
    error = np.abs(rounded.decode() - weights)
    assert (error <= steps / 2 * (1 + 1e-6)).all()


@settings(deadline=None, max_examples=60)
@given(
    values=arrays.arrays(
        np.int16,
        st.tuples(st.integers(0, 9), st.integers(1, 7)),
        elements=st.integers(-127, 127),
    ),
    exponent=st.integers(-10, 3),
)
def test_what_is_packed_is_unpacked_to_the_bit(values: np.ndarray[Any, Any], exponent: int) -> None:
    channels = values.shape[1]
    steps = (np.float32(2.0**exponent) * np.arange(1, channels + 1, dtype=np.float32)) / 3
    rounded = rounding.Rounded(values, steps.astype(np.float32))
    entry = {"name": "w", "shape": list(values.shape), "packed": {"channels": channels}}
    data = bytes(range(channels)) + (values.T + packing.ZERO).astype(np.uint8).tobytes()
    found = packing.unpack(entry, data, rounded.steps)
    assert found.tobytes() == rounded.decode().tobytes()


def test_damaged_packed_weights_are_refused() -> None:
    entry = {"name": "w", "shape": [2, 2], "packed": {"channels": 2}}
    good = bytes((0, 1, 128, 129, 130, 131))
    scales = np.ones(2, np.float32)
    assert packing.unpack(entry, good, scales).shape == (2, 2)
    for bad in (good[:-1], good + b"\0", b"\2" + good[1:]):
        with pytest.raises(BadInputError, match="packed weight w is damaged"):
            packing.unpack(entry, bad, scales)


@given(values=arrays.arrays(np.int8, st.integers(0, 50)))
def test_entropy_is_that_of_the_counts(values: np.ndarray[Any, Any]) -> None:
    bits = entropy(values)
    assert 0 <= bits <= np.log2(max(1, len(set(values.tolist())))) + 1e-9


def test_a_constant_kernel_and_a_dead_channel_survive(read: layer_graph.LayerGraph) -> None:
    weights = np.zeros((6, 3))
    weights[:, 1] = 0.5
    finest = clipping.finest_steps(weights, rounding.LARGEST)
    steps = quantizer.steps_on_grid(np.full(3, 1e-3), finest)
    rounded = rounding.round_weights(
        weights, rounding.decompose(np.zeros((6, 6))), steps, pruning.ROUNDING
    )
    assert np.isfinite(rounded.decode()).all()
    assert np.abs(rounded.decode() - weights).max() < 0.005
    assert read.layers


def test_an_unmodified_tfjs_loads_the_stock_form(
    source: tfjs.TfjsModel, store: Store, images: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    made = compress(source, store, recipe="mixed", form="stock").model
    model_json = made.converted.artifacts.model_json
    with chromium() as browser:
        found = logits_in_stock_tfjs(
            browser.new_page(), tmp_path / "host", made.folder, model_json, images[0]
        )
    expected = execute.load(made.folder, model_json)(images[:1])[0]
    # Sums in another order; logits here are of size one.
    assert np.abs(found - expected).max() < 1e-4 * max(1.0, np.abs(expected).max())


def test_a_model_of_the_catalogues_kind_without_labels_compresses_data_free(
    tmp_path: Path, store: Store
) -> None:
    path = tiny_models.saved_model(tmp_path / "tiny")
    declared = Declared(labels=tuple("abcde"), value_range=(0, 1))
    model = tfjs.run(
        Fetched(path, "2" * 64, "tiny", declared),
        quantization="none",
        shard_bytes=4 << 20,
        store=store,
        progress=Silent(),
    )
    compressed = compress(model, store, recipe="mixed", form="stock")
    assert compressed.plan.calibration == "64 generated pictures"
    assert compressed.model.converted.artifacts.weight_bytes > 0
