"""The record of `toolchain train`, `training.json`: what was learned from which photos.

`docs/training.schema.json` is generated from these classes. A change that breaks readers must
raise `SCHEMA`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from toolchain import text
from toolchain.errors import BadInputError
from toolchain.records.card import Task, first_fault
from toolchain.records.record import Record
from toolchain.records.verdict import Share

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Literal[1] = 1
FILE = "training.json"
"""Its name in the folder of a trained model."""
MISTAKES = 60
"""The most wrongly tagged photos in a record; chosen."""
OF_A_PAIR = 6
"""The most of them that have the same tags and were given the same; chosen."""
SAME_SIZE = 1.02
"""Sizes of built models count as the same up to this ratio; two depths cost 0.1 % more than one.
Chosen."""
_MAX_BYTES = 256 << 20  # of the file; chosen

Grouping = Literal["exif", "prefix", "none"]
"""What tells which photos were taken together: the time in the photo, the beginning of the file's
name, or nothing but their likeness."""
Method = Literal["fine-tune", "distil", "prune"]


class PhotosUsed(Record):
    """The photos that a model was trained on."""

    folder: str
    """As the user wrote it."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Digest of the names and the content of all photos."""
    photos: int
    """Readable photos of the tags."""
    none: int
    """Readable photos of none of the tags."""
    broken: int
    broken_photos: tuple[str, ...]
    """The first few photos that cannot be read, as paths in the folder."""


class Split(Record):
    """How photos were divided for cross-validation: those of a group are never on both sides."""

    grouping: Grouping
    reason: str
    """Why photos were grouped so, as a clause for people."""
    groups: int
    folds: int


class Candidate(Record):
    """A base network cut at one or two depths, and how well its features tell the tags apart."""

    base: str
    depth: str
    """In words: `block 12 of 16`, or `blocks 12 + 15 of 16`."""
    width: int
    """Number of features."""
    parameters: int
    """Weights up to the deepest cut, and of the new last layer."""
    expected_bytes: int
    """A rough expectation of what `build` makes of it, before it is built."""
    inverse_regularisation: float
    """The C of logistic regression that was best."""
    accuracy: Share
    """Out of fold."""
    chosen: bool


class TagFigures(Record):
    """How well one tag is recognised, out of fold."""

    tag: str
    photos: int
    precision: Share | None
    """Photos given this tag that have it; None if no photo is given it."""
    recall: Share | None
    """Photos with this tag that are given it; None if no photo has it, as may be in `--test`."""


class Mistake(Record):
    """A photo that is given other tags than its own."""

    photo: str
    """Its path in the folder of photos, or of `--test`, without odd characters."""
    tags: tuple[str, ...]
    """Its own tags: one, or any number for multi-label models."""
    given: tuple[str, ...]
    """The tags that the model gives it: one, or any number for multi-label models."""
    score: float
    """How sure the model was, in 0…1: the score of the given tag; for multi-label models the
    highest score of a wrong tag, or 1 minus that of a missed one if this is more."""


class CalibrationBin(Record):
    """Photos whose first score lies between two limits."""

    low: float
    high: float
    photos: int
    score: float
    """Mean first score, in 0…1."""
    right: float
    """Share whose first tag is right, in 0…1."""


class Accuracy(Record):
    """How well photos are tagged that the model was not trained on."""

    photos: int
    accuracy: Share
    """For multi-label models: photos whose tags are all right."""
    tags: tuple[TagFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Photos by their own tag (row) and the given one (column). Empty for multi-label models."""
    mistakes: tuple[Mistake, ...] = ()
    """At most `MISTAKES` wrongly tagged photos, for the report: at most `OF_A_PAIR` of each pair
    of own and given tags, the surest first; pairs of many photos before pairs of few."""
    calibration_error: float
    """Expected calibration error in points: how far scores are from the shares that are right."""
    calibration: tuple[CalibrationBin, ...]


class LearningPoint(Record):
    """The accuracy out of fold with fewer photos to learn from."""

    photos: int
    """Mean number of photos that were learned from."""
    accuracy: Share


class Suspect(Record):
    """A photo whose tag may be wrong."""

    photo: str
    """Its path in the folder."""
    tag: str
    """The tag of its folder."""
    seems: str
    """The tag that the model gives it when it has not learned from it."""
    score: float
    """The score of the photo's own tag then, in 0…1."""


class Duplicates(Record):
    """Photos that are the same, or look the same."""

    photos: tuple[str, ...]
    tags: tuple[str, ...]
    """The tags that they have; more than one is a contradiction."""
    same_bytes: bool


class NoneFigures(Record):
    """How well "none of these" works."""

    threshold: float
    """Cosine below which a photo is none of these."""
    kept: Share
    """The user's own photos that still get a tag, out of fold."""
    let_through: Share | None
    """Photos of `--none` that get a tag, out of fold; None without such photos."""
    bytes: int
    """What the rule adds to the site, before compression."""


class Attempt(Record):
    """Something beyond the last layer that was tried, and whether it won."""

    method: Method
    detail: str
    """What was done, as a clause for people."""
    before: Share
    after: Share
    gain_points: float
    gain_low: float
    """Lower end of the 95 % interval of the gain (Newcombe 1998, for paired shares)."""
    gain_high: float
    bytes_before: int
    """Expected bytes of the built model."""
    bytes_after: int
    seconds: float
    accepted: bool
    reason: str
    """Why it was accepted or not, as a sentence for people."""


class Training(Record):
    """The whole record."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    toolchain: str
    """Version of this tool."""
    task: Task
    tags: tuple[str, ...]
    photos: PhotosUsed
    split: Split
    base: str
    base_sha256: str
    licence: str
    """Licence of the base network."""
    candidates: tuple[Candidate, ...]
    """Every depth of every base that was compared, from the fewest bytes to the most."""
    max_drop: float
    """How many points of accuracy below the best candidate the chosen one may be."""
    temperature: float
    """What the outputs were divided by, so that scores are shares of right answers."""
    out_of_fold: Accuracy
    test: Accuracy | None
    """On the photos of `--test`; None without them."""
    test_folder: str | None
    none_of_these: NoneFigures | None
    learning: tuple[LearningPoint, ...]
    more_photos: tuple[str, ...]
    """Tags for which more photos would help most."""
    suspects: tuple[Suspect, ...]
    duplicates: tuple[Duplicates, ...]
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[str, ...] = ()
    seed: int

    def to_json(self) -> str:
        """Return the text of `training.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def read(path: Path) -> Training:
    """Read `training.json`.

    Raises:
        BadInputError: It is missing, or another version wrote it.
    """
    try:
        return Training.model_validate_json(text.read(path, most=_MAX_BYTES))
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}; train again") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not text ({error}); train again") from error
    except ValidationError as error:
        raise BadInputError(
            f"{path} was not written by this version ({first_fault(error)}); train again"
        ) from error


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `training.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "toolchain training record",
        **Training.model_json_schema(by_alias=True, mode="serialization"),
    }
