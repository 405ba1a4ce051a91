"""The weights of a TF.js model: their manifest in `model.json`, and their values in the shards."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.tfjs_graph import packing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Array = np.ndarray[Any, Any]


def decode_weights(
    folder: Path, model: dict[str, Any], read: Callable[[Path], bytes] | None = None
) -> dict[str, Array]:
    """Read the shards and decode each weight as TF.js does (`io_utils.ts`, `decodeWeights`).

    Args:
        folder: The folder of the shards.
        model: The parsed `model.json`.
        read: Returns the content of the file at a path; None to read it as it is.

    Returns:
        Arrays by weight name; quantised weights are float32 `scale * value + min`, computed in
        double precision and rounded once, as in JavaScript.

    Raises:
        BadInputError: A shard is missing, damaged, or has another length than in the manifest.
    """
    weights: dict[str, Array] = {}
    packed = model.get("packing", {})
    if packed and (packed.get("schema"), packed.get("encoding")) not in packing.READABLE:
        raise BadInputError(
            f"the weights in {folder} are packed by another version; build the site again"
        )
    scales = np.array(packed.get("scales", ()), np.float32)
    for group in model["weightsManifest"]:
        try:
            data = b"".join(
                (folder / shard).read_bytes() if read is None else read(folder / shard)
                for shard in group["paths"]
            )
        except OSError as error:
            raise BadInputError(f"the weight file {error.filename} cannot be read") from error
        if packed:
            length = sum(_stored_bytes(entry) for entry in group["weights"])
            data = packing.decompress(data, length, " + ".join(group["paths"]))
        offset = 0
        for entry in group["weights"]:
            end = offset + _stored_bytes(entry)
            if end > len(data):
                raise BadInputError(f"the weights in {folder} are cut off at {entry['name']}")
            if "packed" in entry:
                weights[entry["name"]] = packing.unpack(entry, data[offset:end], scales)
            else:
                values = np.frombuffer(data[offset:end], _stored_dtype(entry))
                weights[entry["name"]] = _dequantise(values.reshape(entry["shape"]), entry)
            offset = end
        if offset != len(data):
            raise BadInputError(f"the weights in {folder} are longer than their manifest says")
    return weights


def _stored_bytes(entry: dict[str, Any]) -> int:
    size = prod(int(side) for side in entry["shape"])
    if "packed" in entry:
        return int(entry["packed"]["channels"]) + size
    return _stored_dtype(entry).itemsize * size


def _stored_dtype(entry: dict[str, Any]) -> np.dtype[Any]:
    stored = entry.get("quantization", entry)["dtype"]
    return np.dtype(np.bool_ if stored == "bool" else stored).newbyteorder("<")


def _dequantise(values: Array, entry: dict[str, Any]) -> Array:
    quantization = entry.get("quantization")
    if quantization is None:
        return values
    if "scale" in quantization:
        scaled: Array = values.astype(np.float64) * quantization["scale"] + quantization["min"]
        if entry["dtype"] == "int32":
            rounded: Array = np.floor(scaled + 0.5)  # `Math.round`
            return rounded.astype(np.int32)
        return scaled.astype(np.float32)
    return values.astype(np.float32)


def constant_shapes(model: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights of a parsed `model.json`, by name."""
    return {
        entry["name"]: tuple(int(side) for side in entry["shape"])
        for group in model["weightsManifest"]
        for entry in group["weights"]
    }
