"""Each method of rounding by itself: what it promises, and that it brings it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests import tiny_models
from toolchain import tf as tensorflow
from toolchain.graph import batchnorm
from toolchain.metrics.scores import softmax
from toolchain.progress import Silent
from toolchain.quantize import (
    bias_correction,
    canonical,
    clipping,
    judge,
    layer_graph,
    moments,
    pruning,
    quantizer,
    rounding,
    sensitivity,
    statistics,
)
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("statistics")

NETWORKS = (1, 2, 3)
"""Seeds of the networks whose mean counts where that of one would be luck."""

kernels = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 20), st.integers(1, 5)),
    elements=st.floats(-8, 8, width=32),
)


def squared_error(weights: Array, steps: Array, largest: int) -> Array:
    safe = np.maximum(steps, np.finfo(np.float64).tiny)
    values = np.clip(np.rint(weights / safe), -largest, largest)
    error: Array = ((weights - values * safe) ** 2).sum(axis=0)
    return error


@settings(deadline=None, max_examples=60)
@given(weights=kernels, largest=st.sampled_from([1, 3, 7, 31, 127]))
def test_a_clipped_step_is_never_worse_than_one_for_the_whole_range(
    weights: Array, largest: int
) -> None:
    found = clipping.finest_steps(weights, largest)
    whole = np.abs(weights).max(axis=0) / largest
    assert (found <= whole + 1e-12).all()
    better = squared_error(weights, found, largest)
    assert (better <= squared_error(weights, whole, largest) + 1e-9).all()


def test_one_far_weight_is_clipped_where_levels_are_few() -> None:
    weights = np.random.default_rng(0).normal(0, 1, (2000, 1))
    weights[0] = 12
    found = clipping.finest_steps(weights, 7)
    assert found[0] * 7 < 6
    whole = squared_error(weights, np.array([12 / 7]), 7)
    assert squared_error(weights, found, 7) < whole / 2


@given(scaled=arrays.arrays(np.float64, 30, elements=st.floats(-9, 9)), zone=st.floats(0.5, 1.4))
def test_only_what_lies_in_the_dead_zone_is_pruned(scaled: Array, zone: float) -> None:
    values = pruning.to_levels(scaled, zone)
    inside = np.abs(scaled) < zone
    assert (values[inside & (np.abs(scaled) < 0.5)] == 0).all()
    if zone > pruning.ROUNDING:
        assert (values[inside] == 0).all()
    assert (values[~inside] == np.rint(scaled[~inside])).all()


def test_what_is_pruned_is_handed_on() -> None:
    """A wide dead zone on inputs that vary together costs less than pruning one by one."""
    random = np.random.default_rng(1)
    rows = random.normal(0, 1, (4000, 3)) @ random.normal(0, 1, (3, 24))
    weights = random.normal(0, 1, (24, 8))
    steps = np.full(8, 0.5, np.float32)
    spread = moments.of_rows(dense(), rows.astype(np.float32)).spread
    found = rounding.round_weights(weights, rounding.decompose(spread), steps, 1.2)
    alone = pruning.to_levels(weights / steps, 1.2) * steps
    assert (found.values == 0).mean() > 0.2
    error = np.abs(rows @ (weights - found.decode())).mean()
    assert error < 0.8 * np.abs(rows @ (weights - alone)).mean()


def dense() -> layer_graph.Layer:
    return layer_graph.Layer(name="x", kind="dense", input="i", kernel="k", bias="b")


def test_the_correction_keeps_the_mean_of_the_output() -> None:
    random = np.random.default_rng(2)
    rows, weights = random.uniform(0, 6, (500, 12)), random.normal(0, 1, (12, 4))
    rounded = np.rint(weights)
    mean = rows.mean(axis=0)
    shift = bias_correction.shift(weights, mean, rounded, mean)
    assert (rows @ rounded + shift).mean(axis=0) == pytest.approx((rows @ weights).mean(axis=0))


def test_a_depthwise_correction_adds_up_each_channels_taps() -> None:
    random = np.random.default_rng(3)
    rows, weights = random.uniform(0, 6, (500, 9, 4)), random.normal(0, 1, (9, 4))
    rounded = np.rint(weights)
    mean = rows.mean(axis=0)
    shift = bias_correction.shift(weights, mean, rounded, mean)
    exact = (rows * weights).sum(axis=1).mean(axis=0)
    assert (rows * rounded).sum(axis=1).mean(axis=0) + shift == pytest.approx(exact)


def test_known_moments_stand_in_for_those_of_pictures_that_leave_a_channel_asleep() -> None:
    random = np.random.default_rng(4)
    rows = random.normal(0, 1, (300, 6)).astype(np.float32)
    rows[:, 2] = 0
    known = statistics.ChannelMoments(np.arange(6.0), np.full(6, 4.0))
    found = moments.informed(dense(), moments.of_rows(dense(), rows), known)
    assert found.mean.tolist() == known.means.tolist()
    assert np.diag(found.spread) == pytest.approx(4.0, rel=1e-6)
    assert np.linalg.eigvalsh(found.spread).min() > 0


def saved(model: Any, folder: Path, store: Store, mark: str) -> tfjs.TfjsModel:
    with tensorflow.quiet():
        model.export(str(folder / "model"), format="tf_saved_model", verbose=False)
    declared = Declared(labels=tuple("abcde"), value_range=(0, 255))
    fetched = Fetched(folder / "model", mark * 64, "test", declared)
    return tfjs.run(
        fetched, quantization="none", shard_bytes=4 << 20, store=store, progress=Silent()
    )


def test_batchnorms_statistics_bring_what_pictures_cannot(
    tmp_path: Path, session_store: Store
) -> None:
    """Generated inputs of a hundredth of the contrast: their statistics are of no use.

    Of one network the outcome is up to chance: rounding turns the last digits of sums, which
    differ from processor to processor, into other weights. Hence the mean of several, in which
    what BatchNorm knows leaves a fifth of the error.
    """
    losses: dict[str, list[float]] = {"pictures": [], "guessed": [], "known": []}
    for seed in NETWORKS:
        for name, loss in losses_of_a_network(seed, tmp_path / str(seed), session_store).items():
            losses[name].append(loss)
    means = {name: float(np.mean(found)) for name, found in losses.items()}
    assert means["known"] < 0.5 * means["pictures"], losses
    assert means["known"] < 0.5 * means["guessed"], losses


def losses_of_a_network(seed: int, folder: Path, store: Store) -> dict[str, float]:
    """Return the mean divergence of answers after rounding, by what is known of the inputs."""
    model = tiny_models.mobile_net(tensorflow.load().keras, seed=seed)
    images = np.random.default_rng(seed).uniform(0, 255, (96, 32, 32, 3)).astype(np.float32)
    step = tensorflow.load().function(lambda: model(images[:64], training=True))
    for _ in range(60):
        step()
    made = saved(model, folder, store, f"{seed}")
    read = canonical.read(made.folder, made.converted.artifacts.model_json)
    assert made.statistics is not None
    known = statistics.of_inputs(read, batchnorm.load(made.statistics))
    pictures = 127 + (images[64:] - 127) / 100
    felt = sensitivity.measure(read, pictures[:8], seed=0, progress=Silent())
    exact = softmax(judge.outputs(read, images))
    losses = {}
    for name, knows in (("pictures", None), ("guessed", {}), ("known", known)):
        made_by = quantizer.Quantizer(read, pictures, felt, known=knows, seed=0, progress=Silent())
        wanted = round(5 * sum(read.weights[layer.kernel].size for layer in read.layers) / 8)
        result = made_by.run(made_by.coarseness_for(wanted), Silent())
        scores = softmax(judge.outputs(result.applied_to(read), images))
        losses[name] = float((exact * np.log(exact / scores)).sum(axis=1).mean())
    return losses
