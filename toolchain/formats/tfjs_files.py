"""Reads and checks the `model.json` of a TF.js model and the list of its weight files.

The format is that of TF.js (`tfjs-core`, `src/io/types.ts`): the model's topology, and a manifest
of files with the weights that they hold one after another.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.tfjs_graph import weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

NAME = "model.json"
MAX_TOPOLOGY = 64 << 20
"""Bytes of a `model.json` at most; chosen: the largest real ones have a few MB."""
_LONGEST_NAME = 255  # bytes, on usual file systems
_MAX_FILES = 4096  # chosen: shards have 4 MB unless their maker wants others
_MAX_UNPACKED = 1 << 30  # bytes of weights in the packed form; chosen: as `archive.MAX_BYTES`
_DTYPES = frozenset({"float32", "float16", "int32", "uint16", "uint8", "bool"})
_EXPORT = "save it again with `model.save()` or `tensorflowjs_converter`"


@dataclass(frozen=True)
class TfjsFiles:
    """A TF.js model whose files are there and have the lengths that it says."""

    path: Path
    """Of its `model.json`."""
    content: dict[str, Any]
    """The parsed `model.json`."""

    @property
    def topology(self) -> dict[str, Any]:
        """The graph, or the configuration of the layers."""
        found: dict[str, Any] = self.content["modelTopology"]
        return found

    @property
    def is_graph(self) -> bool:
        """Whether it is a graph model; else it is a layers model."""
        return "node" in self.topology

    def weights(self) -> dict[str, Array]:
        """Return the weights by name; quantised ones as float32.

        Raises:
            BadInputError: A file is missing or damaged.
        """
        with _reported(self.path):
            return weights.decode_weights(self.path.parent, self.content)


def names(path: Path) -> tuple[str, ...]:
    """Return the names of the weight files that a `model.json` asks for, relative to its folder.

    Raises:
        BadInputError: It is not of a TF.js model, or a file lies elsewhere.
    """
    manifest = _content(path)["weightsManifest"]
    with _reported(path):
        found = tuple(name for group in manifest for name in _names(group))
        if len(found) > _MAX_FILES:
            raise ValueError(f"{len(found):,} files are too many")
    return found


def read(path: Path) -> TfjsFiles:
    """Read a `model.json`, and check the files of its weights.

    Raises:
        BadInputError: It is not of a TF.js model, a weight file is missing, lies elsewhere or has
            another length, or the model is absurdly large.
    """
    content = _content(path)
    with _reported(path):
        for group in content["weightsManifest"]:
            _check_group(group, path, is_packed="packing" in content)
    return TfjsFiles(path, content)


def _content(path: Path) -> dict[str, Any]:
    content = _json(path)
    topology = content.get("modelTopology")
    if not isinstance(topology, dict) or not isinstance(content.get("weightsManifest"), list):
        raise BadInputError(
            f"{path} is not the model.json of a TF.js model: it has no modelTopology and "
            f"weightsManifest; {_EXPORT}"
        )
    return content


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn the faults of a manifest that are raised in the block into a sentence."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BadInputError(
            f"{path} has a weightsManifest that cannot be read ({type(error).__name__}: "
            f"{str(error)[:80]}); {_EXPORT}"
        ) from error


def files(path: Path) -> tuple[Path, ...]:
    """Return the weight files that a `model.json` names.

    Raises:
        BadInputError: As for :func:`read`.
    """
    read(path)
    return tuple(path.parent / name for name in names(path))


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_TOPOLOGY:
            raise BadInputError(f"{path} is too large for the model.json of a TF.js model")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInputError(
            f"{path} cannot be read: {error.strerror}; check its permissions"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is not JSON; {_EXPORT}") from error
    if not isinstance(content, dict):
        raise BadInputError(f"{path} is not the model.json of a TF.js model; {_EXPORT}")
    return content


def _names(group: dict[str, Any]) -> Iterator[str]:
    for name in group["paths"]:
        parts = PurePosixPath(name).parts
        if "://" in name or "\\" in name or name.startswith("/") or ".." in parts or not parts:
            raise ValueError(f"{name} lies outside the model's folder")
        if any(len(part.encode()) > _LONGEST_NAME for part in parts):
            raise ValueError("a file's name is too long")
        yield name


def _check_group(group: dict[str, Any], path: Path, *, is_packed: bool) -> None:
    """Check that the files of a group exist and are as long as its weights need.

    Raises:
        BadInputError: They do not exist or have another length.
        KeyError, TypeError, ValueError: The manifest is not one.
    """
    there = 0
    for name in _names(group):
        file = path.parent / name
        if not file.is_file() or not file.resolve().is_relative_to(path.parent.resolve()):
            raise BadInputError(
                f"{path} needs the weight file {name} beside it; give the whole folder of the model"
            )
        there += file.stat().st_size
    wanted = sum(_bytes(entry) for entry in group["weights"])
    if is_packed:
        if wanted > _MAX_UNPACKED:
            raise BadInputError(f"{path} has {wanted:,} bytes of weights, which is too much")
    elif wanted != there:
        raise BadInputError(
            f"{path} needs {wanted:,} bytes of weights, but its files have {there:,}; copy them "
            "again"
        )


def _bytes(entry: dict[str, Any]) -> int:
    shape = [int(side) for side in entry["shape"]]
    if any(side < 0 for side in shape) or not isinstance(entry["name"], str):
        raise ValueError("a weight has a negative side or no name")
    if "packed" in entry:
        return int(entry["packed"]["channels"]) + prod(shape)
    stored = entry.get("quantization", entry)["dtype"]
    if stored not in _DTYPES:
        raise ValueError(f"weights of {stored} are not read")
    return prod(shape) * np.dtype(stored).itemsize
