"""`toolchain train --from`: learning anew from the photos of a file that a page has exported."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests import command_line, tag_photos
from tests.fuzz import archive_readers, taught_readers
from tests.test_train import RANGE, Listening, base  # noqa: F401 - a fixture
from toolchain import TrainOptions
from toolchain.errors import BadInputError
from toolchain.pipeline.train import train
from toolchain.sources.request import Request
from toolchain.sources.trained import read as read_trained
from toolchain.training import photo_set, taught_photos

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

TAGS = ["red", "green", "blue"]


def exported(path: Path, tags: list[str], photos: list[dict[str, Any]], *files: Path) -> Path:
    """Write what a page exports; the photos' entries are numbered from 1."""
    entries = {f"photos/{number}.jpg": file.read_bytes() for number, file in enumerate(files, 1)}
    listed = taught_readers.listed(tags=tags, photos=photos, none_of_these=None)
    layer = bytes(4 * 4 * len(tags))
    content = {"tags.json": json.dumps(listed).encode(), "layer.bin": layer, **entries}
    path.write_bytes(archive_readers.zip_of(content, zipfile.ZIP_STORED))
    return path


def test_a_model_is_trained_on_the_photos_and_keeps_them(
    base: Path,  # noqa: F811
    session_store: Store,
    tmp_path: Path,
) -> None:
    folder = tag_photos.folder(tmp_path / "given", count=12)
    files = [file for tag in TAGS for file in sorted((folder / tag).iterdir())]
    photos = [
        {"tag": TAGS.index(file.parent.name), "name": file.name, "file": f"photos/{number}.jpg"}
        for number, file in enumerate(files, 1)
    ]
    lost = {"tag": 0, "name": "camera", "file": None}
    given = exported(tmp_path / "taught.zip", TAGS, [*photos, lost], *files)
    out, heard = tmp_path / "taught.model", Listening()

    options = TrainOptions(photos=given, bases=(Request(str(base)),), declared=RANGE)
    record = train(options, out, store=session_store, progress=heard)

    assert record.tags == ("blue", "green", "red")
    assert record.out_of_fold.accuracy.value > 0.9
    assert f"1 of the 37 photos of {given} were not kept by the page" in heard.warnings[0]
    kept = read_trained(out).photos
    assert kept == out / "photos"
    found = photo_set.read(kept)
    assert found.sha256 == record.photos.sha256, "the build calibrates by them"
    assert {each.path.read_bytes() for each in found.photos} == {f.read_bytes() for f in files}


PHOTO = {"tag": 0, "name": "a.jpg", "file": None}


@pytest.mark.parametrize(
    ("tags", "photos", "sentence"),
    [
        (["a", "b"], [PHOTO], "what 1 photos look like to the model, and not the photos; have"),
        (["a", "b"], [PHOTO | {"file": "photos/1.jpg"}] * 2, "holds 0 photos of b, and learning"),
        (["a/b", "b"], None, "the tag a/b in .* begins with a full stop or holds one of"),
        (["..", "b"], None, "the tag .. in .* begins with a full stop"),
        (["None", "b"], None, "the tag None in .* photos of none of the tags"),
        (["é" * 90, "b"], None, "it is too long"),
        (["a", "b"], "gone", r"There is no item named 'photos/9.jpg'.*; export it again"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    tmp_path: Path, tags: list[str], photos: Any, sentence: str
) -> None:
    if not isinstance(photos, list):
        file = "photos/9.jpg" if photos else "photos/1.jpg"
        photos = [{"tag": tag, "name": "a", "file": file} for tag in (0, 0, 1, 1)]
    picture = tmp_path / "a"
    picture.write_bytes(b"a picture")
    given = exported(tmp_path / "taught.zip", tags, photos, picture)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInputError, match=sentence):
        taught_photos.unpack(given, tmp_path / "out")


def test_names_of_files_stay_within_the_folder_and_keep_their_beginnings(tmp_path: Path) -> None:
    names = ["../../visit 1.jpg", "/etc/visit", "..", "visit 2\x1b[2J.jpg"]
    photos = [
        {"tag": place % 2, "name": name, "file": "photos/1.jpg"} for place, name in enumerate(names)
    ]
    picture = tmp_path / "a"
    picture.write_bytes(b"a picture")
    given = exported(tmp_path / "taught.zip", ["a", "b"], photos, picture)
    (tmp_path / "out").mkdir()
    assert taught_photos.unpack(given, tmp_path / "out") is None
    written = sorted(path.name for path in (tmp_path / "out").glob("*/*"))
    assert written == [
        "_.._visit 1 00001.jpg",
        "_etc_visit 00002.jpg",
        "photo 00003.jpg",
        "visit 2__2J 00004.jpg",
    ]


def test_photos_are_named_once(capfd: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["photos", "--from", "taught.zip"], "both say what to learn from"),
        ([], "there are no photos to learn from"),
        (["--from", "taught.zip"], "there is no file taught.zip"),
    ):
        done = command_line.run_here(capfd, "train", *words)
        assert done.returncode == 2
        assert said in done.stderr
