"""A finished site is run before it is published: in Node, or in TensorFlow without one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny_models
from toolchain.errors import BadInputError
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.smoke_test import node, worker
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

DECLARED = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))


class Listening(Silent):
    """Remembers warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def options(model: Path, folder: Path) -> BuildOptions:
    return BuildOptions(
        request=Request(model=str(model), lockfile=folder / "toolchain.lock.json"),
        out=folder / "site",
        declared=DECLARED,
    )


@pytest.mark.parametrize("with_node", [True, False], ids=["Node", "no Node"])
def test_every_build_runs_its_site(
    with_node: bool,
    tiny: Path,
    tmp_path: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not with_node:
        monkeypatch.setattr(node, "find", lambda: None)
    heard = Listening()
    report = build(options(tiny, tmp_path), store=store, progress=heard)
    (tested,) = report.smoke_tests
    assert tested.by == ("node" if with_node else "python")
    assert (tested.page_difference is not None) == with_node
    assert tested.same_first == tested.pictures == 3
    said = [each for each in heard.warnings if "no Node here" in each]
    assert len(said) == (not with_node)
    again = build(options(tiny, tmp_path), store=store, progress=Listening())
    (stage,) = (stage for stage in again.stages if stage.name == "smoke test")
    assert again.smoke_tests == report.smoke_tests
    assert stage.reused


def test_photos_that_are_given_are_shown_to_the_page_too(
    tiny: Path, tmp_path: Path, store: Store
) -> None:
    random = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(3):
        pixels = random.integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    weights = QuantizeSettings(recipe="int8", calibration=tmp_path / "photos")
    asked = replace(options(tiny, tmp_path), weights=weights)
    report = build(asked, store=store, progress=Silent())
    (tested,) = report.smoke_tests
    assert (tested.pictures, tested.photos) == (3, 2)
    assert tested.page_difference is not None
    assert tested.page_difference < 1e-4


def test_a_graph_that_no_browser_runs_is_refused_before_its_weights_are_compressed(
    tmp_path: Path, store: Store
) -> None:
    from toolchain import tf as tensorflow

    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 8, seed=1)
    matrix = tiny_models.weights(8, 5, seed=2)

    def call(image: Any) -> Any:
        # TF.js runs a convolution with strides or with dilations, not with both.
        seen = tf.nn.conv2d(image, kernel, 2, "SAME", dilations=2)
        return {"scores": tf.reduce_mean(tf.nn.relu(seen), (1, 2)) @ matrix}

    model = tiny_models.save(tmp_path / "mine", call, {"image": tiny_models.IMAGE}, kernel, matrix)
    with pytest.raises(BadInputError, match=r"^mine cannot run in a browser: Conv2D .*at once"):
        build(options(model, tmp_path), store=store, progress=Silent())
    assert not (tmp_path / "site").exists()


def test_node_says_in_a_clause_why_a_worker_failed(
    tiny: Path, tmp_path: Path, store: Store
) -> None:
    from toolchain.errors import ToolchainError
    from toolchain.site import web_bundle
    from toolchain.site.page_files import PageFiles

    build(options(tiny, tmp_path), store=store, progress=Silent())
    site = tmp_path / "site"
    (weights,) = (site / "model").glob("*.bin")
    (contract,) = site.glob("contract.*.bin")
    (script,) = (site / "assets").glob("worker-*.js")
    (wasm,) = (site / "assets").glob("*-simd-*.wasm")
    weights.write_bytes(weights.read_bytes()[:-8])
    files = PageFiles(
        worker=str(script.relative_to(site)),
        wasm=str(wasm.relative_to(site)),
        contract=contract.name,
        weights=(str(weights.relative_to(site)),),
    )
    found = node.find()
    assert found is not None
    with pytest.raises(ToolchainError, match="length") as raised:
        worker.answers(
            found, web_bundle.worker_host(), site, files, np.zeros((1, 32, 32, 3), np.uint8)
        )
    assert "\n" not in str(raised.value)
