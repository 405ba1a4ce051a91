"""What is fuzzed: every reader, what whole content of it looks like, and how it is damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shutil
import tarfile
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzz import damage, label_readers
from tests.fuzz.reader import Reader, Strategy
from toolchain import digest
from toolchain.card import InputSpec, read_sidecar
from toolchain.deploy import address, release
from toolchain.evaluation import photos
from toolchain.graph import preprocess
from toolchain.report import budget, schema
from toolchain.site import build_info, configuration, contract, parts
from toolchain.sources import (
    archive,
    kaggle,
    keras_file,
    operations,
    pins,
    resolve,
    saved_model,
    tfhub,
    torch_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC = InputSpec(height=32, width=32, value_range=(0, 1))
_NUMBERS = np.arange(24, dtype="<f4")


def _in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def written(content: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return written


def _said(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


# --- archives --------------------------------------------------------------------------------


def _unpack(name: str) -> Callable[[bytes, Path], object]:
    def unpack(content: bytes, folder: Path) -> None:
        path, target = folder / name, folder / "outer" / "target"
        path.write_bytes(content)
        target.mkdir(parents=True)
        try:
            archive.extract(path, target)
        finally:
            # Nothing beside the folder, and in it but folders and files.
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


# --- Keras files -----------------------------------------------------------------------------

_CONFIG = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "s",
        "layers": [
            {
                "module": "keras.layers",
                "class_name": "InputLayer",
                "config": {"batch_shape": [None, 8, 8, 3], "name": "i", "dtype": "float32"},
            },
            {
                "module": "keras.layers",
                "class_name": "Rescaling",
                "config": {"scale": 0.003, "offset": 0.0, "name": "r"},
            },
            {
                "module": "keras.layers",
                "class_name": "Conv2D",
                "registered_name": None,
                "config": {
                    "filters": 2,
                    "kernel_initializer": {
                        "module": "keras.initializers",
                        "class_name": "GlorotUniform",
                        "config": {"seed": None},
                    },
                },
            },
        ],
    },
}
_METADATA = b'{"keras_version": "3.5.0", "date_saved": "2025-01-01@00:00:00"}'


@lru_cache
def _weights(*, version: str = "earliest") -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=version) as file:
        file.attrs["keras_version"] = "3.5.0"
        file.attrs["model_config"] = json.dumps(_CONFIG)
        group = file.create_group("layers/conv")
        group.create_dataset("0", data=_NUMBERS)
        group.create_dataset("1", data=_NUMBERS, chunks=(8,), compression="gzip")
        group["again"] = group["0"]
    return buffer.getvalue()


def _keras_zips() -> Strategy:
    def packed(config: bytes, metadata: bytes, weights: bytes) -> bytes:
        names = ("config.json", "metadata.json", "model.weights.h5")
        parts = dict(zip(names, (config, metadata, weights), strict=True))
        return zip_of(parts, zipfile.ZIP_STORED)

    inside = st.builds(
        packed,
        damage.json_like(_CONFIG),
        st.one_of(st.just(_METADATA), damage.bytes_like(_METADATA)),
        st.just(_weights()),
    )
    return st.one_of(
        inside, damage.bytes_like(packed(json.dumps(_CONFIG).encode(), _METADATA, b""))
    )


def _look_at_keras(path: Path) -> None:
    keras_file.foreign_code(path)
    if fault := keras_file.content_fault(path):
        assert "\n" not in fault


# --- graphs and checkpoints ------------------------------------------------------------------


def _field(number: int, *values: bytes | int) -> bytes:
    """Return a protobuf field for each value."""
    made = b""
    for value in values:
        if isinstance(value, int):
            made += _varint(number << 3) + _varint(value & ((1 << 64) - 1))
        else:
            made += _varint(number << 3 | 2) + _varint(len(value)) + value
    return made


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def node(name: str, operation: str, *inputs: str, calls: str = "", sizes: Any = ()) -> bytes:
    """Return a NodeDef, with a function to call and a constant's shape where they are given."""
    shape = _field(2, *[_field(2, _field(1, size)) for size in sizes])
    called = _field(5, _field(1, b"f") + _field(2, _field(10, _field(1, calls.encode()))))
    constant = _field(5, _field(1, b"value") + _field(2, _field(8, shape)))
    made = _field(1, name.encode()) + _field(2, operation.encode())
    made += _field(3, *[each.encode() for each in inputs])
    return made + (called if calls else b"") + (constant if sizes else b"")


def graph(
    nodes: list[bytes],
    functions: dict[str, list[bytes]] | None = None,
    *,
    output: str = "out",
    saver: tuple[str, str] | None = ("save", "restore"),
    prepares: str = "",
    objects: bytes = b"",
) -> bytes:
    """Return a SavedModel of one graph whose signature gives `output`."""
    library = b"".join(
        _field(1, _field(1, _field(1, name.encode())) + _field(3, *body))
        for name, body in (functions or {}).items()
    )
    given = _field(2, _field(1, b"scores") + _field(2, _field(1, f"{output}:0".encode())))
    signature = _field(1, b"serving_default") + _field(2, given)
    meta_graph = _field(2, _field(1, *nodes) + _field(2, library)) + _field(5, signature)
    if saver:
        said = (f"{saver[0]}/name:0", *saver)
        meta_graph += _field(3, b"".join(_field(1 + at, n.encode()) for at, n in enumerate(said)))
    collection = b""
    if prepares:  # a node that a loader runs
        names = _field(2, _field(1, _field(1, prepares.encode())))
        collection = _field(4, _field(1, b"saved_model_main_op") + names)
    return _field(1, 1) + _field(2, meta_graph + collection + _field(7, objects))


def _graphs() -> Strategy:
    return damage.bytes_like(
        graph(
            [
                node("weights", "Const", sizes=(3, 4)),
                node("out", "StatefulPartitionedCall", "weights:0", "^image", calls="f"),
                node("save", "SaveV2", "weights"),
            ],
            {"f": [node("a", "MatMul", calls="g")], "g": [node("b", "Relu")]},
            objects=b"f",
        )
    )


def _read_graph(path: Path) -> None:
    if saved_model.fault(path.parent) is None:
        operations.fault_of(path.read_bytes())


def _guarded_graph(content: bytes, folder: Path) -> None:
    path = folder / saved_model.GRAPH
    path.write_bytes(content)
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"1")
    (folder / "variables" / "variables.data-00000-of-00001").touch()
    if saved_model.fault(folder) is None:
        fetched = saved_model.Fetched(folder, "0" * 64, "fuzzed")
        from toolchain.progress import Silent

        operations.check(fetched, Silent())


def _checkpoints() -> Strategy:
    from tests.test_torch_checkpoint import Checkpoint, Storage, tensor

    one, other = Storage("7", _NUMBERS), Storage("8", np.array([3], "<i8"), "LongStorage")
    state = {"a": tensor(one, 0, (2, 3, 4), (12, 4, 1)), "b": tensor(other, 0, (), ())}
    return damage.bytes_like(Checkpoint(state, [one, other]).to_bytes())


# --- pictures --------------------------------------------------------------------------------


def _pictures() -> Strategy:
    from PIL import Image

    from tests import colour_profiles

    pixels = np.random.default_rng(1).integers(0, 255, (9, 11, 4), np.uint8)
    made = []
    for form, mode in (
        *(("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P")),
        *(("PNG", "I;16"), ("GIF", "P"), ("WEBP", "RGBA"), ("BMP", "RGB"), ("TIFF", "RGB")),
        *(("PPM", "RGB"), ("ICO", "RGBA"), ("AVIF", "RGB")),
    ):
        picture = Image.fromarray(pixels)
        if mode == "I;16":
            picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        exif = Image.Exif()
        exif[0x0112], exif[0x010E] = 6, "a photo"
        buffer = io.BytesIO()
        more: dict[str, Any] = {"exif": exif} if form in ("JPEG", "PNG", "WEBP", "TIFF") else {}
        picture = picture if mode == "I;16" else picture.convert(mode)
        picture.save(buffer, form, **more)
        made.append(buffer.getvalue())
    table = colour_profiles.old_table(3, 2, colour_profiles.wide_colours)
    for profile in (
        colour_profiles.display_p3(),
        colour_profiles.table_profile(table),
        colour_profiles.table_profile(
            colour_profiles.new_table(3, 2, colour_profiles.wide_colours)
        ),
    ):
        buffer = io.BytesIO()
        Image.fromarray(pixels[..., :3]).save(buffer, "JPEG", icc_profile=profile)
        made.append(buffer.getvalue())
    text = (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage")
    return damage.bytes_like(*made, *text)


# --- texts -----------------------------------------------------------------------------------

_HASH = "ab" * 32
_REPORT_TOML = "[bytes]\ntotal = '2.3MB'\nmodel = '1MB'\n[first_tag]\n'fast-3g' = '9s'\n"
_PAGE_TOML = '[page]\ntitle = "A"\nlanguage = "de"\naccent = "#b3261e"\nsamples = false\n'
_SIDECAR = 'name = "a"\nlabels = ["b", "c"]\nvalue_range = [0, 1]\nheight = 32\nwidth = 32\n'
_SAMPLES = '[[sample]]\nfile = "a.jpg"\nalt = "A cat"\nauthor = "B"\nlicence = "CC0"\n'
_BUILD_INFO = {
    "schema": 1,
    "toolchain": "1",
    "python": "3",
    "packages": {"numpy": "1"},
    "models": [
        {"name": "a", "source": "b", "sha256": _HASH, "licence": "c", "quantization": "none"}
    ],
    "files": {"index.html": {"size": 1, "sha256": _HASH}},
}
_HISTORY = {
    "schema_version": 1,
    "releases": [
        {"version": "1", "at": "2025-01-01T00:00:00Z", "files": _BUILD_INFO["files"]},
    ],
}
_CONTRACT = {
    "schema": 3,
    "model": {
        "name": "a",
        "source": "b",
        "licence": "c",
        "sha256": _HASH,
        "url": "m.json",
        "quantization": "none",
        "weight_bytes": 3,
    },
    "input": {
        "height": 32,
        "width": 32,
        "value_range": [0, 1],
        "crop_fraction": 0.875,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "channels": "rgb",
    },
    "output": {
        "label_offset": 0,
        "activation": "softmax",
        "task": "single-label",
        "threshold": 0.5,
        "labels": ["a", "b"],
    },
    "graph": {"format": "graph-model"},
}


@lru_cache
def _report() -> Any:
    from tests.reports import smallest

    return json.loads(smallest().to_json())


def _contracts() -> Strategy:
    plain = damage.json_like(_CONTRACT)
    return st.one_of(
        st.builds(lambda content: gzip.compress(content, 1), plain),
        damage.bytes_like(gzip.compress(json.dumps(_CONTRACT).encode(), mtime=0)),
    )


def _folder_of_a_class(content: bytes, folder: Path) -> None:
    """Name a folder and a file of photos so."""
    name = content.replace(b"/", b"").replace(b"\0", b"")[:200].strip(b".")
    inner = folder / "photos" / _said(name or b"x")
    inner.mkdir(parents=True)
    (inner / _said(name or b"x")).write_bytes(b"")
    found = photos.find(folder / "photos")
    assert len(found.paths) == 1
    digest.of_tree(folder)


def _asked(content: bytes, folder: Path) -> None:  # noqa: ARG001 - as all readers
    word = _said(content)
    for canonical in (kaggle.canonical, tfhub.canonical, resolve.kind_of):
        try:
            canonical(word)
        except Exception as error:  # noqa: BLE001 - told apart by the caller
            _raise_unless_refused(error)


def _raise_unless_refused(error: Exception) -> None:
    from toolchain.errors import ToolchainError

    if not isinstance(error, ToolchainError):
        raise error


def _sampled(content: bytes, folder: Path) -> None:
    (folder / "samples.toml").write_bytes(content)
    shutil.copyfile(parts.templates_dir() / "samples" / "cat.jpg", folder / "a.jpg")
    parts.load_samples(folder)


TEXTS: dict[str, Reader] = {
    **label_readers.READERS,
    "sidecar": Reader(lambda: damage.texts_like(_SIDECAR), _in_file("m.toml", read_sidecar)),
    "configuration": Reader(
        lambda: damage.texts_like(_PAGE_TOML), _in_file("toolchain.toml", configuration.read)
    ),
    "samples": Reader(lambda: damage.texts_like(_SAMPLES), _sampled),
    "budget": Reader(lambda: damage.texts_like(_REPORT_TOML), _in_file("b.toml", budget.read)),
    "pins": Reader(
        lambda: damage.json_like({"schema": 1, "models": {"a/b": {"sha256": _HASH}}}),
        _in_file("toolchain.lock.json", pins.Pins.load),
    ),
    "report": Reader(lambda: damage.json_like(_report()), _in_file("report.json", schema.read)),
    "build-info": Reader(
        lambda: damage.json_like(_BUILD_INFO),
        lambda content, _: build_info.read(content, "https://example.org/build-info.json"),
    ),
    "history": Reader(
        lambda: damage.json_like(_HISTORY), lambda content, _: release.read_history(content)
    ),
    "contract": Reader(_contracts, lambda content, _: contract.read(content)),
    "address": Reader(
        lambda: damage.texts_like("s3://bucket/a", "git:https://a/b#c", "a@b:/c", "/srv/x"),
        lambda content, _: address.parse(_said(content)),
    ),
    "handle": Reader(
        lambda: damage.texts_like(
            "kaggle:google/mobilenet-v2/tensorFlow2/a/1",
            "https://tfhub.dev/google/a/b/1?tf-hub-format=compressed",
            "https://www.kaggle.com/models/google/a/frameworks/tensorFlow2/variations/b",
        ),
        _asked,
    ),
    "class-folder": Reader(lambda: damage.texts_like("cat", "n01440764", "7"), _folder_of_a_class),
}

READERS: dict[str, Reader] = {
    "tar": Reader(_tars, _unpack("model.tar.gz")),
    "zip": Reader(_zips, _unpack("model.zip")),
    "keras-zip": Reader(_keras_zips, _in_file("m.keras", _look_at_keras)),
    "keras-hdf5": Reader(
        lambda: damage.bytes_like(_weights(), _weights(version="latest")),
        _in_file("m.h5", _look_at_keras),
    ),
    "saved-model": Reader(_graphs, _guarded_graph),
    "torch": Reader(_checkpoints, _in_file("model.pth", torch_checkpoint.read)),
    "photo": Reader(_pictures, _in_file("p.jpg", lambda path: preprocess.load(path, SPEC))),
    **TEXTS,
}
