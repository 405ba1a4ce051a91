"""What a fuzzed reader is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Strategy = st.SearchStrategy[bytes]


@dataclass(frozen=True)
class Reader:
    """A function that reads bytes written by others, and the bytes to try."""

    contents: Callable[[], Strategy]
    read: Callable[[bytes, Path], object]
    """Takes the content and an empty folder to work in."""


def in_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    """Return a function that writes content to a file of this name and reads it."""

    def written(content: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(content)
        return read(path)

    return written
