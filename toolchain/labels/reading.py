"""The names of a model's classes: read from files in all usual formats, and fitted to its outputs.

Nothing is guessed silently. A file that can be read in two different ways is refused, and notes
tell what had to be assumed.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain import text
from toolchain.errors import BadInputError
from toolchain.labels import blocks, csv_tables, imagenet, lines, structures
from toolchain.labels.ordering import cited

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.labels.ordering import Named

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because it begins with UTF-16's mark
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WINDOWS = "cp1252"
_TABLES = (".csv", ".tsv")
_LABEL_MAPS = (".pbtxt", ".prototxt")
_YAML = (".yaml", ".yml")
_BACKGROUND = "background"


@dataclass(frozen=True)
class Labels:
    """Labels in the order of the model's outputs."""

    names: tuple[str, ...]
    """Lines of text, none of them empty; two may be equal."""
    notes: tuple[str, ...]
    """Sentences for the user that tell what was assumed while the file was read."""


def read(path: Path) -> Labels:
    """Read a file of labels: lines, CSV, JSON, a label map (pbtxt), or `names` in YAML.

    Raises:
        BadInputError: The file cannot be read as text, holds no labels, or can be read in more
            than one way.
    """
    file = f"the labels {path}"
    try:
        content = text.read_bytes(path)
        whole, encoding = _decoded(content)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file} cannot be read as text: {error}") from error
    named = _named(whole, path.suffix.lower(), file)
    names = tuple(name.strip() for name in named.names)
    for number, name in zip(named.numbers, names, strict=True):
        if not name:
            raise BadInputError(f"{named.unit} {number} of {file} is empty; give the output a name")
        try:
            text.shown(name)
        except ValueError as error:
            raise BadInputError(f"{named.unit} {number} of {file}: {error}") from error
    notes = named.notes
    if encoding == _WINDOWS:
        example = next((name for name in names if not name.isascii()), names[0])
        note = (
            f"{file} are not UTF-8 and were read in the old Windows code page, as in "
            f"`{cited(example)}`; save the file as UTF-8 if that is not right"
        )
        notes = (*notes, note)
    return Labels(names, notes)


def _decoded(content: bytes) -> tuple[str, str]:
    """Return a file's text and its encoding.

    Raises:
        ValueError: The encoding cannot be found out.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding), encoding
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        try:
            whole = content.decode(_WINDOWS)
        except UnicodeDecodeError:
            raise error from None
        if not _is_western(whole):
            raise
        return whole, _WINDOWS


def _is_western(whole: str) -> bool:
    """Tell whether text decoded in the old Windows code page looks right.

    Words of Western languages consist mostly of ASCII letters. In text of another code page, most
    letters would become accented ones.
    """
    for line in whole.splitlines():
        if line.isascii():
            continue
        plain = sum(each.isascii() and each.isalpha() for each in line)
        others = sum(not each.isascii() for each in line)
        if others > plain:
            return False
    return text.first_odd("".join(each for each in whole if each not in "\r\n\t")) is None


def _named(whole: str, suffix: str, file: str) -> Named:
    if not whole.strip():
        raise BadInputError(f"{file} are empty; write one label on each line")
    if suffix in _LABEL_MAPS or blocks.is_label_map(whole):
        return blocks.read_label_map(whole, file)
    if suffix in _YAML:
        return blocks.read_yaml(whole, file)
    nested = structures.read_text(whole, file, surely=suffix == ".json")
    if nested is not None:
        return nested
    kept, notes = lines.split(whole, file)
    if not kept:
        raise BadInputError(f"{file} hold only comments; write one label on each line")
    return _of_lines(whole, kept, suffix, file).noting(*notes)


def _of_lines(whole: str, kept: list[lines.Line], suffix: str, file: str) -> Named:
    tabbed = all("\t" in line for _, line in kept)
    if suffix in _TABLES or csv_tables.has_header(kept) or tabbed:
        return csv_tables.read_text(whole, kept, file)
    if len(kept) > 1 and csv_tables.is_lone_header(kept[0][1]) and kept[0][1].isidentifier():
        number, word = kept[0]
        raise BadInputError(
            f"it is unclear whether line {number} of {file}, `{cited(word)}`, is a label or a "
            "header; remove it, or put it in quotes"
        )
    return lines.read(kept, file)


def fit(
    labels: tuple[str, ...], offset: int | None, classes: int | None, name: str
) -> tuple[tuple[str, ...], int, str | None]:
    """Check that there is one label for each output.

    Args:
        labels: The model's labels, in the order of its outputs.
        offset: The declared label offset; None if it was not declared.
        classes: The number of outputs; None if the model does not tell it.
        name: How messages name the model.

    Returns:
        The labels, the label offset, and a sentence that tells what was assumed, or None. The only
        possible assumption: with ImageNet's 1,000 labels and 1,001 outputs, the first output is
        "background".

    Raises:
        BadInputError: The numbers of labels and outputs do not fit.
    """
    if classes is None or (offset or 0) + len(labels) == classes:
        return labels, offset or 0, None
    if offset is None and classes == imagenet.CLASSES + 1 and _are_imagenets(labels):
        note = (
            f"{name} has 1,001 outputs for ImageNet's 1,000 labels: the first output is taken "
            'as "background" and never shown; --label-offset overrides this'
        )
        return labels, 1, note
    skipped = f" after {offset} skipped" if offset else ""
    raise BadInputError(
        f"{name} has {classes} classes but there are {len(labels)} labels{skipped}; "
        f"give one label for each class with --labels FILE{_hint(labels, offset, classes)}"
    )


def _hint(labels: tuple[str, ...], offset: int | None, classes: int) -> str:
    if offset is None and classes == len(labels) + 1:
        return ', or give --label-offset 1 if the first output is not a class ("background")'
    if classes == len(labels) - 1 and labels[0].casefold() == _BACKGROUND:
        return f"; the first label, {labels[0]}, may be one too many"
    return ""


def _are_imagenets(labels: tuple[str, ...]) -> bool:
    """Tell whether labels are ImageNet's in its order; the spelling may differ."""
    if len(labels) != imagenet.CLASSES:
        return False
    pairs = zip(labels, imagenet.labels(), imagenet.wnids(), strict=True)
    same = sum(label == wnid or _plain(label) == _plain(known) for label, known, wnid in pairs)
    return same * 2 >= len(labels)


def _plain(label: str) -> str:
    return label.partition(",")[0].replace("_", " ").replace("-", " ").strip().casefold()
