"""Labels in label maps (pbtxt), and in the YAML files of detection data sets."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, NoReturn

from toolchain.errors import BadInputError
from toolchain.labels import lines as text_lines
from toolchain.labels import literals, ordering, structures
from toolchain.labels.ordering import Named, cited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ITEM = re.compile(r"^\s*item\s*:?\s*\{", re.MULTILINE)
_TOKEN = re.compile(
    r"""\s*(?:\#.*|(?P<word>\w+)|(?P<mark>[{}:,;])"""
    r"""|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))"""
)
_Token = tuple[int, str]
_END: _Token = (0, "")
_SEPARATORS = (",", ";")
_MAP = "write items like `item { id: 1 name: 'cat' }`, or one label on each line"
_YAML = "write `names: [cat, dog]`, or a text file with one label on each line"
_NAMES = re.compile(r"names\s*:(?P<rest>.*)")
_COUNT = re.compile(r"nc\s*:\s*(?P<count>[0-9]{1,9})\s*(?:#.*)?")
_ELEMENT = re.compile(r"-\s+(?P<value>.+)")
_PAIR = re.compile(r"(?P<key>[0-9]{1,9}|'[0-9]{1,9}'|\"[0-9]{1,9}\")\s*:\s+(?P<value>.+)")
_COMMENT = re.compile(r"(?:^|\s+)#.*")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')(?:\s+\#.*)?""")
_SPECIAL = tuple("&*!|>%@`[]{},'\"")


def is_label_map(text: str) -> bool:
    """Tell whether a text contains items of a label map."""
    return _ITEM.search(text) is not None


def read_label_map(text: str, file: str) -> Named:
    """Read a label map of TensorFlow's detection models: `item { id: 1 name: 'cat' }`.

    If an item has several names, its `display_name` is the label. Indices usually start at 1.

    Args:
        text: The whole file.
        file: How messages name the file.

    Raises:
        BadInputError: It is not a label map, or its items do not tell an order.
    """
    items: list[dict[str, object]] = []
    tokens = iter(_tokens(text, file))
    for token in tokens:
        opening = next(tokens, _END)
        if opening[1] == ":":
            opening = next(tokens, _END)
        if token[1] != "item" or opening[1] != "{":
            _refuse(token, file)
        items.append(_fields(tokens, token, file))
    if not items:
        raise BadInputError(f"{file} have no items; {_MAP}")
    return structures.read(items, file)


def _fields(tokens: Iterator[_Token], item: _Token, file: str) -> dict[str, object]:
    """Read the fields of one item, up to its closing brace."""
    fields: dict[str, object] = {}
    for key in tokens:
        if key[1] == "}":
            return fields
        if key[1] in _SEPARATORS:
            continue
        colon, value = next(tokens, _END), next(tokens, _END)
        if colon[1] != ":" or value[1] in ("", "{", "}", ":") or key[1] in fields:
            _refuse(key, file)
        found = literals.read(f"[{value[1]}]", bare=True)
        if not isinstance(found, list) or len(found) != 1:
            _refuse(value, file)
        fields[key[1]] = found[0]
    return _refuse(item, file)


def _tokens(text: str, file: str) -> list[_Token]:
    """Return the words, marks and quoted texts, each with its line number."""
    found: list[_Token] = []
    for number, line in enumerate(text.split("\n"), start=1):
        place, end = 0, len(line.rstrip())
        while place < end:
            match = _TOKEN.match(line, place)
            if match is None:
                _refuse((number, line[place:]), file)
            if match.lastgroup:
                found.append((number, match[match.lastgroup]))
            place = match.end()
    return found


def _refuse(token: _Token, file: str) -> NoReturn:
    raise BadInputError(
        f"line {token[0]} of {file} is not part of a label map at `{cited(token[1])}`; {_MAP}"
    )


def read_yaml(text: str, file: str) -> Named:
    """Read the list or dictionary under `names:` in YAML, or the whole file as one of these.

    Only the YAML that data sets use is read: a list of plain or quoted texts, or a dictionary from
    indices to such texts, as a block or in brackets.

    Args:
        text: The whole file.
        file: How messages name the file.

    Raises:
        BadInputError: It holds something else, or the number of names differs from `nc`.
    """
    lines = list(enumerate(re.split("\r\n|\n|\r", text), start=1))
    start = next((at for at, (_, line) in enumerate(lines) if _NAMES.fullmatch(line)), None)
    if start is None:
        return _block(lines, file)
    match = _NAMES.fullmatch(lines[start][1])
    rest = _COMMENT.sub("", match["rest"]).strip() if match else ""
    inner = list(takewhile(lambda each: _continues(each[1], closes=bool(rest)), lines[start + 1 :]))
    if rest:
        value = literals.read(
            "\n".join([rest, *(_COMMENT.sub("", each) for _, each in inner)]), bare=True
        )
        if value is None:
            raise BadInputError(f"line {lines[start][0]} of {file} is not a list of names; {_YAML}")
        named = structures.read(value, file)
    else:
        named = _block(inner, file)
    for _, line in lines:
        if (count := _COUNT.fullmatch(line)) and int(count["count"]) != len(named.names):
            raise BadInputError(
                f"{file} say `{cited(line.strip())}`, but have {len(named.names)} names; correct "
                "one of them"
            )
    return named


def _continues(line: str, *, closes: bool) -> bool:
    return line[:1] in ("", " ", "\t", "#", "-") or (closes and line[:1] in "]}")


def _block(lines: Sequence[tuple[int, str]], file: str) -> Named:
    """Read lines such as `- cat`, or lines such as `0: cat`."""
    numbers: list[int] = []
    names: list[str] = []
    indices: list[int] = []
    for number, line in lines:
        content = line.strip()
        if not content or content.startswith("#") or content in ("---", "..."):
            continue
        element, pair = _ELEMENT.fullmatch(content), _PAIR.fullmatch(content)
        if (element is None) == (pair is None) or (names and bool(pair) != bool(indices)):
            raise BadInputError(f"line {number} of {file} is not an entry of a list; {_YAML}")
        found = element or pair
        value = found["value"].strip() if found else ""
        if quoted := _QUOTED.fullmatch(value):
            value = text_lines.unquoted(quoted[1])
        else:
            value = _COMMENT.sub("", value).strip()
            if value.startswith(_SPECIAL) or ": " in value or value.endswith(":"):
                raise BadInputError(
                    f"line {number} of {file} is not a plain text, `{cited(value)}`; {_YAML}"
                )
        numbers.append(number)
        names.append(value)
        if pair:
            indices.append(int(pair["key"].strip("'\"")))
    if not names:
        raise BadInputError(f"{file} have no names; {_YAML}")
    named = Named(names, numbers)
    return ordering.by_index(named, indices, file) if indices else named
