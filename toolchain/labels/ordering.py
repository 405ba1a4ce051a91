"""The order of labels: given by their places in a file, by indices, or by WordNet ids."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.labels import imagenet
from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 40  # characters of a file's own text that a sentence shows
_INDEX = re.compile(r"[0-9]{1,9}")
WNID = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True)
class Named:
    """Labels in the order of the model's outputs, and where each stands in its file."""

    names: Sequence[str]
    numbers: Sequence[int]
    """The line, item or entry of each, from 1."""
    unit: str = "line"
    """What `numbers` count: `line`, `item` or `entry`."""
    notes: tuple[str, ...] = ()
    """Sentences on what was assumed while it was read."""

    def noting(self, *notes: str) -> Named:
        """Return the same with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def cited(text: str) -> str:
    """Return a file's own text as a sentence can show it: in one line, and short."""
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def index_of(text: str) -> int | None:
    """Return a text as an index of a label, None where it is none."""
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
    """Sort labels by the index that each of them has.

    Args:
        named: The labels in the order of the file.
        indices: Of each of them: 0…n-1, or 1…n.
        file: What to call the file in a sentence.

    Raises:
        BadInputError: An index is there twice, or one is missing.
    """
    places: dict[int, int] = {}
    for place, index in enumerate(indices):
        if index in places:
            raise BadInputError(
                f"{named.unit} {named.numbers[place]} of {file} has the index {index}, as "
                f"{named.unit} {named.numbers[places[index]]} has; give every label its own"
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
            f"{file} have no label with the index {missing}, though the indices go to {last}; "
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
    """Keep the order of labels that have WordNet ids, and say so if ImageNet's is another."""
    known = imagenet.wnids()
    if len(wnids) == len(known) and tuple(wnids) != known and set(wnids) == set(known):
        return named.noting(
            f"{file} list ImageNet's ids in another order than most models; the order of the "
            "file is taken"
        )
    return named


def ids_alone(wnids: Sequence[str], numbers: Sequence[int], file: str) -> Named:
    """Name WordNet ids: by ImageNet's labels where they are its 1,000 in order, else by themselves.

    Args:
        wnids: The ids in the order of the outputs.
        numbers: The line of each.
        file: What to call the file in a sentence.
    """
    if tuple(wnids) == imagenet.wnids():
        return Named(imagenet.labels(), numbers).noting(
            f"{file} list ImageNet's ids; ImageNet's labels are shown for them"
        )
    return by_wnid(Named(wnids, numbers), wnids, file)
