"""Reads the file in which a page hands on the tags that a visitor has taught (docs/teach.md).

It is a zip that may come from anyone, so everything in it is checked before it is used.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.formats import archive
from toolchain.records.card import Shown, first_fault
from toolchain.records.none_of_these import NoneOfThese

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, Any]

_LIST, _LAYER = "tags.json", "layer.bin"
_MOST_TAGS = 1000
_MOST_LISTED = 64 << 20  # bytes of the list; ten thousand photos take one


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Model(_Part):
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Photo(_Part):
    tag: Annotated[int, Field(ge=0, lt=_MOST_TAGS)]
    name: Annotated[str, Field(max_length=200)]
    file: str | None


class _List(_Part):
    """The file `tags.json`."""

    format: Literal["toolchain taught tags"]
    version: Literal[1]
    model: _Model
    width: Annotated[int, Field(ge=1, le=1 << 20)]
    tags: Annotated[tuple[Shown, ...], Field(min_length=1, max_length=_MOST_TAGS)]
    none_of_these: NoneOfThese | None
    features: Literal["float16", "float32"]
    photos: tuple[_Photo, ...]


@dataclass(frozen=True)
class TaughtPhoto:
    """A photo that the visitor has taught with."""

    tag: int
    """The place of its tag in `tags`."""
    name: str
    """As the visitor's file was called; it may hold anything."""
    file: str | None
    """Its entry in the zip; None if the visitor did not keep the photos."""


@dataclass(frozen=True)
class TaughtTags:
    """What a visitor has taught."""

    sha256: str
    """Digest of the file."""
    model: str
    """Name of the model whose features it is for."""
    model_sha256: str
    tags: tuple[str, ...]
    kernel: Array
    """float32 `[width, tags]`."""
    bias: Array
    """float32 `[tags]`."""
    rule: NoneOfThese | None
    """None if no tag has two photos."""
    photos: tuple[TaughtPhoto, ...]

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.kernel)


def read(path: Path) -> TaughtTags:
    """Read a file that a page has exported.

    Raises:
        BadInputError: It is no such file, of another version, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            if fault := archive.zip_fault(packed, path.stat().st_size):
                raise BadInputError(f"the taught tags {path} cannot be used: {fault}")
            listed = _List(**json.loads(_entry(packed, _LIST, _MOST_LISTED)))
            numbers = (listed.width + 1) * len(listed.tags)
            # One byte more would show that the file has too many.
            layer = np.frombuffer(_entry(packed, _LAYER, 4 * numbers + 1), "<f4")
        _check(listed, layer, numbers)
    except ValidationError as error:
        reason = first_fault(error)
    except KeyError as error:
        reason = str(error.args[0])
    except RecursionError:
        reason = f"{_LIST} is nested too deeply"
    except (*archive.FAULTS, TypeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    else:
        weights = layer[: listed.width * len(listed.tags)].reshape(len(listed.tags), -1)
        return TaughtTags(
            sha256=digest.of_file(path),
            model=listed.model.name,
            model_sha256=listed.model.sha256,
            tags=listed.tags,
            kernel=np.ascontiguousarray(weights.T, np.float32),
            bias=layer[listed.width * len(listed.tags) :].astype(np.float32),
            rule=listed.none_of_these,
            photos=tuple(TaughtPhoto(each.tag, each.name, each.file) for each in listed.photos),
        )
    raise BadInputError(
        f"{path} holds no taught tags that can be read ({reason}); give the file as a page "
        "exported it"
    )


def _entry(packed: zipfile.ZipFile, name: str, most: int) -> bytes:
    with packed.open(name) as entry:
        return entry.read(most)


def _check(listed: _List, layer: Array, numbers: int) -> None:
    """Check that the parts fit together.

    Raises:
        ValueError: They do not.
    """
    if len(layer) != numbers:
        raise ValueError(f"{_LAYER} does not have {numbers:,} numbers")
    if not np.isfinite(layer).all():
        raise ValueError(f"{_LAYER} holds what is not a number")
    if len(set(listed.tags)) != len(listed.tags):
        raise ValueError("two tags have the same name")
    if any(photo.tag >= len(listed.tags) for photo in listed.photos):
        raise ValueError("a photo has a tag that is not listed")
    rule = listed.none_of_these
    if rule is not None and (rule.labels != len(listed.tags) or rule.indices[-1] >= listed.width):
        raise ValueError("none_of_these is of other tags or features")
