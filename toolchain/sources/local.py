"""Models on this machine: SavedModel folders and archives, and Keras files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.card import Declared, read_sidecar
from toolchain.errors import BadInputError
from toolchain.sources import archive, keras_file, saved_model
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.progress import Progress
    from toolchain.store import Store

ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")
SUFFIXES = (*ARCHIVE_SUFFIXES, *keras_file.SUFFIXES)
_SAID = "declared.json"
_LAYOUT = 1  # raise it when the SavedModel made of the same file changes


def fetch(path: Path, *, store: Store, progress: Progress) -> Fetched:
    """Return a local model as a SavedModel with what its sidecar says.

    A file is unpacked or exported into the store once per content. The sidecar is
    `<model>.toml` beside the model, where `<model>` has lost its suffix.

    Raises:
        BadInputError: There is nothing there, or it is no model that can be read.
    """
    if not path.exists():
        raise BadInputError(
            f"there is no model at {path}; give the path of a SavedModel or Keras file"
        )
    if path.name in ("", ".."):  # "." has no name of its own
        path = path.resolve()
    stem = _stem(path)
    sidecar = path.with_name(f"{stem}.toml")
    declared = read_sidecar(sidecar) if sidecar.is_file() else Declared()
    declared = declared.over(Declared(name=stem))
    if path.is_dir():
        folder = saved_model.locate(path)
        return Fetched(folder, digest.of_tree(folder), path.name, declared)
    if not path.name.endswith(SUFFIXES):
        raise BadInputError(
            f"{path} is no model this tool knows; it reads SavedModel folders and files that "
            f"end with {', '.join(SUFFIXES)}"
        )
    try:
        sha256 = digest.of_file(path)
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    key = f"{sha256}-{_LAYOUT}"

    def make(folder: Path) -> None:
        progress.say(f"Reading {path.name}")
        _convert(path, folder)

    (model, said), _ = store.result("local", key, read=_read, make=make)
    return Fetched(model, sha256, path.name, declared.over(said))


def _read(kept: Path) -> tuple[Path, Declared]:
    said = Declared.model_validate_json((kept / _SAID).read_text("utf-8"))
    return saved_model.locate(kept / "saved_model"), said


def _convert(path: Path, folder: Path) -> None:
    target = folder / "saved_model"
    said = Declared()
    if path.name.endswith(ARCHIVE_SUFFIXES):
        target.mkdir()
        archive.extract(path, target)
        saved_model.locate(target)
    else:
        said = keras_file.export(path, target)
    (folder / _SAID).write_text(said.model_dump_json(), "utf-8")


def _stem(path: Path) -> str:
    name = path.name
    for suffix in SUFFIXES:
        if path.is_file() and name.endswith(suffix):
            return name[: -len(suffix)]
    return name
