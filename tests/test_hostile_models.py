"""Models that do more than compute: refused before they do it, unless the user trusts them."""

from __future__ import annotations

import io
import os
import pickle
import re
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from tests import tiny_models
from tests.fuzz.archive_readers import zip_of
from tests.test_local_models import edit_archive, edit_hdf5
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import keras_code
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local, operations
from toolchain.tfjs import stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store


class Warned(Silent):
    """Keeps what a person would be warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def convert(
    path: Path, store: Store, progress: Silent | None = None, *, trusted: bool = False
) -> stage.TfjsModel:
    """Read a local model and convert it, as a build does."""
    progress = progress or Silent()
    fetched = local.fetch(path, store=store, progress=progress, trusted=trusted)
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    return stage.run(
        replace(fetched, declared=declared),
        quantization="none",
        shard_bytes=4 << 20,
        store=store,
        progress=progress,
    )


# --- SavedModels -----------------------------------------------------------------------------


def doing(folder: Path, act: Callable[[Any, Any], Any]) -> Path:
    """Write a classifier that does something on the way to its scores."""
    tf = tensorflow.load()

    def call(image: Any) -> Any:
        scores = tf.reduce_mean(image, (1, 2)) @ tf.ones((3, tiny_models.CLASSES))
        with tf.control_dependencies([act(tf, image)]):
            return {"scores": tf.identity(scores)}

    return tiny_models.save(folder, call, {"image": tiny_models.IMAGE})


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("WriteFile", lambda tf, _: tf.io.write_file("proof", "written")),
        ("ReadFile", lambda tf, _: tf.io.read_file("/etc/hostname")),
        ("MatchingFiles", lambda tf, _: tf.io.matching_files("/*")),
        ("EagerPyFunc", lambda tf, image: tf.py_function(lambda x: x, [image], tf.float32)),
        ("PrintV2", lambda tf, _: tf.print("x", output_stream="file://proof")),
        (
            "SaveV2",
            lambda tf, image: tf.raw_ops.SaveV2(
                prefix="proof", tensor_names=["a"], shape_and_slices=[""], tensors=[image]
            ),
        ),
        (
            "ReadFile",  # in a branch
            lambda tf, image: tf.cond(
                tf.reduce_mean(image) > 2,
                lambda: tf.strings.length(tf.io.read_file("/etc/hostname")),
                lambda: 1,
            ),
        ),
    ],
)
def test_an_operation_that_reaches_out_of_the_graph_is_named_and_not_run(
    tmp_path: Path, store: Store, operation: str, act: Callable[[Any, Any], Any]
) -> None:
    path = doing(tmp_path / "model", act)
    with pytest.raises(BadInputError) as raised:
        convert(path, store)
    assert f"its operation {operation} in the function" in str(raised.value)
    assert "--trust" in str(raised.value)
    assert raised.value.exit_code == 2
    assert not list(tmp_path.glob("proof*"))


def test_a_graph_that_is_trusted_is_loaded_with_a_warning_and_kept_apart(
    tmp_path: Path, store: Store
) -> None:
    path = doing(tmp_path / "model", lambda tf, _: tf.io.read_file("/etc/hostname"))
    progress = Warned()
    with pytest.raises(BadInputError, match="lacks: ReadFile"):  # so it was loaded
        convert(path, store, progress, trusted=True)
    assert progress.warnings == [w for w in progress.warnings if "--trust: model is loaded" in w]
    harmless = tiny_models.saved_model(tmp_path / "harmless")
    trusted = convert(harmless, store, progress, trusted=True)
    assert not convert(harmless, store).reused
    assert trusted.key != convert(harmless, store).key


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_what_both_libraries_export_reaches_nowhere(tmp_path: Path, library: str) -> None:
    model = tiny_models.mobile_net(tiny_models.libraries()[library])
    with tensorflow.quiet():
        model.export(str(tmp_path / "model"))
    assert operations.fault_of((tmp_path / "model" / "saved_model.pb").read_bytes()) is None


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((None, 100_000, 100_000, 3), "height 100000, but this tool supports 1 to 4096"),
        ((1, 0, 0, 3), "height 0"),
    ],
)
def test_an_absurd_input_is_refused_in_a_sentence(
    tmp_path: Path, store: Store, shape: tuple[int | None, ...], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        convert(tiny_models.of_input_shape(tmp_path / "model", shape), store)


def test_an_absurd_result_on_the_way_is_refused_before_it_is_computed(
    tmp_path: Path, store: Store
) -> None:
    path = doing(tmp_path / "model", lambda tf, _: tf.reduce_sum(tf.fill((60_000, 60_000), 1.0)))
    with pytest.raises(BadInputError, match="computes 60000×60000 numbers at once"):
        convert(path, store)


# --- Keras files -----------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_lambda_layer_that_is_trusted_runs_and_is_kept_apart(
    tmp_path: Path, store: Store, library: str, suffix: str
) -> None:
    keras = tiny_models.libraries()[library]
    layer = keras.layers.Lambda(eval("lambda x: x * 0.5"), name="halve", output_shape=(32, 32, 3))  # noqa: S307
    model = tiny_models.keras_model(keras, first=lambda _: layer)
    path = tiny_models.save_keras(model, tmp_path / f"mine{suffix}")
    progress = Warned()
    trusted = local.fetch(path, store=store, progress=progress, trusted=True)
    assert progress.warnings == [
        f"--trust: {path} holds the Lambda layer 'halve', which runs with your permissions"
    ]
    assert (trusted.path / "saved_model.pb").is_file()
    with pytest.raises(BadInputError, match="give --trust if you know who made it"):
        local.fetch(path, store=store, progress=Silent())


PLANTED: list[tuple[dict[str, Any], str]] = [
    (
        {"class_name": "function", "module": "keras.utils", "config": "get_file"},
        "'get_file' of the module 'keras.utils'",
    ),
    (
        {"class_name": "VGG16", "module": "keras.applications.vgg16", "config": {}},
        "'VGG16' of the module 'keras.applications.vgg16'",
    ),
    (
        {"class_name": "function", "module": "keras.src.utils.file_utils", "config": "copy"},
        "'copy' of the module",
    ),
    ({"class_name": "Mine", "module": "my.layers", "config": {}}, "'Mine' of the module"),
    ({"class_name": "Popen", "module": "keraslike.layers", "config": {}}, "'Popen' of the module"),
    ({"class_name": "__typespec__", "module": "os", "config": []}, "of the module 'os'"),
    ({"class_name": "__lambda__", "config": {"value": "x"}}, "the Lambda layer"),
    ({"class_name": "TFSMLayer", "config": {"name": "a"}}, "the TFSMLayer 'a'"),
    ({"class_name": "TorchModuleWrapper", "config": {}}, "the TorchModuleWrapper"),
    (
        {"class_name": "StringLookup", "config": {"name": "b", "vocabulary": "/etc/passwd"}},
        "the StringLookup 'b' with the file '/etc/passwd'",
    ),
    ({"class_name": "TFOpLambda", "config": {"function": "io.read_file"}}, "tf.io.read_file"),
    ({"class_name": "X", "config": {"function_type": "lambda"}}, "the Lambda layer"),
]


@pytest.mark.parametrize(("planted", "said"), PLANTED, ids=range(len(PLANTED)))
def test_a_configuration_that_asks_for_more_than_layers_is_named(
    planted: dict[str, Any], said: str
) -> None:
    found = keras_code.foreign({"layers": [{"inner": [planted]}]})
    assert found is not None
    assert said in found.named


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_planted_parts_are_refused_before_keras_sees_them(
    tmp_path: Path, store: Store, library: str, suffix: str
) -> None:
    model = tiny_models.keras_model(tiny_models.libraries()[library])
    path = tiny_models.save_keras(model, tmp_path / f"mine{suffix}")
    edit = edit_archive if suffix == ".keras" else edit_hdf5
    edit(path, lambda config: config["config"].update(note=PLANTED[0][0]))
    with pytest.raises(BadInputError, match=r"'get_file' of the module 'keras\.utils'"):
        local.fetch(path, store=store, progress=Silent())


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a Keras model as `m.keras` and as `m.h5`."""
    folder = tmp_path_factory.mktemp("keras")
    model = tiny_models.keras_model(tiny_models.libraries()["keras"])
    for name in ("m.keras", "m.h5"):
        tiny_models.save_keras(model, folder / name)
    return folder


def outside(file: h5py.File, _path: str) -> None:
    file["extra"] = h5py.ExternalLink("/etc/other.h5", "/weights")


def soft(file: h5py.File, _path: str) -> None:
    file["extra"] = h5py.SoftLink("/model_weights")


def stored_elsewhere(file: h5py.File, _path: str) -> None:
    file.create_dataset("extra", (4,), "u1", external=[("/etc/hostname", 0, 4)])


def virtual(file: h5py.File, _path: str) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "weights", (4,))
    file.create_virtual_dataset("extra", layout)


def empty_terabytes(file: h5py.File, _path: str) -> None:
    file.create_dataset("extra", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (outside, "its /extra is a link to something else"),
        (soft, "its /extra is a link to something else"),
        (stored_elsewhere, "its /extra lies in another file"),
        (virtual, "its /extra lies in another file"),
        (empty_terabytes, "declares 4,398,0"),
    ],
)
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.parametrize("trusted", [False, True])
def test_weights_that_lie_elsewhere_or_nowhere_are_refused_even_if_trusted(
    *,
    tmp_path: Path,
    store: Store,
    keras_files: Path,
    plant: Callable[[h5py.File, str], None],
    said: str,
    name: str,
    trusted: bool,
) -> None:
    path = tmp_path / name
    path.write_bytes((keras_files / name).read_bytes())
    if name == "m.h5":
        with h5py.File(path, "r+") as file:
            plant(file, name)
    else:
        with zipfile.ZipFile(path) as archive:
            files = {each: archive.read(each) for each in archive.namelist()}
        weights = io.BytesIO(files["model.weights.h5"])
        with h5py.File(weights, "r+") as file:
            plant(file, name)
        path.write_bytes(zip_of({**files, "model.weights.h5": weights.getvalue()}))
    with pytest.raises(BadInputError) as raised:
        local.fetch(path, store=store, progress=Silent(), trusted=trusted)
    assert said in str(raised.value)
    assert "save the model again" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "zeros", "said"),
    [
        ("../../escaped.h5", 1, "points outside the archive"),
        ("assets/zeros", 80 << 20, "more than 50 times its size"),
        ("model.weights.h5", 80 << 20, "more than 50 times its size"),
    ],
)
def test_a_keras_archive_that_climbs_or_swells_is_refused(
    tmp_path: Path, store: Store, keras_files: Path, name: str, zeros: int, said: str
) -> None:
    with zipfile.ZipFile(keras_files / "m.keras") as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    path = tmp_path / "m.keras"
    path.write_bytes(zip_of({**files, name: bytes(zeros)}))
    with pytest.raises(BadInputError, match=said):
        local.fetch(path, store=store, progress=Silent())


# --- files that are none ---------------------------------------------------------------------


class Touching:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("proof",))


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        *((name, "torch.onnx.export(model.eval()") for name in ("m.pt", "m.PTH", "m.safetensors")),
        *((name, "torch.onnx.export(model.eval()") for name in ("m.bin", "m.mlmodel")),
        ("m.caffemodel", "give the .onnx file"),
        ("m.pdmodel", "with paddle2onnx"),
    ],
)
def test_files_of_other_tools_are_refused_with_the_way_out(
    tmp_path: Path, store: Store, name: str, way_out: str
) -> None:
    (tmp_path / name).write_bytes(b"content")
    with pytest.raises(BadInputError, match=re.escape(way_out)) as caught:
        local.fetch(tmp_path / name, store=store, progress=Silent())
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.joblib", "m.pt", "m.PTH", "m.ckpt"])
@pytest.mark.parametrize("trusted", [False, True])
def test_a_pickle_is_refused_and_not_read(
    tmp_path: Path, store: Store, name: str, *, trusted: bool
) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Touching()))
    with pytest.raises(
        BadInputError, match=r"is a pickle, which runs .* export the model as .*where it was"
    ):
        local.fetch(tmp_path / name, store=store, progress=Silent(), trusted=trusted)
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m.zip", "m.tar.gz"])
def test_a_pickle_by_another_name_is_no_model(tmp_path: Path, store: Store, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Touching()))
    with pytest.raises(BadInputError, match=name):
        local.fetch(tmp_path / name, store=store, progress=Silent(), trusted=True)
    assert not (tmp_path / "proof").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX pipes")
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path, store: Store) -> None:
    os.mkfifo(tmp_path / "m.keras")
    (tmp_path / "n.keras").symlink_to("/dev/zero")
    for name in ("m.keras", "n.keras"):
        with pytest.raises(BadInputError, match="neither a file nor a folder"):
            local.fetch(tmp_path / name, store=store, progress=Silent())


def test_a_model_with_an_odd_name_is_named_in_one_line(tmp_path: Path, store: Store) -> None:
    path = tiny_models.saved_model(tmp_path / "a\n\x1b[2J")
    (path / "note\udcfe").write_bytes(b"1")
    fetched = local.fetch(path, store=store, progress=Silent())
    assert fetched.source == fetched.declared.name == "a\\n\\x1b[2J"
    assert np.prod(convert(path, store).converted.card.input.height) == tiny_models.SIDE
