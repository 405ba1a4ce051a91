"""Which pixel values a model wants: by labelled photos, where nothing else says it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests import classifiers, tiny_models
from tests.dark_and_light import LABELS, brightness, photos
from toolchain.evaluation import ranges
from toolchain.graph.settling import UnknownRangeError
from toolchain.photos import photo_folder
from toolchain.pipeline import pixel_values
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.sources.saved_model import Fetched


def fetched(values: tuple[float, float], folder: Path, store: Store) -> Fetched:
    path = tiny_models.save_keras(brightness(values), folder / "mine.keras")
    found = local.fetch(path, store=store, progress=Silent())
    return replace(found, declared=Declared(labels=LABELS).over(found.declared))


@pytest.mark.parametrize("values", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_labelled_photos_find_the_range(
    values: tuple[float, float], tmp_path: Path, store: Store
) -> None:
    model = fetched(values, tmp_path, store)
    labelled = photo_folder.find(photos(tmp_path / "photos"))
    trial = ranges.find(model, labelled, progress=Silent())
    assert trial.best.value_range == values
    assert trial.best.source == "guessed"
    assert (trial.right, trial.of) == (24, 24)


def convert(model: Fetched, folder: Path | None, store: Store) -> Any:
    return pixel_values.convert(
        model,
        Stored("none"),
        folder,
        store=store,
        progress=Silent(),
    )


def test_a_build_takes_what_labelled_photos_show_and_says_that_it_is_a_guess(
    tmp_path: Path, store: Store
) -> None:
    model = fetched((-1.0, 1.0), tmp_path, store)
    made = convert(model, photos(tmp_path / "photos"), store)
    card = made.converted.card
    assert card.input.value_range == (-1.0, 1.0)
    assert card.range_source == "guessed"
    (sentence,) = made.converted.assumptions
    assert "are a guess: -1…1, because with them 24 of 24 labelled photos get the right" in sentence
    assert convert(model, tmp_path / "photos", store).reused


@pytest.mark.parametrize("how", ["no photos", "photos without classes", "photos that show nothing"])
def test_a_build_asks_where_photos_do_not_decide(how: str, tmp_path: Path, store: Store) -> None:
    if how == "photos that show nothing":
        made = classifiers.model(tiny_models.libraries()["keras"], count=2)
        path = tiny_models.save_keras(made, tmp_path / "mine.keras")
        found = local.fetch(path, store=store, progress=Silent())
        model = replace(found, declared=Declared(labels=LABELS).over(found.declared))
    else:
        model = fetched((0.0, 1.0), tmp_path, store)
    folder = None if how == "no photos" else photos(tmp_path / "photos", count=2)
    if how == "photos without classes" and folder is not None:
        folder = folder / "dark"
    with pytest.raises(UnknownRangeError, match=r"mine\.keras was trained on; .*--value-range"):
        convert(model, folder, store)


def test_a_declared_range_is_not_tried(tmp_path: Path, store: Store) -> None:
    model = fetched((0.0, 1.0), tmp_path, store)
    said = replace(model, declared=Declared(value_range=(0, 2)).over(model.declared))
    made = convert(said, photos(tmp_path / "photos"), store)
    assert made.converted.card.input.value_range == (0, 2)
    assert made.converted.card.range_source == "declared"
