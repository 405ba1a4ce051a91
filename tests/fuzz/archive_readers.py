"""Archives of models, and how they are damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.fuzz import damage
from tests.fuzz.reader import Reader, Strategy
from toolchain.formats import archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _unpack(name: str) -> Callable[[bytes, Path], object]:
    def unpack(content: bytes, folder: Path) -> None:
        path, target = folder / name, folder / "outer" / "target"
        path.write_bytes(content)
        target.mkdir(parents=True)
        try:
            archive.extract(path, target)
        finally:
            # Nothing outside the folder, and only folders and files inside it.
            assert [each.name for each in (folder / "outer").iterdir()] == ["target"]
            assert {each.name for each in folder.iterdir()} == {name, "outer"}
            for each in target.rglob("*"):
                assert each.is_file() or each.is_dir()
                assert not each.is_symlink()

    return unpack


@lru_cache
def _tar(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name in ("./model/saved_model.pb", "model/variables/variables.index", "n" * 120):
            entry = tarfile.TarInfo(name)
            entry.size = 40
            entry.pax_headers = {"comment": "é" * 20, "path": name, "size": "40"}
            tar.addfile(entry, io.BytesIO(bytes(range(40))))
        link = tarfile.TarInfo("model/link")
        link.type, link.linkname = tarfile.SYMTYPE, "saved_model.pb"
        tar.addfile(link)
    return buffer.getvalue()[:8192]


def _tars() -> Strategy:
    plain = damage.bytes_like(_tar(tarfile.PAX_FORMAT), _tar(tarfile.GNU_FORMAT))
    pack = st.sampled_from(
        [bytes, lambda tar: gzip.compress(tar, 1), lambda tar: bz2.compress(tar, 1), lzma.compress]
    )
    packed = st.builds(lambda way, tar: way(tar), pack, plain)
    return st.one_of(packed, damage.bytes_like(gzip.compress(_tar(tarfile.PAX_FORMAT), mtime=0)))


def zip_of(files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def _zips() -> Strategy:
    files = {"model/": b"", "model/saved_model.pb": bytes(range(99)), "model/v/index": b"1" * 99}
    ways = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return damage.bytes_like(*[zip_of(files, how) for how in ways])


READERS: dict[str, Reader] = {
    "tar": Reader(_tars, _unpack("model.tar.gz")),
    "zip": Reader(_zips, _unpack("model.zip")),
}
