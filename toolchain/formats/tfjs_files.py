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
from toolchain.formats import js_literal
from toolchain.tfjs_graph import weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

NAME = "model.json"
WRAPPED = ("model.min.js", "model.js")
"""The names of a `model.json` that npm packages wrap in JavaScript."""
SCRIPTS = (".min.js", ".js")
"""How the names of files end that hold a model or weights in JavaScript."""
_MORE = 64 << 10  # bytes of JavaScript around wrapped weights; chosen: bundlers write about 1 KiB
MAX_TOPOLOGY = 64 << 20
"""Bytes of a `model.json` at most; chosen: the largest real ones have a few MB."""
_LONGEST_NAME = 255  # bytes, on usual file systems
_MAX_FILES = 4096  # chosen: shards have 4 MB unless their maker wants others
_MAX_UNPACKED = 1 << 30  # bytes of weights in the packed form; chosen: as `archive.MAX_BYTES`
_MAX_NUMBERS = 500_000_000  # as float32, they just fit into a graph of Protocol Buffers: 2 GB
# They mean something else in addresses or on Windows.
_ODD = frozenset('\\:%?#*|<>"')
# Files of the same folder that a weight file must not replace; a download keeps `.etag` files.
_RESERVED = (NAME, "metadata.json")
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
            return weights.decode_weights(self.path.parent, self.content, _unwrapped)


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
        folders = {str(folder) for name in found for folder in PurePosixPath(name).parents}
        if len(set(found)) < len(found) or folders.intersection(found):
            raise ValueError("a file is named twice, or is also a folder")
    return found


def sizes(path: Path) -> tuple[tuple[tuple[str, ...], int], ...]:
    """Return the names of the weight files of each group, and how many bytes they may have.

    Raises:
        BadInputError: As for :func:`names`, or the weights are absurdly large.
    """
    content = _content(path)
    names(path)
    with _reported(path):
        groups = [
            (tuple(_names(group)), sum(map(_bytes, group["weights"])))
            for group in content["weightsManifest"]
        ]
        if sum(size for _, size in groups) > _MAX_UNPACKED:
            raise ValueError(f"more than {_MAX_UNPACKED:,} bytes of weights")
    if "packing" not in content:
        return tuple(groups)
    return tuple((found, _MAX_UNPACKED) for found, _ in groups)


def read(path: Path) -> TfjsFiles:
    """Read a `model.json`, and check the files of its weights.

    Raises:
        BadInputError: It is not of a TF.js model, a weight file is missing, lies elsewhere or has
            another length, or the model is absurdly large.
    """
    content = _content(path)
    names(path)
    with _reported(path):
        numbers = sum(
            prod(int(side) for side in entry["shape"])
            for group in content["weightsManifest"]
            for entry in group["weights"]
        )
        if numbers > _MAX_NUMBERS:
            raise ValueError(f"{numbers:,} numbers are too many")
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
    return tuple(_file(path, name) for name in names(path))


def place_of(path: Path) -> Path:
    """Return the `model.json` of a folder, or its JavaScript; a file is returned as it is."""
    if not path.is_dir():
        return path
    candidates = [path / name for name in (NAME, *WRAPPED)]
    return next((each for each in candidates if each.is_file()), candidates[0])


def _file(path: Path, name: str) -> Path:
    """Return a weight file, or the JavaScript that wraps it."""
    plain = path.parent / name
    if plain.is_file() or not path.name.endswith(SCRIPTS):
        return plain
    wrapped = (plain.with_name(f"{plain.name}{end}") for end in SCRIPTS)
    return next((each for each in wrapped if each.is_file()), plain)


def _unwrapped(file: Path) -> bytes:
    """Return the content of a weight file, or of the JavaScript that wraps it."""
    for end in SCRIPTS:
        script = file.with_name(f"{file.name}{end}")
        if not file.is_file() and script.is_file():
            return js_literal.as_bytes(script.read_bytes())
    return file.read_bytes()


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_TOPOLOGY:
            raise BadInputError(f"{path} is too large for the model.json of a TF.js model")
        text: bytes | str = path.read_bytes()
        if path.name.endswith(SCRIPTS):
            text = js_literal.as_json(path.read_bytes())
        content = json.loads(text)
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
        # The name is also used as it is, so `a//b` and `./a` are not accepted either.
        odd = not name.isprintable() or _ODD.intersection(name) or str(PurePosixPath(name)) != name
        if odd or name.startswith("/") or ".." in parts or not parts:
            raise ValueError(f"{name} lies outside the model's folder")
        if name in _RESERVED or name.endswith(".etag"):
            raise ValueError(f"{name} is the name of another file")
        if any(len(part.encode()) > _LONGEST_NAME for part in parts):
            raise ValueError("a file's name is too long")
        yield name


def _check_group(group: dict[str, Any], path: Path, *, is_packed: bool) -> None:
    """Check that the files of a group exist and are as long as its weights need.

    Raises:
        BadInputError: They do not exist or have another length.
        KeyError, TypeError, ValueError: The manifest is not one.
    """
    there, wanted = 0, sum(_bytes(entry) for entry in group["weights"])
    for name in _names(group):
        file = _file(path, name)
        if not file.is_file() or not file.resolve().is_relative_to(path.parent.resolve()):
            raise BadInputError(
                f"{path} needs the weight file {name} beside it; give the whole folder of the model"
            )
        is_script = file.name != PurePosixPath(name).name
        there += _length(file, wanted) if is_script else file.stat().st_size
    if is_packed:
        if wanted > _MAX_UNPACKED:
            raise BadInputError(f"{path} has {wanted:,} bytes of weights, which is too much")
    elif wanted != there:
        raise BadInputError(
            f"{path} needs {wanted:,} bytes of weights, but its files have {there:,}; copy them "
            "again"
        )


def _length(script: Path, wanted: int) -> int:
    """Return how many bytes of weights some JavaScript wraps.

    Raises:
        ValueError: It is far longer than the wanted number, or wraps none.
    """
    if script.stat().st_size > wanted * 4 // 3 + _MORE:
        raise ValueError(f"{script.name} is too long")
    return len(js_literal.as_bytes(script.read_bytes()))


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
