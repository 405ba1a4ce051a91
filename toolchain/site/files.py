"""Puts files into a site, and says by which address the page finds them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from toolchain.tfjs.artifacts import name_after_content

if TYPE_CHECKING:
    from pathlib import Path


def write_named(site: Path, path: str, content: bytes) -> str:
    """Write a file under its content's name and return its URL relative to the page."""
    target = site / path
    target = target.with_name(name_after_content(target.name, content))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    # As requests name it: a user's file may have a space in its name.
    return quote(target.relative_to(site).as_posix())


def copy(source: Path, target: Path) -> None:
    """Copy a file as it is; the folders above it are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
