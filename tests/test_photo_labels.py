"""Photos with several labels: what is read of a CSV beside them, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from toolchain.errors import BadInputError
from toolchain.photos import photo_folder, photo_labels

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("cat", "hot dog", "tabby, tabby cat", "a;b", "crane", "crane")
FILES = ("a.jpg", "b.jpg", "sub/c.png")
TRUTH = {"a.jpg": (0, 1), "b.jpg": (), "sub/c.png": (2,)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).touch()
    return made


def read(folder: Path, content: str | bytes) -> photo_labels.PhotoLabels:
    path = folder / photo_folder.LABELS
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return photo_labels.read(path, photo_folder.find(folder, by_folders=False), LABELS)


@pytest.mark.parametrize(
    "content",
    [
        "a.jpg,cat;hot dog\nb.jpg,\nsub/c.png,tabby\n",
        "file,labels\na.jpg,cat;hot dog\nb.jpg,\nsub/c.png,tabby\n",
        "\ufeffImage ID,Tags\r\na.jpg,hot dog|cat\r\nb.jpg,\r\nsub/c.png,tabby\r\n",
        "a,0;1\nb,\nc,2\n",
        "a,cat; 1\nb,\nsub/c,tabby\n",
        'a.jpg,cat;hot dog\nb.jpg,\nc.png,"tabby, tabby cat"\n',
        "c.png,tabby\nb.jpg,\n\na.jpg,cat;hot dog\n",
        "file;labels\na.jpg;cat|hot dog\nb.jpg;\nc.png;2\n",
        "file\tlabels\na.jpg\tcat;hot dog\nb.jpg\t\nc.png\ttabby\n",
        "file,cat,hot dog,tabby\na.jpg,1,1,0\nb.jpg,0,0,0\nsub/c.png,0,0,1\n",
        "id;2;1;0\na;0;1;1\nb;0;0;0\nc;1;0;0\n",
        ",cat,hot dog,tabby\na.jpg,True,True,False\nb.jpg,0.0,0,0\nsub/c.png,0,0,1.0\n",
    ],
)  # fmt: skip
def test_lists_and_columns_of_marks_are_read(folder: Path, content: str) -> None:
    found = read(folder, content)
    listed = photo_folder.find(folder, by_folders=False)
    names = [path.relative_to(listed.folder).as_posix() for path in listed.paths]
    assert names == list(FILES)
    for name, row in zip(names, found.truth, strict=True):
        assert tuple(np.flatnonzero(row)) == TRUTH[name]
    marked = "cat,hot dog" in content or content.startswith("id")
    assert found.known.tolist() == [True] * 3 + [not marked] * 3


def test_a_label_may_hold_what_separates_labels(folder: Path) -> None:
    truth = read(folder, "a.jpg,a;b\nb.jpg,3\nc.png,\n").truth
    assert truth[:2, 3].all()
    assert truth.sum() == 2


def test_a_photo_called_as_a_header_is_is_told_from_it(folder: Path) -> None:
    (folder / "image.jpg").touch()
    rows = "a.jpg,cat\nb.jpg,\nc.png,\nimage.jpg,cat\n"
    for content in (rows, f"image,labels\n{rows}"):
        assert read(folder, content).truth[:, 0].sum() == 2
    assert read(folder, "image,cat\na,cat\nb,\nc,\n").truth[:, 0].sum() == 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "are empty; write a line"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        ("a.jpg,cat\nz.jpg,cat\n", r"line 2 of .* names `z\.jpg`, which is not a photo in"),
        ("z.jpg,cat\na.jpg,cat\n", r"line 1 of .* names `z\.jpg`, which is not a photo in"),
        ("cat\ndog\n", "line 2 of .*, `dog`, does not begin with a photo"),
        ("index,label\n0,cat\n", "line 2 of .*, `0,cat`, does not begin with a photo"),
        ("a.jpg,bird\nb.jpg,\nc.png,\n", "line 1 of .* names `bird`, which is not a label"),
        ("a.jpg,cat hot dog\n", "line 1 of .* names `cat hot dog`, which .* separate them by ;"),
        ("a.jpg,crane\n", "line 1 of .* names `crane`, which could be any of the labels 4, 5"),
        ("a.jpg,cat\nb.jpg,\na,cat\n", "line 3 of .* names `a` again, after line 1"),
        ("a.jpg,cat\n", r"leave out 2 of 3 photos: b\.jpg, sub/c\.png; write a line for each"),
        ("a.jpg,cat,dog\nb.jpg,cat\n", "line 2 of .* has 2 columns, but line 1 has 3; separate"),
        ("a.jpg,1,0\nb.jpg,0,0\n", "line 1 of .* has 3 columns, but there is no header"),
        ("file,cat,bird\na.jpg,1,0\n", "line 1 of .* names `bird`, which is not a label"),
        ("file,cat,0\na.jpg,1,0\n", "line 1 of .* has two columns for the label `0`"),
        ("file,cat,1\na.jpg,1,-1\n", "line 2 of .* has `-1` where a 1 or a 0"),
        ("file,cat,1\na.jpg,1,\n", "line 2 of .* has `` where a 1 or a 0"),
        ('a.jpg,"cat\n\x00', "line|is not CSV|not a label"),
    ],
)
def test_every_fault_is_a_sentence_with_the_line(
    folder: Path, content: str | bytes, fault: str
) -> None:
    with pytest.raises(BadInputError, match=fault) as raised:
        read(folder, content)
    assert photo_folder.LABELS in str(raised.value)
    assert "\n" not in str(raised.value)


def test_two_photos_of_one_name_need_their_paths(folder: Path) -> None:
    (folder / "sub" / "d.jpg").touch()
    (folder / "other").mkdir()
    (folder / "other" / "d.jpg").touch()
    with pytest.raises(BadInputError, match=r"line 4 of .* several photos have that name"):
        read(folder, "a,\nb,\nc,\nd.jpg,cat\n")
    found = read(folder, "a,\nb,\nc,\nsub/d.jpg,cat\nother/d,hot dog\n")
    assert found.truth.sum() == 2


def test_the_users_file_holds_over_the_one_beside_the_photos(folder: Path, tmp_path: Path) -> None:
    assert photo_labels.file_of(folder, None) is None
    (folder / photo_folder.LABELS).touch()
    assert photo_labels.file_of(folder, None) == folder / photo_folder.LABELS
    assert photo_labels.file_of(folder, tmp_path / "mine.csv") == tmp_path / "mine.csv"


def test_the_file_of_labels_is_no_photo(folder: Path) -> None:
    (folder / photo_folder.LABELS).write_text("a,cat\n", "utf-8")
    assert len(photo_folder.find(folder, by_folders=False).paths) == 3
    classes = photo_folder.find(folder)
    assert classes.classes == ("sub",)
    (folder / "sub" / "c.png").unlink()
    (folder / "sub").rmdir()
    assert [path.name for path in photo_folder.find(folder).paths] == ["a.jpg", "b.jpg"]


def test_a_folder_a_class_gives_one_label_each(folder: Path) -> None:
    (folder / "sub").rename(folder / "cat")
    found = photo_labels.of(photo_folder.find(folder), None, LABELS)
    assert found is not None
    assert found.truth.tolist() == [[True, False, False, False, False, False]]
    assert found.known.all()
    flat = photo_folder.find(folder, by_folders=False)
    assert photo_labels.of(flat, None, LABELS) is None


def test_a_model_of_one_label_a_photo_takes_photos_of_one_label(folder: Path) -> None:
    listed = photo_folder.find(folder, by_folders=False)
    found = read(folder, "a,hot dog\nb,cat\nc,tabby\n")
    assert found.one_each(listed).tolist() == [1, 0, 2]
    with pytest.raises(
        BadInputError, match=r"b\.jpg has 0 labels, but this model gives a photo one label"
    ):
        read(folder, "a,hot dog\nb,\nc,tabby\n").one_each(listed)
    with pytest.raises(BadInputError, match=r"a\.jpg has 2 labels"):
        read(folder, "a,0;1\nb,\nc,tabby\n").one_each(listed)
    some = photo_folder.Photos(listed.folder, listed.paths[::2], None)
    assert found.of_some(listed, some).truth.argmax(axis=1).tolist() == [1, 2]
