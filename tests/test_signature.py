"""How a SavedModel is called: every model that cannot be fed a photo is refused in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import tiny_models
from toolchain.errors import BadInputError
from toolchain.graph import classifier, facts, signature
from toolchain.graph.settling import UnknownRangeError
from toolchain.records.card import Declared
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "model"


UNIT = Declared(value_range=(0.0, 1.0))


def read(path: Path, declared: Declared) -> classifier.Classifier:
    return classifier.read(Fetched(path, "0" * 64, "mine", declared))


def settled(path: Path, declared: Declared) -> tuple[Any, tuple[str, ...]]:
    found = read(path, declared.over(UNIT))
    return found.card, found.assumptions


def test_a_classifier_is_understood(tiny: Path) -> None:
    found, loaded = signature.read(tiny)
    assert found == signature.Signature(
        key="serving_default", input="image", output="scores", height=32, width=32, classes=5
    )
    assert set(loaded.signatures) == {"serving_default"}


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (tiny_models.without_signature, r"no signature to call; save the model with one"),
        (
            lambda folder: tiny_models.saved_model(folder, signatures=("embed", "classify")),
            r"has the signatures classify, embed, which all take a photo .*; name .* --signature",
        ),
        (tiny_models.with_two_inputs, r"takes 2 inputs \(image, mask\); .* takes one, the photo"),
        (
            tiny_models.with_two_outputs,
            r"returns 2 outputs, and several may be the scores \(features \[n, 3\], .* --output",
        ),
        (
            lambda folder: tiny_models.of_input_shape(folder, (None, 32, 32)),
            r"takes image of rank 3; an image batch has rank 4: .* \[n, height, width, 3\]",
        ),
        (
            lambda folder: tiny_models.of_input_shape(folder, None),
            r"takes image of unknown rank; an image batch has rank 4",
        ),
        (
            lambda folder: tiny_models.saved_model(folder, shape=(None, 32, 32, 4)),
            r"takes image of shape \[n, 32, 32, 4\]; .* export it",
        ),
        (
            lambda folder: tiny_models.of_input_shape(folder, (None, 4, 32, 32)),
            r"takes image of shape \[n, 4, 32, 32\]; .* export it",
        ),
        (
            lambda folder: tiny_models.of_input_shape(folder, (None, 32, 32, None)),
            r"takes image of shape \[n, 32, 32, n\]; .* export it",
        ),
        (
            lambda folder: tiny_models.saved_model(folder, dtype="int16"),
            r"takes int16 in image; only images of floats or .* are supported: export",
        ),
        (
            lambda folder: tiny_models.of_input_shape(folder, (8, 32, 32, 3)),
            r"takes batches of exactly 8; the page passes one photo at a time: export",
        ),
        (
            tiny_models.with_a_map_for_output,
            r"returns mask of rank 4, but a classifier returns \[n, classes\]; export",
        ),
        (
            tiny_models.with_indices_for_output,
            r"returns int32 in best, but a classifier returns scores, as floats; export",
        ),
    ],
    ids=[
        "no signature",
        "several signatures",
        "two inputs",
        "two outputs",
        "rank 3",
        "any rank",
        "RGBA",
        "four channels first",
        "any channels",
        "wide whole numbers",
        "batches of 8",
        "a map",
        "indices",
    ],
)
def test_a_model_that_cannot_tag_a_photo_is_refused_in_a_sentence(
    folder: Path, make: Callable[[Path], Path], sentence: str
) -> None:
    make(folder)
    with pytest.raises(BadInputError, match=sentence) as raised:
        signature.read(folder)
    assert str(raised.value).startswith(str(folder))
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    "content", [b"", b"<!doctype html>", b"\x08\x01\x12\x00"], ids=["empty", "page", "no graph"]
)
def test_a_file_that_is_no_graph_is_refused_in_a_sentence(folder: Path, content: bytes) -> None:
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(content)
    with pytest.raises(BadInputError, match=r"cannot be loaded as a SavedModel|no signature") as no:
        signature.read(folder)
    assert "\n" not in str(no.value)
    assert no.value.exit_code == 2


@pytest.mark.parametrize("keys", [("classify",), ("classify", "serving_default")])
def test_a_signature_may_have_another_name_if_it_is_the_only_one(
    folder: Path, keys: tuple[str, ...]
) -> None:
    found, _ = signature.read(tiny_models.saved_model(folder, signatures=keys))
    assert found.key == keys[-1]


def test_one_photo_at_a_time_is_a_batch_too(folder: Path) -> None:
    found, _ = signature.read(tiny_models.saved_model(folder, shape=(1, 32, 32, 3)))
    assert (found.height, found.width) == (32, 32)


def test_a_model_for_any_size_needs_to_be_told_one(folder: Path) -> None:
    tiny_models.saved_model(folder, 1000, shape=(None, None, None, 3))
    with pytest.raises(BadInputError, match=r"mine takes images of any height; .* --input-size"):
        settled(folder, Declared())
    with pytest.raises(BadInputError, match=r"mine takes images of any width; .* --input-size"):
        settled(folder, Declared(height=48))
    card, _ = settled(folder, Declared(height=48, width=64))
    assert (card.input.height, card.input.width) == (48, 64)


def test_a_size_that_the_graph_cannot_take_is_refused_in_a_sentence(folder: Path) -> None:
    """The size fits the signature, but the convolution has nothing left to look at."""
    tiny_models.saved_model(folder, 1000, shape=(None, None, None, 3))
    with pytest.raises(BadInputError, match=r"2×2.* --input-size") as raised:
        read(folder, Declared(height=2, width=2).over(UNIT))
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (Declared(height=64), "images of height 32, not 64; leave --input-size out"),
        (Declared(width=64), "images of width 32, not 64; leave --input-size out"),
        (Declared(), "5 classes, and nothing tells what they are; .* --labels FILE"),
        (
            Declared(labels=tiny_models.names(3)),
            "has 5 classes but there are 3 labels; give one label for each class with --labels",
        ),
        (Declared(labels=tiny_models.names(6)), "has 5 classes but there are 6 labels"),
        (Declared(labels=()), "has 5 classes but there are 0 labels"),
        (
            Declared(labels=tiny_models.names(5), label_offset=1),
            "has 5 classes but there are 5 labels after 1 skipped",
        ),
        (
            Declared(labels=tiny_models.names(4), label_offset=0),
            "has 5 classes but there are 4 labels;",
        ),
        (Declared(labels=tiny_models.names(4)), "has 5 classes but there are 4 labels;"),
    ],
)
def test_what_contradicts_the_graph_is_refused_in_a_sentence(
    tiny: Path, declared: Declared, sentence: str
) -> None:
    with pytest.raises(BadInputError, match=sentence) as raised:
        settled(tiny, declared)
    assert str(raised.value).startswith("mine has" if "classes" in sentence else "mine takes")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("declared", "offset"),
    [
        (Declared(labels=tiny_models.names(5)), 0),
        (Declared(labels=tiny_models.names(3), label_offset=2), 2),
    ],
)
def test_labels_begin_where_they_fit(tiny: Path, declared: Declared, offset: int) -> None:
    card, _ = settled(tiny, declared)
    assert card.label_offset == offset
    assert card.labels == declared.labels
    assert card.classes == 5


def test_what_was_assumed_of_a_file_of_labels_is_said(tiny: Path) -> None:
    declared = Declared(labels=tiny_models.names(5), label_notes=("the indices begin at 1",))
    _, assumed = settled(tiny, declared)
    assert "the indices begin at 1" in assumed


def test_a_thousand_outputs_are_imagenets_and_one_more_is_background(folder: Path) -> None:
    thousand, more = folder / "1000", folder / "1001"
    card, _ = settled(tiny_models.saved_model(thousand, 1000), Declared())
    assert (card.label_offset, len(card.labels), card.labels[0]) == (0, 1000, "tench")
    card, _ = settled(tiny_models.saved_model(more, 1001), Declared())
    assert (card.label_offset, len(card.labels), card.labels[0]) == (1, 1000, "tench")
    with pytest.raises(BadInputError, match="1001 classes but there are 1000 labels"):
        settled(more, Declared(label_offset=0))


def test_only_what_was_assumed_is_said(tiny: Path) -> None:
    labels = tiny_models.names()
    with pytest.raises(
        UnknownRangeError, match=r"pixel values mine was trained on; .*-1,1 or 0,255"
    ):
        read(tiny, Declared(labels=labels))
    card, assumed = settled(tiny, Declared(labels=labels, value_range=(-1.0, 1.0), licence="MIT"))
    assert assumed == ()
    assert card.input.value_range == (-1.0, 1.0)
    assert card.provenance.licence == "MIT"


def test_a_graph_is_counted_by_hand(tiny: Path) -> None:
    found = read(tiny, Declared(labels=tiny_models.names()).over(UNIT))
    counted = facts.measure(tiny, found.source, found.card.input, "tiny")
    kernel, matrix, bias = 3 * 3 * 3 * 4, 4 * 5, 5
    assert counted.parameters == kernel + matrix + bias
    # 32 pixels by windows of 3 at every second make 15.
    assert counted.multiply_adds == 15 * 15 * kernel + matrix
    assert counted.file_bytes == sum(
        path.stat().st_size for path in tiny.rglob("*") if path.is_file()
    )
    assert counted.ops["Conv2D"] == 1
    assert counted.dtypes["float32"] == 3
    assert counted.memory_bytes >= 4 * counted.parameters
