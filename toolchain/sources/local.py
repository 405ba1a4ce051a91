"""Models on this machine: SavedModels, archives, and all that `formats/` reads."""

from __future__ import annotations

import shutil
from dataclasses import astuple
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.formats import archive, detection, unread
from toolchain.formats.format import NOTHING_NAMED, Named
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


def fetch(
    path: Path,
    *,
    store: Store,
    progress: Progress,
    trusted: bool = False,
    named: Named = NOTHING_NAMED,
) -> Fetched:
    """Return a local model as a SavedModel, with what its sidecar declares.

    A file is unpacked or exported into the cache once per content. The sidecar is the file
    `<model>.toml` beside the model, where `<model>` is its name without the suffix.

    Args:
        path: The folder or file.
        store: The cache. Results of running a file's own code have other keys, so they are used
            only if the user trusts the file.
        progress: Told of files that are read, and of code that is run.
        trusted: Whether code in the file may be run.
        named: The parts of the model that the user names; they override the sidecar's.

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
    by_file = Declared(name=printable(stem))
    found = detection.of(path)
    if path.is_dir() and found is None:
        folder = saved_model.locate(path)
        return Fetched(
            folder,
            digest.of_tree(folder),
            printable(path.name),
            declared.over(by_file),
            trusted=trusted,
        )
    try:
        sha256 = _digest(path, found)
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    code = fingerprint.of(__name__)
    parts = Named(
        signature=named.signature or declared.signature,
        input=named.input or declared.input,
        output=named.output or declared.output,
        size=named.size or _size(declared),
    )
    said = [] if parts == NOTHING_NAMED else list(astuple(parts))
    key = digest.of_json([sha256, code, *said])
    foreign = found.foreign_code(path) if trusted and found else None
    if foreign:
        progress.warn(f"--trust: {path} holds {foreign}, which runs with your permissions")
        key += "-trusted"

    def make(folder: Path) -> None:
        progress.say(f"Reading {path.name}")
        own = _convert(path, folder, found, parts, trusted=trusted)
        (folder / _DECLARED).write_text(own.model_dump_json(exclude_none=True), "utf-8")
        fingerprint.require_unchanged(__name__)

    (model, own), _ = store.result(
        "local", key, read=_read, make=make, doing=f"reading {path.name}", progress=progress
    )
    return Fetched(
        path=model,
        sha256=sha256,
        source=printable(path.name),
        declared=declared.over(own).over(by_file),
        prepared_by=code,
        trusted=trusted,
    )


def _size(declared: Declared) -> tuple[int, int] | None:
    if declared.height is None or declared.width is None:
        return None
    return declared.height, declared.width


def _digest(path: Path, found: Format | None) -> str:
    """Return the digest of all that is read of a model."""
    own = digest.of_tree(path) if path.is_dir() else digest.of_file(path)
    beside = found.companions(path) if found else ()
    if not beside:
        return own
    # Which of them there are decides what the model answers, and so does their content.
    listed = [[str(each.relative_to(path.parent)), digest.of_file(each)] for each in beside]
    return digest.of_json([own, *listed])


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
    if detection.of(path):  # by its content, whatever its name
        return
    unread.refuse(path)
    if path.is_dir():
        return
    if not path.is_file():
        raise BadInputError(f"{path} is neither a file nor a folder; give the path of a model")
    if not path.name.endswith(SUFFIXES):
        raise BadInputError(
            f"{path} is not a model that this tool can read; it reads SavedModel folders and files "
            f"that end with {', '.join(SUFFIXES)}"
        )


def _convert(
    path: Path, folder: Path, found: Format | None, named: Named, *, trusted: bool
) -> Declared:
    """Write a model as a SavedModel, and return what its file declares."""
    target = folder / _MODEL
    if found is not None:
        return found.read(path, target, trusted=trusted, named=named)
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    archive.extract(path, unpacked)
    try:
        own = _read_unpacked(unpacked, target, path, named, trusted=trusted)
    except BadInputError as error:
        # The user knows the archive, not where it was unpacked.
        raise BadInputError(str(error).replace(str(unpacked), str(path))) from error
    shutil.rmtree(unpacked, ignore_errors=True)
    return own


def _read_unpacked(
    unpacked: Path, target: Path, path: Path, named: Named, *, trusted: bool
) -> Declared:
    """Write the model of an unpacked archive, which may lie in its only folder or file."""
    inside = [each for each in unpacked.iterdir() if not each.name.startswith((".", "__MACOSX"))]
    # The only file may be the graph of a SavedModel without variables, which is no frozen graph.
    alone = len(inside) == 1 and inside[0].name != saved_model.GRAPH
    for place in (unpacked, *(inside if alone else ())):
        if found := detection.of(place):
            if not trusted or not (foreign := found.foreign_code(place)):
                return found.read(place, target, trusted=False, named=named)
            raise BadInputError(
                f"{path} holds {foreign}, which runs code; unpack it, and give the model inside "
                "with --trust"
            )
    saved_model.locate(unpacked, shown=str(path))
    unpacked.rename(target)
    return Declared()


def _stem(path: Path) -> str:
    name = path.name
    for suffix in SUFFIXES:
        if path.is_file() and name.endswith(suffix) and name != suffix:
            return name[: -len(suffix)]
    return name
