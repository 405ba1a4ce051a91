"""Models on this machine: SavedModels, archives, and all that `formats/` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.formats import archive, detection
from toolchain.records.card import Declared, read_sidecar
from toolchain.sources import saved_model, suggestions, trained
from toolchain.sources.saved_model import Fetched
from toolchain.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.formats.format import Format
    from toolchain.progress import Progress

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
SUFFIXES = (*ARCHIVE_SUFFIXES, *detection.SUFFIXES)
_MODEL = "saved_model"
_DECLARED = "declared.json"
# Reading a pickle runs any code in it, and SavedModels are never pickles.
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".dill")
_TORCH_EXPORT = "`torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), 'model.onnx')`"
_TORCH = (".pt", ".pth")
_FOREIGN: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        (".safetensors", ".bin"),
        (
            "holds weights without their network",
            f"load them into the network and export that: {_TORCH_EXPORT}",
        ),
    ),
    **dict.fromkeys(
        (".mlmodel", ".mlpackage"),
        (
            "is a Core ML model, which only Apple's systems run",
            f"export the model that it was made from: {_TORCH_EXPORT}, or `model.save('m.keras')`",
        ),
    ),
    **dict.fromkeys(
        (".caffemodel", ".prototxt"),
        ("is a Caffe model", "convert it to ONNX, and give the .onnx file"),
    ),
    ".tflite": (
        "is a TFLite model, which is already rounded for phones",
        "give what it was made from: the Keras file, the SavedModel folder or the .onnx file",
    ),
}
"""Why files of other tools are not read, and what to do instead, by the ends of their names."""


def fetch(path: Path, *, store: Store, progress: Progress, trusted: bool = False) -> Fetched:
    """Return a local model as a SavedModel, with what its sidecar declares.

    A file is unpacked or exported into the cache once per content. The sidecar is the file
    `<model>.toml` beside the model, where `<model>` is its name without the suffix.

    Args:
        path: The folder or file.
        store: The cache. Results of running a file's own code have other keys, so they are used
            only if the user trusts the file.
        progress: Told of files that are read, and of code that is run.
        trusted: Whether code in the file may be run.

    Raises:
        BadInputError: There is nothing at that path, or it cannot be read as a model.
    """
    _expect_model(path)
    if path.name in ("", ".."):  # "." has no name of its own
        path = path.resolve()
    if path.is_dir() and trained.is_one(path):
        return _trained(path, is_trusted=trusted)
    stem = _stem(path)
    sidecar = path.with_name(f"{stem}.toml")
    declared = read_sidecar(sidecar) if sidecar.is_file() else Declared()
    named = Declared(name=printable(stem))
    found = detection.of(path)
    if path.is_dir() and found is None:
        folder = saved_model.locate(path)
        return Fetched(
            folder,
            digest.of_tree(folder),
            printable(path.name),
            declared.over(named),
            trusted=trusted,
        )
    try:
        sha256 = digest.of_tree(path) if path.is_dir() else digest.of_file(path)
        if beside := found.companions(path) if found else ():
            # Their content decides what the model answers, and so does which of them there are.
            sha256 = digest.of_json(
                [
                    sha256,
                    *(
                        [str(each.relative_to(path.parent)), digest.of_file(each)]
                        for each in beside
                    ),
                ]
            )
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    code = fingerprint.of(__name__)
    key = digest.of_json([sha256, code])
    foreign = found.foreign_code(path) if trusted and found else None
    if foreign:
        progress.warn(f"--trust: {path} holds {foreign}, which runs with your permissions")
        key += "-trusted"

    def make(folder: Path) -> None:
        progress.say(f"Reading {path.name}")
        own = _convert(path, folder, found, trusted=trusted)
        (folder / _DECLARED).write_text(own.model_dump_json(exclude_none=True), "utf-8")
        fingerprint.require_unchanged(__name__)

    (model, own), _ = store.result(
        "local", key, read=_read, make=make, doing=f"reading {path.name}", progress=progress
    )
    return Fetched(
        path=model,
        sha256=sha256,
        source=printable(path.name),
        declared=declared.over(own).over(named),
        prepared_by=code,
        trusted=trusted,
    )


def _trained(path: Path, *, is_trusted: bool) -> Fetched:
    """Return a model that this tool has trained."""
    found = trained.read(path)
    folder = saved_model.locate(path / trained.MODEL, shown=str(path))
    return Fetched(
        folder,
        digest.of_tree(folder),
        printable(path.name),
        found.declared,
        trusted=is_trusted,
        trained=path,
    )


def _read(kept: Path) -> tuple[Path, Declared]:
    own = Declared.model_validate_json((kept / _DECLARED).read_bytes())
    return saved_model.locate(kept / _MODEL), own


def _expect_model(path: Path) -> None:
    """Check that the path is a model of a kind that can be read.

    Raises:
        BadInputError: It is not.
    """
    if not path.exists():
        near = suggestions.for_path(path, SUFFIXES)
        raise BadInputError(
            f"there is no model at {path}; "
            + (near or "give the path of a SavedModel or Keras file")
        )
    foreign = next((_FOREIGN[end] for end in _FOREIGN if path.name.lower().endswith(end)), None)
    if foreign and (path.is_file() or path.suffix.lower() == ".mlpackage"):
        raise BadInputError(f"{path} {foreign[0]}, so it is not read; {foreign[1]}")
    if path.is_dir():
        return
    if not path.is_file():
        raise BadInputError(f"{path} is neither a file nor a folder; give the path of a model")
    if path.name.lower().endswith(_PICKLES):
        way_out = "export the model as a SavedModel or a .keras file where it was trained"
        if path.name.lower().endswith(_TORCH):
            way_out = f"export the model as ONNX where it was trained: {_TORCH_EXPORT}"
        raise BadInputError(
            f"{path} is a pickle, which runs code of its author when it is read, so it is not "
            f"opened; {way_out}"
        )
    if not path.name.endswith(SUFFIXES):
        raise BadInputError(
            f"{path} is not a model that this tool can read; it reads SavedModel folders and files "
            f"that end with {', '.join(SUFFIXES)}"
        )


def _convert(path: Path, folder: Path, found: Format | None, *, trusted: bool) -> Declared:
    """Write a model as a SavedModel, and return what its file declares."""
    target = folder / _MODEL
    if found is not None:
        return found.read(path, target, trusted=trusted)
    target.mkdir()
    archive.extract(path, target)
    saved_model.locate(target, shown=str(path))
    return Declared()


def _stem(path: Path) -> str:
    name = path.name
    for suffix in SUFFIXES:
        if path.is_file() and name.endswith(suffix):
            return name[: -len(suffix)]
    return name
