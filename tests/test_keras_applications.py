"""Models of `keras.applications` by name: Keras' own network with weights from a mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import mirror as hub
from tests.mirror import Mirror, Reply
from tests.test_kaggle import POLICY
from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, SourceError
from toolchain.progress import Silent
from toolchain.sources import keras_applications, resolve
from toolchain.sources.request import Request, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLACE = "/tensorflow/keras-applications/"
# Keras names no checksum for the first of these.
MOBILENET = f"{PLACE}mobilenet/mobilenet_1_0_224_tf.h5"
SMALL = f"{PLACE}mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float.h5"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with hub.running() as server:
        monkeypatch.setenv(keras_applications.MIRROR, server.address)
        yield server


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[[str], Any]:
    def fetched(handle: str) -> Any:
        request = Request(handle, lockfile=tmp_path / "toolchain.lock.json", policy=POLICY)
        return resolve.fetch(request, store=Store(tmp_path / "cache"), progress=Silent())

    return fetched


def test_a_model_has_the_weights_that_were_fetched_and_is_fetched_once(
    mirror: Mirror, fetch: Callable[[str], Any], tmp_path: Path
) -> None:
    tf = tensorflow.load()
    from tests import tiny_models

    model = tiny_models.libraries()["tf_keras"].applications.MobileNet(weights=None)
    model.save_weights(str(tmp_path / "weights.h5"))
    mirror.serve(MOBILENET, Reply((tmp_path / "weights.h5").read_bytes()))
    found = fetch("keras:mobilenet")
    assert fetch("keras:MobileNet").sha256 == found.sha256
    assert mirror.requests == [MOBILENET]
    declared = found.declared
    assert (found.source, declared.name) == ("keras:MobileNet", "MobileNet")
    assert (declared.value_range, declared.label_offset) == ((-1.0, 1.0), 0)
    assert len(declared.labels or ()) == 1000
    call = tf.saved_model.load(str(found.path)).signatures["serving_default"]
    pictures = np.random.default_rng(1).uniform(-1, 1, (2, 224, 224, 3)).astype(np.float32)
    (logits,) = call(tf.constant(pictures)).values()
    expected = model(pictures, training=False).numpy()
    assert np.abs(tf.nn.softmax(logits).numpy() - expected).max() < 1e-6


def test_other_weights_than_those_that_keras_names_are_refused(
    mirror: Mirror, fetch: Callable[[str], Any]
) -> None:
    mirror.serve(SMALL, Reply(b"other weights"))
    with pytest.raises(SourceError, match="has not the checksum that Keras names"):
        fetch("keras:MobileNetV3Small")


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        ("keras:MobileNetV5", "did you mean keras:MobileNetV2 or keras:MobileNet"),
        ("keras:yolo", "write a name such as keras:MobileNetV2"),
    ],
)
def test_a_name_that_keras_does_not_have_gets_near_ones(handle: str, said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        parse(handle)


def test_photos_are_prepared_as_keras_prepares_them() -> None:
    tensorflow.load()
    from tests import tiny_models

    applications: Any = tiny_models.libraries()["keras"].applications
    pixels = np.random.default_rng(1).uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    for name in keras_applications.NAMES:
        maker = getattr(applications, name)
        declared = keras_applications._PREPARATIONS[name]
        module = __import__(maker.__module__, fromlist=["preprocess_input"])
        low, high = declared.value_range or (0.0, 0.0)
        own = low + pixels * (high - low) / 255
        own = (own - np.array(declared.mean or (0, 0, 0))) / np.array(declared.std or (1, 1, 1))
        own = own[..., ::-1] if declared.channels == "bgr" else own
        assert np.abs(own - np.array(module.preprocess_input(pixels.copy()))).max() < 1e-4, name
