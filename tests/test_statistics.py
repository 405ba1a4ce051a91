"""What BatchNorm knows: read before folding, found again after it, carried to every layer."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.graph import batchnorm, frozen, signature
from toolchain.progress import Silent
from toolchain.quantize import canonical, statistics
from toolchain.quantize.walk import Walk
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("statistics")


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Path]:
    """A MobileNet and its SavedModel, with BatchNorm as one operation or as several."""
    library = tiny_models.libraries()[request.param]
    model = tiny_models.with_statistics(tiny_models.mobile_net(library))
    path = tmp_path_factory.mktemp(request.param) / "model"
    with tensorflow.quiet():
        if request.param == "keras":
            model.export(str(path), format="tf_saved_model", verbose=False)
        else:
            tensorflow.load().saved_model.save(model, str(path))
    return model, path


@pytest.fixture(scope="module")
def converted(trained: tuple[Any, Path], session_store: Store) -> tfjs.TfjsModel:
    path = trained[1]
    declared = Declared(labels=tuple("abcde"), value_range=(0, 255))
    mark = digest.of_bytes(path.parent.name.encode())
    fetched = Fetched(path, mark, "test", declared)
    return tfjs.run(
        fetched, quantization="none", shard_bytes=4 << 20, store=session_store, progress=Silent()
    )


def test_every_batchnorm_is_read_with_its_mean_and_deviation(trained: tuple[Any, Path]) -> None:
    model, path = trained
    found, loaded = signature.read(path)
    read = batchnorm.read(frozen.freeze(loaded, found, "mine"))
    layers = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    assert len(read) == len(layers)
    expected = {tuple(np.round(np.asarray(layer.beta), 5)): layer for layer in layers}
    for one in read:
        layer = expected.pop(tuple(np.round(one.means, 5)))
        variance = np.asarray(layer.moving_variance)
        deviation = np.asarray(layer.gamma) * np.sqrt(variance / (variance + layer.epsilon))
        assert one.deviations == pytest.approx(deviation, rel=1e-5)


def test_a_kept_conversion_has_them_beside_it(
    trained: tuple[Any, Path], converted: tfjs.TfjsModel
) -> None:
    assert converted.statistics is not None
    kept = batchnorm.load(converted.statistics)
    found, loaded = signature.read(trained[1])
    for one, other in zip(kept, batchnorm.read(frozen.freeze(loaded, found, "mine")), strict=True):
        assert one.shape == other.shape
        assert one.means.tobytes() == other.means.tobytes()
        assert one.norms.tobytes() == other.norms.tobytes()


def test_every_layer_behind_a_batchnorm_is_known(converted: tfjs.TfjsModel) -> None:
    read = canonical.read(converted.folder, converted.converted.artifacts.model_json)
    assert converted.statistics is not None
    known = statistics.of_inputs(read, batchnorm.load(converted.statistics))
    # All but the first, which reads the photo.
    assert set(known) == {layer.name for layer in read.layers[1:]}
    for layer in read.layers[1:]:
        inputs = read.weights[layer.kernel].shape[0 if layer.kind == "dense" else 2]
        assert known[layer.name].means.shape == (inputs,)
    # The dense layer reads averages, of whose variance nothing is known.
    assert known[read.layers[-1].name].variances is None


def test_no_statistics_say_nothing(converted: tfjs.TfjsModel) -> None:
    read = canonical.read(converted.folder, converted.converted.artifacts.model_json)
    assert statistics.of_inputs(read, ()) == {}


def test_a_model_without_batchnorm_has_none(tmp_path: Path) -> None:
    found, loaded = signature.read(tiny_models.saved_model(tmp_path / "tiny"))
    assert batchnorm.read(frozen.freeze(loaded, found, "mine")) == ()


@pytest.mark.parametrize("ceiling", [6.0, inf])
def test_the_moments_of_a_clipped_normal_are_those_of_its_samples(ceiling: float) -> None:
    random = np.random.default_rng(0)
    means, variances = random.uniform(-8, 12, 40), random.uniform(0.01, 9, 40)
    samples = random.normal(means, np.sqrt(variances), (200_000, 40)).clip(0, ceiling)
    found = statistics.clipped(means, variances, ceiling)
    assert found.variances is not None
    assert np.abs(found.means - samples.mean(axis=0)).max() < 0.03
    assert np.abs(found.variances - samples.var(axis=0)).max() < 0.12


def test_channels_that_never_vary_are_no_trouble() -> None:
    found = statistics.clipped(np.array([-1.0, 2.0, 9.0]), np.zeros(3), 6.0)
    assert found.means == pytest.approx([0, 2, 6])
    assert found.variances == pytest.approx([0, 0, 0], abs=1e-6)


def test_the_means_come_near_those_of_a_network_whose_statistics_are_true(
    tmp_path: Path, session_store: Store
) -> None:
    """Let BatchNorm see the very inputs that the means are then measured with."""
    tf = tensorflow.load()
    tf.keras.utils.set_random_seed(4)
    model = tiny_models.mobile_net(tf.keras)
    images = np.random.default_rng(4).uniform(0, 255, (64, 32, 32, 3)).astype(np.float32)
    for _ in range(60):
        model(images, training=True)
    path = tmp_path / "model"
    with tensorflow.quiet():
        model.export(str(path), format="tf_saved_model", verbose=False)
    fetched = Fetched(path, "7" * 64, "test", Declared(labels=tuple("abcde"), value_range=(0, 255)))
    made = tfjs.run(
        fetched, quantization="none", shard_bytes=4 << 20, store=session_store, progress=Silent()
    )
    read = canonical.read(made.folder, made.converted.artifacts.model_json)
    assert made.statistics is not None
    known = statistics.of_inputs(read, batchnorm.load(made.statistics))
    walk = Walk(read, images)
    for layer in read.layers:
        batches = np.concatenate([batch.numpy() for batch in walk.inputs_of(layer)])
        rows = batches.reshape(-1, batches.shape[-1])
        # Averages of a whole picture vary less than what they are compared with here.
        if layer.name in known and layer.kind != "dense":
            off = known[layer.name].means - rows.mean(axis=0)
            assert np.sqrt((off**2).mean()) < 0.5 * np.sqrt(rows.var(axis=0).mean()), layer.name
