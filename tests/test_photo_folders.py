"""Folders of labelled photos: which label each folder stands for, and which photos are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain.errors import BadInputError
from toolchain.labels import imagenet
from toolchain.photos import photo_folder

# --- photos ----------------------------------------------------------------------------------

LABELS = ("tabby, tabby cat", "dog", "1", "crane", "crane")


@pytest.mark.parametrize(
    ("name", "index"),
    [("tabby, tabby cat", 0), ("tabby", 0), ("dog", 1), ("1", 2), ("3", 3), ("004", 4)],
)
def test_a_folder_is_a_label_a_synonym_or_a_number(name: str, index: int) -> None:
    assert photo_folder.label_indices([name], LABELS, Path("photos")) == {name: index}


def test_a_folder_of_imagenet_may_be_a_wordnet_id() -> None:
    names = ["n01440764", "goldfish", "n15075141", "7"]
    indices = photo_folder.label_indices(names, imagenet.labels(), Path("photos"))
    assert indices == {"n01440764": 0, "goldfish": 1, "n15075141": 999, "7": 7}
    assert imagenet.labels()[999] == "toilet tissue"
    assert len(set(imagenet.wnids())) == imagenet.CLASSES
    with pytest.raises(BadInputError, match="n01440764"):
        photo_folder.label_indices(["n01440764"], LABELS, Path("photos"))


def test_unknown_folders_are_one_error_that_names_them() -> None:
    with pytest.raises(BadInputError) as caught:
        photo_folder.label_indices(["dog", "cow", "5", *"abcdef"], LABELS, Path("photos"))
    assert "photos has folders that match no label of the model: 5, a, b, c, cow and 3 more" in str(
        caught.value
    )


def test_a_folder_that_fits_two_labels_is_refused() -> None:
    with pytest.raises(BadInputError, match="crane in photos could mean any of the labels 3, 4"):
        photo_folder.label_indices(["crane"], LABELS, Path("photos"))


def test_hidden_files_and_files_beside_class_folders_are_no_photos(tmp_path: Path) -> None:
    for name in ("b/2.png", "a/deep/1.png", "a/.hidden/1.png", "a/.DS_Store", "list.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = photo_folder.find(tmp_path)
    assert [path.relative_to(tmp_path.resolve()).as_posix() for path in found.paths] == [
        "a/deep/1.png",
        "b/2.png",
    ]
    assert found.classes == ("a", "b")


def test_a_limit_is_spread_over_the_classes() -> None:
    paths = tuple(Path(f"{number}.png") for number in range(10))
    found = photo_folder.Photos(Path(), paths, tuple("aabbccddee"))
    assert found.limited(5).classes == tuple("abcde")
    assert found.limited(10) is found.limited(11) is found.limited(None) is found


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_what_holds_no_photos_is_one_sentence(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match=kind):
        photo_folder.find(tmp_path / kind)
