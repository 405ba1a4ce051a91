"""Parses lists and dictionaries as Python's `print(labels)` writes them; runs no code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>[uU]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))"""
    r"""|(?P<number>[0-9]{1,9})(?![\w.])|(?P<mark>[\[\](){}:,])|(?P<bare>[^\s\[\](){}:,"'][^\[\](){}:,"'\r\n]*))"""
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_NAMED = {"n": "\n", "t": "\t", "r": "\r"}
_ENDS = {"[": "]", "(": ")", "{": "}"}
_DEEPEST = 3  # a dictionary of records, within a dictionary
_LAST = 0x10FFFF  # the last code point of Unicode

Token = tuple[str, str]


class _NoLiteralError(ValueError):
    pass


def read(text: str, *, bare: bool = False) -> object | None:
    """Parse a list or a dictionary of texts and integers.

    Args:
        text: For example `['cat', 'dog']` or `{0: 'cat', 1: 'dog'}`; tuples count as lists.
        bare: Whether texts may be without quotes, as in YAML.

    Returns:
        The list or the dictionary; None if the text is neither.
    """
    try:
        tokens = _tokens(text, bare=bare)
        value = _value(next(tokens), tokens, _DEEPEST)
        if next(tokens, None) is not None:
            return None
    except (_NoLiteralError, StopIteration):
        return None
    return value if isinstance(value, list | dict) else None


def _tokens(text: str, *, bare: bool) -> Iterator[Token]:
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None or (match["bare"] and not bare):
            raise _NoLiteralError
        place = match.end()
        yield str(match.lastgroup), match[str(match.lastgroup)].strip()


def _value(token: Token, tokens: Iterator[Token], depth: int) -> object:
    kind, text = token
    if kind == "text":
        return _unescaped(text.lstrip("uU")[1:-1])
    if kind == "number":
        return int(text)
    if kind == "bare":
        return text
    if text not in _ENDS or not depth:
        raise _NoLiteralError
    return _dict(tokens, depth) if text == "{" else _list(_ENDS[text], tokens, depth)


def _list(end: str, tokens: Iterator[Token], depth: int) -> list[object]:
    made: list[object] = []
    token = next(tokens)
    while token[1] != end or token[0] != "mark":
        made.append(_value(token, tokens, depth - 1))
        token = _behind(end, tokens)
    return made


def _dict(tokens: Iterator[Token], depth: int) -> dict[object, object]:
    made: dict[object, object] = {}
    token = next(tokens)
    while token != ("mark", "}"):
        key = _value(token, tokens, 0)
        if next(tokens) != ("mark", ":") or key in made:
            raise _NoLiteralError
        made[key] = _value(next(tokens), tokens, depth - 1)
        token = _behind("}", tokens)
    return made


def _behind(end: str, tokens: Iterator[Token]) -> Token:
    """Return the token after an element: the end, or the first token of the next element."""
    token = next(tokens)
    if token == ("mark", end):
        return token
    if token != ("mark", ","):
        raise _NoLiteralError
    return next(tokens)


def _unescaped(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        if code := match[1] or match[2] or match[3]:
            if int(code, 16) > _LAST:
                raise _NoLiteralError
            return chr(int(code, 16))
        if match[4] in _NAMED:
            return _NAMED[match[4]]
        if match[4] not in "\\'\"":
            raise _NoLiteralError
        return match[4]

    return _ESCAPE.sub(character, text) if "\\" in text else text
