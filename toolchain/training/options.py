"""What a training run is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.training.features import Extraction

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.records.card import Task
    from toolchain.training.groups import GroupBy


@dataclass(frozen=True)
class TrainOptions:
    """What to learn, from which photos, and how."""

    photos: Path
    """A folder with one folder of photos for each tag, or a file with taught tags and their photos,
    as a page exports it."""
    bases: tuple[Request, ...] = field(default_factory=lambda: (Request("embedded"),))
    declared: Declared = field(default_factory=Declared)
    """What the user says of the bases, and the trained model's name."""
    test: Path | None = None
    """Photos to judge by that are not learned from, in folders of the same names."""
    none: Path | None = None
    """Photos of none of the tags."""
    depth: int | None = None
    """The block to cut the base at; None to choose by the photos."""
    max_drop: float = 1.0
    """Points of accuracy below the best candidate that fewer bytes may cost."""
    max_bytes: int | None = None
    """Of the built model, after Brotli."""
    group_by: GroupBy = "auto"
    fine_tune: bool = False
    """Whether the last blocks learn too."""
    teacher: Request | None = None
    """A better network, from which the last blocks learn what it says of the photos."""
    prune: bool = False
    """Whether blocks and channels are left out."""
    task: Task = "single-label"
    seed: int = 0
    extraction: Extraction = field(default_factory=Extraction)
