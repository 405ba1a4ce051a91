"""TF.js models that others made: TF.js' own layers, fused and quantised graphs, npm's scripts."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import mirror as hub
from tests import tfjs_models, tfjs_wasm, tiny_models
from tests.mirror import Mirror, Reply
from tests.test_any_model import converted, page_scores
from tests.test_tfhub import POLICY
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, SourceError
from toolchain.formats import js_literal, tfjs_files
from toolchain.graph import signature
from toolchain.graph.running import probe_pictures
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local, resolve
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.cache.store import Store
    from toolchain.sources.saved_model import Fetched

    Array = np.ndarray[Any, Any]

SIDE = tfjs_models.SIDE
WITHIN = 1e-3
WEIGHTS = bytes(range(60))
# A folder with the packages that npm unpacked, such as `node_modules`.
PACKAGES = "TOOLCHAIN_TEST_NPM"


@pytest.fixture(scope="module")
def teachable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tfjs_models.teachable(tmp_path_factory.mktemp("teachable") / "my model")


@pytest.fixture
def host() -> Iterator[Mirror]:
    with hub.running() as running:
        yield running


def answers(path: Path, images: Array, store: Store) -> Array:
    fetched = local.fetch(path, store=store, progress=Silent())
    found, loaded = signature.read(fetched.path)
    tf = tensorflow.load()
    call = loaded.signatures[found.key]
    result: Array = call(**{found.input: tf.constant(images)})[found.output].numpy()
    return result


def in_node(folder: Path, images: Array, scratch: Path) -> Array:
    (found,) = tfjs_wasm.outputs([folder], images, scratch)
    assert not isinstance(found, str), found
    assert found.std() > 0.01
    return found


def test_the_page_of_a_model_of_tfjs_own_layers_says_what_tfjs_says(
    teachable: Path, tmp_path: Path, session_store: Store
) -> None:
    model = converted(teachable, Declared(), session_store)
    card = model.converted.card
    assert card.labels == tfjs_models.LABELS
    assert (card.provenance.name, card.input.crop_fraction) == ("my model", 1.0)
    pictures = np.rint(probe_pictures(SIDE, SIDE, count=2, seed=9)).astype(np.uint8)
    # As the library `@teachablemachine/image` scales them.
    expected = in_node(teachable, pictures.astype(np.float32) / 127 - 1, tmp_path)
    shown = page_scores(model, tmp_path / "site", pictures)
    np.testing.assert_allclose(shown, expected, atol=WITHIN)


def test_the_page_of_a_fused_and_quantised_graph_says_what_tfjs_says(
    tmp_path: Path, session_store: Store
) -> None:
    model, weights = tfjs_models.graph_model(), tfjs_models.graph_weights()
    axes = model["weightsManifest"][0]["weights"][2]
    axes["quantization"] = {"dtype": "uint8", "scale": 1, "min": 1}
    folder = tfjs_models.write(tmp_path / "mine", model, weights[:-8] + bytes([0, 1]))
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 4.0))
    pictures = np.rint(probe_pictures(8, 8, count=2, seed=9)).astype(np.uint8)
    expected = in_node(folder, pictures.astype(np.float32) * (4 / 255), tmp_path)
    model_of_site = converted(folder, declared, session_store)
    shown = page_scores(model_of_site, tmp_path / "site", pictures)
    np.testing.assert_allclose(shown, expected, atol=WITHIN)


@pytest.mark.parametrize("kind", ["layers", "graph"])
def test_what_npm_wraps_in_javascript_is_the_same_model(
    tmp_path: Path, store: Store, kind: str
) -> None:
    made = tfjs_models.layers_model() if kind == "layers" else tfjs_models.graph_model()
    weights = tfjs_models.graph_weights()
    if kind == "layers":
        weights = np.random.default_rng(3).normal(size=15).astype("<f4").tobytes()
    plain = tfjs_models.write(tmp_path / "plain", made, weights)
    wrapped = tfjs_models.as_scripts(plain, tmp_path / "wrapped")
    images = np.random.default_rng(2).random((1, 8, 8, 3), np.float32)
    first, *others = (
        answers(each, images, store) for each in (plain, wrapped, wrapped / "model.min.js")
    )
    assert first.std() > 0.01
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_labels_beside_a_model_json_are_read_and_belong_to_its_digest(
    teachable: Path, tmp_path: Path, store: Store
) -> None:
    path = shutil.copytree(teachable, tmp_path / "mine") / "model.json"
    first = local.fetch(path, store=store, progress=Silent())
    assert first.declared.labels == tfjs_models.LABELS
    beside = path.with_name("metadata.json")
    beside.write_text(beside.read_text("utf-8").replace("Hot dog", "Sausage", 1), "utf-8")
    second = local.fetch(path, store=store, progress=Silent())
    assert second.declared.labels == ("Sausage", *tfjs_models.LABELS[1:])
    assert second.sha256 != first.sha256


def test_models_for_sounds_and_poses_are_refused(tmp_path: Path, store: Store) -> None:
    folder = tfjs_models.write(tmp_path / "mine", tfjs_models.layers_model())
    said = {"packageName": "@teachablemachine/pose", "labels": ["a"]}
    (folder / "metadata.json").write_text(json.dumps(said))
    with pytest.raises(BadInputError, match="not for images; train an image project"):
        local.fetch(folder, store=store, progress=Silent())


@pytest.mark.parametrize("text", ["<html>", "[1]", '{"author": "me"}'])
def test_metadata_of_other_tools_are_ignored(tmp_path: Path, store: Store, text: str) -> None:
    folder = tfjs_models.write(tmp_path / "mine", tfjs_models.layers_model())
    (folder / "metadata.json").write_text(text)
    assert local.fetch(folder, store=store, progress=Silent()).declared.labels is None


def test_a_lambda_layer_of_teachable_machine_that_is_trusted_is_kept_apart(
    tmp_path: Path, store: Store
) -> None:
    keras = tiny_models.libraries()["tf_keras"]
    layers = [keras.layers.Lambda(lambda x: x + 1.0, name="plus"), keras.layers.Flatten()]
    model = keras.Sequential([keras.layers.Input((2, 2, 3)), *layers, keras.layers.Dense(5)])
    tiny_models.save_keras(model, tmp_path / "keras_model.h5")
    (tmp_path / "labels.txt").write_text("\n".join(tiny_models.names()))
    local.fetch(tmp_path, store=store, progress=Silent(), trusted=True)
    with pytest.raises(BadInputError, match="the Lambda layer 'plus'"):
        local.fetch(tmp_path, store=store, progress=Silent())


def _config(**changes: Any) -> dict[str, Any]:
    model = tfjs_models.layers_model()
    model["modelTopology"]["config"]["layers"][1]["config"] |= changes
    return model


def test_a_layer_larger_than_its_weights_is_refused_before_keras_makes_it(
    tmp_path: Path, store: Store
) -> None:
    folder = tfjs_models.write(tmp_path / "mine", _config(units=10**9))
    with pytest.raises(BadInputError, match=r"units is 1,000,000,000, but .*; get the files"):
        local.fetch(folder, store=store, progress=Silent())


def test_a_constant_without_numbers_is_refused(tmp_path: Path, store: Store) -> None:
    model = tfjs_models.graph_model()
    nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
    shape = {"dim": [{"size": "5"}]}
    tensor = {"tensor": {"dtype": "DT_FLOAT", "tensorShape": shape}}
    nodes["bias"]["attr"]["value"] = tensor  # TensorFlow would read this as five zeros
    del model["weightsManifest"][0]["weights"][1]
    weights = tfjs_models.graph_weights()
    folder = tfjs_models.write(tmp_path / "mine", model, weights[:15] + weights[-8:])
    with pytest.raises(BadInputError, match="holds no numbers for bias; convert"):
        local.fetch(folder, store=store, progress=Silent())


@pytest.mark.parametrize(
    "paths",
    [
        *(["../a"], ["/a"], ["//host.example/a"], ["https://host.example/a"], ["%2e%2e/a"]),
        *(["a//b"], ["./a"], ["."], [""], ["a\0b"], ["a\nb"], ["a?b"], ["C:a"], ["a\\b"], [5]),
        *(["a", "a"], ["a", "a/b"], ["model.json"], ["metadata.json"], ["a.etag", "a"]),
    ],
)
def test_nothing_but_plain_files_below_an_address_is_requested(
    host: Mirror, store: Store, tmp_path: Path, paths: list[Any]
) -> None:
    model = tfjs_models.layers_model()
    model["weightsManifest"][0]["paths"] = ["weights.bin", *paths]
    address = host.serve("/n/model.json", Reply(json.dumps(model).encode()))
    host.serve("/n/weights.bin", Reply(WEIGHTS))
    with pytest.raises(SourceError, match="weightsManifest that cannot be read"):
        fetch(address, store, tmp_path)
    assert host.requests == ["/n/model.json"]


def test_no_more_bytes_are_fetched_than_the_manifest_declares(
    host: Mirror, store: Store, tmp_path: Path
) -> None:
    address = host.serve("/n/model.json", Reply(json.dumps(tfjs_models.layers_model()).encode()))
    host.serve("/n/weights.bin", Reply(WEIGHTS * 1000))
    with pytest.raises(SourceError, match="sends more than 60 bytes"):
        fetch(address, store, tmp_path)


def test_absurd_sizes_are_refused_before_the_first_weight(
    host: Mirror, store: Store, tmp_path: Path
) -> None:
    model = tfjs_models.layers_model()
    model["weightsManifest"][0]["weights"][0]["shape"] = [1 << 40, 5]
    address = host.serve("/n/model.json", Reply(json.dumps(model).encode()))
    with pytest.raises(SourceError, match="bytes of weights"):
        fetch(address, store, tmp_path)
    assert host.requests == ["/n/model.json"]


def test_labels_that_a_busy_host_does_not_send_are_not_left_out(
    host: Mirror, store: Store, tmp_path: Path
) -> None:
    address = host.serve("/n/model.json", Reply(json.dumps(tfjs_models.layers_model()).encode()))
    host.serve("/n/weights.bin", Reply(WEIGHTS))
    said = {"packageName": "@teachablemachine/image", "labels": list("abcde"), "imageSize": 8}
    host.serve("/n/metadata.json", Reply(status=503), Reply(json.dumps(said).encode()))
    with pytest.raises(SourceError, match="503"):
        fetch(address, store, tmp_path)
    assert fetch(address, store, tmp_path).declared.labels == tuple("abcde")


def test_weights_lie_beside_the_redirected_address_if_not_beside_the_given_one(
    host: Mirror, store: Store, tmp_path: Path
) -> None:
    address = host.serve("/latest/model.json", hub.redirect("/v2/model.json"))
    host.serve("/v2/model.json", Reply(json.dumps(tfjs_models.layers_model()).encode()))
    host.serve("/v2/weights.bin", Reply(WEIGHTS))
    assert fetch(address, store, tmp_path).path.is_dir()
    assert host.requests[:4] == [
        *("/latest/model.json", "/v2/model.json", "/latest/weights.bin", "/v2/weights.bin")
    ]


def test_a_page_in_place_of_labels_is_ignored(host: Mirror, store: Store, tmp_path: Path) -> None:
    address = host.serve("/n/model.json", Reply(json.dumps(tfjs_models.layers_model()).encode()))
    host.serve("/n/weights.bin", Reply(WEIGHTS))
    host.serve("/n/metadata.json", hub.html())
    assert fetch(address, store, tmp_path).declared.labels is None


def fetch(address: str, store: Store, tmp_path: Path) -> Fetched:
    request = Request(address, lockfile=tmp_path / "lock.json", policy=POLICY)
    return resolve.fetch(request, store=store, progress=Silent())


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v2_mid"])
def test_the_models_of_nsfwjs_answer_as_in_tfjs(
    tmp_path: Path, store: Store, session_store: Store, name: str
) -> None:
    found = Path(os.environ.get(PACKAGES, "")) / "nsfwjs" / "dist" / "models" / name
    if PACKAGES not in os.environ or not found.is_dir():
        pytest.skip(f"needs the npm package nsfwjs in a folder that {PACKAGES} names")
    # Node reads the same files unwrapped.
    plain = tmp_path / "plain"
    plain.mkdir()
    content = tfjs_files.read(found / "model.min.js").content
    (plain / "model.json").write_text(json.dumps(content))
    for path in (path for group in content["weightsManifest"] for path in group["paths"]):
        script = (found / f"{path}.min.js").read_bytes()
        (plain / path).write_bytes(js_literal.as_bytes(script))
    images = np.random.default_rng(1).random((2, 224, 224, 3), np.float32)
    expected = in_node(plain, images, tmp_path)
    np.testing.assert_allclose(answers(found, images, store), expected, atol=WITHIN)
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    assert converted(found, declared, session_store).converted.card.classes == len(expected[0])
