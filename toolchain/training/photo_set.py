"""The photos to learn from: a folder for each tag, or one folder and a CSV of tags."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from toolchain import digest, text
from toolchain.errors import BadInputError
from toolchain.photos import photo_folder, photo_labels
from toolchain.photos.photo_folder import NONE
from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any

    from toolchain.records.card import Task

    Array = np.ndarray[Any, Any]

_PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"}
    | {".heic", ".heif", ".jp2", ".ppm", ".ico", ".jfif"}
)
_LEAST = 2  # photos of a tag: one to learn from and one to judge by
_FEW = 5  # photos of a tag, below which no accuracy is promised


@dataclass(frozen=True)
class Photo:
    """One photo of the set."""

    path: Path
    name: str
    """Its path in the folder, as the record shows it."""
    sha256: str


@dataclass(frozen=True)
class PhotoSet:
    """Photos and their tags."""

    folder: Path
    tags: tuple[str, ...]
    photos: tuple[Photo, ...]
    """Photos of the tags."""
    truth: Array
    """Bool `[photos, tags]`: which tags each photo has."""
    task: Task
    sha256: str = ""
    """Digest of the names, content and tags of all photos in the folder, readable or not."""
    none: tuple[Photo, ...] = ()
    """Photos of none of the tags."""
    broken: tuple[str, ...] = ()
    """Photos that were left out, because they cannot be read."""
    warnings: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> Array:
        """The tag of each photo of a single-label set, int `[photos]`."""
        found: Array = self.truth.argmax(axis=1)
        return found

    @property
    def rows(self) -> Iterable[tuple[Photo, Array]]:
        """Each photo with its row of `truth`."""
        return zip(self.photos, self.truth, strict=True)

    def without(self, broken: frozenset[str]) -> PhotoSet:
        """Return the set without photos that cannot be read, given by their digests.

        Raises:
            BadInputError: A tag has fewer than two photos left.
        """
        if not broken:
            return self
        kept = [each.sha256 not in broken for each in self.photos]
        lost = [each.name for each in (*self.photos, *self.none) if each.sha256 in broken]
        left = replace(
            self,
            photos=tuple(each for each in self.photos if each.sha256 not in broken),
            truth=self.truth[kept],
            none=tuple(each for each in self.none if each.sha256 not in broken),
            broken=(*self.broken, *lost),
        )
        for place, tag in enumerate(self.tags):
            before, count = int(self.truth[:, place].sum()), int(left.truth[:, place].sum())
            if count < _LEAST:
                raise BadInputError(
                    f"of the {before} photos of {tag} in {self.folder}, "
                    + ("none" if not count else "only one")
                    + f" can be read as a picture, such as {printable(lost[0])}; "
                    "give at least two that open in a browser"
                )
        return left


def read(folder: Path, *, task: Task = "single-label", none: Path | None = None) -> PhotoSet:
    """Read a folder of photos: one folder for each tag, or `labels.csv` for several tags a photo.

    Photos of none of the tags are in the folder `none` beside the tags' folders, or in another
    folder that the user names. Whether a photo can be decoded is found out later.

    Args:
        folder: The folder.
        task: `multi-label` if a photo may have several tags.
        none: A folder of photos of none of the tags; subfolders count too.

    Raises:
        BadInputError: The folder is missing, or its photos cannot be learned from; the message
            says how to sort them.
    """
    labels_file = photo_labels.file_of(folder, None)
    if labels_file is not None and task == "multi-label":
        found = _by_file(folder, labels_file)
    else:
        found = _by_folders(folder, task)
    found = replace(found, sha256=_digest(found))
    if none is not None:
        found = replace(found, none=_none_of(none))
    _refuse_doubled(found)
    return replace(found, warnings=tuple(_few(found)))


def _digest(found: PhotoSet) -> str:
    return digest.of_json(
        [
            [found.tags, found.task],
            [[each.name, each.sha256, np.flatnonzero(row).tolist()] for each, row in found.rows],
            [[each.name, each.sha256] for each in found.none],
        ]
    )


def _by_folders(folder: Path, task: Task) -> PhotoSet:
    entries = _entries(folder)
    folders = [path for path in entries if path.is_dir()]
    loose = [path for path in entries if not path.is_dir() and path.suffix.lower() in _PICTURES]
    if loose and not folders:
        raise BadInputError(
            f"{folder} holds photos but no folders of tags; put the photos of each tag into a "
            "folder with the tag's name"
        )
    if loose:
        raise BadInputError(
            f"{folder} holds photos beside the folders of tags, such as "
            f"{printable(loose[0].name)}; move each into the folder of its tag"
        )
    by_tag = {
        path.name: _photos_of(path, folder) for path in folders if path.name.casefold() != NONE
    }
    none = [path for path in folders if path.name.casefold() == NONE]
    by_tag = {name: paths for name, paths in by_tag.items() if paths or _fail_empty(folder, name)}
    if not by_tag:
        raise BadInputError(f"{folder} holds no photos; put those of each tag into a folder")
    _refuse_similar_names(folder, list(by_tag))
    tags = tuple(by_tag)
    if len(tags) == 1:
        raise BadInputError(
            f"{folder} has photos of one tag, {printable(tags[0])}; a model learns to tell tags "
            "apart, so give at least two folders"
        )
    for tag, paths in by_tag.items():
        if len(paths) < _LEAST:
            raise BadInputError(
                f"{folder} has one photo of {printable(tag)}; give at least two of each tag, and "
                "twenty to promise anything"
            )
    names = [_checked(tag, folder) for tag in tags]
    photos: list[Photo] = []
    truth: list[Array] = []
    places: dict[str, int] = {}
    for index, paths in enumerate(by_tag.values()):
        for path in paths:
            photo = photo_of(path, folder)
            if task == "multi-label" and photo.sha256 in places:
                truth[places[photo.sha256]][index] = True
                continue
            places[photo.sha256] = len(photos)
            photos.append(photo)
            truth.append(np.arange(len(tags)) == index)
    return PhotoSet(
        folder=folder,
        tags=tuple(names),
        photos=tuple(photos),
        truth=np.array(truth, bool),
        task=task,
        none=tuple(_none_of(none[0])) if none else (),
    )


def _by_file(folder: Path, labels_file: Path) -> PhotoSet:
    listed = photo_folder.find(folder, by_folders=False)
    tags = photo_labels.names_in(labels_file, listed)
    if len(tags) < 2:  # noqa: PLR2004
        raise BadInputError(f"{labels_file} names fewer than two tags; a model needs at least two")
    _refuse_similar_names(folder, list(tags))
    told = photo_labels.read(labels_file, listed, tags)
    for tag, count in zip(tags, told.truth.sum(axis=0), strict=True):
        if count < _LEAST:
            raise BadInputError(
                f"{labels_file} gives {printable(tag)} to {count} photos; give at least two"
            )
    return PhotoSet(
        folder=folder,
        tags=tuple(_checked(tag, folder) for tag in tags),
        photos=tuple(photo_of(path, folder.resolve()) for path in listed.paths),
        truth=told.truth,
        task="multi-label",
    )


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise BadInputError(
            f"the photos {folder} cannot be read: {error.strerror}; give a folder with one folder "
            "of photos for each tag"
        ) from error


def _photos_of(inner: Path, folder: Path) -> list[Path]:
    entries = _entries(inner)
    for path in entries:
        if path.is_dir() and any(each.is_file() for each in path.rglob("*")):
            raise BadInputError(
                f"{printable(path.relative_to(folder).as_posix())} is a folder within the folder "
                f"of a tag in {folder}; put the photos of a tag directly into its folder"
            )
    return [path for path in entries if not path.is_dir()]


def _fail_empty(folder: Path, name: str) -> bool:
    raise BadInputError(
        f"the folder {printable(name)} in {folder} holds no photos; add some or remove it"
    )


def _none_of(folder: Path) -> tuple[Photo, ...]:
    return tuple(
        photo_of(path, folder.resolve().parent)
        for path in photo_folder.find(folder, by_folders=False).paths
    )


def photo_of(path: Path, folder: Path) -> Photo:
    """Return a photo of a folder, with its digest.

    Raises:
        BadInputError: It cannot be read.
    """
    try:
        sha256 = digest.of_file(path)
    except OSError as error:
        raise BadInputError(
            f"the photo {path} cannot be read: {error.strerror}; check it, or remove it"
        ) from error
    return Photo(path.resolve(), printable(path.relative_to(folder).as_posix()), sha256)


def _checked(tag: str, folder: Path) -> str:
    """Return a tag as the page shows it: in Unicode's composed form."""
    try:
        return text.line(unicodedata.normalize("NFC", tag))
    except ValueError as error:
        raise BadInputError(
            f"the folder {printable(tag)} in {folder} cannot be a tag: {error}; rename it"
        ) from error


def _refuse_similar_names(folder: Path, tags: list[str]) -> None:
    seen: dict[str, str] = {}
    for tag in tags:
        plain = unicodedata.normalize("NFKC", tag).casefold().strip()
        if plain in seen:
            raise BadInputError(
                f"{folder} has the tags {printable(seen[plain])} and {printable(tag)}, which "
                "differ only in upper and lower case, spaces or form; put their photos together"
            )
        seen[plain] = tag


def _refuse_doubled(found: PhotoSet) -> None:
    """Check that no photo has two tags that exclude each other."""
    by_content: dict[str, list[tuple[str, str]]] = defaultdict(list)
    if found.task == "single-label":
        for photo, tag in zip(found.photos, found.labels, strict=True):
            by_content[photo.sha256].append((photo.name, found.tags[tag]))
    for photo in found.none:
        by_content[photo.sha256].append((photo.name, NONE))
    for same in by_content.values():
        if len({tag for _, tag in same}) > 1:
            (first, _), (second, _) = same[0], next(x for x in same if x[1] != same[0][1])
            raise BadInputError(
                f"{first} and {second} in {found.folder} are the same photo with two tags; keep "
                "one, or train with --task multi if a photo may have several tags"
            )


def _few(found: PhotoSet) -> list[str]:
    counts = Counter(
        {tag: int(count) for tag, count in zip(found.tags, found.truth.sum(0), strict=True)}
    )
    few = [f"{tag} ({count})" for tag, count in counts.items() if count < _FEW]
    if not few:
        return []
    return [
        f"fewer than {_FEW} photos of {', '.join(few)}: no accuracy can be promised for "
        + ("it" if len(few) == 1 else "them")
    ]
