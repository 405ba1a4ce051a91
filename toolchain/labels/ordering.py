"""The order of labels: by their places in a file, by indices, or by WordNet ids."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.labels import imagenet
from toolchain.text import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 40  # characters of a file's text that a message shows
_INDEX = re.compile(r"[0-9]{1,9}")
WNID = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True)
class Named:
    """Labels in the order of the model's outputs, and the place of each in its file."""

    names: Sequence[str]
    numbers: Sequence[int]
    """The line, item or entry of each, counted from 1."""
    unit: str = "line"
    """What `numbers` count: `line`, `item` or `entry`."""
    notes: tuple[str, ...] = ()
    """Sentences that tell what was assumed while the file was read."""

    def noting(self, *notes: str) -> Named:
        """Return a copy with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def cited(text: str) -> str:
    """Return text of a file in a form for messages: in one line, and shortened."""
    return brief(text, _LONGEST)


def index_of(text: str) -> int | None:
    """Return a text as the index of a label; None if it is not one."""
    return int(text) if _INDEX.fullmatch(text) else None


def are_indices(values: Sequence[int | None]) -> bool:
    """Tell whether these are 0…n-1 or 1…n, each once, in any order."""
    found = {value for value in values if value is not None}
    return (
        len(found) == len(values) > 0
        and min(found) in (0, 1)
        and max(found) == min(found) + len(values) - 1
    )


def by_index(named: Named, indices: Sequence[int], file: str) -> Named:
    """Sort labels by their indices.

    Args:
        named: The labels in the order of the file.
        indices: The index of each label: 0…n-1, or 1…n.
        file: How messages name the file.

    Raises:
        BadInputError: An index occurs twice, or one is missing.
    """
    places: dict[int, int] = {}
    for place, index in enumerate(indices):
        if index in places:
            raise BadInputError(
                f"{named.unit} {named.numbers[place]} of {file} has the index {index}, like "
                f"{named.unit} {named.numbers[places[index]]}; give every label its own index"
            )
        places[index] = place
    first, last = min(places), max(places)
    if first > 1:
        raise BadInputError(
            f"the indices in {file} begin at {first}; number the labels from 0, in the order of "
            "the model's outputs"
        )
    if last - first + 1 != len(places):
        missing = next(index for index in range(first, last) if index not in places)
        raise BadInputError(
            f"{file} have no label with the index {missing}, although the indices go up to {last}; "
            "give a label for every output, and put labels that begin with a number in quotes"
        )
    order = [places[index] for index in range(first, last + 1)]
    sorted_by_index = replace(
        named,
        names=[named.names[place] for place in order],
        numbers=[named.numbers[place] for place in order],
    )
    if first == 0:
        return sorted_by_index
    return sorted_by_index.noting(
        f"the indices in {file} begin at 1: index 1 is taken as the first label"
    )


def by_wnid(named: Named, wnids: Sequence[str], file: str) -> Named:
    """Keep the order of labels with WordNet ids, and add a note if it is not ImageNet's."""
    known = imagenet.wnids()
    if len(wnids) == len(known) and tuple(wnids) != known and set(wnids) == set(known):
        return named.noting(
            f"{file} list ImageNet's ids in an unusual order for a model; the order of the file "
            "is used"
        )
    return named


def ids_alone(wnids: Sequence[str], numbers: Sequence[int], file: str) -> Named:
    """Return labels for WordNet ids: ImageNet's if they are its 1,000 ids in order, else the ids.

    Args:
        wnids: The ids in the order of the outputs.
        numbers: The line of each.
        file: How messages name the file.
    """
    if tuple(wnids) == imagenet.wnids():
        return Named(imagenet.labels(), numbers).noting(
            f"{file} list ImageNet's ids; ImageNet's labels are shown for them"
        )
    return by_wnid(Named(wnids, numbers), wnids, file)
