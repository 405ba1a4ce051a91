"""Archives that nobody has vouched for: what they hold gets out, what they try does not."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.fuzz.archive_readers import zip_of
from toolchain.errors import BadInputError
from toolchain.formats import archive
from toolchain.progress import Silent
from toolchain.sources import local

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.cache.store import Store

NOISE = np.random.default_rng(1).bytes(200_000)
GRAPH = b"\x08\x01\x12\x00"  # one empty graph, as in a frozen model


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type = len(content), kind
    return made


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    made = entry(name, kind=kind)
    made.linkname = target
    return made


def pack(
    path: Path, *entries: tarfile.TarInfo, content: bytes = b"", mode: str = "gz", **form: int
) -> Path:
    with tarfile.open(path, f"w:{mode}", **form) as tar:  # type: ignore[call-overload]
        for one in entries:
            tar.addfile(one, io.BytesIO(content) if one.size else None)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Return the folder to unpack into, deep enough that one may climb out of it."""
    folder = tmp_path / "outer" / "target"
    folder.mkdir(parents=True)
    return folder


def found(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("mode", ["gz", ""])
def test_folders_and_files_come_out(tmp_path: Path, target: Path, mode: str) -> None:
    path = pack(
        tmp_path / "a.tar.gz",
        entry("./variables/", kind=tarfile.DIRTYPE),
        entry("./variables/index", b"12345"),
        entry("deep/down/file", b"12345"),
        content=b"12345",
        mode=mode,
    )
    archive.extract(path, target)
    assert found(target) == ["deep", "deep/down", "deep/down/file", "variables", "variables/index"]
    assert (target / "variables" / "index").read_bytes() == b"12345"


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (entry("../escaped", b"1"), "points outside"),
        (entry("a/../../escaped", b"1"), "points outside"),
        (entry("a/..", kind=tarfile.DIRTYPE), "points outside"),
        (link("escaped", "/etc/passwd"), "link or a device"),
        (link("inside", "first"), "link or a device"),
        (link("hard", "/etc/passwd", tarfile.LNKTYPE), "link or a device"),
        (link("hard", "first", tarfile.LNKTYPE), "link or a device"),
        (entry("pipe", kind=tarfile.FIFOTYPE), "link or a device"),
        (entry("null", kind=tarfile.CHRTYPE), "link or a device"),
        (entry("disk", kind=tarfile.BLKTYPE), "link or a device"),
    ],
    ids=lambda value: value.name if isinstance(value, tarfile.TarInfo) else None,
)
def test_what_leaves_the_folder_or_is_no_file_is_refused(
    tmp_path: Path, target: Path, bad: tarfile.TarInfo, fault: str
) -> None:
    path = pack(tmp_path / "bad.tar.gz", entry("first", b"1"), bad, entry("last"), content=b"1")
    with pytest.raises(BadInputError, match=fault) as raised:
        archive.extract(path, target)
    assert str(path) in str(raised.value)
    assert repr(bad.name) in str(raised.value)
    assert raised.value.exit_code == 2
    assert found(tmp_path / "outer") == ["target", "target/first"]


def test_an_absolute_name_is_refused_and_not_written(tmp_path: Path, target: Path) -> None:
    outside = tmp_path / "absolute"
    path = pack(tmp_path / "bad.tar.gz", entry(str(outside), b"1"), content=b"1")
    with pytest.raises(BadInputError, match="points outside"):
        archive.extract(path, target)
    assert not outside.exists()


def test_a_name_with_a_null_byte_is_refused(tmp_path: Path, target: Path) -> None:
    name = entry("plain", b"1")
    name.pax_headers = {"path": "a\0b"}
    path = pack(tmp_path / "bad.tar.gz", name, content=b"1", format=tarfile.PAX_FORMAT)
    with pytest.raises(BadInputError, match=r"bad\.tar\.gz"):
        archive.extract(path, target)
    assert found(target) == []


def test_too_many_entries_are_refused(tmp_path: Path, target: Path) -> None:
    folder = entry("again", kind=tarfile.DIRTYPE)
    path = pack(tmp_path / "many.tar.gz", *[folder] * 10_001)
    with pytest.raises(BadInputError, match="more than 10,000 entries"):
        archive.extract(path, target)


def test_an_archive_that_swells_is_refused_before_it_is_unpacked(
    tmp_path: Path, target: Path
) -> None:
    large = entry("zeros")
    large.size = 5 << 30
    path = tmp_path / "bomb.tar"
    path.write_bytes(large.tobuf())
    with pytest.raises(BadInputError, match="more than 4 GiB"):
        archive.extract(path, target)
    assert found(target) == []


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_an_archive_that_is_cut_off_is_noticed(tmp_path: Path, target: Path, kept: float) -> None:
    content = NOISE
    path = pack(tmp_path / "cut.tar.gz", entry("shard", content), content=content)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(BadInputError, match="cannot be unpacked") as raised:
        archive.extract(path, target)
    assert str(path) in str(raised.value)


def test_a_damaged_byte_is_noticed_whatever_the_compression(tmp_path: Path, target: Path) -> None:
    content = NOISE
    for mode in ("gz", "bz2", "xz"):
        path = pack(tmp_path / f"{mode}.tar.gz", entry("s", content), content=content, mode=mode)
        damaged = bytearray(path.read_bytes())
        middle = slice(len(damaged) // 2, len(damaged) // 2 + 64)
        damaged[middle] = bytes(64)
        path.write_bytes(damaged)
        with pytest.raises(BadInputError, match="cannot be unpacked"):
            archive.extract(path, target)


@pytest.mark.parametrize("content", [b"", b"<!doctype html>", bytes(100), lzma.compress(b"text")])
def test_what_is_no_archive_is_refused(tmp_path: Path, target: Path, content: bytes) -> None:
    path = tmp_path / "page.tar.gz"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"cannot be unpacked as a \.tar\.gz"):
        archive.extract(path, target)


def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path, target: Path) -> None:
    path = pack(tmp_path / "a.tar.gz", entry("a", b"1"), entry("a/b", b"1"), content=b"1")
    with pytest.raises(BadInputError, match="cannot be unpacked"):
        archive.extract(path, target)


def test_modes_in_the_archive_do_not_bind_the_user(tmp_path: Path, target: Path) -> None:
    locked = entry("locked", b"1")
    locked.mode, locked.uid = 0o4000, 12345
    archive.extract(pack(tmp_path / "a.tar.gz", locked, content=b"1"), target)
    mode = (target / "locked").stat().st_mode
    assert mode & 0o7000 == 0
    assert mode & 0o600 == 0o600


@pytest.mark.parametrize(
    ("mode", "said"), [("gz", "more than 50 times its size"), ("", "no room for what it unpacks")]
)
def test_a_small_archive_of_much_is_refused_before_the_disk_is_full(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch, mode: str, said: str
) -> None:
    content = bytes(80 << 20)
    path = pack(tmp_path / "bomb.tar.gz", entry("zeros", content), content=content, mode=mode)
    usage = shutil.disk_usage(target)._replace(free=300 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BadInputError, match=said):
        archive.extract(path, target)
    assert found(target) == []


def test_zeros_behind_the_last_entry_are_not_read_for_ever(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_ALWAYS_FINE", 1 << 20)
    tar = pack(tmp_path / "a.tar", entry("a", b"1"), content=b"1", mode="").read_bytes()
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(tar + bytes(8 << 20)))
    with pytest.raises(BadInputError, match="far too many bytes after its files"):
        archive.extract(path, target)


def test_a_name_of_megabytes_is_not_read_into_memory(tmp_path: Path, target: Path) -> None:
    name = entry("x" * (2 << 20), b"1")
    path = pack(tmp_path / "a.tar.gz", name, content=b"1", format=tarfile.PAX_FORMAT)
    with pytest.raises(BadInputError, match="a name in it is far too long"):
        archive.extract(path, target)
    assert found(target) == []


def test_a_sparse_file_counts_with_its_holes(tmp_path: Path, target: Path) -> None:
    sparse = entry("holes", b"1")
    sparse.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.realsize": str(1 << 40),
        "GNU.sparse.name": "holes",
    }
    content = b"1\n0\n1\n".ljust(512, b"\0") + b"1"
    sparse.size = len(content)
    path = pack(tmp_path / "a.tar.gz", sparse, content=content, format=tarfile.PAX_FORMAT)
    with pytest.raises(BadInputError, match="unpacks to more than 4 GiB"):
        archive.extract(path, target)
    assert found(target) == []


ODD_NAMES = ["a\nb", "a\x1b[2Jb", "a\\b", "a.", "a /b", "a\u202eb", "a\udcffb"]


@pytest.mark.parametrize(
    ("kind", "name"),
    # A zip's names are text.
    [("tar.gz", name) for name in ODD_NAMES] + [("zip", name) for name in ODD_NAMES[:-1]],
)
def test_a_name_that_not_every_system_takes_is_refused(
    tmp_path: Path, target: Path, name: str, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        path.write_bytes(zip_of({name: b"1"}))
    else:
        pack(path, entry(name, b"1"), content=b"1")
    with pytest.raises(BadInputError, match="not every system accepts"):
        archive.extract(path, target)
    assert found(target) == []


@pytest.mark.parametrize("names", [("a", "a"), ("a", "A"), ("a/\u00e9", "a/e\u0301")])
@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(
    tmp_path: Path, target: Path, names: tuple[str, str], kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name in names:
                packed.writestr(name, b"1")
    else:
        pack(path, *[entry(name, b"1") for name in names], content=b"1")
    with pytest.raises(BadInputError, match="occurs twice, or differs"):
        archive.extract(path, target)


@pytest.mark.parametrize("prefix", ["", "mobilenet/"])
def test_a_zip_of_a_model_is_read_too(tmp_path: Path, store: Store, prefix: str) -> None:
    path = tmp_path / "mine.zip"
    names = (f"{prefix}saved_model.pb", f"{prefix}assets/labels.txt", "__MACOSX/x/._saved_model.pb")
    path.write_bytes(
        zip_of(
            {prefix: b"", **dict.fromkeys(names, GRAPH)} if prefix else dict.fromkeys(names, GRAPH)
        )
    )
    fetched = local.fetch(path, store=store, progress=Silent())
    assert (fetched.path / "saved_model.pb").read_bytes() == GRAPH
    assert (fetched.path / "assets" / "labels.txt").is_file()
    assert fetched.declared.name == "mine"


def special(name: str, *, mode: int = 0, flags: int = 0) -> bytes:
    """Return a zip with an entry that its directory says something odd of."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        packed.writestr(info, b"/etc/passwd")
        info.flag_bits |= flags
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (special("../escaped"), "points outside"),
        (special("/absolute"), "points outside"),
        (special("a/../../escaped"), "points outside"),
        (special("x", mode=stat.S_IFLNK | 0o777), "link or a device"),
        (special("x", mode=stat.S_IFIFO | 0o777), "link or a device"),
        (special("x", mode=stat.S_IFBLK | 0o777), "link or a device"),
        (special("xQ.txt").replace(b"xQ.", b"x\0."), "not every system accepts"),
        (special("x", flags=1), "is encrypted"),
        (zip_of({"x": b"1"}, zipfile.ZIP_LZMA), "unusual for a zip"),
        (lambda: zip_of({"zeros": bytes(80 << 20)}), "more than 50 times its size"),
        (
            lambda: zip_of({f"{number}": b"" for number in range(10_001)}),
            "more than 10,000 entries",
        ),
        (zip_of({"a": b"1", "a/b": b"1"}), "cannot be unpacked as a .zip"),
        (zip_of({"n" * 300: b"1"}), "cannot be unpacked as a .zip"),
        (zip_of({"x": NOISE}).replace(NOISE[500:600], bytes(100)), "cannot be unpacked as a .zip"),
        (zip_of({"x": b"1"}, 0).replace(b"1P", b"2P", 1), "Bad CRC"),
        (zip_of({"x": NOISE})[:100_000], "cannot be unpacked as a .zip"),
        (b"", "cannot be unpacked as a .zip"),
    ],
    ids=range(17),
)
def test_a_zip_that_is_no_archive_of_files_is_refused(
    tmp_path: Path, target: Path, content: bytes | Callable[[], bytes], said: str
) -> None:
    path = tmp_path / "bad.zip"
    # What takes long to make is not made where tests are only collected.
    path.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(BadInputError, match=said) as raised:
        archive.extract(path, target)
    assert str(path) in str(raised.value)
    assert found(tmp_path / "outer")[:1] == ["target"]
    assert not (tmp_path / "outer" / "escaped").exists()


@pytest.mark.parametrize("prefix", ["", "./", "mobilenet/", "./mobilenet/"])
def test_the_model_may_lie_at_the_root_or_in_a_folder(
    tmp_path: Path, store: Store, prefix: str
) -> None:
    path = pack(
        tmp_path / "mine.tgz",
        entry(f"{prefix}saved_model.pb", GRAPH),
        entry(f"{prefix}assets/labels.txt"),
        content=GRAPH,
    )
    fetched = local.fetch(path, store=store, progress=Silent())
    assert (fetched.path / "saved_model.pb").read_bytes() == GRAPH
    assert (fetched.path / "assets" / "labels.txt").is_file()
    assert fetched.declared.name == "mine"
    assert fetched.source == "mine.tgz"


def test_an_archive_without_a_model_is_refused_and_not_kept(tmp_path: Path, store: Store) -> None:
    path = pack(tmp_path / "docs.tar.gz", entry("a/readme.txt"), entry("b/saved_model.txt"))
    for _ in range(2):
        with pytest.raises(BadInputError, match=r"saved_model\.pb is missing"):
            local.fetch(path, store=store, progress=Silent())
    assert list((store.root / "v1").glob("local/*")) == []
    assert list((store.root / "v1").glob("scratch/*")) == []


def test_a_refused_archive_leaves_nothing_in_the_store(tmp_path: Path, store: Store) -> None:
    path = pack(
        tmp_path / "bad.tar.gz",
        entry("saved_model.pb", GRAPH),
        link("x", "/etc/passwd"),
        content=GRAPH,
    )
    with pytest.raises(BadInputError, match="link or a device"):
        local.fetch(path, store=store, progress=Silent())
    assert list(store.root.rglob("saved_model.pb")) == []


def test_real_models_come_out_whole(shared: Path, target: Path) -> None:
    archive.extract(shared / "models" / "mobilenet_v1_025_224.tar.gz", target)
    assert {Path(name).name for name in found(target)} >= {"saved_model.pb", "variables.index"}
