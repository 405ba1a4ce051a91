"""Converts a SavedModel to a TF.js graph model with the `tensorflowjs` converter's Python API."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, ToolchainError
from toolchain.tfjs import biases, converter, converter_passes, halves
from toolchain.tfjs.shards import SHARD_BYTES

if TYPE_CHECKING:
    from pathlib import Path

Quantization = Literal["none", "float16", "uint16", "uint8"]
QUANTIZATIONS: tuple[Quantization, ...] = get_args(Quantization)


@dataclass(frozen=True)
class Stored:
    """Setting: store weights as the converter does."""

    quantization: Quantization = "float16"
    shard_bytes: int = SHARD_BYTES
    """The largest size of one file of weights."""

    @property
    def name(self) -> str:
        """The word for this setting on the command line."""
        return self.quantization


UINT8_WARNING = (
    "uint8 keeps one scale for each whole tensor and costs accuracy that nothing recovers: "
    "measured on 1,000 photos, MobileNetV2 1.0 falls from 89.5 % top-1 to 1.7 %, MobileNetV1 "
    "0.25 from 59.1 % to 0.5 %, EfficientNet-Lite0 from 88.8 % to 82.5 %; float16 costs 0.2 "
    "points at most"
)


def convert(
    saved_model: Path,
    folder: Path,
    *,
    name: str | None = None,
    signature: str = "serving_default",
    quantization: Quantization,
    shard_bytes: int,
) -> None:
    """Write a TF.js graph model: `model.json` and its weight shards.

    Args:
        saved_model: The SavedModel's folder.
        folder: The folder to write to; an existing one is replaced.
        name: How messages name the model; None for its path.
        signature: Name of the signature to convert.
        quantization: How the weights are stored. The converter's `uint8` and `uint16` have one
            scale and zero point for each tensor, biases included. `float16` leaves weights that
            do not fit into it as float32 (`halves.py`).
        shard_bytes: The largest size of one weight file.

    Raises:
        BadInputError: The graph has operations that TF.js lacks; they are named.
        ToolchainError: The converter is missing, or failed for another reason.
    """
    name = name or str(saved_model)
    shutil.rmtree(folder, ignore_errors=True)
    by_converter = quantization in ("uint16", "uint8")
    with tensorflow.quiet():
        tensorflow.load()
        with tensorflow.importing():
            tensorflowjs = converter.load()
    try:
        with tensorflow.quiet(), converter_passes.guarded(tensorflowjs):
            tensorflowjs.convert_tf_saved_model(
                str(saved_model),
                str(folder),
                signature_def=signature,
                quantization_dtype_map={quantization: "*"} if by_converter else None,
                weight_shard_size_bytes=shard_bytes,
            )
    except Exception as error:
        # The converter and TensorFlow raise most of Python's exceptions.
        if unsupported := re.search(r"Unsupported Ops[^\n]*\n(.+)", str(error)):
            raise BadInputError(
                f"{name} uses operations that TF.js lacks: {unsupported[1].strip()}; "
                "replace them in the model"
            ) from error
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ToolchainError(
            f"{name} could not be converted to TF.js: {reason[0]}; --debug shows where"
        ) from error
    biases.mend(folder, shard_bytes=shard_bytes)
    if quantization == "float16":
        halves.store(folder, shard_bytes=shard_bytes)
