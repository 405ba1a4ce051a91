"""Models of the user's own: Keras files of both libraries, folders, and their sidecars."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from tests import tiny_models
from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import keras_file
from toolchain.graph import signature
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store


def photos() -> Any:
    return np.random.default_rng(1).random((2, 32, 32, 3), np.float32)


def scores(saved_model: Path) -> Any:
    """Return what the SavedModel gives for the photos, by its own signature."""
    found, loaded = signature.read(saved_model)
    call = loaded.signatures[found.key]
    tf = tensorflow.load()
    return call(**{found.input: tf.constant(photos())})[found.output].numpy()


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_keras_file_answers_as_its_own_library_does(
    tmp_path: Path, store: Store, library: str, suffix: str
) -> None:
    model = tiny_models.keras_model(tiny_models.libraries()[library])
    path = tiny_models.save_keras(model, tmp_path / f"mine{suffix}")
    fetched = local.fetch(path, store=store, progress=Silent())
    expected = model.predict(photos(), verbose=0)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(scores(fetched.path), expected, atol=1e-5)
    assert fetched.sha256 == digest.of_file(path)
    assert fetched.source == path.name
    assert fetched.declared == Declared(name="mine")


def test_the_same_file_is_exported_once(tmp_path: Path, store: Store) -> None:
    model = tiny_models.keras_model(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(model, tmp_path / "mine.keras")
    first = local.fetch(path, store=store, progress=Silent())
    written = (first.path / "saved_model.pb").stat().st_mtime_ns
    renamed = path.rename(tmp_path / "other.keras")
    second = local.fetch(renamed, store=store, progress=Silent())
    assert second.path == first.path
    assert (second.path / "saved_model.pb").stat().st_mtime_ns == written
    assert second.declared.name == "other"


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_lambda_layer_is_refused_and_its_code_not_run(
    tmp_path: Path, store: Store, library: str, suffix: str, nested: bool
) -> None:
    keras = tiny_models.libraries()[library]
    proof = tmp_path / "proof"
    # The code imports by itself: what it closes over is not kept in the file.
    layer = keras.layers.Lambda(
        eval(f"lambda x: (__import__('pathlib').Path({str(proof)!r}).touch(), x)[1]"),  # noqa: S307
        name="halve",
        output_shape=(32, 32, 3),
    )
    first = keras.Sequential([keras.Input((32, 32, 3)), layer]) if nested else layer
    model = tiny_models.keras_model(keras, first=lambda _: first)
    path = tiny_models.save_keras(model, tmp_path / f"mine{suffix}")
    proof.unlink(missing_ok=True)
    with pytest.raises(BadInputError, match="holds the Lambda layer 'halve'") as raised:
        local.fetch(path, store=store, progress=Silent())
    assert str(path) in str(raised.value)
    assert "replace it with a named layer" in str(raised.value)
    assert raised.value.exit_code == 2
    assert not proof.exists()
    assert list((store.root / "v1").glob("local/*")) == []


def edit_archive(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the configuration inside a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    edit(config)
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def edit_hdf5(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Change the configuration inside an HDF5 file."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_function_of_the_system_in_place_of_a_layer_is_not_called(
    tmp_path: Path, library: str
) -> None:
    proof = tmp_path / "proof"
    calls: dict[str, Any] = {
        "keras": [{"args": [str(proof)], "kwargs": {}}],
        "tf_keras": [[["_CONSTANT_VALUE", -1, str(proof), {}]]],
    }

    def plant(config: dict[str, Any]) -> None:
        planted = {"class_name": "function", "module": "os", "config": "mkdir", "name": "x"}
        for registered in (None, "mkdir", "os>mkdir"):
            config["config"]["layers"].append(
                {**planted, "registered_name": registered, "inbound_nodes": calls[library]}
            )

    model = tiny_models.keras_model(tiny_models.libraries()[library])
    path = tiny_models.save_keras(model, tmp_path / "mine.keras")
    edit_archive(path, plant)
    with pytest.raises(BadInputError, match=r"mine\.keras"):
        keras_file.export(path, tmp_path / "saved_model")
    assert not proof.exists()


def test_an_operation_that_writes_files_is_not_run_when_the_model_is_loaded(
    tmp_path: Path,
) -> None:
    proof = tmp_path / "proof"

    def plant(config: dict[str, Any]) -> None:
        config["config"]["layers"].append(
            {
                "class_name": "TFOpLambda",
                "name": "x",
                "config": {"name": "x", "function": "io.write_file", "dtype": "float32"},
                "inbound_nodes": [["_CONSTANT_VALUE", -1, str(proof), {"contents": "written"}]],
            }
        )

    model = tiny_models.keras_model(tiny_models.libraries()["tf_keras"])
    path = tiny_models.save_keras(model, tmp_path / "mine.h5")
    edit_hdf5(path, plant)
    with pytest.raises(BadInputError, match=r"mine\.h5"):
        keras_file.export(path, tmp_path / "saved_model")
    assert not proof.exists()


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_weights_without_a_model_are_refused(tmp_path: Path, store: Store, library: str) -> None:
    model = tiny_models.keras_model(tiny_models.libraries()[library])
    path = tiny_models.save_keras(model, tmp_path / "mine.weights.h5")
    with pytest.raises(BadInputError, match="holds weights without a model") as raised:
        local.fetch(path, store=store, progress=Silent())
    assert str(path) in str(raised.value)
    assert "model.save('model.keras')" in str(raised.value)
    assert raised.value.exit_code == 2


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.json", content)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html>",
        b"PK\x03\x04" + bytes(30),
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        zipped(config="{}"),
        zipped(config="{}", metadata="{}"),
        zipped(config="{", metadata='{"keras_version": "3.0.0"}'),
        zipped(config="{}", metadata="[]"),
        zipped(config="{}", metadata='{"keras_version": "3.0.0"}'),
        zipped(config="[" * 100_000, metadata='{"keras_version": "3.0.0"}'),
        zipped(config='{"class_name": "Lambda", "config": 1}', metadata='{"keras_version": "3"}'),
        zipped(config='{"class_name": 1}', metadata='{"keras_version": "3.0.0"}'),
    ],
    ids=[
        "empty",
        "page",
        "broken archive",
        "broken HDF5",
        "no metadata",
        "no version",
        "no JSON",
        "a list",
        "no class",
        "deep",
        "Lambda without a name",
        "a class without a name",
    ],
)
def test_what_is_no_keras_file_is_refused_in_a_sentence(
    tmp_path: Path, store: Store, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadInputError) as raised:
        local.fetch(path, store=store, progress=Silent())
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kept", [0.3, 0.9])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_that_is_cut_off_is_refused(
    tmp_path: Path, store: Store, suffix: str, kept: float
) -> None:
    model = tiny_models.keras_model(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(model, tmp_path / f"mine{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(BadInputError, match="is not a Keras model file"):
        local.fetch(path, store=store, progress=Silent())


def test_a_layer_that_nobody_knows_is_refused_in_a_sentence(tmp_path: Path, store: Store) -> None:
    model = tiny_models.keras_model(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(model, tmp_path / "mine.keras")

    def rename(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "ReLU":
                layer.update(module=None, class_name="Gargle", registered_name="mine>Gargle")

    edit_archive(path, rename)
    with pytest.raises(BadInputError, match="holds 'Gargle', which is not part of") as raised:
        local.fetch(path, store=store, progress=Silent())
    assert "\n" not in str(raised.value)


def test_a_folder_is_taken_where_it_lies(tiny: Path, store: Store) -> None:
    fetched = local.fetch(tiny, store=store, progress=Silent())
    assert fetched.path == tiny
    assert fetched.sha256 == digest.of_tree(tiny)
    assert fetched.source == fetched.declared.name == "tiny"
    assert not store.root.exists()


def test_the_folder_where_one_stands_is_a_model_too(
    tiny: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    monkeypatch.chdir(tiny)
    fetched = local.fetch(Path(), store=store, progress=Silent())
    assert fetched.source == fetched.declared.name == "tiny"
    assert fetched.sha256 == digest.of_tree(tiny)


@pytest.mark.parametrize("name", ["birds", "birds.v2", "birds.keras", "birds.v2.h5"])
def test_the_sidecar_lies_beside_the_model(tmp_path: Path, store: Store, name: str) -> None:
    path = tmp_path / name
    if name.endswith(keras_file.SUFFIXES):
        model = tiny_models.keras_model(
            tiny_models.libraries()["keras"], first=lambda layers: layers.Rescaling(1 / 255)
        )
        tiny_models.save_keras(model, path)
        sidecar = path.with_suffix(".toml")
    else:
        tiny_models.saved_model(path)
        sidecar = path.with_name(f"{name}.toml")
    sidecar.write_text('licence = "CC0"\nlabels = "birds.txt"\nvalue_range = [0, 1]\n', "utf-8")
    (tmp_path / "birds.txt").write_text("\n".join(tiny_models.names()), "utf-8")
    declared = local.fetch(path, store=store, progress=Silent()).declared
    assert declared.licence == "CC0"
    assert declared.labels == tiny_models.names()
    assert declared.value_range == (0.0, 1.0)  # rather than the model's own 0…255


def test_a_faulty_sidecar_is_named(tmp_path: Path, tiny: Path, store: Store) -> None:
    (tmp_path / "tiny").symlink_to(tiny)
    (tmp_path / "tiny.toml").write_text("labls = []", "utf-8")
    with pytest.raises(BadInputError, match=r"tiny\.toml: labls"):
        local.fetch(tmp_path / "tiny", store=store, progress=Silent())


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("missing", lambda _: None, "there is no model at .*missing; give the path"),
        ("empty", lambda path: path.mkdir(), r"not a whole SavedModel: saved_model\.pb is missing"),
        (
            "model.params",
            lambda path: path.touch(),
            r"is not a model that this tool can read; .*\.keras",
        ),
        ("model.weights", lambda path: path.touch(), r"is not a model that this tool can read"),
    ],
)
def test_what_is_no_model_is_named_with_the_way_out(
    tmp_path: Path, store: Store, name: str, make: Callable[[Path], None], sentence: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(BadInputError, match=sentence) as raised:
        local.fetch(tmp_path / name, store=store, progress=Silent())
    assert str(tmp_path / name) in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_model_of_the_tests_is_the_same_whatever_was_made_before(tmp_path: Path) -> None:
    """By its digest the cache finds what other runs, whose tests run in other order, made of it."""
    first = tiny_models.saved_model(tmp_path / "first")
    tiny_models.with_two_outputs(tmp_path / "between")
    again = tiny_models.saved_model(tmp_path / "again")
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert all((first / file).read_bytes() == (again / file).read_bytes() for file in files)
    np.testing.assert_array_equal(scores(first), scores(again))
