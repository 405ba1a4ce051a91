"""Photos for evaluation: a folder with one subfolder for each class (an ImageFolder), or flat."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.labels import imagenet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LABELS = "labels.csv"
"""Name of the file, in the folder of photos, that tells the labels of each photo."""
NONE = "none"
"""Name of the folder, beside those of the labels, of photos that show none of them."""
_NAMED = 5  # unknown folders to name in an error message


@dataclass(frozen=True)
class Photos:
    """Photos in the order in which they are evaluated."""

    folder: Path
    paths: tuple[Path, ...]
    classes: tuple[str, ...] | None
    """The class folder of each photo; None if the folder is flat."""

    def limited(self, count: int | None) -> Photos:
        """Return `count` photos, evenly spread over all classes; None for all photos."""
        if count is None or count >= len(self.paths):
            return self
        kept = [index * len(self.paths) // count for index in range(count)]
        classes = self.classes
        return Photos(
            self.folder,
            tuple(self.paths[index] for index in kept),
            None if classes is None else tuple(classes[index] for index in kept),
        )


def find(folder: Path, *, by_folders: bool = True) -> Photos:
    """List the photos of a folder, sorted by their paths.

    Every file that is not hidden counts as a photo, even a broken link; whether it can be read is
    found out later. Folders that are links are skipped, unless they are class folders. If there
    are class folders, files beside them do not count. The file of labels, `labels.csv`, never
    counts.

    Args:
        folder: The folder of photos.
        by_folders: Whether its subfolders are classes. If not, all files below it are photos,
            whose labels come from elsewhere or are not known.

    Raises:
        BadInputError: It is not a folder, cannot be read, or holds no files.
    """
    try:
        entries = sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and path.name != LABELS
        )
    except OSError as error:
        raise BadInputError(
            f"the photos {folder} cannot be read: {error.strerror}; give a folder of photos"
        ) from error
    folder = folder.resolve()
    entries = [folder / path.name for path in entries]
    folders = [path for path in entries if path.is_dir()]
    if not folders:
        paths, classes = entries, None
    elif not by_folders:
        paths, classes = [path for path in _files(folder) if path != folder / LABELS], None
    else:
        named = [(path, inner.name) for inner in folders for path in _files(inner)]
        paths, classes = [path for path, _ in named], tuple(name for _, name in named)
    if not paths:
        raise BadInputError(
            f"{folder} holds no photos; put them into it, or into one folder for each class"
        )
    return Photos(folder, tuple(paths), classes)


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.is_dir()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def without_none(photos: Photos, labels: tuple[str, ...]) -> Photos:
    """Return photos without those in the folder `none`, which show none of the labels.

    Args:
        photos: The photos; if they have no classes, they are returned unchanged.
        labels: The model's labels. If one of them is `none`, the folder is its.
    """
    if photos.classes is None or any(label.casefold() == NONE for label in labels):
        return photos
    kept = [place for place, name in enumerate(photos.classes) if name.casefold() != NONE]
    return Photos(
        photos.folder,
        tuple(photos.paths[place] for place in kept),
        tuple(photos.classes[place] for place in kept),
    )


class Names:
    """The names that users may give for the labels of a model."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._count = len(labels)
        self._exact = defaultdict[str, list[int]](list)
        self._synonyms = defaultdict[str, list[int]](list)
        for index, label in enumerate(labels):
            self._exact[label].append(index)
            self._synonyms[label.partition(",")[0].strip()].append(index)
        wnids = imagenet.wnids() if len(labels) == imagenet.CLASSES else ()
        self._ids = {wnid: [index] for index, wnid in enumerate(wnids)}

    def indices(self, name: str) -> list[int]:
        """Return the indices, from 0, of the labels that a name may mean.

        The first of these that fits counts: the exact label; a label's first synonym (`tabby` for
        `tabby, tabby cat`); a number; and, for a model with 1,000 classes, a WordNet id.
        """
        number = int(name) if name.isascii() and name.isdecimal() else -1
        return (
            self._exact.get(name)
            or self._synonyms.get(name)
            or ([number] if 0 <= number < self._count else self._ids.get(name, []))
        )


def label_indices(names: Iterable[str], labels: tuple[str, ...], folder: Path) -> dict[str, int]:
    """Return the label of each class folder, by the rules of :class:`Names`.

    Args:
        names: Names of class folders.
        labels: The model's labels, in the order of its outputs.
        folder: The parent of the class folders, for messages.

    Returns:
        The index of the label, from 0, by folder name.

    Raises:
        BadInputError: A folder matches no label, or more than one.
    """
    known = Names(labels)
    found: dict[str, int] = {}
    unknown: list[str] = []
    for name in sorted(set(names)):
        indices = known.indices(name)
        if len(indices) > 1:
            raise BadInputError(
                f"the folder {name} in {folder} could mean any of the labels "
                f"{', '.join(map(str, indices))}; rename it to one of these numbers"
            )
        if indices:
            found[name] = indices[0]
        else:
            unknown.append(name)
    if unknown:
        shown = ", ".join(unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise BadInputError(
            f"{folder} has folders that match no label of the model: {shown}{more}; rename them to "
            "a label, its number, or for ImageNet its WordNet id"
        )
    return found
