"""Text that others wrote: read within bounds, and shown without doing anything.

Control characters move a terminal's cursor or name files in two lines; surrogates are bytes of
a file name that are no UTF-8; line and paragraph separators end a line for some readers and not
for others; and overrides of the direction let a text show itself backwards.
"""

from __future__ import annotations

import stat
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 64 << 20
"""Of a file of text: a million labels are a quarter of it."""
_LONGEST = 1000  # characters of a shown text; of ImageNet's labels the longest has 121
_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def is_odd(character: str) -> bool:
    """Tell whether a character is more than a part of a line of text."""
    return (
        unicodedata.category(character) in _CATEGORIES
        or unicodedata.bidirectional(character) in _DIRECTIONS
    )


def first_odd(text: str) -> str | None:
    """Return the first odd character as `U+001B`, None where there is none."""
    if text.isascii() and text.isprintable():
        return None
    return next((f"U+{ord(each):04X}" for each in text if is_odd(each)), None)


def printable(text: str) -> str:
    r"""Return a text in one line, with odd characters written as `\x1b` or `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode("ascii") if is_odd(each) else each for each in text
    )


def read(path: Path, encoding: str = "utf-8", *, most: int = MAX_BYTES) -> str:
    """Return a file's text.

    Raises:
        OSError: It cannot be read, is no ordinary file, or has more bytes than `most`.
        ValueError: It is no text of this encoding.
    """
    return read_bytes(path, most=most).decode(encoding)


def read_bytes(path: Path, *, most: int = MAX_BYTES) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: It cannot be read, is no ordinary file, or has more bytes than `most`.
    """
    # What is no file may never end, or never begin.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path.name} is no ordinary file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"{path.name} has more than {most:,} bytes")
    return content


def shown(value: str) -> str:
    """Return a text that can be shown in a line, as it is.

    Raises:
        ValueError: It holds a character that is no part of a line, or is too long.
    """
    if odd := first_odd(value):
        raise ValueError(f"it holds the character {odd}, which is no part of a line of text")
    if len(value) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST:,} characters")
    return value
