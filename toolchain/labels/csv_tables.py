"""Labels in a table: CSV with or without a header, and lists of records in JSON."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.labels import lines as text_lines
from toolchain.labels import ordering
from toolchain.labels.ordering import WNID, Named, cited, index_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[int, list[str]]
"""The number of a row's line or item, counted from 1, and its cells."""

_DELIMITERS = ("\t", ";", ",")
_BEST = "display_name"
_NAMES = frozenset(
    {"label", "labels", "name", "names", "class", "classes", "class_name", "classname", "category"}
    | {"label_name", "labelname", "category_name", "tag", "title", "displayname", "text", _BEST}
)
_INDICES = frozenset(
    {"index", "idx", "id", "class_id", "class_index", "class_idx", "classid", "label_id", "number"}
    | {"label_index", "label_idx", "category_id", "output", "no", "nr", "#", "", "unnamed:_0"}
)
_EITHER = frozenset({"label", "labels", "class", "classes", "category"})
"""Headers of a column of names, or of indices if another column has the names."""


def has_header(lines: Sequence[text_lines.Line]) -> bool:
    """Tell whether the first line of a text is the header of a table."""
    return any(
        len(cells := lines[0][1].split(mark)) > 1 and _is_header(cells) for mark in _DELIMITERS
    )


def is_lone_header(text: str) -> bool:
    """Tell whether a line is a word that is usual as the header of a column of labels."""
    return _key(text_lines.unquoted(text)) in _NAMES


def read_text(text: str, lines: Sequence[text_lines.Line], file: str) -> Named:
    """Read a text as CSV (RFC 4180), delimited by commas, semicolons or tabs.

    Args:
        text: The whole file.
        lines: The lines of the file, without comments.
        file: How messages name the file.

    Raises:
        BadInputError: It is not a table, or it is unclear which column holds the labels.
    """
    text = _without_comments(text, lines)
    found: list[Named] = []
    faults: list[BadInputError] = []
    shapes: list[BadInputError] = []
    for delimiter in _DELIMITERS:
        try:
            rows = _rows(text, delimiter, file)
        except BadInputError as error:
            shapes.append(error)
            continue
        if len(rows[0][1]) == 1:
            continue
        try:
            found.append(read(rows, file))
        except BadInputError as error:
            faults.append(error)
    if len({tuple(named.names) for named in found}) > 1:
        raise BadInputError(
            f"it is unclear which character separates the columns of {file}; put quotes around the "
            "labels"
        )
    if found:
        return found[0]
    if faults or shapes:
        raise (faults or shapes)[0]
    return _single(lines, file)


def _without_comments(text: str, lines: Sequence[text_lines.Line]) -> str:
    """Replace comments at the start with empty lines, so that all lines keep their numbers."""
    skipped = lines[0][0] - 1
    split = re.split("(\r\n|\n|\r)", text)
    if len(lines[0][1]) == len("sep=;") and lines[0][1].startswith("sep="):
        skipped += 1  # `sep=;` tells spreadsheets the delimiter
    return "".join(split[1 : 2 * skipped : 2] + split[2 * skipped :])


def read_rows(text: str, delimiter: str, file: str) -> list[Row]:
    """Read the rows of a CSV text that are not empty, each with its line number.

    Raises:
        BadInputError: It is not CSV; `file` is named.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[Row] = []
    try:
        rows.extend(
            (reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        )
    except csv.Error as error:
        raise BadInputError(f"line {reader.line_num} of {file} is not CSV: {error}") from error
    return rows


def _rows(text: str, delimiter: str, file: str) -> list[Row]:
    """Split a text into rows that all have the same number of cells."""
    rows = read_rows(text, delimiter, file)
    if not rows:
        raise BadInputError(f"{file} are empty; write one label on each line")
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise BadInputError(
                f"line {number} of {file} has {_cells(len(cells))}, but line {rows[0][0]} has "
                f"{width}; put quotes around labels that contain a comma or another delimiter"
            )
    return rows


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _single(lines: Sequence[text_lines.Line], file: str) -> Named:
    """Read a table with a single column."""
    if len(lines) > 1 and is_lone_header(lines[0][1]):
        number, header = lines[0]
        return text_lines.read(lines[1:], file).noting(
            f"line {number} of {file}, `{cited(header)}`, is taken as the header of the column"
        )
    return text_lines.read(lines, file)


def read(
    rows: Sequence[Row], file: str, *, header: Sequence[str] | None = None, unit: str = "line"
) -> Named:
    """Read rows of cells as labels, in the order of the rows or of their indices.

    Args:
        rows: Rows that all have the same number of cells, two or more.
        file: How messages name the file.
        header: Names of the columns; None if the first row may be the header.
        unit: What the row numbers count.

    Raises:
        BadInputError: It is unclear which column holds the labels, or what their order is.
    """
    if header is None:
        rows, header = _headed(rows)
    columns = [[cells[place] for _, cells in rows] for place in range(len(rows[0][1]))]
    keys = None if header is None else [_key(cell) for cell in header]
    _refuse_odd_indices(rows, keys or (), file, unit)
    indexing = _indexing(columns, keys)
    naming = _naming(columns, keys, indexing, file)
    if naming is None:  # two columns of numbers: the first holds indices, the second labels
        naming, indexing = indexing[-1], indexing[:-1]
        if _are_another_order(columns):
            raise BadInputError(
                f"it is unclear which column of {file} is the index and which the label; add a "
                "header line such as index,label"
            )
    named = Named(columns[naming], [number for number, _ in rows], unit)
    for number, name in zip(named.numbers, named.names, strict=True):
        if not name:
            raise BadInputError(f"{unit} {number} of {file} has no label; give the output a name")
    if not indexing:
        wnids = next((column for column in columns if _are_wnids(column)), None)
        if wnids is columns[naming]:
            return ordering.ids_alone(named.names, named.numbers, file)
        return named if wnids is None else ordering.by_wnid(named, wnids, file)
    return _ordered(named, [columns[place] for place in indexing], file)


def _ordered(named: Named, columns: Sequence[Sequence[str]], file: str) -> Named:
    """Sort labels by their columns of indices, which must agree."""
    orders = [ordering.by_index(named, [int(cell) for cell in column], file) for column in columns]
    if len({tuple(order.numbers) for order in orders}) > 1:
        raise BadInputError(
            f"{file} have several columns of indices with different orders; keep one, with the "
            "header index"
        )
    return orders[0]


def _refuse_odd_indices(rows: Sequence[Row], keys: Sequence[str], file: str, unit: str) -> None:
    """Raise if a column of indices holds anything but integers."""
    for place, key in enumerate(keys):
        numbered = key in _INDICES and any(cells[place][:1].isdecimal() for _, cells in rows)
        for number, cells in rows if numbered else ():
            if index_of(cells[place]) is None:
                raise BadInputError(
                    f"{unit} {number} of {file} has `{cited(cells[place])}` in the column of "
                    "indices, which is not an integer; number the labels from 0"
                )


def _headed(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[str] | None]:
    """Return the rows without their header, and the header if there is one."""
    (_, first), rest = rows[0], rows[1:]
    if not rest:
        return rows, None
    known = any(_key(cell) in _NAMES | _INDICES for cell in first)
    for place, cell in enumerate(first):
        column = [cells[place] for _, cells in rest]
        indices = [index_of(each) for each in column]
        # A cell unlike all cells below it is a header.
        if index_of(cell) is None and (
            ordering.are_indices(indices) or (known and None not in indices)
        ):
            return rest, first
        if not WNID.fullmatch(cell) and _are_wnids(column):
            return rest, first
    return (rest, first) if _is_header(first) else (rows, None)


def _is_header(cells: Sequence[str]) -> bool:
    keys = [_key(text_lines.unquoted(cell.strip())) for cell in cells]
    known = sum(key in _NAMES or key in _INDICES for key in keys)
    # A number is a value. `label, tabby` may be a class with its synonym.
    return (
        any(key in _NAMES for key in keys)
        and not any(index_of(key) is not None for key in keys)
        and (known > 1 or len(keys) == 1)
    )


def _key(header: str) -> str:
    return re.sub(r"[\s-]+", "_", header.strip().casefold())


def _are_numbers(column: Sequence[str]) -> bool:
    return all(index_of(cell) is not None for cell in column)


def _are_another_order(columns: Sequence[Sequence[str]]) -> bool:
    """Tell whether both of two columns could be indices, with different orders."""
    first, last = ([index_of(cell) for cell in column] for column in columns)
    return first != last and ordering.are_indices(first) and ordering.are_indices(last)


def _are_wnids(column: Sequence[str]) -> bool:
    return all(WNID.fullmatch(cell) for cell in column)


def _indexing(columns: Sequence[Sequence[str]], keys: Sequence[str] | None) -> list[int]:
    """Return the columns that hold indices."""
    numbers = [place for place, column in enumerate(columns) if _are_numbers(column)]
    if keys is None:
        # Without a header, any number may be an index; `_ordered` checks them later.
        return numbers
    named = [place for place in numbers if keys[place] in _INDICES]
    if named:
        return named
    if any(keys[place] in _NAMES for place in range(len(columns)) if place not in numbers):
        either = [place for place in numbers if keys[place] in _EITHER]
        if either:
            return either
    return [
        place
        for place in numbers
        if keys[place] not in _NAMES
        and ordering.are_indices([index_of(cell) for cell in columns[place]])
    ]


def _naming(
    columns: Sequence[Sequence[str]], keys: Sequence[str] | None, indexing: list[int], file: str
) -> int | None:
    """Return the column that holds the labels; None if it is one of two columns of numbers.

    Raises:
        BadInputError: No column, or more than one, could hold the labels.
    """
    others = [place for place in range(len(columns)) if place not in indexing]
    if keys is not None:
        if _BEST in keys:
            return keys.index(_BEST)
        if headed := [place for place in others if keys[place] in _NAMES]:
            others = headed
        else:
            others = [place for place in others if not _are_numbers(columns[place])]
    texts = [place for place in others if not _are_wnids(columns[place])]
    if len(texts) > 1 and keys is not None:
        texts = [place for place in texts if not _are_numbers(columns[place])] or texts
    different = {tuple(columns[place]) for place in texts}
    if len(different) == 1:
        return texts[0]
    if not texts and others:
        return others[0]  # only WordNet ids
    if not others and keys is None and len(indexing) == 2:  # noqa: PLR2004 - index and label
        return None
    if keys is None:
        raise BadInputError(
            f"it is unclear which column of {file} is the label; add a header line such as "
            "index,label"
        )
    if not texts:
        raise BadInputError(f"{file} have no column of labels; give it the header label")
    shown = " and ".join(f"`{cited(keys[place])}`" for place in texts)
    raise BadInputError(
        f"each of the columns {shown} of {file} could be the label; rename one to display_name"
    )
