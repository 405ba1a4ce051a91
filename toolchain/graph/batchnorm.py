"""Reads activation statistics from BatchNorm layers, before the converter folds them away.

A BatchNorm layer holds the mean and variance that its input had in training. So each channel of
its output has the mean beta and the standard deviation |gamma|. These are the only traces of the
training photos in a model, and quantisation without photos is based on them (Nagel et al. 2019,
arXiv:1906.04721, § 4.2). Two forms are read: the operation `FusedBatchNormV3`, and the products
and sums that Keras 3 exports.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolchain.graph.frozen import Frozen

    Array = np.ndarray[Any, Any]

_LAYERS = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul"})
_PASSED_THROUGH = frozenset({"Identity", "ReadVariableOp"})
_SUMS = frozenset({"Add", "AddV2"})


@dataclass(frozen=True)
class Normalised:
    """A layer that is followed by a BatchNorm.

    The converter renames layers, so a layer is identified by its kernel: the kernel's shape and,
    for each output channel, the norm of its weights after folding.
    """

    shape: tuple[int, ...]
    """Shape of the kernel."""
    norms: Array
    """Norms of each output channel's weights after folding, float32 `[channels]`."""
    means: Array
    """Means of BatchNorm's output, float32 `[channels]`."""
    deviations: Array
    """Standard deviations of BatchNorm's output, float32 `[channels]`."""


def read(frozen: Frozen) -> tuple[Normalised, ...]:
    """Return the layers that are directly followed by a BatchNorm.

    Args:
        frozen: The signature's graph.
    """
    return tuple(_Graph(frozen.graph_def).normalised())


def save(layers: Sequence[Normalised], path: Path) -> None:
    """Write layers as an `.npz` file."""
    arrays = {
        f"{place}/{field}": np.asarray(getattr(layer, field))
        for place, layer in enumerate(layers)
        for field in ("shape", "norms", "means", "deviations")
    }
    # In memory first: on a full disk, NumPy would raise a second error when it closes its file.
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())


def load(path: Path) -> tuple[Normalised, ...]:
    """Read what :func:`save` wrote."""
    with np.load(path) as arrays:
        return tuple(
            Normalised(
                tuple(int(size) for size in arrays[f"{place}/shape"]),
                *(arrays[f"{place}/{field}"] for field in ("norms", "means", "deviations")),
            )
            for place in range(len(arrays.files) // 4)
        )


def norms(kernel: Array, channels: int) -> Array:
    """Return the norm of each output channel's weights, float32 `[channels]`."""
    lengths: Array = np.linalg.norm(kernel.reshape(-1, channels), axis=0)
    return lengths.astype(np.float32)


class _Graph:
    """A frozen graph, without the nodes that only pass a tensor on."""

    def __init__(self, definition: Any) -> None:
        self._nodes = {node.name: node for node in definition.node}
        self._readers: dict[str, list[Any]] = {}
        for node in definition.node:
            if node.op not in _PASSED_THROUGH:
                for source in self._inputs(node):
                    self._readers.setdefault(source.name, []).append(node)

    def normalised(self) -> Iterator[Normalised]:
        for node in self._nodes.values():
            if node.op not in _LAYERS:
                continue
            kernel = self._constant(self._inputs(node)[1])
            found = self._batchnorm_behind(node)
            if kernel is None or found is None:
                continue
            gamma, beta, variance, epsilon = found
            # Only a BatchNorm with one entry for each channel of the layer can be folded.
            if not beta.size == gamma.size == variance.size:
                continue
            channels = beta.size
            if kernel.size % channels:
                continue
            scale = gamma / np.sqrt(variance + epsilon)
            yield Normalised(
                shape=kernel.shape,
                norms=norms(kernel.reshape(-1, channels) * scale, channels),
                means=beta.astype(np.float32),
                deviations=(np.abs(scale) * np.sqrt(variance)).astype(np.float32),
            )

    def _batchnorm_behind(self, layer: Any) -> tuple[Array, Array, Array, float] | None:
        """Return gamma, beta, variance and epsilon of the BatchNorm that reads a layer."""
        reader = self._only_reader(layer)
        if reader is not None and reader.op == "BiasAdd":
            layer, reader = reader, self._only_reader(reader)
        if reader is None:
            return None
        if reader.op == "FusedBatchNormV3":
            gamma, beta, _, variance = map(self._constant, self._inputs(reader)[1:5])
            if gamma is None or beta is None or variance is None:
                return None
            return gamma.ravel(), beta.ravel(), variance.ravel(), reader.attr["epsilon"].f
        return self._decomposed(layer, reader) if reader.op == "Mul" else None

    def _decomposed(self, layer: Any, product: Any) -> tuple[Array, Array, Array, float] | None:
        """Read `x * s + (beta - mean * s)` with `s = gamma * rsqrt(variance + epsilon)`."""
        sum_ = self._only_reader(product)
        if sum_ is None or sum_.op not in _SUMS:
            return None
        scale = self._other(product, layer)
        shift = self._other(sum_, product)
        gamma: Array | None = None
        root = scale
        if scale.op == "Mul":
            first, second = self._inputs(scale)
            root, factor = (first, second) if first.op == "Rsqrt" else (second, first)
            gamma = self._constant(factor)
        beta = self._constant(self._inputs(shift)[0]) if shift.op == "Sub" else None
        if root.op != "Rsqrt" or beta is None:
            return None
        inner = self._inputs(root)[0]
        terms = [
            value for term in self._inputs(inner) if (value := self._constant(term)) is not None
        ]
        if inner.op not in _SUMS or len(terms) != len(inner.input):
            return None
        epsilon, variance = sorted(terms, key=lambda term: term.size)
        if gamma is None:
            gamma = np.ones_like(variance)
        return gamma.ravel(), beta.ravel(), variance.ravel(), float(epsilon.ravel()[0])

    def _inputs(self, node: Any) -> list[Any]:
        return [self._source(name) for name in node.input if not name.startswith("^")]

    def _source(self, name: str) -> Any:
        node = self._nodes[name.partition(":")[0]]
        while node.op in _PASSED_THROUGH:
            node = self._nodes[node.input[0].partition(":")[0]]
        return node

    def _other(self, node: Any, known: Any) -> Any:
        first, second = self._inputs(node)
        return second if first.name == known.name else first

    def _only_reader(self, node: Any) -> Any | None:
        readers = self._readers.get(node.name, [])
        return readers[0] if len(readers) == 1 else None

    def _constant(self, node: Any) -> Array | None:
        if node.op != "Const":
            return None
        value: Array = tensorflow.load().make_ndarray(node.attr["value"].tensor)
        return value
