"""TF.js models and Teachable Machine's exports: their scores are those of the original."""

from __future__ import annotations

import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import mirror, tfjs_exports, tiny_models
from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, PinMismatchError, SourceError
from toolchain.formats import tfjs_files
from toolchain.graph import classifier
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local, resolve
from toolchain.sources.request import Request
from toolchain.sources.retries import NetworkPolicy
from toolchain.tfjs import converter, execute

if TYPE_CHECKING:
    from pathlib import Path

SIDE = tiny_models.SIDE
LABELS = tiny_models.names()
KNOWN = Declared(labels=LABELS, value_range=(-1.0, 1.0), height=SIDE, width=SIDE)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Return the folder of a layers model, and the model of Keras; do not change them."""
    folder = tmp_path_factory.mktemp("layers")
    model = tiny_models.with_statistics(
        tiny_models.keras_model(tiny_models.libraries()["tf_keras"])
    )
    tfjs_exports.write_layers(folder, model)
    return folder, model


def images(count: int = 3) -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (count, SIDE, SIDE, 3)).astype(np.float32)


def scores(path: Path, store: Store) -> Any:
    fetched = local.fetch(path, store=store, progress=Silent())
    declared = KNOWN.over(fetched.declared)
    found = classifier.read(type(fetched)(fetched.path, fetched.sha256, fetched.source, declared))
    return classifier.call(found.loaded, found.signature, images())


@pytest.mark.parametrize("form", ["file", "folder", "zip", "zip of a folder"])
def test_a_layers_model_answers_as_keras_does(
    layers: tuple[Path, Any], store: Store, tmp_path: Path, form: str
) -> None:
    folder, model = layers
    path = folder / "model.json" if form == "file" else folder
    if form.startswith("zip"):
        path = tmp_path / "mine.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                within = "exported/" if form.endswith("folder") else ""
                archive.write(file, f"{within}{file.name}")
    np.testing.assert_allclose(scores(path, store), model(images()).numpy(), atol=1e-5)


@pytest.mark.parametrize("stored", [None, "float16", "uint8"])
def test_a_graph_model_answers_as_in_the_page(
    tmp_path: Path, store: Store, stored: str | None
) -> None:
    source = tiny_models.saved_model(tmp_path / "source", shape=(None, SIDE, SIDE, 3))
    out = tmp_path / "tfjs"
    with tensorflow.quiet():
        converter.load().convert_tf_saved_model(
            str(source), str(out), quantization_dtype_map={stored: "*"} if stored else None
        )
    run = execute.load(out, "model.json")
    np.testing.assert_allclose(scores(out / "model.json", store), run(images()), atol=1e-5)


def test_a_weight_that_changes_is_another_model(
    layers: tuple[Path, Any], store: Store, tmp_path: Path
) -> None:
    folder = shutil.copytree(layers[0], tmp_path / "mine")
    before = local.fetch(folder / "model.json", store=store, progress=Silent())
    data = bytearray((folder / "weights.bin").read_bytes())
    data[2] ^= 255
    (folder / "weights.bin").write_bytes(data)
    after = local.fetch(folder / "model.json", store=store, progress=Silent())
    assert before.sha256 != after.sha256


@pytest.mark.parametrize("form", ["tfjs", "keras", "savedmodel"])
def test_what_teachable_machine_exports_brings_its_labels_and_preprocessing(
    layers: tuple[Path, Any], store: Store, tmp_path: Path, form: str
) -> None:
    folder = tfjs_exports.teachable(tmp_path / "converted", layers[1], form)
    np.testing.assert_allclose(scores(folder, store), layers[1](images()).numpy(), atol=1e-5)
    zipped = shutil.make_archive(str(tmp_path / "download"), "zip", folder)
    for path in (folder, tmp_path / "download.zip"):
        declared = local.fetch(path, store=store, progress=Silent()).declared
        assert declared.labels == LABELS
        assert declared.value_range == (-1.0, 255 / 127 - 1 if form == "tfjs" else 1.0)
        assert declared.crop_fraction == 1.0
        assert declared.height == (SIDE if form == "tfjs" else None)
    assert zipped


def changed(folder: Path, **entries: Any) -> Path:
    """Write a `model.json` with a weight or a group changed."""
    content = json.loads((folder / "model.json").read_text("utf-8"))
    group = content["weightsManifest"][0]
    if "paths" in entries:
        group["paths"] = entries.pop("paths")
    group["weights"][0] |= entries
    (folder / "model.json").write_text(json.dumps(content), "utf-8")
    return folder / "model.json"


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"paths": ["../weights.bin"]}, "lies outside the model's folder"),
        ({"paths": ["/etc/passwd"]}, "lies outside the model's folder"),
        ({"paths": ["https://example.org/weights.bin"]}, "lies outside the model's folder"),
        ({"paths": ["gone.bin"]}, "needs the weight file gone.bin beside it"),
        ({"paths": 3}, "weightsManifest that cannot be read"),
        ({"shape": [1 << 40, 1 << 40]}, "numbers are too many"),
        ({"shape": [-1]}, "negative side"),
        ({"dtype": "string"}, "weights of string are not read"),
    ],
    ids=["above", "absolute", "address", "missing", "no list", "huge", "negative", "dtype"],
)
def test_a_manifest_that_does_not_fit_is_refused_in_a_sentence(
    tmp_path: Path, entries: dict[str, Any], said: str
) -> None:
    weights = {"name": "a", "shape": [2], "dtype": "float32"}
    (tmp_path / "weights.bin").write_bytes(bytes(8))
    content = {
        "modelTopology": {"node": []},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": [weights]}],
    }
    (tmp_path / "model.json").write_text(json.dumps(content), "utf-8")
    assert tfjs_files.read(tmp_path / "model.json").weights()["a"].shape == (2,)
    with pytest.raises(BadInputError, match=said) as caught:
        tfjs_files.read(changed(tmp_path, **entries))
    assert "model.json" in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", "[" * 100_000, '{"modelTopology": 1}'])
def test_what_is_no_model_json_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text, "utf-8")
    with pytest.raises(BadInputError, match=r"model\.json is not"):
        tfjs_files.read(tmp_path / "model.json")


def test_a_weight_that_is_not_there_is_named(
    layers: tuple[Path, Any], store: Store, tmp_path: Path
) -> None:
    folder = shutil.copytree(layers[0], tmp_path / "mine")
    path = changed(folder, name="another/kernel")
    with pytest.raises(BadInputError, match=r"model\.json lacks the weight look/kernel"):
        local.fetch(path, store=store, progress=Silent())


def test_code_of_the_author_is_refused(
    layers: tuple[Path, Any], store: Store, tmp_path: Path
) -> None:
    folder = shutil.copytree(layers[0], tmp_path / "mine")
    content = json.loads((folder / "model.json").read_text("utf-8"))
    config = content["modelTopology"]["model_config"]["config"]
    config["layers"][1]["class_name"] = "Lambda"
    (folder / "model.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(BadInputError, match=r"model\.json .*Lambda"):
        local.fetch(folder, store=store, progress=Silent())


def test_a_message_names_the_archive(store: Store, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("model.json", "{}")
    with pytest.raises(BadInputError, match=r"mine\.zip/model\.json is not") as caught:
        local.fetch(tmp_path / "mine.zip", store=store, progress=Silent())
    assert str(store.root) not in str(caught.value)


def hosted(host: mirror.Mirror, folder: Path, query: str = "") -> str:
    """Serve a model's files, and return the address of its `model.json`."""
    for file in folder.iterdir():
        host.serve(f"/pets/{file.name}", mirror.Reply(file.read_bytes()))
    return f"{host.address}/pets/model.json{query}"


def fetched(address: str, store: Store, tmp_path: Path) -> Any:
    request = Request(
        address, lockfile=tmp_path / "lock.json", policy=NetworkPolicy(attempts=1, deadline=20)
    )
    return resolve.fetch(request, store=store, progress=Silent())


@pytest.mark.parametrize("query", ["", "?version=2"])
def test_an_address_is_fetched_with_its_files_once_and_pinned(
    layers: tuple[Path, Any], store: Store, tmp_path: Path, query: str
) -> None:
    folder = tfjs_exports.teachable(tmp_path / "export", layers[1], "tfjs")
    with mirror.running() as host:
        address = hosted(host, folder, query)
        first, again = fetched(address, store, tmp_path), fetched(address, store, tmp_path)
        assert host.asked("/pets/model.json") == host.asked("/pets/weights.bin") == 1
        assert (first.source, first.declared.name) == (address, "pets")
        assert first.declared.labels == LABELS
        assert (again.sha256, again.path) == (first.sha256, first.path)
        found = classifier.read(first)
        given = classifier.call(found.loaded, found.signature, images())
        np.testing.assert_allclose(given, layers[1](images()).numpy(), atol=1e-5)
        (folder / "weights.bin").write_bytes(bytes((folder / "weights.bin").stat().st_size))
        hosted(host, folder, query)
        with pytest.raises(PinMismatchError, match=r"model\.json"):
            fetched(address, Store(tmp_path / "another"), tmp_path)


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["../secret.bin"], "lies outside the model's folder"),
        (["http://127.0.0.1:9/weights.bin"], "lies outside the model's folder"),
        ([f"{place}.bin" for place in range(5_000)], "5,000 files are too many"),
    ],
    ids=["above", "another host", "many"],
)
def test_only_what_lies_beside_an_address_is_fetched(
    layers: tuple[Path, Any], store: Store, tmp_path: Path, paths: list[str], said: str
) -> None:
    folder = shutil.copytree(layers[0], tmp_path / "mine")
    changed(folder, paths=paths)
    with mirror.running() as host:
        address = hosted(host, folder)
        with pytest.raises(SourceError, match=said) as caught:
            fetched(address, store, tmp_path)
    assert host.requests == ["/pets/model.json"]
    assert str(store.root) not in str(caught.value)


@pytest.mark.parametrize("gone", ["model.json", "weights.bin"])
def test_an_address_without_a_file_is_refused_in_a_sentence(
    layers: tuple[Path, Any], store: Store, tmp_path: Path, gone: str
) -> None:
    with mirror.running() as host:
        address = hosted(host, layers[0])
        host.serve(f"/pets/{gone}", mirror.Reply(status=404))
        with pytest.raises(SourceError, match="404") as caught:
            fetched(address, store, tmp_path)
    assert address in str(caught.value)


def test_weights_that_were_cut_off_are_refused_in_a_sentence(
    layers: tuple[Path, Any], store: Store, tmp_path: Path
) -> None:
    folder = shutil.copytree(layers[0], tmp_path / "mine")
    data = (folder / "weights.bin").read_bytes()
    (folder / "weights.bin").write_bytes(data[:-4])
    with mirror.running() as host, pytest.raises(SourceError, match="bytes of weights, but"):
        fetched(hosted(host, folder), store, tmp_path)
