"""The result of `toolchain evaluate`: the record that it prints and keeps."""

from __future__ import annotations

from toolchain.records.multi_label import MultiLabel
from toolchain.records.record import Record
from toolchain.records.verdict import Share, Verdict


class Judged(Record):
    """The model that was evaluated, or its reference."""

    name: str
    source: str
    sha256: str
    """Digest of the source model."""
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
    """The right label, if the photos have labels."""


class NoneVerdict(Record):
    """What a model's rule "none of these" says of the photos; top-1 does not depend on it."""

    called_none: Share
    """Photos of which it says that they show none of the labels."""
    kept: Share | None
    """Photos with a label that keep their tags; None if the labels of the photos are not known."""
    foreign_folder: str | None
    """The folder of photos of other things; None if none was given."""
    let_through: Share | None
    """Photos of other things that get a tag all the same."""
    foreign_broken: int
    """Number of photos of other things that cannot be decoded."""


class Evaluation(Record):
    """The whole result; `toolchain evaluate --json` prints it."""

    model: Judged
    reference: Judged | None
    note: str | None
    """Why there is no reference; None if there is one."""
    folder: str
    broken: int
    """Number of photos that cannot be decoded."""
    broken_photos: tuple[str, ...]
    """The first few of them, relative to the folder."""
    verdict: Verdict
    multi_label: MultiLabel | None = None
    """How well a multi-label model found the labels of the photos; None for a single-label model,
    or if the photos have no labels."""
    none_of_these: NoneVerdict | None = None
    """How well the rule "none of these" does; None for a model without it."""
    changed: tuple[Change, ...]
    """Photos with another first label than the reference's, at most sixty, sorted by the
    reference's score from the highest down."""
