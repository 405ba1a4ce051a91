"""Learns the weights of a network's last blocks, together with a layer behind them, by Adam.

It starts from the network as it is and from the layer that was learned on its features, and takes
small steps, so that a few hundred photos suffice. Adam is that of Kingma and Ba 2015
(arXiv:1412.6980), with a rate that falls along a cosine (arXiv:1608.03983).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.graph.tail import Tail
    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]

PASSES = 3
"""Times that every view is learned from. With a rate of 1e-4 the loss on photos to learn from is
near zero after three (trash of docs/train.md)."""
_RATE = 1e-4
_BATCH = 32
_DECAY = (0.9, 0.999)
_EPSILON = 1e-7
_LAYER_PENALTY = 1e-3  # on the squared distance of the layer from its start. Chosen
_JUDGED = 64  # photos at once
# How much longer learning from a photo takes than running it: the slopes cost twice as much again.
# Measured on the trash photos of docs/train.md, by `make bench-train`.
_LEARNING = 4.0


@dataclass(frozen=True)
class Lesson:
    """What to learn from."""

    maps: Array
    """What the tail takes, float16 `[photos, views, …]`; the first view is the photo itself."""
    targets: Array
    """Shares of the tags, float32 `[photos, views, tags]`."""
    weak: int
    """How many of the views the first pass uses."""


@dataclass(frozen=True)
class Fitted:
    """A tail after some passes."""

    weights: dict[str, Array]
    kernel: Array
    """float32 `[width, tags]`."""
    bias: Array
    """float32 `[tags]`."""


class Fitter:
    """Learns the weights of a tail, any number of times, and computes its features.

    TensorFlow builds the graphs of both once for each task and number of tags: for a small tail
    that takes longer than learning.

    Args:
        tail: The last blocks, with the weights to start from.
        task: Whether tags exclude each other.
    """

    def __init__(self, tail: Tail, task: Task) -> None:
        tf = tensorflow.load()
        self._tail = tail
        self._task = task
        self._names = list(tail.weights)
        self._run = tf.function(
            lambda values, kernels: tail.features(
                tf.cast(values, tf.float32), dict(zip(self._names, kernels, strict=True))
            ),
            autograph=False,
            reduce_retracing=True,
        )
        self._built: dict[tuple[int, ...], tuple[list[Any], list[Any], Any]] = {}

    def fit(
        self, start: tuple[Array, Array], lesson: Lesson, used: Array, *, seed: int
    ) -> Iterator[Fitted]:
        """Learn, and yield what was learned after each of `PASSES` passes.

        Args:
            start: The layer to start from: kernel `[width, tags]` and bias `[tags]`.
            lesson: The photos.
            used: Indices of the photos to learn from.
            seed: Of the order of photos.
        """
        tf = tensorflow.load()
        first = [*(self._tail.weights[name] for name in self._names), *start]
        shapes = start[0].shape
        if shapes not in self._built:
            self._built[shapes] = self._build(first, lesson.maps.shape[2:])
        values, moments, step = self._built[shapes]
        for value, each in zip(values, first, strict=True):
            value.assign(each.astype(np.float32))
        for moment in moments:
            moment.assign(tf.zeros_like(moment))
        origin = tf.constant(start[0].astype(np.float32))
        random = np.random.default_rng(seed)
        views = lesson.maps.shape[1]
        passes = [lesson.weak, *[views] * (PASSES - 1)]
        total, done = sum(-(-len(used) * each // _BATCH) for each in passes), 0
        for shown in passes:
            pairs = np.stack(np.meshgrid(used, np.arange(shown), indexing="ij"), axis=-1)
            order = pairs.reshape(-1, 2)
            random.shuffle(order)
            for at in range(0, len(order), _BATCH):
                photo, view = order[at : at + _BATCH].T
                done += 1
                rate = _RATE * (1 + np.cos(np.pi * done / total)) / 2
                step(
                    tf.constant(lesson.maps[photo, view], tf.float16),
                    tf.constant(lesson.targets[photo, view], tf.float32),
                    origin,
                    tf.constant(rate, tf.float32),
                    tf.constant(float(done), tf.float32),
                )
            *kernels, kernel, bias = (each.numpy() for each in values)
            yield Fitted(dict(zip(self._names, kernels, strict=True)), kernel, bias)

    def features(self, weights: dict[str, Array], maps: Array) -> Array:
        """Return the features of photos behind the tail, float32 `[photos, width]`.

        Args:
            weights: All kernels of the tail.
            maps: What the tail takes, float16 `[photos, …]`.
        """
        tf = tensorflow.load()
        kernels = [tf.constant(weights[name]) for name in self._names]
        rows = [
            self._run(tf.constant(maps[at : at + _JUDGED]), kernels).numpy()
            for at in range(0, len(maps), _JUDGED)
        ]
        return np.concatenate(rows)

    def _build(
        self, first: list[Array], shape: tuple[int, ...]
    ) -> tuple[list[Any], list[Any], Any]:
        """Return the variables for weights of these shapes, Adam's, and one step of learning."""
        tf = tensorflow.load()
        values = [tf.Variable(each.astype(np.float32)) for each in first]
        means = [tf.Variable(tf.zeros_like(each)) for each in values]
        squares = [tf.Variable(tf.zeros_like(each)) for each in values]
        lost = (
            tf.nn.softmax_cross_entropy_with_logits
            if self._task == "single-label"
            else lambda wanted, found: tf.reduce_sum(
                tf.nn.sigmoid_cross_entropy_with_logits(wanted, found), axis=1
            )
        )

        def step(maps: Any, wanted: Any, origin: Any, rate: Any, count: Any) -> None:
            read = [each.read_value() for each in values]
            *kernels, kernel, bias = read
            named = dict(zip(self._names, kernels, strict=True))
            rows = self._tail.features(tf.cast(maps, tf.float32), named)
            outputs = tf.matmul(rows, kernel) + bias
            loss = tf.reduce_mean(lost(wanted, outputs))
            loss += _LAYER_PENALTY * tf.reduce_sum((kernel - origin) ** 2)
            # Not a tape: it does not see what `import_graph_def` adds.
            slopes = tf.gradients(loss, read)
            fast, slow = _DECAY
            warm = rate * tf.sqrt(1 - slow**count) / (1 - fast**count)
            for value, mean, square, slope in zip(values, means, squares, slopes, strict=True):
                mean.assign(fast * mean + (1 - fast) * slope)
                square.assign(slow * square + (1 - slow) * slope**2)
                value.assign_sub(warm * mean / (tf.sqrt(square) + _EPSILON))

        kernel = first[-2]
        # Without it the last batch, which is smaller, would be built anew.
        signature = [
            tf.TensorSpec((None, *shape), tf.float16),
            tf.TensorSpec((None, kernel.shape[1]), tf.float32),
            tf.TensorSpec(kernel.shape, tf.float32),
            tf.TensorSpec((), tf.float32),
            tf.TensorSpec((), tf.float32),
        ]
        return (
            values,
            [*means, *squares],
            tf.function(step, input_signature=signature, autograph=False),
        )


def seconds_for(tail: Tail, maps: Array) -> float:
    """Measure how long learning from one photo takes once, in seconds, by running the tail.

    Args:
        tail: The last blocks.
        maps: What they take for a few photos, `[photos, …]`.
    """
    tf = tensorflow.load()

    @tf.function  # type: ignore[untyped-decorator]
    def run(values: Any) -> Any:
        return tail.features(values, tail.weights)

    fed = tf.constant(maps[:_BATCH].astype(np.float32))
    run(fed)
    begun = time.perf_counter()
    run(fed).numpy()
    return _LEARNING * (time.perf_counter() - begun) / len(fed)


def features(tail: Tail, weights: dict[str, Array], maps: Array) -> Array:
    """Return the features of photos behind a tail, float32 `[photos, width]`.

    Args:
        tail: The last blocks.
        weights: Their kernels.
        maps: What the tail takes, float16 or float32 `[photos, …]`.
    """
    tf = tensorflow.load()

    @tf.function  # type: ignore[untyped-decorator]
    def run(values: Any) -> Any:
        return tail.features(values, weights)

    rows = [
        run(tf.constant(maps[at : at + _JUDGED].astype(np.float32))).numpy()
        for at in range(0, len(maps), _JUDGED)
    ]
    return np.concatenate(rows)
