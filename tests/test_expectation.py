"""What a change of scores is expected to cost: intervals that hold the truth, never of no width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from toolchain.metrics import expectation
from toolchain.metrics.expectation import Temperature, expected_loss, temperature
from toolchain.metrics.intervals import rare_losses
from toolchain.metrics.scores import scores_of, softmax
from toolchain.metrics.single_label import expected_drop, judge_scores, score_change

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

LABELS = 20
EXACT = Temperature(1.0, 1e-6)


def logits(count: int, seed: int, scale: float = 1.5) -> Array:
    """Return logits of a made-up network, `[count, LABELS]`."""
    return np.random.default_rng(seed).normal(0, scale, (count, LABELS))


def drawn(chances: Array, seed: int) -> Array:
    """Draw a right label for each row of chances."""
    uniform = np.random.default_rng(seed).uniform(0, 1, (len(chances), 1))
    return np.asarray((chances.cumsum(axis=1) < uniform).sum(axis=1).clip(0, LABELS - 1))


def changed(of: Array, seed: int, error: float) -> Array:
    return of + np.random.default_rng(seed).normal(0, error, of.shape)


def truly_lost(of: Array, other: Array) -> float:
    """Return the share of photos lost where the softmax of `of` are the chances."""
    chances, rows = softmax(of), np.arange(len(of))
    return float((chances.max(axis=1) - chances[rows, other.argmax(axis=1)]).mean())


@pytest.mark.parametrize("count", [1, 2, 64, 256])
def test_no_interval_is_of_zero_width_where_nothing_changed(count: int) -> None:
    scores = softmax(logits(count, 1))
    found = expected_drop(scores, scores)
    assert (found.points, found.low) == (0.0, 0.0)
    assert 0.0 < found.high <= 100.0
    change = score_change(scores, scores)
    assert (change.points, change.low) == (0.0, 0.0)
    assert 0.0 < change.high <= 100.0


def test_more_photos_that_nothing_happened_to_say_more() -> None:
    highs = [
        expected_loss(scores, scores).high for scores in (softmax(logits(n, 1)) for n in (64, 256))
    ]
    assert highs[0] == pytest.approx(4 * highs[1])
    # 3.69 is the upper limit of a count of none, of which each photo costs what a flip does.
    assert highs[1] == pytest.approx(3.689 * 0.18 / 256, rel=1e-3)


@settings(deadline=None, max_examples=40)
@given(
    scores=arrays.arrays(np.float64, (7, 5), elements=st.floats(0, 1)),
    reference=arrays.arrays(np.float64, (7, 5), elements=st.floats(0, 1)),
)
def test_every_interval_has_a_width_and_holds_its_value(scores: Array, reference: Array) -> None:
    loss = expected_loss(scores, reference)
    assert 0 <= loss.low <= loss.value <= loss.high <= 1
    assert loss.low < loss.high
    change = score_change(scores, reference)
    assert 0 <= change.low <= change.points <= change.high <= 100
    assert change.low < change.high


def test_the_interval_is_the_published_one_of_weighted_counts() -> None:
    # With equal weights it is the exact interval of a Poisson count (Garwood 1936): of 0 and 7.
    assert rare_losses(0.0, 0.0, one=1.0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert rare_losses(7.0, 7.0, one=1.0) == pytest.approx((2.814, 14.423), abs=1e-3)


def test_the_interval_holds_what_is_lost_on_other_photos() -> None:
    """Of 60 sets of 100 photos nearly all tell an interval that holds the truth."""
    many = logits(20_000, 2)
    truth = truly_lost(many, changed(many, 3, 0.25))
    held = 0
    for seed in range(60):
        few = logits(100, 100 + seed)
        loss = expected_loss(softmax(changed(few, 200 + seed, 0.25)), softmax(few), EXACT)
        held += loss.low <= truth <= loss.high
    assert held >= 54


def test_it_varies_less_than_what_is_counted() -> None:
    tried, counted = [], []
    for seed in range(40):
        few = logits(100, 100 + seed)
        other = changed(few, 200 + seed, 0.25)
        tried.append(expected_loss(softmax(other), softmax(few), EXACT).value)
        counted.append(truly_lost(few, other))
    assert np.mean(tried) == pytest.approx(np.mean(counted), rel=0.25)
    assert np.std(tried) < 0.85 * np.std(counted)


@pytest.mark.parametrize("true", [0.5, 0.75, 1.2])
def test_a_temperature_is_found_again(true: float) -> None:
    given_logits = logits(2000, 4)
    truth = drawn(softmax(given_logits / true), 5)
    found = temperature(softmax(given_logits), truth)
    assert found.value == pytest.approx(true, rel=0.1)
    assert found.deviation < 0.05


def test_few_labels_move_the_temperature_little_and_say_so() -> None:
    given_logits = logits(5, 6)
    truth = drawn(softmax(given_logits / 2.0), 7)
    found = temperature(softmax(given_logits), truth)
    assert 0.6 < found.value < 1.1
    assert found.deviation > 0.1


def test_scores_that_are_too_modest_hide_what_is_lost() -> None:
    """A network gives its first label less than the chance that it has."""
    true = 0.5
    modest = logits(1500, 8)
    truth = drawn(softmax(modest / true), 9)
    other = changed(modest, 10, 0.3)
    scores, reference = softmax(other), softmax(modest)
    lost = truly_lost(modest / true, other)
    as_they_are = expected_loss(scores, reference, EXACT)
    calibrated = expected_loss(scores, reference, temperature(reference, truth))
    assert as_they_are.high < lost
    assert calibrated.low < lost < calibrated.high
    unknown = expected_loss(scores, reference)
    assert as_they_are.value < unknown.value < unknown.high
    verdict = judge_scores(scores, truth, reference)
    assert verdict.expected_drop is not None
    assert verdict.expected_drop.low < 100 * lost < verdict.expected_drop.high


def test_photos_that_were_rounded_by_add_what_is_known_of_ties_and_errors() -> None:
    judged, seen = logits(60, 11), logits(400, 12)
    other = changed(judged, 13, 0.3)
    # Errors are half as large where the rounding has seen the photos.
    fitted = changed(seen, 14, 0.15)
    alone = expected_loss(softmax(other), softmax(judged), EXACT)
    together = expected_loss(
        softmax(other), softmax(judged), EXACT, softmax(seen), softmax(fitted[:200])
    )
    many = logits(20_000, 15)
    truth = truly_lost(many, changed(many, 16, 0.3))
    assert together.low < truth < together.high
    assert together.high - together.low < 0.8 * (alone.high - alone.low)


def test_errors_that_are_known_to_be_larger_cost_more() -> None:
    few = logits(200, 17)
    scores, reference = softmax(changed(few, 18, 0.1)), softmax(few)
    once = expected_loss(scores, reference, EXACT)
    twice = expected_loss(scores, reference, EXACT, magnified=2.0)
    doubled = expected_loss(softmax(changed(few, 18, 0.2)), reference, EXACT)
    assert twice.value == pytest.approx(doubled.value, rel=0.05)
    assert twice.value > 2 * once.value


def test_one_label_can_lose_nothing() -> None:
    ones = np.ones((3, 1))
    assert expected_loss(ones, ones).value == 0.0


# --- scores of outputs -----------------------------------------------------------------------


def test_outputs_become_scores_as_the_page_makes_them() -> None:
    outputs = np.array([[2.0, -1.0, 0.0], [1e4, -1e4, 0.0]], np.float32)
    assert scores_of(outputs, "softmax") == pytest.approx(softmax(outputs))
    assert scores_of(outputs, "sigmoid") == pytest.approx(
        np.array([[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(1)), 0.5], [1, 0, 0.5]])
    )
    assert (scores_of(outputs, "none") == outputs).all()
    for activation in ("softmax", "sigmoid", "none"):
        assert scores_of(outputs, activation).dtype == np.float64


def test_a_softmax_behind_the_logits_changes_no_verdict() -> None:
    exact = logits(80, 20)
    other = changed(exact, 21, 0.3)
    truth = drawn(softmax(exact), 22)
    as_logits = judge_scores(scores_of(other, "softmax"), truth, scores_of(exact, "softmax"))
    behind = judge_scores(scores_of(softmax(other), "none"), truth, softmax(exact))
    assert as_logits == behind
    assert as_logits.expected_drop is not None
    assert as_logits.expected_drop.points > 0.1


# --- labels with scores of their own ---------------------------------------------------------


def test_the_change_of_scores_by_hand() -> None:
    reference = np.array([[0.9, 0.1], [0.5, 0.5]])
    scores = np.array([[0.8, 0.1], [0.5, 0.7]])
    change = score_change(scores, reference)
    assert change.points == pytest.approx(100 * (0.01 + 0.04) / (0.81 + 0.01 + 0.25 + 0.49))
    assert change.low < change.points < change.high


def test_the_change_of_scores_is_about_the_share_of_tags_that_are_lost() -> None:
    """Of tags over a half, weighed by how much more likely than not each was."""
    exact = logits(4000, 23) - 3
    other = changed(exact, 24, 0.4)
    scores, reference = scores_of(other, "sigmoid"), scores_of(exact, "sigmoid")
    crossed = (scores > 0.5) != (reference > 0.5)
    cost = (crossed * np.abs(2 * reference - 1)).sum() / ((scores > 0.5) | (reference > 0.5)).sum()
    change = score_change(scores, reference)
    assert change.points == pytest.approx(100 * cost, rel=0.5)
    assert change.points > 0.5


def test_labels_of_their_own_are_not_judged_by_the_first_one() -> None:
    exact = logits(50, 25)
    scores, reference = (scores_of(one, "sigmoid") for one in (changed(exact, 26, 0.2), exact))
    verdict = judge_scores(scores, None, reference, multi_label=True)
    assert verdict.score_change == score_change(scores, reference)
    assert (verdict.expected_drop, verdict.agreement, verdict.drop) == (None, None, None)
    single = judge_scores(scores, None, reference)
    assert single.score_change is None
    assert single.expected_drop is not None


def test_errors_of_a_few_photos_stand_for_those_of_many() -> None:
    exact = logits(expectation._ERRORS * 3, 27)
    scores, reference = softmax(changed(exact, 28, 0.3)), softmax(exact)
    all_tried = expected_loss(scores, reference, EXACT)
    assert all_tried.value == pytest.approx(truly_lost(exact, changed(exact, 28, 0.3)), rel=0.4)
