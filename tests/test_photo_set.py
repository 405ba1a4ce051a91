"""Folders of photos to learn from: what is read, and what is refused in which sentence."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests import tag_photos
from toolchain.errors import BadInputError
from toolchain.training import photo_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_each_folder_is_a_tag(tmp_path: Path) -> None:
    folder = tag_photos.folder(tmp_path / "photos", count=3, none=2)
    (folder / "LICENSE.txt").write_text("free")
    (folder / "red" / ".DS_Store").write_bytes(b"hidden")

    found = photo_set.read(folder)

    assert found.tags == ("blue", "green", "red")
    assert [photo.name for photo in found.photos[:2]] == ["blue/000.png", "blue/001.png"]
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len(found.none) == 2
    assert found.warnings == (
        "fewer than 5 photos of blue (3), green (3), red (3): no accuracy can be promised for them",
    )


def test_the_digest_changes_with_a_photo_and_with_its_tag(tmp_path: Path) -> None:
    folder = tag_photos.folder(tmp_path / "photos", count=5)
    before = photo_set.read(folder).sha256
    assert photo_set.read(folder).sha256 == before
    (folder / "red" / "000.png").rename(folder / "blue" / "900.png")
    moved = photo_set.read(folder).sha256
    tag_photos.picture(folder / "red" / "000.png", (1, 2, 3), 7)
    assert len({before, moved, photo_set.read(folder).sha256}) == 3


def test_tags_are_in_composed_form(tmp_path: Path) -> None:
    folder = tag_photos.folder(tmp_path / "photos", count=2)
    (folder / "red").rename(folder / "cafe\u0301")
    assert "caf\u00e9" in photo_set.read(folder).tags


def one_class(folder: Path) -> None:
    shutil.rmtree(folder / "red")
    shutil.rmtree(folder / "blue")


def one_photo(folder: Path) -> None:
    for path in list((folder / "red").iterdir())[1:]:
        path.unlink()


def empty(folder: Path) -> None:
    shutil.rmtree(folder / "red")
    (folder / "red").mkdir()


def loose(folder: Path) -> None:
    tag_photos.picture(folder / "loose.png", (0, 0, 0), 1)


def flat(folder: Path) -> None:
    for path in list(folder.iterdir()):
        shutil.rmtree(path)
    loose(folder)


def nested(folder: Path) -> None:
    tag_photos.picture(folder / "red" / "indoors" / "a.png", (0, 0, 0), 1)


def twice(folder: Path) -> None:
    shutil.copy(folder / "red" / "000.png", folder / "blue" / "copy.png")


def none_twice(folder: Path) -> None:
    (folder / "none").mkdir()
    shutil.copy(folder / "red" / "000.png", folder / "none" / "copy.png")


def differ_by_case(folder: Path) -> None:
    shutil.copytree(folder / "red", folder / "Red")


def gone(folder: Path) -> None:
    shutil.rmtree(folder)


def no_photos(folder: Path) -> None:
    gone(folder)
    folder.mkdir()


def unprintable(folder: Path) -> None:
    (folder / "red").rename(folder / "re\u202ed")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (one_class, "has photos of one tag, green; a model learns to tell tags apart"),
        (one_photo, "has one photo of red; give at least two of each tag"),
        (empty, "the folder red in .* holds no photos; add some or remove it"),
        (loose, "holds photos beside the folders of tags, such as loose.png"),
        (flat, "holds photos but no folders of tags; put the photos of each tag into a folder"),
        (nested, "red/indoors is a folder within the folder of a tag"),
        (twice, "blue/copy.png and red/000.png in .* are the same photo with two tags"),
        (none_twice, "red/000.png and none/copy.png in .* are the same photo with two tags"),
        (differ_by_case, "has the tags Red and red, which differ only in upper and lower case"),
        (gone, "cannot be read: No such file or directory; give a folder with one folder"),
        (no_photos, "holds no photos; put those of each tag into a folder"),
        (unprintable, r"the folder re\\u202ed in .* cannot be a tag"),
    ],
)
def test_photos_that_cannot_be_learned_from_are_refused(
    tmp_path: Path, change: Callable[[Path], None], sentence: str
) -> None:
    folder = tag_photos.folder(tmp_path / "photos", count=3)
    change(folder)
    with pytest.raises(BadInputError, match=sentence):
        photo_set.read(folder)


def test_photos_that_cannot_be_read_are_left_out_by_name(tmp_path: Path) -> None:
    found = photo_set.read(tag_photos.folder(tmp_path / "photos", count=3, none=2))
    broken = frozenset({found.photos[0].sha256, found.none[1].sha256})

    left = found.without(broken)

    assert left.broken == ("blue/000.png", "none/001.png")
    assert len(left.photos) == 8
    assert len(left.none) == 1
    assert left.truth.sum(axis=0).tolist() == [2, 3, 3]
    assert left.sha256 == found.sha256


@pytest.mark.parametrize(("count", "words"), [(2, "only one"), (3, "none")])
def test_a_tag_whose_photos_are_broken_is_refused(tmp_path: Path, count: int, words: str) -> None:
    found = photo_set.read(tag_photos.folder(tmp_path / "photos", count=3))
    broken = frozenset(photo.sha256 for photo in found.photos[:count])
    with pytest.raises(BadInputError, match=f"of the 3 photos of blue in .*{words} can be read"):
        found.without(broken)


def test_a_photo_in_two_folders_has_both_tags_where_tags_do_not_exclude_each_other(
    tmp_path: Path,
) -> None:
    folder = tag_photos.folder(tmp_path / "photos", count=3)
    twice(folder)
    found = photo_set.read(folder, task="multi-label")
    assert len(found.photos) == 9
    assert sorted(found.truth.sum(axis=1)) == [1] * 8 + [2]


@pytest.mark.parametrize(
    "rows",
    [
        "a.png,red;blue\nb.png,red\nc.png,blue\nd.png,\n",
        "photo,blue,red\na.png,1,1\nb.png,0,1\nc.png,1,0\nd.png,0,0\n",
    ],
)
def test_a_table_tells_the_tags_of_photos(tmp_path: Path, rows: str) -> None:
    for number, name in enumerate("abcd"):
        tag_photos.picture(tmp_path / f"{name}.png", (0, 0, 0), number)
    (tmp_path / "labels.csv").write_text(rows)
    found = photo_set.read(tmp_path, task="multi-label")
    assert found.tags == ("blue", "red")
    assert found.truth.tolist() == [[True, True], [False, True], [True, False], [False, False]]


def test_a_tag_of_one_photo_in_a_table_is_refused(tmp_path: Path) -> None:
    for number, name in enumerate("ab"):
        tag_photos.picture(tmp_path / f"{name}.png", (0, 0, 0), number)
    (tmp_path / "labels.csv").write_text("a.png,red;blue\nb.png,red\n")
    with pytest.raises(BadInputError, match="gives blue to 1 photos; give at least two"):
        photo_set.read(tmp_path, task="multi-label")
