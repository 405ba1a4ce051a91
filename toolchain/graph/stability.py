"""Tells a network that another rounding of its weights changes from one that was converted wrongly.

Every conversion rounds some weights anew, because factors are folded into kernels, and browsers
add in another order. In a trained network that moves a score by 1e-5. Where activations grow from
layer to layer, as with untrained weights, each layer may enlarge the difference tenfold. Then
nothing gives the source's scores but the source itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, ToolchainError
from toolchain.graph import ending
from toolchain.metrics.scores import scores_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.graph.classifier import Classifier

    Array = np.ndarray[Any, Any]


@contextmanager
def explaining(model: Classifier, images: Array, scores: Array, within: float) -> Iterator[None]:
    """Compare scores in this block: if they differ and the model is unstable, the error says so.

    The model is tested only after the block has failed.

    Args:
        model: The source model.
        images: Its inputs, float32 `[n, height, width, 3]`.
        scores: Its scores for them, float32 `[n, classes]`.
        within: How much a score may differ.

    Raises:
        BadInputError: The block raised a `ToolchainError`, and another rounding of the weights
            moves one of the model's own scores by more than `within`.
    """
    try:
        yield
    except ToolchainError as error:
        if (moved := moved_by_rounding(model, images, scores)) <= within:
            raise
        raise BadInputError(
            f"{model.card.provenance.source} cannot be built: a score changes by {moved:.2g} if "
            "its weights are rounded to the next float32 number, so a browser would show other "
            "tags; untrained weights do this, so check that the file holds the trained ones"
        ) from error


def moved_by_rounding(model: Classifier, images: Array, scores: Array) -> float:
    """Return how much a score moves if every weight becomes the next float32 number.

    Args:
        model: The source model.
        images: Its inputs, float32 `[n, height, width, 3]`.
        scores: Its scores for them, float32 `[n, classes]`.

    Returns:
        The largest difference; each weight is rounded up or down at random.
    """
    tf = tensorflow.load()
    random = np.random.default_rng(0)
    graph_def = type(model.converted.graph_def)()
    graph_def.CopyFrom(model.converted.graph_def)
    for node in graph_def.node:
        if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
            weights = tf.make_ndarray(node.attr["value"].tensor)
            towards = random.choice(np.array([-np.inf, np.inf], np.float32), weights.shape)
            moved = np.nextafter(weights, towards)
            # Zeros and infinities stay: they mean "nothing", as in padding, and "no limit".
            kept = (weights == 0) | ~np.isfinite(weights) | ~np.isfinite(moved)
            moved = np.where(kept, weights, moved)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(moved, shape=weights.shape))
    outputs = ending.answers(replace(model.converted, graph_def=graph_def), images)
    rounded = scores_of(outputs, model.ending.converted)
    return float(np.abs(np.asarray(scores, np.float64) - rounded).max())
