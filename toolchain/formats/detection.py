"""Finds out which format a model's file or folder has.

Each format is a module with a `FORMAT`. To add one, write such a module and list it here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.formats import (
    frozen_graph,
    keras_file,
    onnx_model,
    teachable_machine,
    tfjs_model,
    tflite_model,
)

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.formats.format import Format

FORMATS: tuple[Format, ...] = (
    teachable_machine.FORMAT,
    tflite_model.FORMAT,
    keras_file.FORMAT,
    onnx_model.FORMAT,
    frozen_graph.FORMAT,
    tfjs_model.FORMAT,
)
"""All formats but SavedModels; the first that recognises a path reads it."""

SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)
"""How the names of the files end that can be read."""


def of(path: Path) -> Format | None:
    """Return the format of an existing file or folder, or None if it is not one of `FORMATS`."""
    return next((each for each in FORMATS if each.recognises(path)), None)
