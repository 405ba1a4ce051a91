"""The photos to judge by: a folder with one folder a class (an ImageFolder), or a flat one."""

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
"""Name of the file, in the folder of photos, that says which labels each photo has."""
_NAMED = 5  # unknown folders that an error names


@dataclass(frozen=True)
class Photos:
    """Photos in the order in which they are judged."""

    folder: Path
    paths: tuple[Path, ...]
    classes: tuple[str, ...] | None
    """The class folder of each photo; None where the folder is flat."""

    def limited(self, count: int | None) -> Photos:
        """Return `count` of them, evenly spread so that no class is favoured; None: all."""
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

    Everything that is no folder and not hidden counts as a photo, a link that leads nowhere
    too; whether it is one shows when it is read. Folders that are links are not looked into,
    but for class folders.
    Where there are class folders, files beside them do not count. The file of labels,
    `labels.csv`, is no photo.

    Args:
        folder: Where they lie.
        by_folders: Whether folders in it are classes; else all files below it are photos
            whose labels are told in another way, or not at all.

    Raises:
        BadInputError: It is no folder, cannot be read, or holds no file.
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
        raise BadInputError(f"{folder} holds no photos; put them into it, or into a folder a class")
    return Photos(folder, tuple(paths), classes)


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if not path.is_dir()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


class Names:
    """The names by which people call the labels of a model."""

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
        """Return which labels a name can stand for, by their indices from 0.

        It is tried as the exact label, as a label's first synonym (`tabby` for `tabby, tabby
        cat`), as a number, and for models of ImageNet's 1,000 classes as a WordNet id.
        """
        number = int(name) if name.isascii() and name.isdecimal() else -1
        return (
            self._exact.get(name)
            or self._synonyms.get(name)
            or ([number] if 0 <= number < self._count else self._ids.get(name, []))
        )


def label_indices(names: Iterable[str], labels: tuple[str, ...], folder: Path) -> dict[str, int]:
    """Tell which label each class folder stands for, by the rules of :class:`Names`.

    Args:
        names: Names of class folders.
        labels: The model's, in the order of its outputs.
        folder: Where the class folders lie, for the error.

    Returns:
        Name to the label's index, from 0.

    Raises:
        BadInputError: Some stand for no label, or for more than one.
    """
    known = Names(labels)
    found: dict[str, int] = {}
    unknown: list[str] = []
    for name in sorted(set(names)):
        indices = known.indices(name)
        if len(indices) > 1:
            raise BadInputError(
                f"the folder {name} in {folder} could mean any of the labels "
                f"{', '.join(map(str, indices))}; name it by one of these numbers"
            )
        if indices:
            found[name] = indices[0]
        else:
            unknown.append(name)
    if unknown:
        shown = ", ".join(unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise BadInputError(
            f"{folder} has folders that are no label of the model: {shown}{more}; name them by a "
            "label, its number, or for ImageNet its WordNet id"
        )
    return found
