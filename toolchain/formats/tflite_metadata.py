"""What a TFLite file tells of its photos and labels: by its input's integers, and in its metadata.

The metadata (`metadata_schema.fbs` of TensorFlow Lite Support) is a FlatBuffer of its own in a
buffer of the file. Files that it names, such as labels, are in a zip that is appended to the file.
"""

from __future__ import annotations

import math
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from toolchain import text
from toolchain.errors import BadInputError
from toolchain.formats import archive, tflite_call
from toolchain.labels import reading as label_file
from toolchain.records.card import Declared, first_fault

if TYPE_CHECKING:
    from toolchain.formats.tflite_file import LiteGraph

_MAX_BYTES = 16 << 20  # chosen
_MAX_LISTED = 1000
_NORMALISATION = 1  # of the union ProcessUnitOptions
_AXIS_LABELS, _UNKNOWN = 2, 0  # of AssociatedFileType
_PIXELS = 255.0
_COLOURS = 3
_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
_NEAR = 0.02  # of a range's width; calibration photos rarely hold the very last value
_FAULTS = (struct.error, LookupError, ValueError, TypeError, ArithmeticError, AssertionError)


def declared(path: Path, graph: LiteGraph, photo: int, output: int | None) -> Declared:
    """Return what a file tells of its photos and labels.

    Args:
        path: The file.
        graph: What it holds.
        photo: The index of the tensor that takes the photo.
        output: The index of the only tensor that its scores may be; None if there are several.

    Raises:
        BadInputError: The metadata or a file of labels is damaged.
    """
    by_integers = _by_integers(graph, photo)
    if graph.metadata is None or len(graph.metadata) > _MAX_BYTES:
        return by_integers
    try:
        root = _Record(graph.metadata.tobytes(), 0).behind(0)
        if not (graphs := root.records(3)):
            return by_integers
        about = graphs[0]
        found = Declared(licence=_licence(root.text(5)))
        photos = _of(about.records(2), list(graph.inputs.values()), photo)
        # A photo's bytes are passed to an input of bytes as they are.
        if photos and graph.tensors[photo].kind != "UINT8":
            found = _normalisation(photos).over(found)
        scores = _of(about.records(3), list(graph.outputs.values()), output)
        named = _labels_named(scores) if scores else None
    except ValidationError as error:
        raise BadInputError(f"the metadata of {path}: {first_fault(error)}") from error
    except _FAULTS as error:
        raise BadInputError(f"{path} has damaged metadata; get the file again") from error
    if named is not None:
        found = _labels(path, named).over(found)
    return found.over(by_integers)


def _by_integers(graph: LiteGraph, photo: int) -> Declared:
    """Return the range that an input of integers tells: what the bytes 0 and 255 stand for."""
    tensor = graph.tensors[photo]
    limits = tflite_call.limits_of(tensor)
    if limits is None or tensor.kind not in ("UINT8", "INT8") or limits[0] >= limits[1]:
        return Declared()
    low, high, _ = limits
    near = _NEAR * (high - low)
    if any(abs(low - a) <= near and abs(high - b) <= near for a, b in _USUAL):
        return Declared(value_range=(low, high))
    note = (
        f"the integers of its input stand for {low:.4g}…{high:.4g}, which is taken as the range of "
        "pixel values; give --value-range, --mean and --std if photos are prepared in another way"
    )
    return Declared(value_range=(low, high), notes=(note,))


@dataclass(frozen=True)
class _Record:
    """A table of a FlatBuffer, whose fields are read by their numbers in the schema."""

    content: bytes
    start: int

    def _number(self, kind: str, at: int) -> Any:
        return struct.unpack_from(kind, self.content, at)[0]

    def _place(self, field: int) -> int | None:
        """Return where a field's value lies, or None if it is not there."""
        fields = self.start - self._number("<i", self.start)
        entry = 4 + 2 * field
        there = entry < self._number("<H", fields)
        offset = self._number("<H", fields + entry) if there else 0
        return self.start + offset if offset else None

    def behind(self, place: int) -> _Record:
        """Return the record to which an offset points."""
        return _Record(self.content, place + self._number("<I", place))

    def _vector(self, field: int) -> tuple[int, int]:
        """Return where a list begins, and how many entries it has."""
        place = self._place(field)
        if place is None:
            return 0, 0
        start = self.behind(place).start
        return start + 4, self._number("<I", start)

    def _entries(self, field: int) -> list[int]:
        start, count = self._vector(field)
        if count > _MAX_LISTED:
            raise ValueError("far too many entries")
        return [start + 4 * at for at in range(count)]

    def text(self, field: int) -> str | None:
        start, count = self._vector(field)
        return self.content[start : start + count].decode("utf-8", "replace") if start else None

    def byte(self, field: int) -> int:
        place = self._place(field)
        return 0 if place is None else self.content[place]

    def record(self, field: int) -> _Record | None:
        place = self._place(field)
        return None if place is None else self.behind(place)

    def records(self, field: int) -> list[_Record]:
        return [self.behind(place) for place in self._entries(field)]

    def floats(self, field: int) -> list[float]:
        return [float(self._number("<f", place)) for place in self._entries(field)]


def _of(records: list[_Record], tensors: list[int], wanted: int | None) -> _Record | None:
    """Return the record of a tensor; the metadata lists them in the graph's order."""
    if wanted not in tensors or len(records) != len(tensors):
        return None
    return records[tensors.index(wanted)]


def _licence(said: str | None) -> str | None:
    try:
        return text.line(said.strip()) if said else None
    except ValueError:
        return None


def _normalisation(photos: _Record) -> Declared:
    """Return the range of pixel values: each is `(pixel - mean) / std`."""
    for unit in photos.records(4):
        options = unit.record(1) if unit.byte(0) == _NORMALISATION else None
        if options is None:
            continue
        means, deviations = options.floats(0), options.floats(1)
        if not means or len(means) != len(deviations) or len(means) not in (1, _COLOURS):
            raise ValueError("another number of means than colours")
        if not all(map(math.isfinite, means)) or not all(
            0 < each < math.inf for each in deviations
        ):
            raise ValueError("a mean or a deviation that is none")
        if len(set(means)) == len(set(deviations)) == 1:
            low, high = ((end - means[0]) / deviations[0] for end in (0.0, _PIXELS))
            return Declared(value_range=(low, high))
        return Declared(
            value_range=(0.0, _PIXELS),
            mean=(means[0], means[1], means[2]),
            std=(deviations[0], deviations[1], deviations[2]),
        )
    return Declared()


def _labels_named(scores: _Record) -> str | None:
    """Return the name of the file that labels the scores; one without a language if possible."""
    files = [(each.byte(2), each.text(0) or "", each.text(3) or "") for each in scores.records(6)]
    labels = [(language, name) for kind, name, language in files if kind == _AXIS_LABELS]
    if not labels:
        labels = [
            (language, name)
            for kind, name, language in files
            if kind == _UNKNOWN and "label" in name
        ]
    return min(labels)[1] if labels else None


def _labels(path: Path, named: str) -> Declared:
    """Return the labels in a file of the zip that is appended to a TFLite file."""
    content = archive.member(path, named, most=text.MAX_BYTES)
    if content is None:
        return Declared()
    with tempfile.TemporaryDirectory(prefix="toolchain-labels-") as made:
        file = Path(made) / "labels.txt"
        file.write_bytes(content)
        try:
            found = label_file.read(file)
        except BadInputError as error:
            raise BadInputError(str(error).replace(str(file), f"inside {path}")) from error
    notes = tuple(note.replace(str(file), f"inside {path.name}") for note in found.notes)
    return Declared(labels=found.names, label_notes=notes or None)
