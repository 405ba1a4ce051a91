"""Makes small random classifiers from the parts that real graphs consist of.

A graph is a list of random choices. The same seed makes the same graph in every process, so a
failing test needs to name only the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Array = np.ndarray[Any, Any]

SIDE = 16
CLASSES = 5
ENDINGS = ("logits", "softmax", "sigmoid", "average", "clip", "top")


@dataclass
class Maker:
    """Makes one random classifier."""

    seed: int
    random: np.random.Generator = field(init=False)
    constants: list[Any] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    """The choices, for the message of a failing test."""

    def __post_init__(self) -> None:
        """Seed the generator."""
        self.random = np.random.default_rng(self.seed)

    def constant(self, *shape: int, spread: float = 0.5, mean: float = 0.0) -> Any:
        """Return a new variable, or one of that shape that is already used."""
        tf = tensorflow.load()
        same = [value for value in self.constants if tuple(value.shape) == shape]
        if same and self.random.random() < 0.2:
            self.story.append(f"shared {shape}")
            return same[int(self.random.integers(len(same)))]
        value = self.random.normal(mean, spread, shape).astype(np.float32)
        self.constants.append(tf.Variable(value))
        return self.constants[-1]

    def pick(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return choices[int(self.random.integers(len(choices)))]

    def plan(self) -> Callable[[Any], Any]:
        """Choose all operations; return them as one function of the images.

        Constants are made now, because the function may be traced more than once.
        """
        steps = [self._layer(3)]
        channels = self.width
        for _ in range(int(self.random.integers(1, 5))):
            kinds = (
                self._layer,
                self._constant_sum,
                self._factor,
                self._activation,
                self._residual,
                self._norm,
                self._branches,
                self._pool,
                self._turn,
                self._read_twice,
            )
            steps.append(self.pick(*kinds)(channels))
            channels = self.width
        steps.append(self._head(channels))
        steps.append(self._ending())

        def call(image: Any) -> Any:
            value = image
            for step in steps:
                value = step(value)
            return value

        return call

    width: int = 3
    """The channels after the last chosen operation."""

    def _layer(self, channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        size = self.pick(1, 3, 3, 5)
        stride = self.pick(1, 1, 2)
        dilation = self.pick(1, 1, 2) if stride == 1 else 1
        padding = self.pick("SAME", "VALID")
        fan = (2 / (size * size * channels)) ** 0.5
        if self.random.random() < 0.35:
            multiplier = self.pick(1, 1, 2)
            kernel = self.constant(size, size, channels, multiplier, spread=fan * channels**0.5)
            self.width = channels * multiplier
            self.story.append(f"depthwise {size}/{stride}/{dilation} {padding} x{multiplier}")
            padding = "SAME" if dilation > 1 else padding

            def depthwise(x: Any) -> Any:
                x = self._at_least(x, size * dilation)
                strides = (1, stride, stride, 1)
                return tf.nn.depthwise_conv2d(
                    x, kernel, strides, padding, dilations=(dilation, dilation)
                )

            return self._with_bias(depthwise, self.width)
        self.width = self.pick(4, 6, 8, channels)
        kernel = self.constant(size, size, channels, self.width, spread=fan)
        self.story.append(f"convolution {size}/{stride}/{dilation} {padding} to {self.width}")

        def convolution(x: Any) -> Any:
            x = self._at_least(x, size * dilation)
            return tf.nn.conv2d(x, kernel, stride, padding, dilations=dilation)

        return self._with_bias(convolution, self.width)

    def _with_bias(self, layer: Callable[[Any], Any], channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        if self.random.random() < 0.4:
            bias = self.pick(self.constant(channels), self.constant(channels, spread=0.0))
            self.story.append("bias")
            return lambda x: tf.nn.bias_add(layer(x), bias)
        return layer

    @staticmethod
    def _at_least(x: Any, size: int) -> Any:
        """Repeat pictures that became too small for a kernel."""
        tf = tensorflow.load()
        if x.shape[1] >= size and x.shape[2] >= size:
            return x
        times = [1, -(-size // x.shape[1]), -(-size // x.shape[2]), 1]
        return tf.tile(x, times)

    def _shape(self, channels: int) -> Callable[[Any], tuple[int, ...]]:
        """Choose the shape of a constant that broadcasts with `[n, h, w, channels]`."""
        kind = self.pick("row", "row", "four", "scalar", "one", "column", "rows", "place", "whole")
        self.story.append(kind)
        makers: dict[str, Callable[[Any], tuple[int, ...]]] = {
            "row": lambda _: (channels,),
            "four": lambda _: (1, 1, 1, channels),
            "scalar": lambda _: (),
            "one": lambda _: (1,),
            "column": lambda x: (x.shape[2], 1),
            "rows": lambda x: (x.shape[1], 1, 1),
            "place": lambda x: (1, x.shape[1], x.shape[2], 1),
            "whole": lambda x: tuple(x.shape[1:]),
        }
        return makers[kind]

    def _drawn(self, channels: int, mean: float) -> Callable[[Any], Any]:
        """Choose a constant whose shape depends on the tensor that it is combined with."""
        tf = tensorflow.load()
        shape = self._shape(channels)
        noise = self.random.normal(mean, 0.5, 4096).astype(np.float32)
        return lambda x: tf.constant(np.resize(noise, shape(x)))

    def _constant_sum(self, channels: int) -> Callable[[Any], Any]:
        self.story.append("sum with")
        term, first = self._drawn(channels, 0.0), self.pick(True, False)
        return lambda x: x + term(x) if first else term(x) + x

    def _factor(self, channels: int) -> Callable[[Any], Any]:
        self.story.append("product with")
        factor, first = self._drawn(channels, 1.0), self.pick(True, False)
        return lambda x: x * factor(x) if first else factor(x) * x

    def _activation(self, channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        slopes = self.constant(*self.pick((channels,), (1, 1, channels)), spread=0.2)
        kinds: dict[str, Callable[[Any], Any]] = {
            "relu": tf.nn.relu,
            "relu6": tf.nn.relu6,
            "elu": tf.nn.elu,
            "leaky relu": lambda x: tf.nn.leaky_relu(x, 0.37),
            "sigmoid": tf.nn.sigmoid,
            "tanh": tf.nn.tanh,
            "swish": lambda x: x * tf.nn.sigmoid(x),
            "hard swish": lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6),
            "gelu": lambda x: tf.nn.gelu(x, approximate=True),
            "prelu": lambda x: tf.nn.relu(x) + (-slopes) * tf.nn.relu(-x),
        }
        name = self.pick(*kinds)
        self.story.append(name)
        self.width = channels
        return kinds[name]

    def _residual(self, channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        kernel = self.constant(3, 3, channels, channels, spread=(1 / (9 * channels)) ** 0.5)
        after = self._activation(channels)
        form = self.pick("x + f", "f + x", "add_n", "f + f + x")
        self.story.append(f"residual {form}")

        def call(x: Any) -> Any:
            f = tf.nn.conv2d(x, kernel, 1, "SAME")
            sums = {
                "x + f": lambda: x + f,
                "f + x": lambda: f + x,
                "add_n": lambda: tf.add_n([x, f, x]),
                "f + f + x": lambda: f + f + x,
            }
            return after(sums[form]())

        return call

    def _norm(self, channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        gamma, beta = self.constant(channels, mean=1.0), self.constant(channels)
        mean = self.constant(channels)
        variance = tf.constant(self.random.uniform(0.5, 2, channels).astype(np.float32))
        form = self.pick("fused", "written out", "four", "layer norm")
        self.story.append(f"norm {form}")

        def call(x: Any) -> Any:
            if form == "fused":
                return tf.compat.v1.nn.fused_batch_norm(
                    x, gamma, beta, mean, variance, 1e-3, is_training=False
                )[0]
            if form == "layer norm":
                centre, spread = tf.nn.moments(x, [-1], keepdims=True)
                return tf.nn.batch_normalization(x, centre, spread, beta, gamma, 1e-3)
            sides = (1, 1, 1, channels) if form == "four" else (channels,)
            parts = [tf.reshape(part, sides) for part in (mean, variance, beta, gamma)]
            return tf.nn.batch_normalization(x, *parts, 1e-3)

        return call

    def _branches(self, channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        half = channels // 2
        if channels % 2 or not half:
            return self._factor(channels)
        kernels = [self.constant(3, 3, half, half, spread=(1 / (9 * half)) ** 0.5) for _ in "ab"]
        form = self.pick("split", "slice", "swap")
        self.story.append(f"branches {form}")

        def call(x: Any) -> Any:
            parts = [x[..., :half], x[..., half:]] if form == "slice" else tf.split(x, 2, -1)
            if form == "swap":
                parts = parts[::-1]
            looked = [tf.nn.conv2d(p, k, 1, "SAME") for p, k in zip(parts, kernels, strict=True)]
            return tf.concat(looked, -1)

        return call

    def _pool(self, _channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        form = self.pick("max", "average", "pad")
        self.story.append(f"pool {form}")
        if form == "pad":
            return lambda x: tf.pad(x, [[0, 0], [1, 0], [0, 2], [0, 0]])
        pool = tf.nn.max_pool2d if form == "max" else tf.nn.avg_pool2d
        return lambda x: pool(x, 3, 2, "SAME")

    def _turn(self, _channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        self.story.append("transposed")
        return lambda x: tf.transpose(x, [0, 2, 1, 3])

    def _read_twice(self, channels: int) -> Callable[[Any], Any]:
        """Draw a layer whose output is read with its factor and without."""
        tf = tensorflow.load()
        kernel = self.constant(1, 1, channels, channels, spread=(1 / channels) ** 0.5)
        factor = self.constant(channels, mean=1.0)
        form = self.pick("factor", "bias", "kernel")
        self.story.append(f"read twice: {form}")

        def call(x: Any) -> Any:
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
            if form == "factor":
                return y * factor + tf.nn.relu(y)
            if form == "bias":
                return tf.nn.relu(tf.nn.bias_add(y, factor)) + y
            return tf.nn.conv2d(tf.nn.relu(y), kernel, 1, "SAME") * factor

        return call

    def _head(self, channels: int) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        form = self.pick("mean", "mean", "flat", "transposed", "scaled", "shaped")
        self.story.append(f"head {form}")
        middle = self.constant(channels, channels, spread=(1 / channels) ** 0.5)
        matrix = self.constant(channels, CLASSES)
        turned = self.constant(CLASSES, channels)
        row, four = self.constant(CLASSES), self.constant(1, 1, 1, CLASSES)
        scale = self.constant(channels, mean=1.0)

        def call(x: Any) -> Any:
            pooled = tf.reduce_mean(x, (1, 2))
            if form == "flat":
                pooled = tf.reshape(x, [-1, x.shape[1] * x.shape[2], channels])
                pooled = tf.reduce_max(pooled, 1)
            if form == "transposed":
                hidden = tf.matmul(pooled, middle, transpose_b=True) * scale
                return tf.matmul(tf.nn.relu(hidden), turned, transpose_b=True) + row
            if form == "scaled":
                return (pooled @ matrix * row + 0.5) * 2.0
            if form == "shaped":
                return tf.reshape(pooled @ matrix + four, [-1, CLASSES])
            return pooled @ matrix + row

        return call

    def _ending(self) -> Callable[[Any], Any]:
        tf = tensorflow.load()
        ending = self.pick(*ENDINGS)
        self.story.append(ending)
        second = self.constant(CLASSES, CLASSES)
        endings: dict[str, Callable[[Any], Any]] = {
            "logits": tf.identity,
            "softmax": tf.nn.softmax,
            "sigmoid": tf.nn.sigmoid,
            "average": lambda x: (tf.nn.softmax(x) + tf.nn.softmax(x @ second)) / 2,
            "clip": lambda x: tf.clip_by_value(tf.nn.softmax(x), 0.05, 0.9),
            "top": lambda x: tf.math.top_k(x, CLASSES)[0],
        }
        return endings[ending]


def saved_model(folder: Path, seed: int) -> tuple[Callable[[Array], Array], str]:
    """Write the classifier of a seed as a SavedModel.

    Returns:
        What it computes, from float32 `[n, 16, 16, 3]` to `[n, 5]`, and what it consists of.
    """
    tf = tensorflow.load()
    maker = Maker(seed)
    call = maker.plan()
    module = tf.Module()
    module.kept = maker.constants
    spec = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, name="image")
    concrete = tf.function(lambda image: {"scores": call(image)}).get_concrete_function(spec)
    with tensorflow.quiet():
        tf.saved_model.save(module, str(folder), {"serving_default": concrete})
    return (
        lambda images: concrete(tf.constant(images))["scores"].numpy(),
        ", ".join(maker.story),
    )
