"""Text from files of the user or of others: read up to a size limit, and made safe to show.

Control characters move a terminal's cursor or break a line in two. Surrogates stand for bytes of
a file name that are not UTF-8. Line and paragraph separators end a line for some readers only.
Direction overrides make a text appear backwards.
"""

from __future__ import annotations

import stat
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 64 << 20
"""The largest text file that is read; a million labels take a quarter of it."""
_LONGEST = 1000  # characters of a shown text; the longest label of ImageNet has 121
_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def is_odd(character: str) -> bool:
    """Tell whether a character could change how the line around it is shown."""
    return (
        unicodedata.category(character) in _CATEGORIES
        or unicodedata.bidirectional(character) in _DIRECTIONS
    )


def first_odd(text: str) -> str | None:
    """Return the first odd character in the form `U+001B`; None if there is none."""
    if text.isascii() and text.isprintable():
        return None
    return next((f"U+{ord(each):04X}" for each in text if is_odd(each)), None)


def printable(text: str) -> str:
    r"""Return a text as one line, with odd characters escaped as in `\x1b` or `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode("ascii") if is_odd(each) else each for each in text
    )


def brief(text: str, most: int = 80) -> str:
    """Return a text of a file in a form for messages: printable, and cut to `most` characters."""
    whole = printable(text)
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def read(path: Path, encoding: str = "utf-8", *, most: int = MAX_BYTES) -> str:
    """Return a file's text.

    Raises:
        OSError: It cannot be read, is not a regular file, or has more bytes than `most`.
        ValueError: It is not text in this encoding.
    """
    return read_bytes(path, most=most).decode(encoding)


def read_bytes(path: Path, *, most: int = MAX_BYTES) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: It cannot be read, is not a regular file, or has more bytes than `most`.
    """
    # Reading a pipe or device might never end, or never start.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path.name} is not a regular file")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"{path.name} has more than {most:,} bytes")
    return content


def shown(value: str) -> str:
    """Return a text unchanged if it can be shown as one line.

    Raises:
        ValueError: It holds an odd character, or is too long.
    """
    if odd := first_odd(value):
        raise ValueError(f"it holds the character {odd}, which cannot be shown in a line of text")
    if len(value) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST:,} characters")
    return value


def line(value: str) -> str:
    """Return a text unchanged if it can be shown as one line and is not empty.

    Raises:
        ValueError: It is empty, contains an odd character, or is too long.
    """
    if not value.strip():
        raise ValueError("it is empty; leave it out, or write a text")
    return shown(value)
