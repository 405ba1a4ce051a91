"""What answers are worth where a photo may have several labels, against figures by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolchain.metrics import multi_label
from toolchain.metrics.multi_label import average_precision, judge

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize(
    ("scores", "truth", "area"),
    [
        # The example in scikit-learn's documentation of average_precision_score.
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.5 * 1 + 0.5 * 2 / 3),
        # Found at the ranks 1, 3 and 6.
        ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 0, 1], (1 + 2 / 3 + 3 / 6) / 3),
        ([0.9, 0.8, 0.1], [1, 1, 0], 1.0),
        ([0.9, 0.8, 0.1], [0, 0, 1], 1 / 3),
        # Equal scores are found together: whatever their order, two of four are right.
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 1, 0], 0.5),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 1], (1 + 2 / 3 + 3 / 4) / 3),
    ],
)
def test_average_precision_is_the_area_of_steps(
    scores: list[float], truth: list[int], area: float
) -> None:
    found = average_precision(np.array(scores), np.array(truth, bool))
    assert found == pytest.approx(area, abs=1e-12)


def test_average_precision_agrees_with_its_definition_on_random_scores() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        scores = random.integers(0, 6, 40) / 6
        truth = random.random(40) < 0.3
        truth[0] = True
        area = recall = 0.0
        for level in sorted(set(scores), reverse=True):
            found = scores >= level
            hits = (found & truth).sum()
            area += (hits / truth.sum() - recall) * hits / found.sum()
            recall = hits / truth.sum()
        assert average_precision(scores, truth) == pytest.approx(area, abs=1e-12)


SCORES = np.array([[0.9, 0.2, 0.1], [0.6, 0.7, 0.8], [0.4, 0.5, 0.3], [0.3, 0.1, 0.2]])
TRUTH = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]], bool)


def test_the_three_figures_are_those_by_hand() -> None:
    found = judge(SCORES, TRUTH, threshold=0.5)
    # Of the first label ranks 1 and 3 are right, of the second 1 and 2; the third has none.
    assert found.mean_average_precision.value == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2, abs=1e-6)
    # Found: 0, 0, 1, 2, 1. Right: three of these; one is missed.
    assert found.f1_micro.value == pytest.approx(2 * 3 / (5 + 4), abs=1e-6)
    assert found.f1_macro.value == pytest.approx((2 * 1 / (2 + 2) + 1) / 2, abs=1e-6)
    assert (found.photos, found.labels, found.positives) == (4, 2, 4)
    assert found.f1_micro.reference is None
    assert found.f1_micro.drop is None


def test_the_threshold_itself_counts_as_found() -> None:
    scores, truth = np.array([[0.25], [0.0]]), np.array([[True], [False]])
    assert judge(scores, truth, threshold=0.25).f1_micro.value == 1
    assert judge(scores, truth, threshold=0.2500001).f1_micro.value == 0


def test_labels_of_which_nothing_is_known_do_not_count() -> None:
    known = np.array([True, True, False])
    found = judge(SCORES, TRUTH, threshold=0.5, known=known)
    # The third label was found in a photo, and nobody knows whether it is there.
    assert found.f1_micro.value == pytest.approx(2 * 3 / (4 + 4), abs=1e-6)


def many(photos: int, labels: int, noise: float, seed: int) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    truth = random.random((photos, labels)) < 0.3
    truth[0] = True
    return np.clip(0.3 + 0.4 * truth + random.normal(0, noise, truth.shape), 0, 1), truth


def test_intervals_hold_the_figure_and_are_the_same_every_time() -> None:
    scores, truth = many(200, 6, 0.3, seed=1)
    worse = np.clip(scores + np.random.default_rng(2).normal(0, 0.4, scores.shape), 0, 1)
    found = judge(worse, truth, scores, threshold=0.5)
    assert found == judge(worse, truth, scores, threshold=0.5)
    for figure in (found.mean_average_precision, found.f1_micro, found.f1_macro):
        assert 0 < figure.low < figure.value < figure.high < 1
        assert figure.reference is not None
        assert figure.drop is not None
        points = 100 * (figure.reference - figure.value)
        assert figure.drop.points == pytest.approx(points, abs=1e-3)
        assert 0 < figure.drop.low < figure.drop.points < figure.drop.high


def test_the_true_figure_lies_within_the_interval_about_as_often_as_said() -> None:
    scores, truth = many(40_000, 4, 0.35, seed=5)
    held = 0
    ranked = [average_precision(scores[:, at], truth[:, at]) for at in range(4)]
    for start in range(0, 4000, 100):
        part = slice(start, start + 100)
        found = judge(scores[part], truth[part], threshold=0.5).mean_average_precision
        held += int(found.low <= np.mean(ranked) <= found.high)
    # Forty intervals of 95 %: fewer than 33 that hold is once in ten thousand times.
    assert held >= 33


def test_no_interval_is_without_width() -> None:
    truth = np.eye(20, dtype=bool)
    perfect = np.where(truth, 0.9, 0.1)
    found = judge(perfect, truth, perfect, threshold=0.5)
    for figure in (found.mean_average_precision, found.f1_micro, found.f1_macro):
        assert figure.value == figure.high == 1
        assert figure.low == pytest.approx(1 - 3.8415 / 23.8415, abs=1e-4)
        assert figure.drop is not None
        assert figure.drop.points == 0
        assert figure.drop.low == pytest.approx(-figure.drop.high)
        assert figure.drop.high == pytest.approx(100 * 3.8415 / 23.8415, abs=1e-2)


def test_samples_drawn_in_parts_are_the_same_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(multi_label._samples(50)))
    monkeypatch.setattr(multi_label, "_LARGEST", 50 * 300)
    parts = list(multi_label._samples(50))
    assert len(parts) == 4
    assert np.array_equal(np.concatenate(parts), whole)
    assert (whole.sum(axis=1) == 50).all()
    assert len(whole) == 1000


@pytest.mark.parametrize(
    ("scores", "truth", "reference", "fault"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3), bool), None, "not \\[photos, labels\\]"),
        (np.zeros(3), np.zeros(3, bool), None, "not \\[photos, labels\\]"),
        (SCORES, TRUTH[:3], None, "cannot be compared"),
        (SCORES, TRUTH, SCORES[:, :2], "cannot be compared"),
        (SCORES * np.nan, TRUTH, None, "not finite numbers"),
        (SCORES, TRUTH, SCORES * np.inf, "not finite numbers"),
        (SCORES, np.zeros_like(TRUTH), None, "no photo has a label"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    scores: Array, truth: Array, reference: Array | None, fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        judge(scores, truth, reference, threshold=0.5)


def test_average_precision_needs_a_photo_with_the_label() -> None:
    with pytest.raises(ValueError, match="no photo has the label"):
        average_precision(np.ones(3), np.zeros(3, bool))
    with pytest.raises(ValueError, match="do not fit"):
        average_precision(np.ones(3), np.ones(2, bool))
