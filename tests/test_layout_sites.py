"""Sites of models that take photos in other layouts, and of a frozen graph, tag as the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from tests.test_any_model import converted, page_scores
from tests.test_frozen_graph import graph_of, plain, run, written
from tests.test_layout import of_layout
from toolchain import tf as tensorflow
from toolchain.graph.running import probe_pictures
from toolchain.records.card import Declared

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

SIDE = tiny_models.SIDE
DECLARED = Declared(labels=tiny_models.names(), value_range=(0.0, 255.0))
WITHIN = 1e-3


def pictures() -> np.ndarray[Any, Any]:
    return np.rint(probe_pictures(SIDE, SIDE, count=2, seed=9)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "colours"])
@pytest.mark.parametrize("is_first", [False, True], ids=["last", "first"])
def test_the_page_feeds_a_photo_as_the_model_takes_it(
    channels: int, is_first: bool, tmp_path: Path, session_store: Store
) -> None:
    tf = tensorflow.load()
    shape = (None, channels, SIDE, SIDE) if is_first else (None, SIDE, SIDE, channels)
    folder = of_layout(tmp_path / "mine", shape)
    model = converted(folder, DECLARED, session_store)
    fed = tf.constant(pictures().astype(np.float32))
    fed = tf.image.rgb_to_grayscale(fed) if channels == 1 else fed
    fed = tf.transpose(fed, (0, 3, 1, 2)) if is_first else fed
    loaded = tf.saved_model.load(str(folder))
    expected = tf.nn.softmax(loaded.signatures["serving_default"](image=fed)["scores"]).numpy()
    assert expected.std() > 0.01
    shown = page_scores(model, tmp_path / "site", pictures())
    np.testing.assert_allclose(shown, expected, atol=WITHIN)


def test_the_page_of_a_frozen_graph_says_what_a_session_says(
    tmp_path: Path, session_store: Store
) -> None:
    graph_def = graph_of(plain)
    said = Declared(value_range=(0.0, 1.0)).over(DECLARED)
    model = converted(written(tmp_path / "mine.pb", graph_def), said, session_store)
    fed = pictures().astype(np.float32) / 255
    expected = run(graph_def, "photo:0", "scores:0", fed)
    assert expected.std() > 0.01
    shown = page_scores(model, tmp_path / "site", pictures())
    np.testing.assert_allclose(shown, expected, atol=WITHIN)
