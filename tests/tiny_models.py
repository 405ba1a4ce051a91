"""Tiny real models that are made quickly: good ones, and ones with one fault each.

TensorFlow is imported only when the first one is made.
"""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLASSES = 5
SIDE = 32
IMAGE = (None, SIDE, SIDE, 3)


def names(count: int = CLASSES) -> tuple[str, ...]:
    """Return labels for `count` classes."""
    return tuple(f"thing {number}" for number in range(count))


def weights(*shape: int, seed: int = 0) -> Any:
    """Return a variable with the same numbers in every process."""
    tf = tensorflow.load()
    return tf.Variable(tf.random.stateless_normal(shape, (seed, len(shape)), stddev=0.3))


def save(
    folder: Path,
    function: Any,
    shapes: dict[str, tuple[int | None, ...] | None],
    *variables: Any,
    dtype: str = "float32",
    signatures: tuple[str, ...] = ("serving_default",),
) -> Path:
    """Write a SavedModel that calls `function` with inputs of these names and shapes."""
    tf = tensorflow.load()
    module = tf.Module()
    module.kept = list(variables)
    specs = [tf.TensorSpec(shape, dtype, name=name) for name, shape in shapes.items()]
    concrete = tf.function(function).get_concrete_function(*specs)
    with tensorflow.quiet():
        tf.saved_model.save(module, str(folder), dict.fromkeys(signatures, concrete))
    # It holds a random number, which would give the model another key in the cache in each run.
    (folder / "fingerprint.pb").unlink()
    _name_anew(folder / "saved_model.pb")
    return folder


def _name_anew(path: Path) -> None:
    """Number the functions of a SavedModel from 0 on, in the order in which they were made.

    TensorFlow counts on from those of all models before, which are others on each test worker. The
    cache finds by the file's digest what another run has made of the same model.
    """
    from google.protobuf import text_format
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = SavedModel.FromString(path.read_bytes())
    for meta in model.meta_graphs:
        found = (each.signature.name for each in meta.graph_def.library.function)
        made = {name: int(number[1]) for name in found if (number := re.search(r"_(\d+)$", name))}
        names = {
            name: re.sub(r"\d+$", str(place), name)
            for place, name in enumerate(sorted(made, key=lambda name: made[name]))
        }
        written = re.sub(
            r"\w+_\d+",
            lambda word, names=names: names.get(word[0], word[0]),  # type: ignore[misc]
            text_format.MessageToString(meta),
        )
        written = re.sub(r'("_user_specified_name"\s+value \{\s+s: )"\d+"', r'\1"0"', written)
        meta.Clear()
        text_format.Parse(written, meta)
        library = meta.graph_def.library.function
        functions = sorted(library, key=lambda each: str(each.signature.name))
        del library[:]
        library.extend(functions)
    path.write_bytes(model.SerializeToString(deterministic=True))


def saved_model(
    folder: Path,
    classes: int = CLASSES,
    *,
    shape: tuple[int | None, ...] = IMAGE,
    ending: str = "logits",
    width: int = 4,
    dtype: str = "float32",
    signatures: tuple[str, ...] = ("serving_default",),
) -> Path:
    """Write a SavedModel: convolution, pooling, matrix product and the `ending`.

    `width` is the number of channels between the layers: 5,000 make a megabyte of weights.
    """
    tf = tensorflow.load()
    kernel = weights(3, 3, shape[-1] or 3, width, seed=1)
    matrix, bias = weights(width, classes, seed=2), weights(classes, seed=3)
    endings = {"logits": tf.identity, "softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}

    def call(image: Any) -> Any:
        pixels = tf.cast(image, tf.float32)
        seen = tf.nn.relu(tf.nn.conv2d(pixels, kernel, 2, "VALID"))
        return {"scores": endings[ending](tf.reduce_mean(seen, (1, 2)) @ matrix + bias)}

    return save(
        folder, call, {"image": shape}, kernel, matrix, bias, dtype=dtype, signatures=signatures
    )


def without_signature(folder: Path) -> Path:
    """Write a SavedModel without a signature."""
    return saved_model(folder, signatures=())


def with_two_inputs(folder: Path) -> Path:
    """Write a SavedModel that takes an image and a mask."""
    tf = tensorflow.load()

    def call(image: Any, mask: Any) -> Any:
        return {"scores": tf.reduce_mean(image * mask, (1, 2))}

    return save(folder, call, {"image": IMAGE, "mask": (None, SIDE, SIDE, 1)})


def with_two_outputs(folder: Path) -> Path:
    """Write a SavedModel that returns scores and features."""
    tf = tensorflow.load()

    def call(image: Any) -> Any:
        return {"features": tf.reduce_max(image, (1, 2)), "scores": tf.reduce_mean(image, (1, 2))}

    return save(folder, call, {"image": IMAGE})


def of_input_shape(folder: Path, shape: tuple[int | None, ...] | None) -> Path:
    """Write a SavedModel that reduces any input to one score."""
    tf = tensorflow.load()

    def call(image: Any) -> Any:
        return {"scores": tf.reshape(tf.reduce_mean(image), (1, 1))}

    return save(folder, call, {"image": shape})


def with_a_map_for_output(folder: Path) -> Path:
    """Write a SavedModel that returns an image, as for segmentation."""
    tf = tensorflow.load()
    return save(folder, lambda image: {"mask": tf.nn.relu(image)}, {"image": IMAGE})


def with_indices_for_output(folder: Path) -> Path:
    """Write a SavedModel that returns the indices of the best classes instead of scores."""
    tf = tensorflow.load()

    def call(image: Any) -> Any:
        return {"best": tf.math.top_k(tf.reduce_mean(image, (1, 2)), 2).indices}

    return save(folder, call, {"image": IMAGE})


def with_an_operation_tfjs_lacks(folder: Path) -> Path:
    """Write a SavedModel with a singular value decomposition, which TF.js lacks."""
    tf = tensorflow.load()

    def call(image: Any) -> Any:
        return {"scores": tf.linalg.svd(tf.reduce_mean(image, 3), compute_uv=False)[:, :CLASSES]}

    return save(folder, call, {"image": IMAGE})


def keras_model(
    library: Any,
    classes: int = CLASSES,
    *,
    first: Callable[[Any], Any] | None = None,
    side: int | None = SIDE,
) -> Any:
    """Make a Keras model with the `keras` of Keras 3 or of `tf_keras`.

    `first` takes the library's `layers`, and returns the layer to put after the input.
    """
    layers = library.layers
    library.utils.set_random_seed(1)
    image = library.Input((side, side, 3), name="image")
    x = first(layers)(image) if first else image
    x = layers.Conv2D(4, 3, strides=2, name="look")(x)
    x = layers.BatchNormalization(name="even_out")(x)
    x = layers.ReLU(6.0, name="clip")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = library.Model(image, layers.Dense(classes, name="judge")(x))
    # Statistics as after training, so that a lost BatchNormalization is noticed.
    statistics = [[1.1, 0.9, 1.3, 0.7], [0.1, 0.2, 0.3, 0.4], [0.5, -0.5, 0.2, 0.1], [2, 1, 3, 4]]
    model.get_layer("even_out").set_weights([np.array(part, "float32") for part in statistics])
    return model


def mobile_net(
    library: Any,
    classes: int = CLASSES,
    *,
    side: int = SIDE,
    stride: int = 2,
    seed: int = 1,
    takes_bytes: bool = True,
) -> Any:
    """Make an untrained MobileNetV2 of three blocks and 36,000 weights.

    It takes pixels as bytes, 0 to 255, or else as floats from -1 to 1. `stride` is the first
    convolution's: pictures of the size of photos take no longer if it is larger.
    """
    layers = library.layers
    library.utils.set_random_seed(seed)

    def convolution(x: Any, width: int, kernel: int = 1, stride: int = 1) -> Any:
        x = layers.Conv2D(width, kernel, stride, "same", use_bias=False)(x)
        return layers.BatchNormalization(momentum=0.9)(x)

    def block(x: Any, width: int, stride: int) -> Any:
        inside = layers.ReLU(6.0)(convolution(x, 4 * x.shape[-1]))
        inside = layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(inside)
        inside = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.9)(inside))
        inside = convolution(inside, width)
        return layers.Add()([x, inside]) if x.shape[-1] == width else inside

    image = library.Input((side, side, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0)(image) if takes_bytes else image
    x = layers.ReLU(6.0)(convolution(x, 16, 3, stride))
    for width, step in ((24, 2), (40, 2), (40, 1)):
        x = block(x, width, step)
    x = layers.ReLU(6.0)(convolution(x, 160))
    x = layers.GlobalAveragePooling2D()(x)
    return library.Model(image, layers.Dense(classes)(x))


def with_statistics(model: Any, *, seed: int = 3) -> Any:
    """Give every BatchNormalization statistics as after training; return the model."""
    random = np.random.default_rng(seed)
    limits = {"gamma": (0.5, 2.0), "beta": (-1.0, 1.0), "mean": (-1.0, 1.0), "var": (0.5, 2.0)}
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            size = layer.gamma.shape[0]
            layer.set_weights([random.uniform(*pair, size) for pair in limits.values()])
    return model


def libraries() -> dict[str, Any]:
    """Return both Keras libraries by their package names."""
    keras = tensorflow.load().keras
    import tf_keras

    return {"keras": keras, "tf_keras": tf_keras}


def save_keras(model: Any, path: Path) -> Path:
    """Write a Keras file in the format of the suffix, without the library's messages."""
    with tensorflow.quiet():
        model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    if path.suffix == ".keras":
        _number_anew(path)
    return path


def _number_anew(path: Path) -> None:
    """Take the date and the memory addresses out of a `.keras` file.

    The cache finds by the file's digest what another run has made of the same model.
    """
    with zipfile.ZipFile(path) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    numbers: dict[bytes, int] = {}
    files["metadata.json"] = re.sub(
        rb'("date_saved": ")[^"]*', rb"\g<1>2026-01-01@00:00:00", files["metadata.json"]
    )
    files["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda found: str(numbers.setdefault(found[0], len(numbers))).encode(),
        files["config.json"],
    )
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(zipfile.ZipInfo(name), content)
