"""What `toolchain evaluate` found: the record that it prints and keeps."""

from __future__ import annotations

from toolchain.records.multi_label import MultiLabel
from toolchain.records.record import Record
from toolchain.records.verdict import Verdict


class Judged(Record):
    """Which network it was."""

    name: str
    source: str
    sha256: str
    """Of the model it is or was built from."""
    form: str
    """`SavedModel`, or `site, float16`."""


class Tag(Record):
    """A first label, and its score in 0…1."""

    label: str
    score: float


class Change(Record):
    """A photo to which the model gives another first label than the reference."""

    photo: str
    """Its path in the folder."""
    reference: Tag
    model: Tag
    truth: str | None
    """The right label, where the photos tell it."""


class Evaluation(Record):
    """The whole result; `toolchain evaluate --json` prints it."""

    model: Judged
    reference: Judged | None
    note: str | None
    """Why there is no reference, if there is none."""
    folder: str
    broken: int
    """Photos that cannot be read as a picture."""
    broken_photos: tuple[str, ...]
    """The first few of them, relative to the folder."""
    verdict: Verdict
    multi_label: MultiLabel | None = None
    """How well the labels of photos were found, of a model that may give several; None where
    the model gives one, or nothing tells the photos' labels."""
    changed: tuple[Change, ...]
    """Photos with another first label than the reference's, at most sixty: those first of
    which the reference was surest."""
