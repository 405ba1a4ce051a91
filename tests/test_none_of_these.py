"""The rule "none of these": its record, what it says of features, and the models it is refused."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests import tiny_models
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.graph import classifier, reference
from toolchain.progress import Silent
from toolchain.records.card import Declared, read_sidecar
from toolchain.records.none_of_these import NoneOfThese, make
from toolchain.site import contract
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import stage

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.sources.saved_model import Fetched

    Array = np.ndarray[Any, Any]


def packed(kind: str, *numbers: int) -> str:
    return base64.b64encode(np.array(numbers, kind).tobytes()).decode()


GOOD = {
    "threshold": 0.5,
    "coordinates": packed("<u2", 0, 2),
    "centres": packed("i1", 3, 4, -5, 12),
}


# --- the record ------------------------------------------------------------------------------


def test_cosines_are_those_of_the_chosen_coordinates() -> None:
    rule = NoneOfThese.model_validate(GOOD)
    assert rule.labels == 2
    features = np.array([[3, 99, 4], [0, -99, 1], [-6, 0, -8]], np.float32)
    np.testing.assert_allclose(
        rule.cosines(features), [[1, 33 / 65], [0.8, 12 / 13], [-1, -33 / 65]]
    )
    greatest = rule.greatest_cosines(features)
    np.testing.assert_allclose(greatest, [1, 12 / 13, -33 / 65])
    assert rule.is_none(greatest).tolist() == [False, False, True]


def test_a_cosine_at_the_threshold_is_not_none_and_no_number_is() -> None:
    rule = NoneOfThese.model_validate(GOOD)
    assert rule.is_none(np.array([0.5, np.nextafter(0.5, 0), np.nan])).tolist() == [
        False,
        True,
        True,
    ]


def test_features_without_direction_have_cosines_of_zero() -> None:
    rule = NoneOfThese.model_validate(GOOD)
    assert rule.cosines(np.array([[0, 7, 0]])).tolist() == [[0, 0]]


def test_a_rule_for_ten_labels_takes_less_than_two_kilobytes() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(10, 160))
    places = np.sort(random.choice(1280, 160, replace=False))
    rule = make(centres, places, 0.6)
    raw = base64.b64decode(rule.coordinates) + base64.b64decode(rule.centres)
    assert len(raw) == 1920
    assert rule.indices.tolist() == places.tolist()
    features = random.normal(size=(50, 1280))
    chosen = features[:, places]
    lengths = np.linalg.norm(chosen, axis=1)[:, None] * np.linalg.norm(centres, axis=1)
    # A number in a centre is rounded by 1/254 of the centre's greatest at most.
    np.testing.assert_allclose(rule.cosines(features), chosen @ centres.T / lengths, atol=5e-3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"threshold": 1.5}, "less than or equal to 1"),
        ({"coordinates": "?"}, "it is not base64"),
        ({"coordinates": ""}, "not a list of uint16"),
        ({"coordinates": packed("i1", 0, 0, 2)}, "not a list of uint16"),
        ({"coordinates": packed("<u2", 2, 0)}, "do not ascend"),
        ({"coordinates": packed("<u2", 2, 2)}, "do not ascend"),
        ({"centres": "AQI"}, "it is not base64"),
        ({"centres": ""}, "0 numbers, which is no multiple of the 2"),
        ({"centres": packed("i1", 1, 2, 3)}, "3 numbers, which is no multiple of the 2"),
        ({"centres": packed("i1", 1, 2, 0, 0)}, "centre of a label is zero"),
    ],
)
def test_a_rule_that_does_not_fit_together_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NoneOfThese.model_validate(GOOD | changed)


@pytest.mark.parametrize(
    ("centres", "coordinates", "said"),
    [
        ([[1.0, 2.0]], [0, 1, 2], "do not fit 3"),
        ([[1.0, np.nan]], [0, 1], "not finite"),
        ([[1.0, 2.0]], [0, 1 << 16], "not in 0…65535"),
        ([[1.0, 2.0]], [-1, 0], "not in 0…65535"),
        ([[0.0, 0.0]], [0, 1], "centre of a label is zero"),
    ],
)
def test_arrays_that_make_no_rule_are_refused(
    centres: list[list[float]], coordinates: list[int], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make(np.array(centres), coordinates, 0.5)


def test_features_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="no coordinate 2"):
        NoneOfThese.model_validate(GOOD).cosines(np.ones((1, 2)))


def test_a_sidecar_declares_the_rule_as_a_table(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    lines = [f'{key} = "{value}"' for key, value in GOOD.items() if isinstance(value, str)]
    path.write_text("[none_of_these]\nthreshold = 0.5\n" + "\n".join(lines), "utf-8")
    declared = read_sidecar(path)
    assert declared.none_of_these == NoneOfThese.model_validate(GOOD)
    weaker = Declared(name="birds", none_of_these=make(np.ones((2, 1)), [1], 0.1))
    assert declared.over(weaker).none_of_these == declared.none_of_these
    assert Declared(name="birds").over(declared).none_of_these == declared.none_of_these
    path.write_text('[none_of_these]\nthreshold = 0.5\ncoordinates = "AAA="\ncentres = "AA=="\n')
    with pytest.raises(BadInputError, match=r"model\.toml: none_of_these: the centre of a label"):
        read_sidecar(path)


# --- models with the rule --------------------------------------------------------------------


def rule_for(labels: int = tiny_models.CLASSES, coordinates: int = 4) -> NoneOfThese:
    """Return a rule for the tiny model, whose features have four coordinates."""
    random = np.random.default_rng(5)
    return make(random.normal(size=(labels, coordinates)), range(coordinates), 0.9)


@pytest.fixture
def fetched(tiny: Path, tmp_path: Path, session_store: Store) -> Fetched:
    request = Request(str(tiny), lockfile=tmp_path / "toolchain.lock.json")
    return resolve.fetch(request, store=session_store, progress=Silent())


def declared(rule: NoneOfThese, count: int = tiny_models.CLASSES) -> Declared:
    return Declared(labels=tiny_models.names(count), value_range=(0.0, 1.0), none_of_these=rule)


def test_the_rule_reaches_the_card_and_the_contract(fetched: Fetched, session_store: Store) -> None:
    made = stage.run(
        replace(fetched, declared=declared(rule_for())),
        quantization="float16",
        shard_bytes=4 << 20,
        store=session_store,
        progress=Silent(),
    )
    assert made.converted.card.none_of_these == rule_for()
    output = contract.read(contract.make(made, "model.json").to_bytes()).output
    assert output.none_of_these is not None
    assert output.none_of_these.model_dump(exclude={"feature"}) == rule_for().model_dump()
    assert output.none_of_these.feature.endswith("Mean")
    assert made.reference is not None
    cosines = reference.load(made.reference).cosines
    assert cosines is not None
    assert cosines.shape == (3, tiny_models.CLASSES)


def test_a_model_without_the_rule_has_none_in_its_contract(tiny_model: stage.TfjsModel) -> None:
    assert contract.make(tiny_model, "model.json").output.none_of_these is None
    assert tiny_model.reference is not None
    assert reference.load(tiny_model.reference).cosines is None


def test_a_rule_for_another_number_of_labels_is_refused(fetched: Fetched) -> None:
    wrong = replace(fetched, declared=declared(rule_for(labels=3)))
    with pytest.raises(BadInputError, match=r"tiny has centres for 3 labels, and the model has 5"):
        classifier.read(wrong)


def test_a_rule_for_wider_features_is_refused(fetched: Fetched) -> None:
    wrong = replace(fetched, declared=declared(rule_for(coordinates=6)))
    with pytest.raises(BadInputError, match=r"tiny reads feature 5, .* has only 4 features"):
        classifier.read(wrong)


def test_a_rule_is_refused_where_there_is_no_row_of_features(
    tmp_path: Path, session_store: Store
) -> None:
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, tiny_models.CLASSES, seed=1)

    def call(image: Any) -> Any:
        # As in SqueezeNet, the scores are pooled, not the features.
        return {"scores": tf.reduce_mean(tf.nn.conv2d(image, kernel, 2, "VALID"), (1, 2))}

    model = tiny_models.save(tmp_path / "mine", call, {"image": tiny_models.IMAGE}, kernel)
    request = Request(str(model), lockfile=tmp_path / "toolchain.lock.json")
    found = resolve.fetch(request, store=session_store, progress=Silent())
    with pytest.raises(BadInputError, match=r"^mine has no single last dense layer that reads one"):
        classifier.read(replace(found, declared=declared(rule_for())))
