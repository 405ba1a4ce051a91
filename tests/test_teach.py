"""Teaching tags in the page: what the page's tests compare it with is what Python learns."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import teach_fixture
from tests.fuzz import archive_readers, taught_readers
from toolchain.cache.store import Store
from toolchain.errors import BadInputError
from toolchain.pipeline import taught_head
from toolchain.progress import Silent
from toolchain.sources.saved_model import Fetched
from toolchain.training import taught_tags

if TYPE_CHECKING:
    from pathlib import Path


def test_the_pages_tests_expect_what_python_learns() -> None:
    kept = json.loads(teach_fixture.PATH.read_text("utf-8"))
    made = teach_fixture.make()
    assert kept.keys() == made.keys()
    for name in ("features", "tags", "leftOut", "outputs"):
        np.testing.assert_allclose(kept[name], made[name], atol=1e-3, err_msg=name)
    assert kept["rule"]["coordinates"] == made["rule"]["coordinates"]
    np.testing.assert_allclose(kept["rule"]["centres"], made["rule"]["centres"], atol=1)
    np.testing.assert_allclose(kept["rule"]["threshold"], made["rule"]["threshold"], atol=1e-3)


def taught(**changes: Any) -> dict[str, bytes]:
    """Return the files of what a page exports of two tags and three features."""
    return taught_readers.files_of(json.dumps(taught_readers.listed(**changes)).encode())


def written(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(archive_readers.zip_of(files, zipfile.ZIP_STORED))
    return path


def test_what_a_page_exports_is_read(tmp_path: Path) -> None:
    found = taught_tags.read(written(tmp_path / "taught.zip", taught()))
    assert found.tags == ("Rose", "tulip")
    assert (found.model, found.model_sha256, len(found.photos)) == ("tiny", "ab" * 32, 1)
    np.testing.assert_array_equal(found.kernel, [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(found.bias, [6, 7])
    assert found.rule is not None
    assert found.rule.threshold == 0.5
    assert taught_tags.read(written(tmp_path / "b.zip", taught(none_of_these=None))).rule is None


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "tags.json"),
        (taught(format="other"), "format"),
        (taught(version=2), "version"),
        (taught(tags=[]), "tags"),
        (taught(tags=["Rose", "Rose"]), "the same name"),
        (taught(tags=["Rose", "tulip", "oak"]), "none_of_these|layer.bin"),
        (taught(width=4), r"does not have 10 numbers"),
        (taught(width=1 << 30), "width"),
        (taught(model={"name": "x", "sha256": "zz"}), "sha256"),
        (taught(more=1), "more"),
        (taught() | {"tags.json": b"["}, "."),
        (taught() | {"tags.json": b"[1]"}, "."),
        (taught() | {"layer.bin": bytes(33)}, "."),
        (taught() | {"layer.bin": np.full(8, np.nan, "<f4").tobytes()}, "not a number"),
        (taught() | {"../outside": b""}, "outside the archive"),
    ],
)
def test_what_is_no_such_file_is_refused_in_a_sentence(
    files: dict[str, bytes], why: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=why) as caught:
        taught_tags.read(written(tmp_path / "taught.zip", files))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"words")
    for name in ("a.zip", "missing.zip"):
        with pytest.raises(BadInputError, match="holds no taught tags"):
            taught_tags.read(tmp_path / name)


def test_a_zip_whose_compressed_content_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "taught.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("tags.json", taught()["tags.json"])
        start = packed.infolist()[0].header_offset
    content = bytearray(path.read_bytes())
    first = start + 30 + len("tags.json")  # behind the entry's header
    content[first : first + 4] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="holds no taught tags that can be read"):
        taught_tags.read(path)


def test_tags_of_another_model_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "taught.zip", taught())
    store = Store(tmp_path / "cache")
    other = Fetched(tmp_path, "cd" * 32, "other")
    with pytest.raises(BadInputError, match="was taught with another model, tiny, than other"):
        taught_head.with_head(other, path, store=store, progress=Silent())
    one = taught(tags=["Rose"], none_of_these=None) | {"layer.bin": bytes(16)}
    alone = written(tmp_path / "one.zip", one)
    same = Fetched(tmp_path, "ab" * 32, "tiny")
    with pytest.raises(BadInputError, match="has one tag only, Rose"):
        taught_head.with_head(same, alone, store=store, progress=Silent())
