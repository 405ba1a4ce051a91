"""Unpacks the photos of a file in which a page hands on taught tags, to learn from them anew."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.formats import archive
from toolchain.photos.photo_folder import NONE
from toolchain.text import brief
from toolchain.training import taught_tags

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.training.taught_tags import TaughtPhoto

_LEAST = 2  # photos of a tag, as in `photo_set`
_LONGEST = 80  # characters of a file's name
_ODD = re.compile(r"[^\w .()-]")


def unpack(path: Path, folder: Path) -> str | None:
    """Write the photos into an empty folder, in one folder for each tag.

    Args:
        path: The file that a page has exported.
        folder: Where to write.

    Returns:
        A warning in one sentence, or None.

    Raises:
        BadInputError: The file cannot be read or has too few photos, or a tag cannot be the name of
            a folder.
    """
    taught = taught_tags.read(path)
    there = [photo for photo in taught.photos if photo.file is not None]
    if not there:
        raise BadInputError(
            f"{path} holds what {len(taught.photos)} photos look like to the model, and not the "
            "photos; have the page keep the photos too, give them again, and export"
        )
    counts = Counter(photo.tag for photo in there)
    for place, tag in enumerate(taught.tags):
        if counts[place] < _LEAST:
            raise BadInputError(
                f"{path} holds {counts[place]} photos of {brief(tag)}, and learning needs "
                f"{_LEAST}; give the tag more on the page, and export again"
            )
        if fault := _name_fault(tag):
            raise BadInputError(
                f"the tag {brief(tag)} in {path} cannot be the name of a folder of photos, because "
                f"{fault}; rename it on the page, and export again"
            )
    try:
        with zipfile.ZipFile(path) as packed:
            for number, photo in enumerate(there, 1):
                target = folder / taught.tags[photo.tag] / _name_of(photo, number)
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(packed.read(photo.file or ""))
    except (KeyError, *archive.FAULTS) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        raise BadInputError(
            f"the photos in {path} cannot be read ({reason}); export it again"
        ) from error
    missing = len(taught.photos) - len(there)
    return (
        f"{missing} of the {len(taught.photos)} photos of {path} were not kept by the page, so "
        "they are not learned from"
        if missing
        else None
    )


def _name_fault(tag: str) -> str | None:
    if tag.casefold() == NONE:
        return "photos of none of the tags lie in a folder of that name"
    if tag.startswith(".") or set(tag) & set('/\\:*?"<>|'):
        return 'it begins with a full stop or holds one of / \\ : * ? " < > |'
    if len(tag.encode()) > 2 * _LONGEST:
        return "it is too long"
    return None


def _name_of(photo: TaughtPhoto, number: int) -> str:
    """Return a name that begins as the visitor's file did, by which sessions are told apart."""
    given = PurePosixPath(_ODD.sub("_", photo.name))
    stem = given.stem[:_LONGEST].strip(" .") or "photo"
    return f"{stem} {number:05}{_ODD.sub('_', PurePosixPath(photo.file or '').suffix)[:8]}"
