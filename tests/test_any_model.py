"""Whatever the model, a site's page says what the model itself says, or the build refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import classifiers, tiny_models
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph.running import probe_pictures
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.site import render, web_bundle
from toolchain.smoke_test import node, worker
from toolchain.smoke_test import stage as smoke_test
from toolchain.sources import local
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.records.card import Activation, RangeSource, Task

pytestmark = pytest.mark.xdist_group("any model")

BYTES, SIGNED = (0.0, 255.0), (-1.0, 1.0)
# Of scores in 0…1: two libraries, and halves where the model computes in them.
SAME, HALVES = 1e-3, 2e-2


@dataclass(frozen=True)
class Row:
    """A kind of model, and what must be found of it."""

    make: Callable[[Any], classifiers.Made]
    value_range: tuple[float, float]
    source: RangeSource
    activation: Activation = "softmax"
    task: Task = "single-label"
    labels: int = classifiers.CLASSES
    declared: Declared = Declared()  # noqa: RUF009 - it is frozen
    within: float = SAME


ACCEPTED = {
    "augmentation and preprocess_input": Row(classifiers.augmented, BYTES, "graph"),
    "a Rescaling layer and dropout": Row(classifiers.rescaled, BYTES, "graph"),
    "a Normalization layer": Row(classifiers.normalised, BYTES, "graph"),
    "ImageNet's mean and deviation inside": Row(classifiers.torch_inside, BYTES, "graph"),
    "BGR less a mean inside": Row(classifiers.caffe_inside, BYTES, "graph"),
    "Resizing inside": Row(
        classifiers.resizing_inside, BYTES, "graph", declared=Declared(height=24, width=24)
    ),
    "an input of bytes": Row(classifiers.of_bytes, BYTES, "graph"),
    "mixed precision": Row(classifiers.of_halves, BYTES, "graph", within=HALVES),
    "oblong, in batches of eight": Row(classifiers.oblong, BYTES, "graph"),
    "Keras' MobileNetV2": Row(classifiers.named_by_keras, SIGNED, "guessed"),
    "one sigmoid for two labels": Row(classifiers.one_sigmoid, BYTES, "graph", labels=2),
    "one logit for two labels": Row(classifiers.one_logit, BYTES, "graph", labels=2),
    "labels that do not exclude each other": Row(
        classifiers.many_sigmoids, BYTES, "graph", "sigmoid", "multi-label", 7
    ),
    "a softmax at the end": Row(classifiers.ending_in_softmax, BYTES, "graph"),
    "the average of two softmaxes": Row(classifiers.average_of_two, BYTES, "graph", "none"),
    "BatchNormalization(axis=3)": Row(classifiers.batchnorm_of_axis_three, BYTES, "graph"),
    "residuals without bias": Row(classifiers.residual_without_bias, BYTES, "graph"),
    "exact gelu": Row(classifiers.exact_gelu, BYTES, "graph"),
    "swish": Row(classifiers.swish, BYTES, "graph"),
    "a vision transformer": Row(classifiers.transformer, BYTES, "graph"),
    "squeeze and excitation": Row(classifiers.squeezed_and_excited, BYTES, "graph"),
}


def names(count: int) -> tuple[str, ...]:
    return tiny_models.names(count)


def converted(path: Path, declared: Declared, store: Store) -> tfjs.TfjsModel:
    fetched = local.fetch(path, store=store, progress=Silent())
    fetched = replace(fetched, declared=declared.over(fetched.declared))
    return tfjs.run(
        fetched, quantization="none", shard_bytes=4 << 20, store=store, progress=Silent()
    )


def page_scores(model: tfjs.TfjsModel, site: Path, pictures: Any) -> Any:
    """Return the scores that the site's own worker gives, float `[n, labels]`; NaN where none."""
    site.mkdir()
    (files,) = render.render(model, site)
    found_node = node.find()
    assert found_node is not None
    found = worker.answers(found_node, web_bundle.worker_host(), site, files, pictures)
    scores = np.full((len(pictures), len(model.converted.card.labels)), np.nan)
    for row, answer in enumerate(found):
        for tag in answer.tags:
            scores[row, tag.place] = tag.score
    return scores


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize("row", ACCEPTED.values(), ids=list(ACCEPTED))
def test_the_page_says_what_the_model_says(
    row: Row, library: str, tmp_path: Path, session_store: Store
) -> None:
    made = row.make(tiny_models.libraries()[library])
    path = tiny_models.save_keras(made.model, tmp_path / "mine.keras")
    declared = row.declared.over(Declared(labels=names(row.labels)))
    model = converted(path, declared, session_store)
    card = model.converted.card
    assert (card.input.value_range, card.range_source) == (row.value_range, row.source)
    assert (model.converted.artifacts.activation, card.task) == (row.activation, row.task)
    pictures = np.rint(probe_pictures(card.input.height, card.input.width, count=2, seed=9))
    expected = made.scores(pictures)
    assert expected.std() > 0.01, "the scores are all alike, so nothing would show"
    shown = page_scores(model, tmp_path / "site", pictures.astype(np.uint8))
    seen = ~np.isnan(shown)
    assert seen.any(axis=1).all()
    assert np.abs(shown - expected)[seen].max() < row.within
    if row.task == "multi-label":
        assert (seen == (expected >= card.threshold)).all() or not (expected >= 0.5).any()
    else:
        assert seen.sum() == 2 * min(5, row.labels)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_a_folder_tells_its_range_as_a_file_does(
    library: str, tmp_path: Path, store: Store
) -> None:
    made = classifiers.rescaled(tiny_models.libraries()[library])
    folder = tmp_path / "exported"
    with tensorflow.quiet():
        made.model.export(str(folder))
    model = converted(folder, Declared(labels=names(5)), store)
    assert model.converted.card.input.value_range == BYTES
    assert model.converted.card.range_source == "graph"
    assert model.converted.assumptions == ()


def test_a_range_is_read_past_functions_that_wait_for_the_photo(
    tmp_path: Path, store: Store
) -> None:
    """Inlined functions let constants wait for the photo, which is no reading of it."""
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 4, seed=1)
    matrix = tiny_models.weights(4, 5, seed=2)

    @tf.function  # type: ignore[untyped-decorator]
    def features(image: Any) -> Any:
        seen = tf.nn.relu(tf.nn.conv2d((image - 0.5) * 2.0, kernel, 2, "SAME"))
        return tf.nn.relu(tf.nn.conv2d(seen, tf.ones((1, 1, 4, 4)), 1, "SAME"))

    def call(image: Any) -> Any:
        return {"scores": tf.reduce_mean(features(image), (1, 2)) @ matrix}

    folder = tiny_models.save(
        tmp_path / "nested", call, {"image": tiny_models.IMAGE}, kernel, matrix
    )
    model = converted(folder, Declared(labels=names(5)), store)
    card = model.converted.card
    assert (card.input.value_range, card.range_source) == ((0.0, 1.0), "graph")


REFUSED: dict[str, tuple[Callable[[Any], classifiers.Made], Declared, str]] = {
    "values that nothing tells": (
        lambda library: classifiers.Made(classifiers.model(library)),
        Declared(labels=names(5)),
        r"nothing tells which pixel values mine\.keras was trained on; .*--value-range=0,1",
    ),
    "fewer labels than outputs": (
        classifiers.rescaled,
        Declared(labels=names(4)),
        r"mine\.keras has 5 classes but there are 4 labels",
    ),
    "three labels for one output": (
        classifiers.one_sigmoid,
        Declared(labels=names(3)),
        r"mine\.keras has 2 classes but there are 3 labels",
    ),
    "several labels of a softmax": (
        classifiers.ending_in_softmax,
        Declared(labels=names(5), task="multi-label"),
        r"ends with a softmax, so its labels exclude each other",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_known_is_asked_for_in_a_sentence(
    case: tuple[Callable[[Any], classifiers.Made], Declared, str], tmp_path: Path, store: Store
) -> None:
    make, declared, sentence = case
    path = tiny_models.save_keras(
        make(tiny_models.libraries()["keras"]).model, tmp_path / "mine.keras"
    )
    with pytest.raises(BadInputError, match=sentence) as raised:
        converted(path, declared, store)
    assert "\n" not in str(raised.value)
    assert str(store.root) not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("layer", ["RandomFlip", "Dropout", "BatchNormalization"])
def test_a_folder_that_was_exported_in_training_mode_is_refused(
    layer: str, tmp_path: Path, store: Store
) -> None:
    tf = tensorflow.load()
    keras = tf.keras
    kind = getattr(keras.layers, layer)
    before = (
        kind("horizontal") if layer == "RandomFlip" else kind(0.5) if layer == "Dropout" else kind()
    )
    model = classifiers.model(keras, before=before)
    module = tf.Module()
    module.kept = [variable.value for variable in model.variables]

    spec = tf.TensorSpec((None, 24, 24, 3), tf.float32, name="image")

    @tf.function(input_signature=[spec])  # type: ignore[untyped-decorator]
    def call(image: Any) -> Any:
        return {"scores": model(image, training=True)}

    folder = tmp_path / "trained"
    with tensorflow.quiet():
        tf.saved_model.save(module, str(folder), signatures=call)
    with pytest.raises(BadInputError, match=r"trained .*training mode; .*training=False") as no:
        converted(folder, Declared(labels=names(5), value_range=(0, 1)), store)
    assert "\n" not in str(no.value)


def test_a_declared_single_label_holds_over_a_sigmoid(tmp_path: Path, store: Store) -> None:
    made = classifiers.many_sigmoids(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(made.model, tmp_path / "mine.keras")
    model = converted(path, Declared(labels=names(7), task="single-label"), store)
    assert model.converted.card.task == "single-label"
    assert model.converted.artifacts.activation == "sigmoid"


def test_a_model_of_logits_may_be_declared_to_have_several_labels(
    tmp_path: Path, store: Store
) -> None:
    made = classifiers.rescaled(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(made.model, tmp_path / "mine.keras")
    model = converted(path, Declared(labels=names(5), task="multi-label"), store)
    assert model.converted.artifacts.activation == "sigmoid"
    pictures = np.rint(probe_pictures(24, 24, count=2, seed=9))
    shown = page_scores(model, tmp_path / "site", pictures.astype(np.uint8))
    expected = classifiers.sigmoid(np.asarray(made.model(pictures, training=False), np.float64))
    assert np.nanmax(np.abs(shown - expected)) < SAME


def test_one_label_alone_is_a_tag_that_may_be_missing(tmp_path: Path, store: Store) -> None:
    made = classifiers.one_sigmoid(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(made.model, tmp_path / "mine.keras")
    model = converted(path, Declared(labels=("cat",)), store)
    assert model.converted.card.task == "multi-label"
    assert model.converted.card.labels == ("cat",)


def test_a_site_whose_weights_were_damaged_is_not_published(tmp_path: Path, store: Store) -> None:
    """What is compared is the finished site, not what it should have become."""
    made = classifiers.rescaled(tiny_models.libraries()["keras"])
    path = tiny_models.save_keras(made.model, tmp_path / "mine.keras")
    model = converted(path, Declared(labels=names(5)), store)
    site = tmp_path / "site"
    site.mkdir()
    (files,) = render.render(model, site)
    weights = site / files.weights[0]
    content = np.frombuffer(weights.read_bytes(), np.float32)
    # Whole numbers, which lie there too, are no ordinary floats.
    ordinary = (np.abs(content) > 1e-6) & (np.abs(content) < 100)
    weights.write_bytes(np.where(ordinary, 1.5 * content, content).tobytes())
    with pytest.raises(Exception, match=r"mine\.keras computes other scores"):
        smoke_test.run(
            site,
            [smoke_test.Subject("none", model, files)],
            host=web_bundle.worker_host(),
            store=store,
            progress=Silent(),
        )
