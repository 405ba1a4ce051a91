"""TFLite files: scores against TFLite's interpreter, labels and ranges, odd and hostile files."""

from __future__ import annotations

import io
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import built_site, tiny_models
from tests.tflite_files import LiteFile, metadata, small
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import tflite_file, tflite_model
from toolchain.formats.format import Named
from toolchain.progress import Silent
from toolchain.sources import local

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

SIDE = 24


@pytest.fixture(scope="module")
def mobile() -> Any:
    """Return a Keras network of the layers that MobileNets have."""
    tensorflow.load()
    import keras

    layers = keras.layers
    photo = x = layers.Input((SIDE, SIDE, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.DepthwiseConv2D(5, padding="same", depth_multiplier=2)(x)
    y = layers.Activation("hard_silu")(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    y = layers.Multiply()([y, layers.Conv2D(16, 1, activation="hard_sigmoid")(gate)])
    x = layers.Add()([x, layers.Conv2D(8, 1)(y)])
    x = layers.Conv2D(24, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    network = keras.Model(photo, layers.Dense(5, activation="softmax")(x))
    random = np.random.default_rng(1)
    network.set_weights(
        [
            random.uniform(0.5, 1, each.shape)
            if "variance" in each.path
            else random.normal(0, 1.5 * max(1, np.prod(each.shape[:-1])) ** -0.5, each.shape)
            for each in network.weights
        ]
    )
    return network


def converted(network: Any, kind: str) -> bytes:
    """Return a network as TFLite: weights as `float16` or `dynamic` integers, or all as `uint8`."""
    tf = tensorflow.load()
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "uint8":
        random = np.random.default_rng(3)
        converter.representative_dataset = lambda: (
            [random.uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)] for _ in range(8)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with tensorflow.quiet():
        return bytes(converter.convert())


def interpreted(path: Path, image: Any) -> Any:
    """Return the scores of TFLite's interpreter for some photos."""
    with tensorflow.quiet():
        interpreter = tensorflow.load().lite.Interpreter(str(path))
        interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for photo in image:
        interpreter.set_tensor(taken["index"], photo[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(given["index"]))
    return np.concatenate(rows)


def rebuilt(folder: Path, image: Any) -> Any:
    """Return the scores of a SavedModel for some photos at once."""
    tf = tensorflow.load()
    classify = tf.saved_model.load(str(folder)).signatures["serving_default"]
    (name,) = classify.structured_input_signature[1]
    (scores,) = classify(**{name: tf.constant(image)}).values()
    return scores.numpy()


def photos() -> Any:
    return np.random.default_rng(2).uniform(-1, 1, (2, SIDE, SIDE, 3)).astype(np.float32)


def written(path: Path, made: LiteFile, **values: Any) -> Path:
    path.write_bytes(made.to_bytes(**values))
    return path


@pytest.mark.parametrize("kind", ["float16", "dynamic"])
def test_rounded_weights_give_the_interpreters_scores(
    kind: str, mobile: Any, tmp_path: Path
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(converted(mobile, kind))
    tflite_model.export(path, tmp_path / "out")
    expected = interpreted(path, photos())
    assert np.ptp(expected) > 0.1
    # The interpreter rounds the numbers that meet integer weights too; the network here does not.
    limit = 1e-5 if kind == "float16" else 0.02
    np.testing.assert_allclose(rebuilt(tmp_path / "out", photos()), expected, atol=limit)


def test_a_network_of_integers_is_near_what_it_was_made_from(mobile: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(converted(mobile, "uint8"))
    declared = tflite_model.export(path, tmp_path / "out")
    # Calibrated on -1…1, in 255 steps.
    assert declared.value_range is not None
    np.testing.assert_allclose(declared.value_range, (-1, 1), atol=0.01)
    expected = mobile(photos()).numpy()
    np.testing.assert_allclose(rebuilt(tmp_path / "out", photos()), expected, atol=0.05)


def test_a_site_from_a_tflite_file_gives_the_interpreters_scores(
    tmp_path: Path, store: Store
) -> None:
    path = written(tmp_path / "m.tflite", small())
    run = built_site.network_of(path, tmp_path, store)
    image = np.random.default_rng(2).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    expected = interpreted(path, image)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(run(image), expected, atol=1e-5)


# --- what a file tells -------------------------------------------------------------------------


def test_the_content_tells_the_format(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path / "model.bin", small())
    assert tflite_file.is_one(path)
    assert local.fetch(path, store=store, progress=Silent()).path.is_dir()


@pytest.mark.parametrize(
    ("means", "deviations", "told"),
    [
        ([127.5], [127.5], {"value_range": (-1.0, 1.0)}),
        ([0.0] * 3, [255.0] * 3, {"value_range": (0.0, 1.0)}),
        (
            [1.0, 2.0, 3.0],
            [4.0, 5.0, 6.0],
            {"value_range": (0.0, 255.0), "mean": (1, 2, 3), "std": (4, 5, 6)},
        ),
    ],
)
def test_metadata_tell_range_labels_and_licence(
    means: list[float], deviations: list[float], told: dict[str, Any], tmp_path: Path
) -> None:
    path = written(tmp_path / "m.tflite", small(metadata=metadata(means, deviations)))
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("labels.txt", "\n".join(tiny_models.names(5)))
    declared = tflite_model.export(path, tmp_path / "out")
    assert declared.model_dump(exclude_none=True) == {
        "labels": tiny_models.names(5),
        "licence": "Apache-2.0",
        **told,
    }


@pytest.mark.parametrize(
    ("kind", "scale", "point", "span"),
    [("UINT8", 1 / 128, 128, (-1.0, 127 / 128)), ("INT8", 1.0, -128, (0.0, 255.0))],
)
def test_the_integers_of_an_input_tell_the_range(
    kind: str, scale: float, point: int, span: tuple[float, float], tmp_path: Path
) -> None:
    path = written(tmp_path / "m.tflite", integers(kind, scale, point))
    declared = tflite_model.export(path, tmp_path / "out")
    assert (declared.value_range, declared.notes) == (span, None)


def integers(kind: str, scale: float, point: int) -> LiteFile:
    """Return a file that turns an input of integers into floats and averages them."""
    made = LiteFile(kind=kind, scale=scale, zero_point=point)
    # The oldest version of this operator takes unsigned integers only.
    floats = made.add("DEQUANTIZE", [0], (1, 8, 8, 3), version=2)
    axes = made.constant(np.array([1, 2], np.int32))
    means = made.add("MEAN", [floats, axes], (1, 3), "Reducer", keepDims=False)
    made.add("FULLY_CONNECTED", [means, made.drawn(5, 3), made.drawn(5)], (1, 5), "FullyConnected")
    return made


def test_an_unusual_range_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "m.tflite", integers("INT8", 0.02, 10))
    (note,) = tflite_model.export(path, tmp_path / "out").notes or ()
    assert note.startswith("the integers of its input stand for -2.76…2.34, which is taken as")


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_teachable_machines_export_brings_labels_and_range(
    packed: bool, tmp_path: Path, store: Store
) -> None:
    folder = tmp_path / "converted_tflite"
    folder.mkdir()
    written(folder / "model_unquant.tflite", small())
    (folder / "labels.txt").write_text("0 cat\n1 dog\n2 cow\n3 hen\n4 pig\n")
    path = folder
    if packed:
        path = tmp_path / "converted_tflite.zip"
        shutil.make_archive(str(path.with_suffix("")), "zip", folder)
    found = local.fetch(path, store=store, progress=Silent()).declared
    assert found.labels == ("cat", "dog", "cow", "hen", "pig")
    assert (found.value_range, found.crop_fraction) == ((-1.0, 1.0), 1.0)


def test_outputs_are_named(tmp_path: Path) -> None:
    made = small()
    made.outputs = [len(made.tensors) - 1, 3]  # the scores and the convolution
    path = written(tmp_path / "m.tflite", made)
    tflite_model.export(path, tmp_path / "both")
    tflite_model.export(path, tmp_path / "one", named=Named(output="mean_5"))
    tf = tensorflow.load()
    given = [
        {
            name: tuple(each.shape)
            for name, each in tf.saved_model.load(str(tmp_path / folder))
            .signatures["serving_default"]
            .structured_outputs.items()
        }
        for folder in ("both", "one")
    ]
    assert given == [
        {"fully_connected_8": (None, 5), "conv_2d_3": (None, 4, 4, 4)},
        {"mean_5": (None, 4)},
    ]
    with pytest.raises(BadInputError, match=r"no output x; .*such as fully_connected_8, conv_2d_3"):
        tflite_model.export(path, tmp_path / "none", named=Named(output="x"))
    with pytest.raises(BadInputError, match=r"no input x; name one with --input, such as photo"):
        tflite_model.export(path, tmp_path / "none", named=Named(input="x"))


# --- files that are refused --------------------------------------------------------------------


def custom() -> LiteFile:
    made = small()
    made.codes[0].builtinCode = made.codes[0].deprecatedBuiltinCode = 32
    made.codes[0].customCode = b"edgetpu-custom-op"
    return made


def texts() -> LiteFile:
    made = small()
    made.tensors[2].type = 5
    return made


def untranslated() -> LiteFile:
    made = small()
    made.add("UNIQUE", [len(made.tensors) - 1], (5,), "Unique")
    return made


def sized() -> LiteFile:
    made = small()
    made.tensors[1].shape = [1 << 16, 1 << 16, 3, 3]
    return made


def shorter() -> LiteFile:
    made = small()
    made.tensors[1].shape = [4, 3, 3, 4]
    return made


def flat() -> LiteFile:
    made = LiteFile(photo=(1, 12))
    made.add("FULLY_CONNECTED", [0, made.drawn(5, 12), made.drawn(5)], (1, 5), "FullyConnected")
    return made


def fixed() -> LiteFile:
    made = LiteFile()
    made.add("ADD", [made.drawn(1, 5), made.drawn(5)], (1, 5), "Add")
    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (custom, "holds the operator edgetpu-custom-op of another tool, which is not read; give"),
        (texts, "holds the tensor constant_2 of the kind STRING, which is not read; give"),
        (untranslated, "holds the operator UNIQUE, which is not read; give"),
        (sized, "holds the tensor constant_1 of the shape [65536, 65536, 3, 3], which is not"),
        (shorter, "is a damaged TFLite file; get it again"),
        (flat, "has an input photo of FLOAT32 [1, 12], and not an image of floats or bytes"),
        (fixed, "has 0 inputs that its scores need (none); give a classifier"),
    ],
)
def test_what_is_not_read_is_refused_with_the_way_out(make: Any, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.tflite", make())
    with pytest.raises(BadInputError) as caught:
        tflite_model.export(path, tmp_path / "out")
    assert str(caught.value).startswith(f"{path} {said}")
    assert "\n" not in str(caught.value)


def test_several_graphs_and_no_tflite_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "m.tflite", small(), graphs=2)
    with pytest.raises(BadInputError, match="holds 2 graphs, which is not read; give what it was"):
        tflite_model.export(path, tmp_path / "out")
    path.write_bytes(b"content")
    with pytest.raises(BadInputError, match="is not a TFLite file; get it again, or give"):
        tflite_model.export(path, tmp_path / "out")
    path.write_bytes(small().to_bytes()[:300])
    with pytest.raises(BadInputError, match="is a damaged TFLite file; get it again"):
        tflite_model.export(path, tmp_path / "out")


def test_a_hostile_zip_in_a_file_is_not_unpacked(tmp_path: Path) -> None:
    made = small(metadata=metadata([0.0], [1.0], "labels.txt"))
    path = written(tmp_path / "m.tflite", made)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("labels.txt", bytes(80 << 20))
    path.write_bytes(path.read_bytes() + bomb.getvalue())
    with pytest.raises(
        BadInputError, match=r"the zip inside .*m\.tflite is not unpacked: it unpac"
    ):
        tflite_model.export(path, tmp_path / "out")


def test_an_interpreter_that_fails_is_a_refusal(tmp_path: Path) -> None:
    made = small()
    made.codes[0].version = 99
    path = written(tmp_path / "m.tflite", made)
    with pytest.raises(BadInputError, match=r"cannot be run by TFLite's interpreter \(Didn't find"):
        tflite_model.export(path, tmp_path / "out")
