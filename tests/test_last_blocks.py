"""Changing a network's last blocks: what is found in a graph, left out, fitted and learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from toolchain import tf as tensorflow
from toolchain.errors import ToolchainError
from toolchain.graph import blocks as graph_blocks
from toolchain.graph import tail as tails
from toolchain.graph.blocks import Blocks
from toolchain.graph.running import function_of
from toolchain.training import fine_tuning, refitting, tail_fitting
from toolchain.training.refitting import Plan

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, Any]

SIDE, WIDTH, WIDE = 8, 6, 24


def mobile(*, batchnorm: bool, dead: int = 0) -> tuple[Any, str, str, list[str]]:
    """Return a graph of two inverted residual blocks and one without a sum.

    Args:
        batchnorm: Whether BatchNorm, unfolded, follows each convolution.
        dead: How many channels of each chain the last convolution does not use.

    Returns:
        The graph, its input, its last node, and the sums of the residual blocks.
    """
    tf = tensorflow.load()
    random = np.random.default_rng(3)

    def constant(*shape: int, name: str) -> Any:
        values = random.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape).astype(np.float32)
        return tf.constant(values, name=name)

    def layer(x: Any, kernel: Any, *, name: str, active: bool = True) -> Any:
        if name.endswith("depthwise"):
            x = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")
        else:
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        if batchnorm:
            width = int(x.shape[-1])
            scale = tf.constant(random.uniform(0.5, 2, width), tf.float32, name=f"{name}/scale")
            shift = tf.constant(random.normal(0, 0.1, width), tf.float32, name=f"{name}/shift")
            x = x * tf.math.rsqrt(scale + 1e-3) + shift
        return tf.nn.relu6(x) if active else x

    with tf.Graph().as_default() as graph:
        x = image = tf.compat.v1.placeholder(tf.float32, [None, SIDE, SIDE, WIDTH], name="image")
        sums = []
        for block in range(3):
            kernel = constant(1, 1, WIDTH, WIDE, name=f"{block}/expand")
            inner = layer(x, kernel, name=f"{block}/expanded")
            inner = layer(
                inner, constant(3, 3, WIDE, 1, name=f"{block}/deep"), name=f"{block}/depthwise"
            )
            values = random.normal(0, 0.3, (1, 1, WIDE, WIDTH)).astype(np.float32)
            values[:, :, :dead] = 0
            last = tf.constant(values, name=f"{block}/project")
            inner = layer(inner, last, name=f"{block}/projected", active=False)
            if block < 2:
                x = tf.add(x, inner, name=f"sum_{block}")
                sums.append(x.op.name)
            else:
                x = tf.identity(inner, name="features")
        return graph.as_graph_def(), image.op.name, x.op.name, sums


@pytest.fixture(scope="module")
def maps() -> Array:
    values = np.random.default_rng(1).normal(0, 1, (40, SIDE, SIDE, WIDTH))
    return values.astype(np.float16)


def given(graph_def: Any, source: str, target: str, maps: Array) -> Array:
    return function_of(graph_def, source, target)(maps.astype(np.float32))


@pytest.mark.parametrize("batchnorm", [False, True])
def test_residual_blocks_and_chains_are_found(batchnorm: bool) -> None:
    graph_def, source, target, sums = mobile(batchnorm=batchnorm)
    found = Blocks(graph_def, source, [target])
    assert found.residuals() == [(sums[0], source), (sums[1], sums[0])]
    chains = found.chains()
    assert [(chain.first, chain.last) for chain in chains] == [
        (f"{block}/expand", f"{block}/project") for block in range(3)
    ]
    assert [chain.start for chain in chains] == [source, *sums]
    assert [len(chain.others) for chain in chains] == [4 * batchnorm] * 3


def test_a_sum_whose_features_are_wanted_is_not_left_out() -> None:
    graph_def, source, target, sums = mobile(batchnorm=False)
    assert Blocks(graph_def, source, [sums[1], target]).residuals() == [(sums[0], source)]


def test_a_kernel_that_two_layers_share_is_not_pruned() -> None:
    tf = tensorflow.load()
    graph_def, source, target, _ = mobile(batchnorm=False)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        shared = graph.get_tensor_by_name("1/deep:0")
        features = graph.get_tensor_by_name(f"{target}:0")
        tf.add(features, tf.reduce_sum(shared), name="more")
        graph_def = graph.as_graph_def()
    chains = Blocks(graph_def, source, ["more"]).chains()
    assert [chain.first for chain in chains] == ["0/expand", "2/expand"]


def test_without_a_block_its_input_goes_on(maps: Array) -> None:
    graph_def, source, target, sums = mobile(batchnorm=False)
    left_out = Blocks(graph_def, source, [target]).residuals()
    both = graph_blocks.without(graph_def, left_out)
    alone = function_of(graph_def, sums[1], target)(maps.astype(np.float32))
    np.testing.assert_allclose(given(both, source, target, maps), alone, rtol=1e-6)
    one = graph_blocks.without(graph_def, left_out[1:])
    first = given(graph_def, source, sums[0], maps)
    np.testing.assert_allclose(
        given(one, source, target, maps),
        function_of(graph_def, sums[1], target)(first),
        rtol=1e-6,
    )


def refitted(folder: Path, plan: Plan, maps: Array, *, dead: int) -> tuple[Array, Array, Any]:
    graph_def, source, target, _ = mobile(batchnorm=True, dead=dead)
    whole = tails.find(graph_def, source, [target])
    refitting.prepare(folder, whole, maps)
    job = refitting.Job(folder, source, (target,), plan, np.arange(len(maps)), is_kept=True)
    rows, content = refitting.run(job)
    pruned = tensorflow.load().compat.v1.GraphDef.FromString(content)
    wanted = given(graph_def, source, target, maps).mean(axis=(1, 2))
    again = given(pruned, source, target, maps).mean(axis=(1, 2))
    np.testing.assert_allclose(rows, again, atol=1e-2)
    left = sum(each.size for each in tails.find(pruned, source, [target]).weights.values())
    assert left == refitting.parameters(whole, plan)
    assert left < 0.8 * sum(each.size for each in whole.weights.values())
    return again, wanted, pruned


def test_channels_that_nothing_uses_are_the_ones_left_out(tmp_path: Path, maps: Array) -> None:
    found, wanted, _ = refitted(tmp_path, Plan(0, 0.5), maps, dead=WIDE // 2)
    np.testing.assert_allclose(found, wanted, atol=1e-2 * np.abs(wanted).max())


def test_what_follows_makes_up_for_what_is_left_out(tmp_path: Path, maps: Array) -> None:
    plan = Plan(1, 0.25)
    found, wanted, _ = refitted(tmp_path, plan, maps, dead=0)
    # The same without a fit: the last block's sum is skipped, and nothing makes up for it.
    graph_def, source, target, _ = mobile(batchnorm=True)
    left_out = Blocks(graph_def, source, [target]).residuals()[1:]
    naive = given(graph_blocks.without(graph_def, left_out), source, target, maps).mean(axis=(1, 2))
    assert np.square(found - wanted).mean() < 0.7 * np.square(naive - wanted).mean()


def test_a_tail_learns_what_a_layer_alone_cannot(maps: Array) -> None:
    graph_def, source, target, _ = mobile(batchnorm=True)
    part = tails.find(graph_def, source, [target])
    assert set(part.weights) == {
        f"{block}/{kernel}" for block in range(3) for kernel in ("expand", "deep", "project")
    }
    # The sign of a product of two channels: no linear layer on the old features tells it.
    means = maps.astype(np.float32).mean(axis=(1, 2))
    truth = np.eye(2, dtype=np.float32)[(means[:, 0] * means[:, 1] > 0).astype(int)]
    targets = np.repeat(truth[:, None], 8, axis=1)
    lesson = tail_fitting.Lesson(np.repeat(maps[:, None], 8, axis=1), targets, 4)
    start = (np.zeros((WIDTH, 2)), np.zeros(2))
    used = np.arange(30)
    fitter = tail_fitting.Fitter(part, "single-label")
    # The second begins where the first did.
    runs = [list(fitter.fit(start, lesson, used, seed=0)) for _ in range(2)]

    def loss(fitted: tail_fitting.Fitted) -> float:
        rows = fitter.features(fitted.weights, maps[used])
        outputs = rows @ fitted.kernel + fitted.bias
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        return float(
            (np.log(np.exp(shifted).sum(axis=1)) - (shifted * truth[used]).sum(axis=1)).mean()
        )

    losses = [loss(fitted) for fitted in runs[0]]
    assert len(losses) == tail_fitting.PASSES
    assert losses[-1] < losses[0] < np.log(2)
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first.kernel, second.kernel)
        for name, weights in first.weights.items():
            np.testing.assert_array_equal(weights, second.weights[name])
    changed = tails.with_constants(graph_def, runs[0][-1].weights)
    np.testing.assert_allclose(
        given(changed, source, target, maps).mean(axis=(1, 2)),
        fitter.features(runs[0][-1].weights, maps),
        atol=1e-4,
    )


def test_features_that_hardly_differ_may_lose_their_differences_to_rounding() -> None:
    random = np.random.default_rng(0)
    kernel, bias = random.normal(0, 1, (24, 3)), np.zeros(3)
    for spread in (1.0, 1e-3):  # of features of 8
        exact = 8 + spread * random.normal(0, 1, (16, 24))
        wanted = exact @ kernel
        kept = exact.astype(np.float16).astype(np.float32)
        fine_tuning.check_outputs("small", kept, (kernel, bias), wanted)
        with pytest.raises(ToolchainError, match="the fine-tuned small does not compute what was"):
            fine_tuning.check_outputs("small", kept[::-1] + 0.5, (kernel, bias), wanted)
