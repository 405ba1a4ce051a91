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
"""The number of a row's line or item, from 1, and its cells."""

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
"""Headers of names, or of indices where another column has the names."""


def has_header(lines: Sequence[text_lines.Line]) -> bool:
    """Tell whether the first line of a text names the columns of a table."""
    return any(
        len(cells := lines[0][1].split(mark)) > 1 and _is_header(cells) for mark in _DELIMITERS
    )


def is_lone_header(text: str) -> bool:
    """Tell whether a line is a word that heads a column of labels."""
    return _key(text_lines.unquoted(text)) in _NAMES


def read_text(text: str, lines: Sequence[text_lines.Line], file: str) -> Named:
    """Read a text as CSV (RFC 4180), delimited by commas, semicolons or tabs.

    Args:
        text: Of the whole file.
        lines: The same as lines, without its comments.
        file: What to call it in a sentence.

    Raises:
        BadInputError: It is no table, or which column is the label cannot be told.
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
            f"what separates the columns of {file} cannot be told; put quotes around the labels"
        )
    if found:
        return found[0]
    if faults or shapes:
        raise (faults or shapes)[0]
    return _single(lines, file)


def _without_comments(text: str, lines: Sequence[text_lines.Line]) -> str:
    """Make the comments at the beginning empty lines, so that all lines keep their numbers."""
    skipped = lines[0][0] - 1
    split = re.split("(\r\n|\n|\r)", text)
    if len(lines[0][1]) == len("sep=;") and lines[0][1].startswith("sep="):
        skipped += 1  # spreadsheets write it for each other
    return "".join(split[1 : 2 * skipped : 2] + split[2 * skipped :])


def _rows(text: str, delimiter: str, file: str) -> list[Row]:
    """Split a text into rows of equally many cells."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows: list[Row] = []
    try:
        rows.extend(
            (reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        )
    except csv.Error as error:
        raise BadInputError(f"line {reader.line_num} of {file} is no CSV: {error}") from error
    if not rows:
        raise BadInputError(f"{file} are empty; write one label a line")
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise BadInputError(
                f"line {number} of {file} has {_cells(len(cells))}, and line {rows[0][0]} has "
                f"{width}; put quotes around labels that hold a comma or what else separates cells"
            )
    return rows


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _single(lines: Sequence[text_lines.Line], file: str) -> Named:
    """Read a table of one column."""
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
        rows: Each with the same number of cells, two or more.
        file: What to call the file in a sentence.
        header: Names of the columns; None: the first row may be it.
        unit: What the numbers of the rows count.

    Raises:
        BadInputError: Which column is the label, or the order, cannot be told.
    """
    if header is None:
        rows, header = _headed(rows)
    columns = [[cells[place] for _, cells in rows] for place in range(len(rows[0][1]))]
    keys = None if header is None else [_key(cell) for cell in header]
    _refuse_odd_indices(rows, keys or (), file, unit)
    indexing = _indexing(columns, keys)
    naming = _naming(columns, keys, indexing, file)
    if naming is None:  # labels that are numbers themselves, behind their indices
        naming, indexing = indexing[-1], indexing[:-1]
        if _are_another_order(columns):
            raise BadInputError(
                f"which column of {file} is the index and which the label cannot be told; write "
                "the line index,label over the columns"
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
    """Sort labels by columns of indices, which have to agree."""
    orders = [ordering.by_index(named, [int(cell) for cell in column], file) for column in columns]
    if len({tuple(order.numbers) for order in orders}) > 1:
        raise BadInputError(
            f"{file} have several columns of indices, of different orders; leave one, under the "
            "header index"
        )
    return orders[0]


def _refuse_odd_indices(rows: Sequence[Row], keys: Sequence[str], file: str, unit: str) -> None:
    """Refuse a column of indices of which some are no whole numbers."""
    for place, key in enumerate(keys):
        numbered = key in _INDICES and any(cells[place][:1].isdecimal() for _, cells in rows)
        for number, cells in rows if numbered else ():
            if index_of(cells[place]) is None:
                raise BadInputError(
                    f"{unit} {number} of {file} has `{cited(cells[place])}` in the column of "
                    "indices, which is no whole number; number the labels from 0"
                )


def _headed(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[str] | None]:
    """Part rows from their header, if the first of them is one."""
    (_, first), rest = rows[0], rows[1:]
    if not rest:
        return rows, None
    known = any(_key(cell) in _NAMES | _INDICES for cell in first)
    for place, cell in enumerate(first):
        column = [cells[place] for _, cells in rest]
        indices = [index_of(each) for each in column]
        # What is unlike all below it is no value.
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
    # A number is a value; and `label, tabby` may be a class with its synonym.
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
    """Tell whether each of two columns could be the indices, and that would make a difference."""
    first, last = ([index_of(cell) for cell in column] for column in columns)
    return first != last and ordering.are_indices(first) and ordering.are_indices(last)


def _are_wnids(column: Sequence[str]) -> bool:
    return all(WNID.fullmatch(cell) for cell in column)


def _indexing(columns: Sequence[Sequence[str]], keys: Sequence[str] | None) -> list[int]:
    """Return the columns that order the labels."""
    numbers = [place for place, column in enumerate(columns) if _are_numbers(column)]
    if keys is None:
        # Any number could be meant as an index; whether it can be one shows later.
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
    """Return the column that holds the labels; None: it is one of two that order them.

    Raises:
        BadInputError: There is none, or more than one.
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
        return others[0]  # ids alone
    if not others and keys is None and len(indexing) == 2:  # noqa: PLR2004 - index and label
        return None
    if keys is None:
        raise BadInputError(
            f"which column of {file} is the label cannot be told; write the line index,label over "
            "the columns"
        )
    if not texts:
        raise BadInputError(f"{file} have no column of labels; call it label")
    shown = " and ".join(f"`{cited(keys[place])}`" for place in texts)
    raise BadInputError(
        f"the columns {shown} of {file} could all be the label; call one of them display_name"
    )
