"""Writes files into a site and returns their URLs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from toolchain.tfjs.artifacts import name_after_content

if TYPE_CHECKING:
    from pathlib import Path


def write_named(site: Path, path: str, content: bytes) -> str:
    """Write a file with its content's hash in its name; return its URL relative to the page."""
    target = site / path
    target = target.with_name(name_after_content(target.name, content))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    # Quoted, because a user's file may have a space in its name.
    return quote(target.relative_to(site).as_posix())


def copy(source: Path, target: Path) -> None:
    """Copy a file; missing parent folders are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
