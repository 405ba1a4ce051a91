"""Compares a rebuilt network with what TFLite's own interpreter computes.

The interpreter rounds what each layer of an integer network computes, and these errors add up: a
right network can differ in its scores by as much as a wrong one. So each layer is compared alone.
It gets the interpreter's own input, and has to give the interpreter's output to within a few steps
of its integers. The scores are compared too where the file computes with floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError
from toolchain.formats import open_batch, tflite_call, tflite_interpreter
from toolchain.formats.tflite_file import KINDS, WAY_OUT
from toolchain.text import brief, printable

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.formats.tflite_call import Call
    from toolchain.formats.tflite_file import Tensor
    from toolchain.formats.tflite_network import Network

_SAME = 1e-3  # of the largest number, if that is above 1; as the house compares scores
_STEPS = 2.0  # of a result's integers
_FINE_STEPS = 1e-3  # of a range of 16 bits, whose steps are finer than the interpreter's tables
_HYBRID = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL")
_LEVELS = 127  # to which the interpreter rounds the floats that meet integer weights
_SPANS = ((-1.0, 1.0), (0.0, 255.0))  # of the pictures, where the file does not tell


def photos_for(tensor: Tensor, shape: tuple[int, ...], span: tuple[float, float] | None) -> Any:
    """Return pictures of noise to compare with, in the kind of numbers of an input.

    Args:
        tensor: The input.
        shape: Its shape, for one photo.
        span: The least and the greatest number of a photo; None if that is not known.
    """
    random = np.random.default_rng(0)
    if tensor.kind in tflite_call.COARSE:
        least, greatest = tflite_call.COARSE[tensor.kind]
        return random.integers(least, greatest, (2, *shape), endpoint=True).astype(
            KINDS[tensor.kind]
        )
    spans = (span, span) if span else _SPANS
    return np.stack([random.uniform(*each, shape) for each in spans]).astype(np.float32)


def compare(
    path: Path,
    network: Network,
    photo: int,
    photos: Any,
    written: tuple[Any, str, dict[int, str]],
) -> None:
    """Compare a rebuilt network with TFLite's interpreter.

    Args:
        path: The file.
        network: Its operators.
        photo: The index of the tensor that takes the photo.
        photos: What to compare with, from :func:`photos_for`.
        written: The `GraphDef` that was written, the name of its input, and the names of its
            outputs by the index of the file's tensor.

    Raises:
        BadInputError: They differ, or the interpreter fails.
    """
    graph_def, image, outputs = written
    # What does not depend on the photo is checked by the layers that read it.
    steps = [step for step in network.steps if not network.known.keys() >= set(step.outputs)]
    computed = {at for step in steps for at in step.outputs}
    wanted = {at for at in computed | network.read if network.tensor(at).bytes is None}
    wanted = (wanted | set(outputs)) - network.known.keys()
    try:
        first, last = tflite_interpreter.answers(path, photo, photos, wanted)
    except tflite_interpreter.InterpreterError as error:
        raise BadInputError(
            f"{path} cannot be run by TFLite's interpreter ({printable(str(error))}), so it cannot "
            f"be compared with it; {WAY_OUT}"
        ) from error
    values = {at: tflite_call.meant(network.tensor(at), found) for at, found in last.items()}
    values |= network.known
    for step in steps:
        call = network.call(step, values)
        for result, made in zip(call.results, network.results(call), strict=True):
            _compare_layer(path, call, result, np.asarray(made), values[result.index])
    if any(network.tensor(at).kind in tflite_call.COARSE for at in computed | network.read):
        return
    for answer, given in zip((first, last), photos, strict=True):
        found = open_batch.answers(graph_def, image, list(outputs.values()), given)
        for at, made in zip(outputs, found, strict=True):
            expected = answer[at]
            if made.shape != expected.shape or not _is_close(made, expected, _allowed(expected)):
                raise BadInputError(
                    f"{path} gives other scores here than in TFLite's interpreter, so it is not "
                    f"read; {WAY_OUT}"
                )


def _compare_layer(path: Path, call: Call, result: Tensor, made: Any, expected: Any) -> None:
    if made.shape == expected.shape:
        if not np.issubdtype(expected.dtype, np.floating):
            allowed, is_same = 0.0, bool((made == expected).all())
        else:
            allowed = _tolerance(call, result, expected)
            if limits := tflite_call.limits_of(result):
                made = np.clip(made, limits[0], limits[1])
            is_same = _is_close(made, expected, allowed)
        if is_same:
            return
        away = np.abs(made.astype(np.float64) - expected).max()
        how = f"numbers that are off by {away:.3g} where {allowed:.3g} is rounding"
    else:
        how = f"the shape {list(made.shape)} for {list(expected.shape)}"
    raise BadInputError(
        f"{path} is not read, because its operator {call.step.kind} ({brief(result.name)}) has "
        f"here {how}, compared with TFLite's interpreter; {WAY_OUT}"
    )


def _is_close(made: Any, expected: Any, allowed: float) -> bool:
    return bool(np.allclose(made, expected, rtol=0, atol=allowed, equal_nan=True))


def _allowed(expected: Any) -> float:
    return _SAME * max(1.0, float(np.abs(expected).max(initial=0)))


def _tolerance(call: Call, result: Tensor, expected: Any) -> float:
    """Return by how much an operator's result may differ from the interpreter's."""
    limits = tflite_call.limits_of(result)
    if limits:
        low, high, step = limits
        fine = _FINE_STEPS * (high - low) if result.kind == "INT16" else 0.0
        return max(_STEPS * step, fine)
    weights = call.tensors[1] if len(call.tensors) > 1 else None
    if call.step.kind not in _HYBRID or weights is None or weights.kind not in tflite_call.COARSE:
        return _allowed(expected)
    # The interpreter rounds the floats of the input to 8 bits before it multiplies. The greatest
    # error is half a step for each weight.
    half = np.abs(call.need(0)).max(initial=0) / _LEVELS / 2
    channels = 0
    if call.step.kind == "DEPTHWISE_CONV_2D":
        channels = -1
    elif call.step.kind == "BATCH_MATMUL":
        channels = -2 if call.option("AdjY") else -1
    sums = np.abs(np.moveaxis(call.constant(1), channels, 0))
    return _allowed(expected) + float(half * sums.reshape(len(sums), -1).sum(1).max(initial=0))
