"""Labels in nested lists and dictionaries, written as JSON or in Python's notation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolchain.errors import BadInputError
from toolchain.labels import csv_tables, literals, ordering
from toolchain.labels.ordering import WNID, Named, cited, index_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HOLDERS = (
    *("id2label", "label2id", "labels", "label", "class_names", "classNames", "classes", "names"),
    *("categories", "label_names", "labelNames", "class_indices", "idx_to_class", "class_to_idx"),
)
"""Keys that programs use for labels: Hugging Face, Teachable Machine, Keras, COCO."""
_OPENING = "[{"
_CLOSING = "]}"
_PLAIN = 'write a list like ["cat", "dog"], or one label on each line'


def read_text(text: str, file: str, *, surely: bool) -> Named | None:
    """Read a text that begins like a list or a dictionary.

    Args:
        text: The whole file.
        file: How messages name the file.
        surely: Whether the file's name tells that it is JSON.

    Returns:
        The labels; None if the text is a list of lines and only the first one looks like JSON.

    Raises:
        BadInputError: It is a list or a dictionary, but cannot be read as labels.
    """
    bare = text.strip()
    if not surely and bare[:1] not in _OPENING:
        return None
    try:
        value = json.loads(bare, object_pairs_hook=lambda pairs: _unique(pairs, file))
    except (ValueError, RecursionError) as error:
        value = literals.read(bare)
        if value is None:
            # A label may begin with a bracket, but then the rest does not look like JSON.
            inside = bare[1:].lstrip(" \t")[:1]
            if not surely and bare[-1:] not in _CLOSING and inside not in "\"'\r\n0123456789":
                return None
            raise BadInputError(f"{file} are not valid JSON: {_fault(error)}") from error
    try:
        return read(value, file)
    except RecursionError as error:
        raise BadInputError(f"{file} are nested too deep; {_PLAIN}") from error


def _fault(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg[:1].lower()}{error.msg[1:]}"
    return "it is nested too deep" if isinstance(error, RecursionError) else cited(str(error))


def _unique(pairs: list[tuple[str, Any]], file: str) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        again = next(key for place, key in enumerate(keys) if key in keys[:place])
        raise BadInputError(f"{file} have the key `{cited(again)}` twice; keep one")
    return made


def read(value: object, file: str) -> Named:
    """Read a list or a dictionary as labels.

    Args:
        value: A value of lists, dictionaries, texts and numbers.
        file: How messages name the file.

    Raises:
        BadInputError: It holds no labels, or they can be read in more than one way.
    """
    if not isinstance(value, list | dict):
        raise BadInputError(f"{file} hold neither a list nor a dictionary; {_PLAIN}")
    if not value:
        raise BadInputError(f"{file} are empty; {_PLAIN}")
    return _of_list(value, file) if isinstance(value, list) else _of_dict(value, file)


def _of_list(items: Sequence[object], file: str) -> Named:
    numbers = range(1, len(items) + 1)
    kind = list if isinstance(items[0], list) else dict if isinstance(items[0], dict) else None
    for number, item in zip(numbers, items, strict=True):
        fits = _text(item) is not None if kind is None else isinstance(item, kind)
        if not fits:
            raise BadInputError(f"item {number} of {file} is not a label like the others; {_PLAIN}")
    if kind is dict:
        return _of_records([(n, item) for n, item in enumerate(items, 1)], file, "item")
    if kind is list:
        return _of_rows([(n, item) for n, item in enumerate(items, 1)], file, "item")
    texts = [_text(item) or "" for item in items]
    if all(WNID.fullmatch(text) for text in texts):
        return ordering.ids_alone(texts, numbers, file)
    return Named(texts, numbers, "item")


def _of_dict(value: Mapping[object, object], file: str) -> Named:
    keys = [str(key).strip() for key in value]
    found = list(value.values())
    values_index = all(_number(item) is not None for item in found)
    keys_index = all(index_of(key) is not None for key in keys)
    if held := _held(value, file):
        return held
    numbers = range(1, len(keys) + 1)
    if keys_index and values_index:
        indices = [_number(item) or 0 for item in found]
        forth, back = [int(key) for key in keys], indices
        if forth != back and ordering.are_indices(forth) and ordering.are_indices(back):
            raise BadInputError(
                f"it is unclear whether {file} give a name to each index or an index to each name; "
                "write a list of the names"
            )
        keys_index = ordering.are_indices(forth)
    if keys_index:
        return _of_indices(keys, found, file)
    if values_index:
        named = Named(keys, numbers, "entry")
        return ordering.by_index(named, [_number(item) or 0 for item in found], file)
    if all(WNID.fullmatch(key) for key in keys) and all(isinstance(each, str) for each in found):
        return ordering.by_wnid(Named([str(each) for each in found], numbers, "entry"), keys, file)
    raise BadInputError(
        f"{file} hold a dictionary, but it maps neither indices to names nor names to indices; "
        f"{_PLAIN}"
    )


def _held(value: Mapping[object, object], file: str) -> Named | None:
    """Read the labels under the keys that programs use, or return None."""
    readings = {
        key: read(value[key], file)
        for key in _HOLDERS
        if isinstance(value.get(key), list | dict) and value[key]
    }
    if not readings:
        return None
    if len({tuple(named.names) for named in readings.values()}) > 1:
        keys = " and ".join(f"`{key}`" for key in readings)
        raise BadInputError(f"{file} have different labels under {keys}; keep one of them")
    return next(iter(readings.values()))


def _of_indices(keys: Sequence[str], found: Sequence[object], file: str) -> Named:
    """Read a dictionary from indices to names, to `[wnid, name]` as in Keras, or to records."""
    if all(isinstance(item, dict) for item in found):
        records = [
            (number, {"index": key, **item})
            for number, (key, item) in enumerate(zip(keys, found, strict=True), start=1)
            if isinstance(item, dict)
        ]
        return _of_records(records, file, "entry")
    if all(isinstance(item, list) for item in found):
        rows = [
            (number, [key, *item])
            for number, (key, item) in enumerate(zip(keys, found, strict=True), start=1)
            if isinstance(item, list)
        ]
        return _of_rows(rows, file, "entry")
    for number, item in enumerate(found, start=1):
        if _text(item) is None:
            raise BadInputError(
                f"entry {number} of {file} is not a label like the others; {_PLAIN}"
            )
    named = Named([_text(item) or "" for item in found], range(1, len(keys) + 1), "entry")
    return ordering.by_index(named, [int(key) for key in keys], file)


def _of_rows(items: Sequence[tuple[int, Any]], file: str, unit: str) -> Named:
    width = len(items[0][1])
    rows: list[csv_tables.Row] = []
    for number, item in items:
        cells = [_text(cell) for cell in item]
        whole = [cell.strip() for cell in cells if cell is not None]
        if len(whole) != width or len(cells) != width or not width:
            raise BadInputError(
                f"{unit} {number} of {file} is not a list of texts like the others; {_PLAIN}"
            )
        rows.append((number, whole))
    if width == 1:
        return Named([cells[0] for _, cells in rows], [number for number, _ in rows], unit)
    return csv_tables.read(rows, file, header=None, unit=unit)


def _of_records(items: Sequence[tuple[int, Any]], file: str, unit: str) -> Named:
    """Read records as a table; its columns are the keys with a text or number in all records."""
    keys = [
        key for key in items[0][1] if all(_text(record.get(key)) is not None for _, record in items)
    ]
    names = [key for key in keys if csv_tables.is_lone_header(str(key))]
    if not names:
        number = next(
            (
                n
                for n, record in items
                if not any(csv_tables.is_lone_header(str(k)) for k in record)
            ),
            items[0][0],
        )
        raise BadInputError(
            f"{unit} {number} of {file} has no label as text; give each a name, as in "
            '{"index": 0, "name": "cat"}'
        )
    rows = [(n, [(_text(record[key]) or "").strip() for key in keys]) for n, record in items]
    return csv_tables.read(rows, file, header=[str(key) for key in keys], unit=unit)


def _text(value: object) -> str | None:
    """Return a text, or an integer as text; None for anything else."""
    if isinstance(value, str):
        return value
    number = _number(value)
    return None if number is None else str(number)


def _number(value: object) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return int(str(value)) if whole and index_of(str(value)) is not None else None
