"""float16 weights: what has no room there stays float32."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import small_graphs
from tests.small_graphs import IMAGES, convolution, head, small, values
from toolchain import tf as tensorflow
from toolchain.quantize.unchanged import difference
from toolchain.tfjs import execute, halves

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("graphs")


def stored(folder: Path) -> dict[str, list[str]]:
    """Return the names of the weights by how they are stored."""
    model = json.loads((folder / "model.json").read_text("utf-8"))
    found: dict[str, list[str]] = {}
    for group in model["weightsManifest"]:
        for entry in group["weights"]:
            kind = entry.get("quantization", entry)["dtype"]
            found.setdefault(kind, []).append(entry["name"])
    return found


def test_an_epsilon_and_a_large_factor_survive(tmp_path: Path) -> None:
    tf = tensorflow.load()

    def call(x: Any) -> Any:
        centred = x - tf.reduce_mean(x, (1, 2), keepdims=True)
        spread = tf.reduce_mean(centred * centred, (1, 2), keepdims=True)
        even = centred * tf.math.rsqrt(spread + 1e-12)
        return head(convolution(x + even)) + tf.reduce_mean(tf.sigmoid(x * 1e6), (1, 2))[:, :1]

    each = small(tmp_path, call, quantization="float16")
    assert difference(each.expected, each.converted) < 2e-3
    flat = np.ones_like(IMAGES)
    found = execute.load(each.folder, "model.json")(flat)
    assert difference(each.call(flat), found) < 2e-3
    kinds = stored(each.folder)
    assert len(kinds["float32"]) == 2
    assert len(kinds["float16"]) >= 2


def test_kernels_and_biases_are_halved_however_small_their_numbers(tmp_path: Path) -> None:
    tf = tensorflow.load()
    bias = values(small_graphs.CHANNELS) * np.float32(1e-6)
    each = small(
        tmp_path,
        lambda x: head(tf.nn.relu(tf.nn.bias_add(convolution(x) * 1e-6, bias))),
        quantization="float16",
    )
    assert "float32" not in stored(each.folder)


@pytest.mark.parametrize(
    ("value", "exact", "kind"),
    [
        (np.array([0.1, -3.0, 0.0], np.float32), True, "float16"),
        (np.array([0.1, 1e-7], np.float32), True, "float32"),
        (np.array([0.1, 1e-7], np.float32), False, "float16"),
        (np.array([70_000.0], np.float32), False, "float32"),
        (np.full(5000, 1e-7, np.float32), True, "float16"),
        (np.array([1, 2], np.int32), True, "int32"),
        (np.zeros((0, 3), np.float32), True, "float16"),
    ],
)
def test_each_constant_is_stored_as_it_can_be(value: Any, exact: bool, kind: str) -> None:
    entry, content = halves.encode("w", value, exact=exact)
    assert entry.get("quantization", entry)["dtype"] == kind
    assert len(content) == value.size * np.dtype(kind).itemsize
    assert entry["shape"] == list(value.shape)
