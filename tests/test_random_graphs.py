"""Random small classifiers compute the same in all the forms that they pass through.

Source, converted graph, canonical graph and packed artifacts, in Python and on TF.js'
WebAssembly backend. The same graphs every time; `TOOLCHAIN_GRAPHS=500` tries as many.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import random_graphs, small_graphs, tfjs_wasm
from toolchain import tf as tensorflow
from toolchain.progress import Silent
from toolchain.quantize import canonical, quantizer, sensitivity, writing
from toolchain.quantize.judge import outputs
from toolchain.quantize.unchanged import difference
from toolchain.tfjs import execute
from toolchain.tfjs.convert import convert

if TYPE_CHECKING:
    from pathlib import Path

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("graphs")

COUNT = 32
VARIED = (0, 1, 4, 6, 8, 10, 16, 18, 20, 22, 28, 29, 30)
"""As few seeds below `COUNT` as make every kind of part that all of them make."""
SEEDS = range(int(os.environ["TOOLCHAIN_GRAPHS"])) if "TOOLCHAIN_GRAPHS" in os.environ else VARIED
IMAGES = small_graphs.IMAGES
CLOSE = 1e-4  # of the largest output: sums in another order, through a few layers
HALF = 5e-3  # the same where constants are float16, which keeps eleven bits
_FINEST = 1e-9  # a coarseness at which every step is the finest that a byte has room for
_SHARD = 4 << 20


@dataclass(frozen=True)
class Forms:
    """What one classifier gives for the same images in each of its forms."""

    seed: int
    story: str
    source: Array
    converted: Array
    canonical: Array
    rounded: Array
    """The canonical graph with rounded kernels."""
    packed: Array
    allowed: float
    """How far rounding may move the answer: the sum of what the plan says of each tensor."""
    converted_folder: Path
    unpacked_folder: Path


def forms(seed: int, folder: Path) -> Forms:
    """Make one classifier in all its forms."""
    call, story = random_graphs.saved_model(folder / "source", seed)
    source = call(IMAGES)
    convert(
        folder / "source",
        folder / "converted",
        signature="serving_default",
        quantization="none",
        shard_bytes=_SHARD,
    )
    read = canonical.read(folder / "converted", "model.json")
    felt = sensitivity.measure(read, IMAGES[:1], seed=seed, progress=Silent())
    quantiser = quantizer.Quantizer(read, IMAGES, felt, seed=seed, progress=Silent())
    result = quantiser.run(_FINEST, Silent())
    (folder / "packed").mkdir()
    writing.write(
        read.with_weights(result.biases),
        result.kernels,
        folder / "packed",
        form="packed",
        shard_bytes=_SHARD,
    )
    return Forms(
        seed,
        story,
        source,
        converted=execute.load(folder / "converted", "model.json")(IMAGES),
        canonical=outputs(read, IMAGES),
        rounded=outputs(result.applied_to(read), IMAGES),
        packed=execute.load(folder / "packed", "model.json")(IMAGES),
        allowed=sum(tensor.error for tensor in result.tensors),
        converted_folder=folder / "converted",
        unpacked_folder=tfjs_wasm.unpacked(folder / "packed", "model.json", folder / "unpacked"),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Forms]:
    return [forms(seed, tmp_path_factory.mktemp("graph")) for seed in SEEDS]


def kinds(seed: int) -> set[str]:
    """Return the kinds of parts that the graph of a seed consists of."""
    maker = random_graphs.Maker(seed)
    maker.plan()
    return {re.sub(r"[\d(].*", "", part).strip() for part in maker.story}


def test_few_graphs_have_every_kind_of_part() -> None:
    assert set().union(*map(kinds, VARIED)) == set().union(*map(kinds, range(COUNT)))


def test_the_converted_graph_computes_what_its_source_does(made: list[Forms]) -> None:
    moved = {
        (each.seed, each.story): by
        for each in made
        if not (by := difference(each.source, each.converted)) < CLOSE
    }
    assert moved == {}


def test_the_canonical_graph_computes_what_the_converted_one_does(made: list[Forms]) -> None:
    moved = {
        (each.seed, each.story): by
        for each in made
        if not (by := difference(each.converted, each.canonical)) < CLOSE
    }
    assert moved == {}


def test_rounding_moves_the_answer_by_no_more_than_the_plan_says(made: list[Forms]) -> None:
    moved = {
        (each.seed, each.story): (by, each.allowed)
        for each in made
        if not (by := difference(each.canonical, each.rounded)) <= each.allowed
    }
    assert moved == {}
    assert all(each.allowed < 0.5 for each in made)


def test_packed_artifacts_compute_what_was_rounded(made: list[Forms]) -> None:
    moved = {
        (each.seed, each.story): by
        for each in made
        if not (by := difference(each.rounded, each.packed)) < HALF
    }
    assert moved == {}


@pytest.mark.parametrize("form", ["converted", "packed"])
def test_webassembly_computes_what_python_does(
    made: list[Forms], tmp_path: Path, form: str
) -> None:
    packed = form == "packed"
    folders = [each.unpacked_folder if packed else each.converted_folder for each in made]
    wrong: dict[tuple[int, str], Any] = {}
    for each, answer in zip(made, tfjs_wasm.outputs(folders, IMAGES, tmp_path), strict=True):
        expected = each.packed if packed else each.converted
        by = answer if isinstance(answer, str) else difference(expected, answer)
        if isinstance(by, str) or not by < CLOSE:
            wrong[each.seed, each.story] = by
    assert wrong == {}


def test_an_epsilon_that_float16_has_no_room_for_stays(tmp_path: Path) -> None:
    tf = tensorflow.load()

    def call(x: Any) -> Any:
        # Of a constant picture nothing is left but the epsilon.
        centred = x - tf.reduce_mean(x, (1, 2), keepdims=True)
        spread = tf.reduce_mean(centred * centred, (1, 2), keepdims=True)
        return small_graphs.head(
            small_graphs.convolution(x + centred * tf.math.rsqrt(spread + 1e-12))
        )

    each = small_graphs.small(tmp_path, call)
    read = canonical.read(each.folder, "model.json")
    flat = np.ones_like(IMAGES)
    felt = {layer.name: np.ones(read.weights[layer.bias].shape) for layer in read.layers}
    result = quantizer.Quantizer(read, IMAGES, felt, seed=0, progress=Silent()).run(
        _FINEST, Silent()
    )
    (tmp_path / "packed").mkdir()
    network_ = read.with_weights(result.biases)
    writing.write(network_, result.kernels, tmp_path / "packed", form="packed", shard_bytes=_SHARD)
    found = execute.load(tmp_path / "packed", "model.json")(flat)
    assert difference(outputs(result.applied_to(read), flat), found) < HALF
