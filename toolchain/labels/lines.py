"""Labels in a plain text file: one on each line, with or without an index or a WordNet id."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.labels import ordering
from toolchain.labels.ordering import WNID, Named, cited

if TYPE_CHECKING:
    from collections.abc import Sequence

Line = tuple[int, str]
"""The number of a line, counted from 1, and its text without surrounding white space."""

# `0 cat`, `0: cat`, `0,cat`, `0;cat`, `0) cat`, `0. cat`, `0 - cat`, `0 -> cat`, `0<tab>cat`.
_INDEXED = re.compile(
    r"(?P<index>[0-9]{1,9})(?P<mark>\s*(?:->|=>|[:,;=|)])\s*|\.\s+|\s+[-–]\s+|\t\s*|\s+)(?P<name>\S.*)"
)
_INDEX_ONLY = re.compile(r"[0-9]{1,9}\s*[:,;=|)]?")
_WITH_ID = re.compile(rf"({WNID.pattern})(?:(?:\s*[:,;=|]\s*|\s+)(\S.*))?")
# `cat 0` and `cat,0`.
_INDEX_LAST = re.compile(r"(?P<name>.*\S)(?P<mark>\s*[:,;=|]\s*|\t\s*|\s+)(?P<index>[0-9]{1,9})")
_QUOTED = re.compile(r"""(["'])(?P<inner>.*)\1,?""")
_OPENS_A_BLOCK = re.compile(r"\w+\s*:?\s*\{")
_ITEM = "- "


def split(text: str, file: str) -> tuple[list[Line], tuple[str, ...]]:
    """Split a text into its lines, without comments and without empty lines at the end.

    A line that is just `#`, or begins with `# ` or `##`, is a comment.

    Args:
        text: The whole file.
        file: How messages name the file.

    Returns:
        The lines, including empty ones between them, and a note if there were comments.

    Raises:
        BadInputError: A line begins with `#` and could be a comment or a label.
    """
    # Only the line ends of common editors; other separators count as odd characters.
    lines: list[Line] = []
    comments = 0
    for number, line in enumerate(re.split("\r\n|\n|\r", text), start=1):
        stripped = line.strip()
        if not stripped.startswith("#") or stripped.startswith(("#,", "#;", "#\t")):
            if stripped or lines or not comments:
                lines.append((number, stripped))
        elif stripped == "#" or stripped.startswith(("# ", "##")):
            comments += 1
        else:
            raise BadInputError(
                f"line {number} of {file} begins with #, and it is unclear whether it is a comment "
                "or a label; put a label in quotes, or begin a comment with # and a space"
            )
    while lines and not lines[-1][1]:
        lines.pop()
    if not comments:
        return lines, ()
    many = f"{comments} lines of {file} begin" if comments > 1 else f"a line of {file} begins"
    return lines, (f"{many} with #, which marks a comment to leave out; put a label in quotes",)


def read(lines: Sequence[Line], file: str) -> Named:
    """Read lines as labels, in the order of the file or of the lines' indices.

    Args:
        lines: All lines that are not comments; at least one.
        file: How messages name the file.

    Raises:
        BadInputError: A line is empty or has no index or name like the others, or the lines can
            be read in more than one way.
    """
    filled = [line for line in lines if line[1]]
    _refuse_blocks(filled, file)
    if all(text.startswith(_ITEM) for _, text in filled):
        filled = [(number, text[len(_ITEM) :].strip()) for number, text in filled]
    for form in (_with_indices, _with_ids, _with_indices_last):
        if (found := form(filled, file)) is not None:
            return found
    refuse_empty(lines, file)
    return Named([unquoted(text) for _, text in filled], [number for number, _ in filled])


def refuse_empty(lines: Sequence[Line], file: str) -> None:
    """Check that no line is empty, in a file where the place of a line is its index.

    Raises:
        BadInputError: A line is empty.
    """
    for number, text in lines:
        if not text:
            raise BadInputError(
                f"line {number} of {file} is empty; remove it, or give the output a name"
            )


def unquoted(text: str) -> str:
    """Return a label without quotes around it and without a comma after them."""
    match = _QUOTED.fullmatch(text)
    if match is None:
        return text
    quote, inner = match[1], match["inner"]
    if quote in inner.replace(quote * 2, "").replace(f"\\{quote}", ""):
        return text  # the quotes are part of the label
    return inner.replace(quote * 2, quote).replace(f"\\{quote}", quote).strip()


def _with_indices(lines: Sequence[Line], file: str) -> Named | None:
    matches = [_INDEXED.fullmatch(text) for _, text in lines]
    notes: tuple[str, ...] = ()
    behind = [match for match in matches[1:] if match is not None]
    if matches[0] is None and len(behind) == len(lines) - 1:
        if not ordering.are_indices([int(match["index"]) for match in behind]):
            return None
        notes = (f"line {lines[0][0]} of {file} is taken as a header, because it has no index",)
        lines, matches = lines[1:], matches[1:]
    found = [match for match in matches if match is not None]
    if len(found) < len(lines):
        _refuse_gaps(lines, matches, file)
        return None
    indices = [int(match["index"]) for match in found]
    names = [match["name"] for match in found]
    if all(match["mark"].isspace() for match in found):
        if len(lines) == 1 and indices != [0]:
            return None  # a label such as `7 up`
        _refuse_numbers_of_names(indices, names, file)
    named = Named(names, [number for number, _ in lines])
    return _without_ids(ordering.by_index(named, indices, file), file).noting(*notes)


def _refuse_numbers_of_names(indices: Sequence[int], names: Sequence[str], file: str) -> None:
    """Raise if numbers that are followed only by a space may be part of the labels."""
    if not ordering.are_indices(indices):
        raise BadInputError(
            f"every line of {file} begins with a number, but the numbers are not the indices 0 to "
            f"{len(indices) - 1}, each once; write lines like `0: cat`, or put labels that begin "
            "with a number in quotes"
        )
    if len(names) > 1 and len(set(names)) <= len(names) // 2:
        raise BadInputError(
            f"it is unclear whether the numbers in {file} are indices or part of the labels; "
            "write lines like `0: cat`, or put the labels in quotes"
        )


def _refuse_gaps(lines: Sequence[Line], matches: Sequence[re.Match[str] | None], file: str) -> None:
    """Raise if most lines begin with the index of their place, but not all."""
    for first in (0, 1):
        expected = sum(
            match is not None and int(match["index"]) == place
            for place, match in enumerate(matches, start=first)
        )
        if expected > 1 and expected * 2 >= len(lines):
            number, text = lines[matches.index(None)]
            lacks = "name" if _INDEX_ONLY.fullmatch(text) else "index"
            raise BadInputError(
                f"line {number} of {file} has no {lacks}, but other lines have; write every line "
                "like `0: cat`, or put labels that begin with a number in quotes"
            )


def _with_ids(lines: Sequence[Line], file: str) -> Named | None:
    matches = [_WITH_ID.fullmatch(text) for _, text in lines]
    found = [match for match in matches if match is not None]
    if not found:
        return None
    numbers = [number for number, _ in lines]
    named = sum(match[2] is not None for match in found)
    if len(found) == len(lines) and named in (0, len(lines)):
        # Caffe's lists have an index between the two: `n02119789 1 kit_fox`.
        between = [_INDEXED.fullmatch(match[2] or "") for match in found]
        indices = [int(match["index"]) for match in between if match is not None]
        if len(indices) == len(lines) and ordering.are_indices(indices):
            pairs = zip(found, between, strict=True)
            texts = [f"{match[1]} {behind['name']}" for match, behind in pairs if behind]
            return _without_ids(ordering.by_index(Named(texts, numbers), indices, file), file)
        return _without_ids(Named([text for _, text in lines], numbers), file)
    if len(found) * 2 >= len(lines) > 1:
        odd = [match is None or (match[2] is None) == (named > 0) for match in matches]
        raise BadInputError(
            f"line {numbers[odd.index(True)]} of {file} is not a WordNet id and a name, but other "
            "lines are; write every line like `n01440764 tench`"
        )
    return None


def _without_ids(named: Named, file: str) -> Named:
    """Remove WordNet ids before labels; if there are only ids, use their names as labels."""
    found = [_WITH_ID.fullmatch(name) for name in named.names]
    wnids = [match[1] for match in found if match is not None]
    names = [match[2] for match in found if match is not None]
    if len(wnids) < len(found):
        return _unquoted(named)
    if not any(names):
        return ordering.ids_alone(wnids, named.numbers, file).noting(*named.notes)
    if not all(names):
        return _unquoted(named)
    return _unquoted(ordering.by_wnid(replace(named, names=names), wnids, file))


def _with_indices_last(lines: Sequence[Line], file: str) -> Named | None:
    matches = [_INDEX_LAST.fullmatch(text) for _, text in lines]
    found = [match for match in matches if match is not None]
    if len(found) < len(lines) or len(lines) == 1:
        return None
    indices = [int(match["index"]) for match in found]
    names = [match["name"] for match in found]
    # `type 0` and `type 1` are labels. Numbers that do not start at 0 are part of labels too.
    if not ordering.are_indices(indices) or min(indices) or len(set(names)) < len(names):
        return None
    named = Named(names, [number for number, _ in lines])
    return _unquoted(ordering.by_index(named, indices, file)).noting(
        f"the numbers at the ends of the lines of {file} are taken as indices"
    )


def _unquoted(named: Named) -> Named:
    return replace(named, names=[unquoted(name) for name in named.names])


def _refuse_blocks(lines: Sequence[Line], file: str) -> None:
    """Raise for text in a format with blocks, which is not read as lines."""
    for number, text in lines:
        if _OPENS_A_BLOCK.fullmatch(text):
            raise BadInputError(
                f"line {number} of {file} begins a block, `{cited(text)}`, in a format that cannot "
                "be read; write one label on each line"
            )
