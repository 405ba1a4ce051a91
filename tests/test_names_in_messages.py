"""A faulty model is named as the user knows it, wherever it was unpacked to."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests import mirror as hub
from tests import tiny_models
from tests.test_failing_networks import SPEC, failing, gather, photos
from tests.test_hostile_models import doing
from tests.test_tfhub import HANDLE, PATH, POLICY
from toolchain.errors import BadInputError, ToolchainError
from toolchain.evaluation.batches import Batch, Network, answer
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import operations
from toolchain.sources.request import Request
from toolchain.sources.resolve import fetch
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.sources.saved_model import Fetched


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def as_folder(model: Path) -> Request:
    return Request(str(model))


def as_tar(model: Path) -> Request:
    path = model.with_name("mine.tar.gz")
    path.write_bytes(hub.pack(contents(model)))
    return Request(str(path))


def as_zip(model: Path) -> Request:
    path = model.with_name("mine.zip")
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in contents(model).items():
            packed.writestr(name, content)
    return Request(str(path))


@pytest.fixture(scope="module")
def mirror() -> Iterator[hub.Mirror]:
    with hub.running() as running:
        yield running


@pytest.fixture
def request_of(request: pytest.FixtureRequest, mirror: hub.Mirror) -> Callable[[Path], Request]:
    """Return what brings a SavedModel folder in the way that the test is parametrised with."""

    def from_hub(model: Path) -> Request:
        mirror.serve(PATH, hub.Reply(hub.pack(contents(model))))
        return Request(HANDLE, mirror=mirror.address, policy=POLICY)

    ways = {"folder": as_folder, "tar": as_tar, "zip": as_zip, "hub": from_hub}
    return ways[request.param]


SOURCES = pytest.mark.parametrize(
    ("request_of", "name"),
    [("folder", "mine"), ("tar", "mine.tar.gz"), ("zip", "mine.zip"), ("hub", HANDLE)],
    indirect=["request_of"],
)


def assert_names(error: ToolchainError, name: str, store: Store) -> None:
    assert name in str(error)
    assert str(store.root) not in str(error)
    assert "\n" not in str(error)


def run(fetched: Fetched, photo: Path) -> None:
    network = Network(fetched.path, None, fetched.sha256, SPEC, fetched.source)
    answer(Batch((network,), (photo,)))


@SOURCES
def test_of_a_refused_operation(
    tmp_path: Path, store: Store, request_of: Callable[[Path], Request], name: str
) -> None:
    model = doing(tmp_path / "mine", lambda tf, _: tf.io.write_file("proof", "written"))
    fetched = fetch(request_of(model), store=store, progress=Silent())
    with pytest.raises(BadInputError, match=r"is not loaded: its operation WriteFile") as raised:
        operations.check(fetched, Silent())
    assert_names(raised.value, name, store)
    (fetched.path / "saved_model.pb").unlink()
    with pytest.raises(BadInputError, match=r"has no readable saved_model\.pb: No such") as raised:
        operations.check(fetched, Silent())
    assert_names(raised.value, name, store)


@SOURCES
def test_of_a_network_that_fails(
    tmp_path: Path, store: Store, request_of: Callable[[Path], Request], name: str
) -> None:
    fetched = fetch(request_of(failing(tmp_path / "mine", gather)), store=store, progress=Silent())
    photo = photos(tmp_path / "photos") / "a.png"
    with pytest.raises(BadInputError, match=r"cannot be run: TensorFlow says") as raised:
        run(fetched, photo)
    assert_names(raised.value, name, store)


@SOURCES
def test_of_a_part_that_is_missing(
    tmp_path: Path, store: Store, request_of: Callable[[Path], Request], name: str
) -> None:
    model = tiny_models.saved_model(tmp_path / "mine")
    (model / "variables" / "variables.index").unlink()
    asked = request_of(model)
    with pytest.raises(ToolchainError, match=r"variables\.index is missing") as raised:
        fetch(asked, store=store, progress=Silent())
    assert_names(raised.value, name, store)


def converted(fetched: Fetched, store: Store, **declared: Any) -> None:
    labels = tiny_models.names(declared.pop("labels", 5))
    said = Declared(**{"labels": labels, "value_range": (0.0, 1.0), **declared})
    tfjs.run(
        replace(fetched, declared=said),
        quantization="none",
        shard_bytes=4 << 20,
        store=store,
        progress=Silent(),
    )


@SOURCES
@pytest.mark.parametrize(
    ("make", "sentence", "declared"),
    [
        (tiny_models.with_two_outputs, r"returns 2 outputs", {}),
        (tiny_models.with_an_operation_tfjs_lacks, r"operation Svd|lacks: Svd", {}),
        (tiny_models.saved_model, r"has 5 classes but there are 3 labels", {"labels": 3}),
        (tiny_models.saved_model, r"takes images of height 32, not 64", {"height": 64}),
        (tiny_models.saved_model, r"nothing tells which pixel values", {"value_range": None}),
    ],
    ids=["two outputs", "an operation", "labels", "size", "range"],
)
def test_of_a_model_that_cannot_be_converted(
    make: Callable[[Path], Path],
    sentence: str,
    declared: dict[str, Any],
    tmp_path: Path,
    store: Store,
    request_of: Callable[[Path], Request],
    name: str,
) -> None:
    fetched = fetch(request_of(make(tmp_path / "mine")), store=store, progress=Silent())
    if name == HANDLE and "value_range" in declared:
        converted(fetched, store, **declared)  # the hub has a convention
        return
    with pytest.raises(BadInputError, match=sentence) as raised:
        converted(fetched, store, **declared)
    assert_names(raised.value, name, store)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_of_a_keras_file(tmp_path: Path, store: Store, suffix: str) -> None:
    keras = tiny_models.libraries()["keras"]

    def misfit(config: dict[str, Any]) -> None:
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "Conv2D":
                layer["config"]["filters"] = 7  # and the weights are those of four

    from tests.test_local_models import edit_archive, edit_hdf5

    path = tiny_models.save_keras(tiny_models.keras_model(keras), tmp_path / f"mine{suffix}")
    (edit_archive if suffix == ".keras" else edit_hdf5)(path, misfit)
    with pytest.raises(BadInputError, match="cannot be loaded by Keras 3") as raised:
        fetch(Request(str(path)), store=store, progress=Silent())
    assert_names(raised.value, f"mine{suffix}", store)
