"""Words that name no model: near names of the catalogue, near files, and how to bring a model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from tests import tiny_models
from toolchain.errors import BadInputError
from toolchain.progress import Silent
from toolchain.sources import keras_applications, local
from toolchain.sources.request import parse

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store


@pytest.mark.parametrize(
    ("word", "offered"),
    [
        ("MobileNetV2", "did you mean mobilenet-v2-100-224 or "),
        ("mobilenetv2", "did you mean mobilenet-v2-100-224 or "),
        ("mobilenet_v2", "did you mean mobilenet-v2-100-224 or "),
        ("mobilnet v2", "did you mean mobilenet-v2-100-224 or "),
        ("MobileNet", "did you mean mobilenet-v1-100-224 or mobilenet-v2-100-224 or "),
        ("MobileNetV3Small", "did you mean mobilenet-v3-small-100-224 or "),
        ("MOBILENET-V2-100-224", "did you mean mobilenet-v2-100-224?"),
        ("mobilenet_v1_025_224", "did you mean mobilenet-v1-025-224?"),
        ("mobilenet_v1_0.25_224", "did you mean mobilenet-v1-025-224?"),
        ("mobilenet_v2_1.0_224", "did you mean mobilenet-v2-100-224?"),
        ("mobilenet-v2-100-225", "did you mean mobilenet-v2-100-224 or "),
        ("EfficientNet_Lite0", "did you mean efficientnet-lite0?"),
        ("efficientnetlite", "did you mean efficientnet-lite0 or efficientnet-lite1 or "),
        ("MobileNet v4", "did you mean mobilenet-v4-small-224 or mobilenet-v4-medium-224?"),
        ("resnet50", "did you mean keras:ResNet50?"),
        ("ResNet-50", "did you mean keras:ResNet50?"),
        ("EfficientNetB0", "did you mean keras:EfficientNetB0?"),
        ("keras.applications.Xception", "did you mean keras:Xception?"),
        (
            "yolov8n",
            "`toolchain models` lists the known names; for any other model, give the path",
        ),
        ("m", "`toolchain models` lists the known names"),
        ("é" * 300, "`toolchain models` lists the known names"),
    ],
)
def test_a_word_that_is_no_name_gets_the_near_ones_or_the_way_to_bring_a_model(
    word: str, offered: str
) -> None:
    with pytest.raises(BadInputError, match="is not a model of the catalogue") as raised:
        parse(word)
    assert offered in str(raised.value)
    assert raised.value.exit_code == 2


def test_what_is_offered_of_keras_is_there() -> None:
    applications = importlib.import_module("keras.applications")
    for name in keras_applications.NAMES:
        assert callable(getattr(applications, name)), name


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a folder with some models, by their names, and other things."""
    for name in ("Flowers.keras", "flowers-v2.h5", "birds.tar.gz", "birds.txt"):
        (tmp_path / name).touch()
    tiny_models.saved_model(tmp_path / "tiny_model")
    (tmp_path / "flower").mkdir()  # of photos
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ("flowers.keras", "Flowers.keras"),
        ("flowers.h5", "flowers-v2.h5"),
        ("flowrs.keras", "Flowers.keras"),
        ("bird.zip", "birds.tar.gz"),
        ("tiny-model.h5", "tiny_model"),
    ],
)
def test_a_path_that_does_not_exist_gets_the_near_models_of_its_folder(
    models: Path, store: Store, asked: str, offered: str
) -> None:
    with pytest.raises(BadInputError, match="there is no model at") as raised:
        local.fetch(models / asked, store=store, progress=Silent())
    sentence = str(raised.value)
    assert str(models / asked) in sentence
    assert "did you mean " in sentence
    assert str(models / offered) in sentence.partition("did you mean ")[2]
    assert "birds.txt" not in sentence


@pytest.mark.parametrize("asked", ["cats.keras", "nowhere/flowers.keras"])
def test_where_nothing_is_near_the_way_stays_general(
    models: Path, store: Store, asked: str
) -> None:
    with pytest.raises(BadInputError, match="give the path of a SavedModel or Keras file"):
        local.fetch(models / asked, store=store, progress=Silent())


@pytest.mark.usefixtures("models")
def test_a_word_that_is_nearly_a_file_here_gets_that_file() -> None:
    with pytest.raises(BadInputError, match=r"did you mean tiny_model\?"):
        parse("tiny-model")
    with pytest.raises(BadInputError, match=r"did you mean Flowers\.keras"):
        parse("flowers")
    with pytest.raises(BadInputError, match=r"did you mean mobilenet-v2-100-224"):
        parse("MobileNetV2")
