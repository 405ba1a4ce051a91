"""Digests of files, folders and JSON values: always SHA-256, in lower-case hex."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20


def of_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, read in chunks of 1 MiB."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def of_tree(folder: Path) -> str:
    """Return one digest for a folder: the SHA-256 of its sorted `<sha256>  <path>` lines.

    The same listing comes from `find . -type f | sort | xargs sha256sum` without the
    leading `./`, so that anyone can check it by hand. Empty folders, modes and times do
    not count.
    """
    files = sorted(
        (path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file()
    )
    listing = "".join(f"{of_file(path)}  {name}\n" for name, path in files)
    # A file name that is not valid UTF-8 is hashed as its raw bytes.
    return of_bytes(listing.encode("utf-8", "surrogateescape"))


def of_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return of_bytes(text.encode())
