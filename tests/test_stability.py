"""A model whose scores depend on rounding is told from one that was converted wrongly."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests import tiny_models
from tests.small_graphs import convolution, head, values
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, ToolchainError
from toolchain.graph import classifier, reference, stability
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources import local
from toolchain.tfjs import converter_passes
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.sources.saved_model import Fetched

pytestmark = pytest.mark.xdist_group("graphs")


def norm(x: Any) -> Any:
    tf = tensorflow.load()
    gamma, beta, mean = (values(x.shape[-1], seed=1 + part, mean=1.0) for part in range(3))
    variance = abs(values(x.shape[-1], seed=7)) + 0.1
    return tf.compat.v1.nn.fused_batch_norm(
        x, gamma, beta, mean, variance, 1e-3, is_training=False
    )[0]


def twice_read(x: Any) -> Any:
    """Read a convolution with BatchNorm and without: the converter's own pass confuses them."""
    y = convolution(x)
    return head(norm(y) + y)


def chaotic(x: Any) -> Any:
    """Compute the logistic map, which doubles a difference sixty times."""
    tf = tensorflow.load()
    x = tf.sigmoid(tf.reduce_mean(norm(convolution(x)), (1, 2)))
    for _ in range(60):
        x = 4.0 * x * (1.0 - x)
    return x @ values(x.shape[-1], tiny_models.CLASSES, seed=9) * 4.0


def fetched(call: Callable[[Any], Any], folder: Path, store: Store) -> Fetched:
    made = tiny_models.save(
        folder, lambda image: {"scores": call(image)}, {"image": (1, 16, 16, 3)}
    )
    found = local.fetch(made, store=store, progress=Silent())
    declared = Declared(labels=tiny_models.names(), value_range=(0, 1))
    return replace(found, declared=declared.over(found.declared))


def converted(model: Fetched, store: Store) -> Any:
    return tfjs.run(model, quantization="none", shard_bytes=1 << 22, store=store, progress=Silent())


def test_a_model_whose_scores_depend_on_rounding_is_refused_as_such(
    tmp_path: Path, store: Store
) -> None:
    with pytest.raises(
        BadInputError,
        match=r"^model cannot be built: a score changes by 0\.\d+ if its weights are rounded to "
        r".* untrained weights do this",
    ):
        converted(fetched(chaotic, tmp_path / "model", store), store)


def test_a_steady_model_that_is_converted_wrongly_is_not_blamed(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fetched(twice_read, tmp_path / "model", store)
    assert converted(model, store)
    monkeypatch.setattr(converter_passes, "guarded", lambda _: nullcontext())
    again = replace(model, declared=model.declared.model_copy(update={"name": "again"}))
    with pytest.raises(ToolchainError, match=r"differs from the model itself by .* please report"):
        converted(again, store)


def test_rounding_moves_a_steady_model_by_rounding(tmp_path: Path, store: Store) -> None:
    with tensorflow.quiet():
        read = classifier.read(fetched(twice_read, tmp_path / "model", store))
    asked = reference.take(read)
    moved = stability.moved_by_rounding(read, asked.images(read.card), asked.scores)
    assert 0 < moved < 1e-5
