"""Small classifiers as people write them, each with the scores that its own library computes.

Each function returns a model, with how bytes become its input and its outputs become scores. So
the tool's result for the model's file can be compared with the model itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.tiny_models import with_statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

SIDE = 24
CLASSES = 5


def as_they_are(values: Array) -> Array:
    """Return the values unchanged."""
    return values


def signed(pixels: Array) -> Array:
    """Return bytes scaled to -1…1."""
    return pixels / 127.5 - 1


def softmax(outputs: Array) -> Array:
    """Return the softmax of each row."""
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def sigmoid(outputs: Array) -> Array:
    """Return the sigmoid of each number."""
    each: Array = 1 / (1 + np.exp(-outputs))
    return each


def of_two(scores: Array) -> Array:
    """Return the scores of two labels, given those of the second."""
    return np.concatenate([1 - scores, scores], axis=1)


@dataclass(frozen=True)
class Made:
    """A Keras model, and how to use it."""

    model: Any
    fed: Callable[[Array], Array] = as_they_are
    """Turns bytes, float32 `[n, h, w, 3]`, into the model's input."""
    read: Callable[[Array], Array] = as_they_are
    """Turns the model's outputs into scores."""

    def scores(self, pixels: Array) -> Array:
        """Return the model's own scores of bytes, float64 `[n, labels]`, computed one by one."""
        inputs = [self.fed(picture[None].astype(np.float32)) for picture in pixels]
        dtype = self.model.inputs[0].dtype
        kind = getattr(dtype, "name", dtype)  # a string in Keras 3
        outputs = [
            np.asarray(self.model(each.astype(kind), training=False), np.float64) for each in inputs
        ]
        return self.read(np.concatenate(outputs))


Layer = Any
Library = Any


def features(library: Library, x: Any, *, width: int = 12) -> Any:
    """Return features of a picture: the layers between preprocessing and the last layer."""
    layers = library.layers
    start = library.initializers.VarianceScaling(2.0, seed=7)
    x = layers.Conv2D(width, 3, 2, "same", use_bias=False, kernel_initializer=start)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=start)(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(2 * width, 1, kernel_initializer=start)(x)
    return layers.GlobalAveragePooling2D()(layers.ReLU()(x))


def head(
    library: Library, x: Any, count: int = CLASSES, ending: str | None = None, **more: Any
) -> Any:
    """Return outputs that differ between pictures by more than rounding."""
    start = library.initializers.RandomNormal(stddev=2.0, seed=more.pop("seed", 3))
    return library.layers.Dense(count, activation=ending, kernel_initializer=start, **more)(x)


def model(
    library: Library,
    *,
    before: Callable[[Any], Any] | None = None,
    after: Callable[[Any], Any] | None = None,
    count: int = CLASSES,
    ending: str | None = None,
    shape: tuple[int | None, ...] = (SIDE, SIDE, 3),
    **more: Any,
) -> Any:
    """Make a model: `before`, the features, the last layer, `after`."""
    library.utils.set_random_seed(1)
    if "batch" in more:
        image = library.Input(batch_shape=(more.pop("batch"), *shape))
    else:
        image = library.Input(shape, **more)
    x = before(image) if before else image
    x = features(library, x)
    x = head(library, x, count, ending)
    return library.Model(image, after(x) if after else x)


# ---------------------------------------------------------------- before the features


def augmented(library: Library) -> Made:
    """Make the classic tutorial: augmentation, arithmetic of `preprocess_input`, logits."""
    layers = library.layers

    def before(x: Any) -> Any:
        x = layers.RandomRotation(0.2)(layers.RandomFlip("horizontal")(x))
        return layers.RandomContrast(0.1)(layers.RandomZoom(0.1)(x)) / 127.5 - 1.0

    return Made(model(library, before=before), read=softmax)


def rescaled(library: Library) -> Made:
    """Make the other tutorial: a Rescaling layer, dropout before the last layer."""
    layers = library.layers
    made = model(library, before=layers.Rescaling(1 / 255), after=layers.Dropout(0.4))
    return Made(made, read=softmax)


def normalised(library: Library) -> Made:
    """Make a model that normalises by the statistics of its photos."""
    mean, variance = [123.0, 117.0, 104.0], [3400.0, 3200.0, 3300.0]
    layer = library.layers.Normalization(mean=mean, variance=variance)
    return Made(model(library, before=layer), read=softmax)


def torch_inside(library: Library) -> Made:
    """Make a model with ImageNet's mean and deviation inside."""
    mean, deviation = (
        np.array([0.485, 0.456, 0.406], np.float32),
        np.array([0.229, 0.224, 0.225], np.float32),
    )
    return Made(
        model(library, before=lambda x: (x / 255.0 - mean) / deviation, ending="softmax"),
    )


def caffe_inside(library: Library) -> Made:
    """Make a model that turns RGB to BGR and subtracts ImageNet's mean."""
    mean = np.array([103.939, 116.779, 123.68], np.float32)
    # Factors of thousandths; otherwise features of bytes would saturate every score.
    return Made(model(library, before=lambda x: x[:, :, :, ::-1] - mean), read=softmax)


def resizing_inside(library: Library) -> Made:
    """Make a model that takes any size and resizes pictures to its own."""
    layers = library.layers
    return Made(
        model(
            library,
            before=lambda x: layers.Rescaling(1 / 127.5, -1)(layers.Resizing(16, 16)(x)),
            shape=(None, None, 3),
        ),
        read=softmax,
    )


def of_bytes(library: Library) -> Made:
    """Make a model whose input is bytes."""
    rescaling = library.layers.Rescaling(1 / 127.5, -1)
    return Made(model(library, before=rescaling, dtype="uint8", ending="softmax"), fed=np.rint)


def of_halves(library: Library) -> Made:
    """Make a model in mixed precision, the last layer in halves too."""
    library.mixed_precision.set_global_policy("mixed_float16")
    try:
        made = model(library, before=library.layers.Rescaling(1 / 127.5, -1), ending="softmax")
    finally:
        library.mixed_precision.set_global_policy("float32")
    return Made(made)


def oblong(library: Library) -> Made:
    """Make a model of oblong pictures, in batches of eight."""
    rescaling = library.layers.Rescaling(1 / 127.5, -1)
    return Made(model(library, before=rescaling, shape=(16, 28, 3), batch=8), read=softmax)


def named_by_keras(library: Library) -> Made:
    """Make Keras' own MobileNetV2, which contains no preprocessing, up to its third block.

    The others are of the same layers, and take fifteen seconds.
    """
    library.utils.set_random_seed(1)
    whole = library.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    last = library.layers.GlobalAveragePooling2D()(whole.get_layer("block_2_add").output)
    base = with_statistics(library.Model(whole.input, last, name=whole.name))
    image = library.Input((32, 32, 3))
    scores = head(library, base(image), ending="softmax")
    return Made(library.Model(image, scores), fed=signed)


# ----------------------------------------------------------------- after the features


def one_sigmoid(library: Library) -> Made:
    """Make a model of two labels that returns the second one's score."""
    rescaling = library.layers.Rescaling(1 / 127.5, -1)
    return Made(model(library, before=rescaling, count=1, ending="sigmoid"), read=of_two)


def one_logit(library: Library) -> Made:
    """Make a model of two labels that returns the second one's logit."""
    rescaling = library.layers.Rescaling(1 / 127.5, -1)
    made = model(library, before=rescaling, count=1)
    return Made(made, read=lambda outputs: of_two(sigmoid(outputs)))


def many_sigmoids(library: Library) -> Made:
    """Make a model of seven labels that do not exclude each other."""
    rescaling = library.layers.Rescaling(1 / 127.5, -1)
    return Made(model(library, before=rescaling, count=7, ending="sigmoid"))


def ending_in_softmax(library: Library) -> Made:
    """Make a model that ends with a softmax and a reshape after it."""
    layers = library.layers
    rescaling = layers.Rescaling(1 / 127.5, -1)
    made = model(library, before=rescaling, ending="softmax", after=layers.Reshape((CLASSES,)))
    return Made(made)


def average_of_two(library: Library) -> Made:
    """Make a model whose scores are the average of two softmax heads."""
    layers = library.layers
    library.utils.set_random_seed(1)
    image = library.Input((SIDE, SIDE, 3))
    x = features(library, layers.Rescaling(1 / 127.5, -1)(image))
    heads = [head(library, x, ending="softmax", seed=seed) for seed in (3, 4)]
    return Made(library.Model(image, layers.Average()(heads)))


# ---------------------------------------------------------------- between the layers


def _block(library: Library, inner: Callable[[Any], Any]) -> Made:
    """Make a model with the given block between the first layer and the last."""
    layers = library.layers
    library.utils.set_random_seed(1)
    image = library.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, 2, "same")(layers.Rescaling(1 / 127.5, -1)(image))
    x = layers.GlobalAveragePooling2D()(inner(x))
    made = library.Model(image, head(library, x))
    random = np.random.default_rng(5)
    # Biases are zero in an untrained model, which would hide faults.
    made.set_weights(
        [
            (w + random.uniform(0.05, 0.3, w.shape)).astype(w.dtype) if w.ndim == 1 else w
            for w in made.get_weights()
        ]
    )
    return Made(made, read=softmax)


def batchnorm_of_axis_three(library: Library) -> Made:
    """Make a model with BatchNormalization(axis=3), like Keras' EfficientNet."""
    layers = library.layers

    def inner(x: Any) -> Any:
        x = layers.BatchNormalization(axis=3)(layers.Conv2D(8, 3, use_bias=False)(x))
        return layers.ReLU()(x)

    return _block(library, inner)


def residual_without_bias(library: Library) -> Made:
    """Make residual blocks whose convolutions have no bias."""
    layers = library.layers

    def inner(x: Any) -> Any:
        for turn in range(2):
            y = layers.Conv2D(8, 3, padding="same", use_bias=False)(layers.ReLU()(x))
            x = layers.Add()([y, x] if turn else [x, y])
        return x

    return _block(library, inner)


def exact_gelu(library: Library) -> Made:
    """Make a model with the exact gelu, which TensorFlow computes with Erfc."""
    layers = library.layers
    return _block(library, layers.Conv2D(8, 1, activation=library.activations.gelu))


def swish(library: Library) -> Made:
    """Make a model with the activation of EfficientNet, which defines its own gradient."""
    layers = library.layers
    return _block(library, layers.Conv2D(8, 1, activation="swish"))


def transformer(library: Library) -> Made:
    """Make a small vision transformer: patches, attention, LayerNormalization."""
    layers = library.layers

    def inner(x: Any) -> Any:
        x = layers.Reshape((36, 8))(layers.MaxPooling2D(2)(x))
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(y, y)])
        y = layers.LayerNormalization(epsilon=1e-6)(x)
        y = layers.Dense(8)(layers.Dense(16, activation="gelu")(y))
        return layers.Reshape((6, 6, 8))(layers.Add()([x, y]))

    return _block(library, inner)


def squeezed_and_excited(library: Library) -> Made:
    """Make a block of MobileNetV3: squeeze and excitation, hard swish, separable convolution."""
    layers = library.layers

    def inner(x: Any) -> Any:
        y = layers.GlobalAveragePooling2D(keepdims=True)(x)
        y = layers.Conv2D(8, 1, activation="relu")(y)
        y = layers.ReLU(6.0)(layers.Conv2D(8, 1)(y) + 3.0) * (1.0 / 6.0)
        x = layers.Multiply()([x, y])
        x = layers.SeparableConv2D(8, 3, padding="same")(x)
        return layers.PReLU(shared_axes=[1, 2])(layers.LeakyReLU(0.2)(x))

    return _block(library, inner)
