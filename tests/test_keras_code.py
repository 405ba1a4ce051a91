"""What Keras files hold besides Keras' own layers: its applications' layers, a hub's, one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from tests.test_local_models import edit_archive, photos, scores
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import keras_code
from toolchain.progress import Silent
from toolchain.sources import local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store

LIBRARIES = pytest.mark.parametrize("library", ["keras", "tf_keras"])
SUFFIXES = pytest.mark.parametrize("suffix", [".keras", ".h5"])
AS_FOLDER = {
    "keras": "`model.export('folder')`",
    "tf_keras": "`model.save('folder', save_format='tf')`",
}


def saved(path: Path, library: str, *layers: Any, compiled: bool = False) -> Any:
    """Write a model with these layers between its first and its pooling; return it."""
    keras = tiny_models.libraries()[library]
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((tiny_models.SIDE, tiny_models.SIDE, 3)),
            keras.layers.Conv2D(tiny_models.CLASSES, 3),
            *layers,
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    if compiled:
        call = {"call": lambda _, truth, scores: truth - scores, "__module__": "my.losses"}
        own_loss = type("OwnLoss", (keras.losses.Loss,), call)
        model.compile("adam", own_loss())
    tiny_models.save_keras(model, path)
    return model


def refused(path: Path, store: Store, *, trusted: bool = False) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(BadInputError) as raised:
        local.fetch(path, store=store, progress=Silent(), trusted=trusted)
    assert raised.value.exit_code == 2
    assert str(raised.value).startswith(f"{path} ")
    assert "\n" not in str(raised.value)
    return str(raised.value)


# --- Keras' own ------------------------------------------------------------------------------


@LIBRARIES
@SUFFIXES
def test_the_layers_of_keras_own_applications_are_loaded(
    tmp_path: Path, store: Store, library: str, suffix: str
) -> None:
    keras = tiny_models.libraries()[library]
    own = keras_code.custom_objects(library, trusted=False)
    layers_of_applications = {"LayerScale", "StochasticDepth", "CustomScaleLayer"}
    assert layers_of_applications <= set(own)
    own = {name: own[name] for name in layers_of_applications}
    if library == "keras":  # which finds them where they are defined
        assert {kind.__module__.partition(".")[0] for kind in own.values()} == {"keras"}
    path = tmp_path / f"mine{suffix}"
    layers = [
        own["LayerScale"](0.5, tiny_models.CLASSES, name="scaled"),
        own["StochasticDepth"](0.1, name="dropped"),
    ]
    model = saved(path, library, *layers)
    assert isinstance(model.get_layer("scaled"), keras.layers.Layer)
    fetched = local.fetch(path, store=store, progress=Silent())
    expected = model.predict(photos(), verbose=0)
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)


@pytest.mark.parametrize("package", ["keras", "tf_keras", "keras.src", "keras.api", "tf_keras.src"])
def test_of_the_applications_nothing_but_their_layers_is_loaded(package: str) -> None:
    def part(module: str, kind: str) -> dict[str, Any]:
        return {"module": f"{package}.{module}", "class_name": kind, "config": {}}

    for kind, module in (
        ("LayerScale", "applications.convnext"),
        ("StochasticDepth", "applications.convnext"),
        ("CustomScaleLayer", "applications.inception_resnet_v2"),
    ):
        assert keras_code.foreign(part(module, kind)) is None
        assert keras_code.foreign(part("utils", kind)) is not None
    for kind in ("ConvNeXtTiny", "preprocess_input", "decode_predictions", "Layer"):
        assert keras_code.foreign(part("applications.convnext", kind)) is not None
    assert keras_code.foreign({"module": "keraslike.applications.convnext", "class_name": "X"})


@LIBRARIES
@SUFFIXES
def test_a_loss_of_ones_own_is_not_loaded_and_no_reason_to_refuse(
    tmp_path: Path, store: Store, library: str, suffix: str
) -> None:
    path = tmp_path / f"mine{suffix}"
    model = saved(path, library, compiled=True)
    fetched = local.fetch(path, store=store, progress=Silent())
    expected = model.predict(photos(), verbose=0)
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)


@LIBRARIES
def test_how_an_inner_model_was_compiled_is_loaded_and_so_looked_at(
    tmp_path: Path, store: Store, library: str
) -> None:
    path = tmp_path / "mine.keras"
    saved(path, library)
    planted = {"loss": {"module": "os", "class_name": "system", "config": "touch proof"}}
    edit_archive(path, lambda config: config.update(compile_config=planted))
    local.fetch(path, store=store, progress=Silent())
    edit_archive(path, lambda config: config["config"]["layers"][1].update(compile_config=planted))
    assert "holds 'system' of the module 'os', which runs" in refused(path, store)


# --- one's own -------------------------------------------------------------------------------


def own_layer(keras: Any) -> Any:
    # As in a notebook, whose module is of this name.
    own = {"call": lambda _, inputs: inputs * 2, "__module__": "__main__"}
    return type("Mine", (keras.layers.Layer,), own)(name="doubled")


def own_function(keras: Any) -> Any:
    def gargle(inputs: Any) -> Any:
        return inputs * 2

    return keras.layers.Activation(gargle)


@LIBRARIES
@SUFFIXES
@pytest.mark.parametrize(("make", "name"), [(own_layer, "Mine"), (own_function, "gargle")])
def test_code_that_is_not_in_the_file_is_named_with_the_way_out(
    tmp_path: Path,
    store: Store,
    library: str,
    suffix: str,
    make: Callable[[Any], Any],
    name: str,
) -> None:
    path = tmp_path / f"mine{suffix}"
    saved(path, library, make(tiny_models.libraries()[library]))
    sentence = refused(path, store)
    assert f"holds {name!r}" in sentence
    assert AS_FOLDER[library] in sentence


@LIBRARIES
def test_a_layer_of_another_library_is_named_with_the_way_out(
    tmp_path: Path, store: Store, library: str
) -> None:
    path = tmp_path / "mine.keras"
    saved(path, library)
    away = {"module": "my.layers", "class_name": "Mine", "registered_name": "my>Mine"}
    edit_archive(path, lambda config: config["config"]["layers"][1].update(away))
    sentence = refused(path, store)
    assert (
        "holds 'Mine' of the module 'my.layers', which runs code of the file's author" in sentence
    )
    assert AS_FOLDER[library] in sentence
    assert "--trust" in sentence
    assert AS_FOLDER[library] in refused(path, store, trusted=True)  # there is no such module


def test_operations_that_keras_cannot_read_again_from_hdf5_are_read(
    tmp_path: Path, store: Store
) -> None:
    """Keras 3 writes arithmetic into HDF5 files by class names, of which some are a layer's too."""
    keras = tiny_models.libraries()["keras"]
    image = keras.Input((tiny_models.SIDE, tiny_models.SIDE, 3))
    scaled = image / 0.01 - 1.0
    both = keras.layers.Subtract()([scaled, keras.layers.AveragePooling2D(3, 1, "same")(scaled)])
    pooled = keras.layers.GlobalAveragePooling2D()(both + 0.5 * scaled)
    model = keras.Model(image, pooled)
    path = tiny_models.save_keras(model, tmp_path / "mine.h5")
    fetched = local.fetch(path, store=store, progress=Silent())
    expected = model.predict(photos(), verbose=0)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)


@SUFFIXES
def test_initializers_of_tensorflow_are_loaded(tmp_path: Path, store: Store, suffix: str) -> None:
    keras = tiny_models.libraries()["tf_keras"]
    start = tensorflow.load().constant_initializer(0.25)
    model = saved(
        tmp_path / f"mine{suffix}", "tf_keras", keras.layers.Dense(4, bias_initializer=start)
    )
    fetched = local.fetch(tmp_path / f"mine{suffix}", store=store, progress=Silent())
    expected = model.predict(photos(), verbose=0)
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)


def test_a_long_complaint_of_keras_is_cut(tmp_path: Path) -> None:
    error = ValueError("Shapes do not match: " + "1, " * 1_000 + "\nand more")
    sentence = keras_code.loading_fault(tmp_path / "m.h5", error, {}, "2.15.0")
    assert "cannot be loaded by Keras 2.15.0: Shapes do not match: 1, 1," in sentence
    assert len(sentence) < len(str(tmp_path)) + 500
    assert AS_FOLDER["tf_keras"] in sentence


# --- a hub's ---------------------------------------------------------------------------------


@SUFFIXES
def test_a_hub_layer_loads_another_model_for_those_only_who_trust_it(
    tmp_path: Path, store: Store, suffix: str
) -> None:
    import tensorflow_hub

    tf = tensorflow.load()
    inner = tf.Module()
    inner.scale = tf.Variable(2.0)
    specs = [tf.TensorSpec((None, None, None, tiny_models.CLASSES))]
    inner.__call__ = tf.function(lambda image: image * inner.scale, specs)
    handle = str(tmp_path / "inner")
    with tensorflow.quiet():
        tf.saved_model.save(inner, handle)
    path = tmp_path / f"mine{suffix}"
    model = saved(path, "tf_keras", tensorflow_hub.KerasLayer(handle, name="borrowed"))
    sentence = refused(path, store)
    assert f"holds the hub.KerasLayer 'borrowed', which loads another model from {handle!r}" in (
        sentence
    )
    assert AS_FOLDER["tf_keras"] in sentence
    assert "--trust" in sentence
    fetched = local.fetch(path, store=store, progress=Silent(), trusted=True)
    expected = model.predict(photos(), verbose=0)
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)
    # The way out that the sentence names.
    with tensorflow.quiet():
        model.save(tmp_path / "folder", save_format="tf")
    fetched = local.fetch(tmp_path / "folder", store=store, progress=Silent())
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)
