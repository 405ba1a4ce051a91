"""The labels of photos, one or several for each: from a CSV, or from class folders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import text
from toolchain.errors import BadInputError
from toolchain.labels import csv_tables
from toolchain.photos.photo_folder import LABELS, Names, Photos, label_indices
from toolchain.text import brief, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_DELIMITERS = (",", "\t", ";")
_BETWEEN = re.compile(r"[;|]")
_FILES = frozenset(
    {"", "file", "files", "filename", "file_name", "path", "photo", "photos", "image", "images"}
    | {"image_id", "imageid", "image_name", "image_path", "img", "id", "name"}
)
_LISTS = frozenset(
    {"label", "labels", "tag", "tags", "class", "classes", "category", "categories", "names"}
)
_MARKS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_NAMED = 5  # photos to name in an error message
_LONGEST = 60  # characters of a cell to show in an error message


@dataclass(frozen=True)
class PhotoLabels:
    """Which of a model's labels each photo has."""

    truth: Array
    """Bool `[photos, labels]`, in the order of the photos."""
    known: Array
    """Bool `[labels]`: for which labels it is known whether the photos have them."""

    def of_some(self, photos: Photos, kept: Photos) -> PhotoLabels:
        """Return the labels of some of the photos.

        Args:
            photos: All photos, in the order of `truth`.
            kept: Some of them.
        """
        places = {path: place for place, path in enumerate(photos.paths)}
        return PhotoLabels(self.truth[[places[path] for path in kept.paths]], self.known)

    def one_each(self, photos: Photos) -> Array:
        """Return each photo's only label, for a single-label model.

        Args:
            photos: The photos, in the order of `truth`.

        Returns:
            Indices of labels, int `[photos]`.

        Raises:
            BadInputError: A photo has no label, or several.
        """
        counts = self.truth.sum(axis=1)
        odd = np.flatnonzero(counts != 1)
        if len(odd):
            name = printable(photos.paths[odd[0]].relative_to(photos.folder).as_posix())
            raise BadInputError(
                f"{name} has {counts[odd[0]]} labels, but this model gives a photo one label; "
                "give every photo one, or build the model with --task multi-label"
            )
        found: Array = self.truth.argmax(axis=1)
        return found


def file_of(folder: Path, given: Path | None) -> Path | None:
    """Return the file with the labels of the photos in a folder; None if there is none.

    Args:
        folder: The folder of photos.
        given: The file that the user gave, if any; it overrides `labels.csv` in the folder.
    """
    if given is not None:
        return given
    beside = folder / LABELS
    return beside if beside.is_file() else None


def of(photos: Photos, file: Path | None, labels: tuple[str, ...]) -> PhotoLabels | None:
    """Return the labels of photos, from a file or from their class folders, or None.

    Args:
        photos: The photos.
        file: A file for :func:`read`; None to use class folders, if there are any.
        labels: The model's labels, in the order of its outputs.

    Raises:
        BadInputError: The file, or the name of a folder, cannot be used.
    """
    if file is not None:
        return read(file, photos, labels)
    if photos.classes is None:
        return None
    indices = label_indices(photos.classes, labels, photos.folder)
    truth = np.zeros((len(photos.paths), len(labels)), bool)
    truth[np.arange(len(truth)), [indices[name] for name in photos.classes]] = True
    return PhotoLabels(truth, np.ones(len(labels), bool))


def read(path: Path, photos: Photos, labels: tuple[str, ...]) -> PhotoLabels:
    """Read a CSV of photos and their labels.

    Each row has a photo and a list of its labels, separated by `;` or `|`, which may be empty. Or
    the header names labels, and each row has a photo and a 1 or a 0 for each label. A photo is
    named by its path in the folder, with or without its suffix.

    Args:
        path: The file.
        photos: All photos of the folder, in the order of the rows of the result.
        labels: The model's labels, in the order of its outputs.

    Raises:
        BadInputError: The file cannot be read, names an unknown photo or label, names a photo
            twice, or leaves out a photo.
    """
    file = f"the photos' labels {path}"
    places = _places(photos)
    rows = _rows(path, file, places)
    header = rows[0][1] if _is_header(rows[0][1], places) else None
    if header is not None and _key(header[0]) not in _FILES:
        raise _unknown(rows[0], file, photos)
    body = rows if header is None else rows[1:]
    names = Names(labels)
    truth = np.zeros((len(photos.paths), len(labels)), bool)
    known = np.ones(len(labels), bool)
    columns = _columns(rows[0], body, header, names, file)
    if columns is not None:
        known[:] = False
        known[columns] = True
    seen: dict[int, int] = {}
    for row in body:
        number, (name, *cells) = row
        if name not in places:
            raise _unknown(row, file, photos)
        place = places[name]
        if place is None:
            raise BadInputError(
                f"line {number} of {file} names `{_cited(name)}`, but several photos have that "
                "name; write its path in the folder with its suffix"
            )
        if place in seen:
            raise BadInputError(
                f"line {number} of {file} names `{_cited(name)}` again, after line {seen[place]}; "
                "write one line for each photo"
            )
        seen[place] = number
        if columns is None:
            truth[place, _listed(number, cells[0], names, file)] = True
        else:
            truth[place, columns] = _marked(number, cells, file)
    _refuse_missing(photos, seen, file)
    return PhotoLabels(truth, known)


def names_in(path: Path, photos: Photos) -> tuple[str, ...]:
    """Return the labels that a CSV of photos and their labels names, for a model without any yet.

    Args:
        path: A file for :func:`read`, with labels by name.
        photos: All photos of the folder.

    Returns:
        The columns of the header in their order, or the labels of all lists, sorted.

    Raises:
        BadInputError: The file cannot be read.
    """
    file = f"the photos' labels {path}"
    places = _places(photos)
    rows = _rows(path, file, places)
    header = rows[0][1] if _is_header(rows[0][1], places) else None
    if len(rows[0][1]) > 2 and header is not None:  # noqa: PLR2004
        return tuple(header[1:])
    cells = [cells[1] for _, cells in (rows if header is None else rows[1:])]
    named = {part.strip() for cell in cells for part in _BETWEEN.split(cell)}
    return tuple(sorted(named - {""}))


def _places(photos: Photos) -> dict[str, int | None]:
    """Return the index of each photo by all its possible names; None if several share a name."""
    whole = [path.relative_to(photos.folder).as_posix() for path in photos.paths]
    places: dict[str, int | None] = {}
    for place, path in enumerate(photos.paths):
        for short in {whole[place][: -len(path.suffix) or None], path.name, path.stem}:
            places[short] = None if short in places else place
    # A whole path always means its own photo, even if another's short name is equal to it.
    places.update({name: place for place, name in enumerate(whole)})
    return places


def _rows(path: Path, file: str, places: dict[str, int | None]) -> list[csv_tables.Row]:
    try:
        whole = text.read(path, "utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file} cannot be read as text: {error}") from error
    if not whole.strip():
        raise BadInputError(f"{file} are empty; write a line `photo.jpg,cat;dog` for each photo")
    faults: list[BadInputError] = []
    for delimiter in _DELIMITERS:
        try:
            rows = _split(whole, delimiter, file)
        except BadInputError as error:
            faults.append(error)
            continue
        # For `a.jpg,cat;dog` the delimiter is not `;`: there is no photo `a.jpg,cat`.
        if len(rows[0][1]) > 1 and any(cells[0] in places for _, cells in rows):
            return rows
    if faults:
        raise faults[0]
    number, cells = _split(whole, _DELIMITERS[0], file)[-1]
    raise BadInputError(
        f"line {number} of {file}, `{_cited(','.join(cells))}`, does not begin with a photo of "
        "the folder; write lines like `photo.jpg,cat;dog`"
    )


def _split(whole: str, delimiter: str, file: str) -> list[csv_tables.Row]:
    rows = csv_tables.read_rows(whole, delimiter, file)
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise BadInputError(
                f"line {number} of {file} has {len(cells)} columns, but line {rows[0][0]} has "
                f"{width}; separate the labels of a photo by ; and put quotes around commas"
            )
    return rows


def _is_header(cells: Sequence[str], places: dict[str, int | None]) -> bool:
    if _key(cells[0]) in _FILES and (len(cells) > 2 or _key(cells[1]) in _LISTS):  # noqa: PLR2004
        return True  # even if a photo has that name
    return cells[0] not in places


def _columns(
    first: csv_tables.Row,
    body: Sequence[csv_tables.Row],
    header: list[str] | None,
    names: Names,
    file: str,
) -> list[int] | None:
    """Return the label of each column of 1s and 0s; None if one column lists a photo's labels."""
    width = len(first[1])
    if not body:
        raise BadInputError(f"{file} have a header but no photos; write a line for each photo")
    if width == 2 and (header is None or _key(header[1]) in _LISTS):  # noqa: PLR2004
        return None
    if header is None:
        raise BadInputError(
            f"line {first[0]} of {file} has {width} columns, but there is no header; "
            "add a header with the names of the labels, or separate labels by ;"
        )
    columns: list[int] = []
    for name in header[1:]:
        found = _one(first[0], name, names, file)
        if found in columns:
            raise BadInputError(
                f"line {first[0]} of {file} has two columns for the label `{_cited(name)}`; keep "
                "one"
            )
        columns.append(found)
    return columns


def _listed(number: int, cell: str, names: Names, file: str) -> list[int]:
    """Return the labels that a cell lists."""
    # A label may contain a separator.
    if names.indices(cell):
        return [_one(number, cell, names, file)]
    parts = [part.strip() for part in _BETWEEN.split(cell)]
    return [_one(number, part, names, file) for part in parts if part]


def _one(number: int, name: str, names: Names, file: str) -> int:
    indices = names.indices(name)
    if len(indices) == 1:
        return indices[0]
    if indices:
        raise BadInputError(
            f"line {number} of {file} names `{_cited(name)}`, which could be any of the labels "
            f"{', '.join(map(str, indices))}; write one of these numbers"
        )
    raise BadInputError(
        f"line {number} of {file} names `{_cited(name)}`, which is not a label of the model; write "
        "labels as in the model or as numbers, and separate them by ;"
    )


def _marked(number: int, cells: Sequence[str], file: str) -> list[bool]:
    for cell in cells:
        if cell.casefold() not in _MARKS:
            raise BadInputError(
                f"line {number} of {file} has `{_cited(cell)}` where a 1 or a 0 must tell whether "
                "the photo has the label"
            )
    return [_MARKS[cell.casefold()] for cell in cells]


def _unknown(row: csv_tables.Row, file: str, photos: Photos) -> BadInputError:
    number, cells = row
    return BadInputError(
        f"line {number} of {file} names `{_cited(cells[0])}`, which is not a photo in "
        f"{photos.folder}; write the path of a photo there, or rename the file if it does not "
        "hold the labels of photos"
    )


def _refuse_missing(photos: Photos, seen: dict[int, int], file: str) -> None:
    missing = [path for place, path in enumerate(photos.paths) if place not in seen]
    if missing:
        shown = ", ".join(
            printable(path.relative_to(photos.folder).as_posix()) for path in missing[:_NAMED]
        )
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise BadInputError(
            f"{file} leave out {len(missing)} of {len(photos.paths)} photos: {shown}{more}; "
            "write a line for each, with nothing after the comma if a photo has no label"
        )


def _key(header: str) -> str:
    return re.sub(r"[\s-]+", "_", header.casefold())


def _cited(cell: str) -> str:
    return brief(cell, _LONGEST)
