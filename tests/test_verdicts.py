"""Verdicts and their intervals by hand, and beside published ones."""

from __future__ import annotations

import numpy as np
import pytest

from toolchain.metrics.intervals import newcombe, wilson
from toolchain.metrics.scores import softmax
from toolchain.metrics.single_label import judge, judge_scores

# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [
        # Newcombe, Stat. Med. 17 (1998) 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilsons_interval_is_the_published_one(
    hits: int, count: int, low: float, high: float
) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_wilsons_interval_ends_exactly_at_none_and_at_all(count: int) -> None:
    z_squared = 1.959963984540054**2
    low, high = wilson(0, count)
    assert low == 0.0
    assert high == pytest.approx(z_squared / (count + z_squared))
    mirrored, full = wilson(count, count)
    assert mirrored == pytest.approx(1 - high)
    assert full == 1.0


@pytest.mark.parametrize(("hits", "count"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_has_no_interval(hits: int, count: int) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        wilson(hits, count)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # Fagerland, Lydersen, Laake, "Statistical analysis of contingency tables", chapter 8.
        ((59, 6, 16, 80), -0.1186, -0.0046),
        ((1, 1, 7, 12), -0.5069, -0.0256),
        ((36, 12, 2, 0), 0.0569, 0.3404),  # a margin of the correlation is small
        ((10, 0, 0, 0), -0.2775, 0.2775),  # no correlation can be told: Wilson's limits of 10/10
    ],
)
def test_newcombes_interval_is_the_published_one(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    assert newcombe(*counts) == pytest.approx((low, high), abs=6e-5)
    both, first, second, neither = counts
    assert newcombe(both, second, first, neither) == pytest.approx((-high, -low), abs=6e-5)


def test_an_interval_of_pairs_is_narrow_where_all_agree() -> None:
    low, high = newcombe(60, 0, 0, 40)
    assert low == pytest.approx(-high)
    assert 0 < high < 0.03 < wilson(60, 100)[1] - 0.6


# Four photos and six labels, so that a rank can be beyond five.
LOGITS = np.array(
    [[9, 1, 0, 0, 0, 0], [0, 9, 1, 0, 0, 0], [5, 4, 3, 2, 1, 0], [0, 0, 0, 0, 0, 9.0]]
)


def test_a_verdict_by_hand() -> None:
    reference = LOGITS.copy()
    reference[2] = [0, 1, 2, 3, 4, 5]
    verdict = judge(LOGITS, np.array([0, 2, 5, 5]), reference)
    assert verdict.photos == 4
    assert verdict.top1 is not None
    assert (verdict.top1.hits, verdict.top1.of, verdict.top1.value) == (2, 4, 0.5)
    assert (verdict.top1.low, verdict.top1.high) == wilson(2, 4)
    assert verdict.top5 is not None
    assert verdict.top5.hits == 3  # the third photo's label comes sixth
    assert verdict.reference_top1 is not None
    assert verdict.reference_top1.hits == 3
    assert verdict.drop is not None
    assert (verdict.drop.points, verdict.drop.lost, verdict.drop.won) == (25.0, 1, 0)
    assert (verdict.drop.low, verdict.drop.high) == pytest.approx(
        tuple(100 * limit for limit in newcombe(2, 1, 0, 1))
    )
    assert verdict.agreement is not None
    assert verdict.agreement.hits == 3
    shares = np.exp(np.arange(6)) / np.exp(np.arange(6)).sum()
    assert verdict.score_shift == pytest.approx((shares[5] - shares[0]) / 4, abs=1e-6)


def test_what_there_is_nothing_to_judge_by_is_left_out() -> None:
    alone = judge(LOGITS, np.array([0, 1, 0, 5]))
    assert alone.top1 is not None
    assert (alone.top1.value, alone.top1.high) == (1.0, 1.0)
    by_reference = (alone.agreement, alone.drop, alone.reference_top1, alone.score_shift)
    assert by_reference == (None, None, None, None)
    unlabelled = judge(LOGITS, reference_logits=LOGITS)
    assert unlabelled.agreement is not None
    assert unlabelled.agreement.value == 1.0
    assert unlabelled.score_shift == 0.0
    assert (unlabelled.top1, unlabelled.top5, unlabelled.drop) == (None, None, None)


def test_of_equal_scores_the_first_wins_as_in_the_page() -> None:
    flat = judge(np.zeros((6, 6)), np.arange(6))
    assert flat.top1 is not None
    assert flat.top5 is not None
    assert (flat.top1.hits, flat.top5.hits) == (1, 5)


def test_large_logits_do_not_overflow() -> None:
    assert softmax(np.array([[1e4, 0, -1e4]], np.float32)).tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("scores", "truth", "reference", "named"),
    [
        (np.zeros((0, 5)), None, None, "shape"),
        (np.zeros(5), None, None, "shape"),
        (np.zeros((2, 5)), np.array([0]), None, "2 photos"),
        (np.zeros((2, 5)), np.array([0, 5]), None, "beyond"),
        (np.zeros((2, 5)), np.array([0, -1]), None, "beyond"),
        (np.zeros((2, 5)), None, np.zeros((2, 6)), "compared"),
        (np.full((2, 5), np.nan), None, None, "finite"),
    ],
)
def test_what_does_not_fit_is_refused(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    truth: np.ndarray[tuple[int, ...], np.dtype[np.int64]] | None,
    reference: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None,
    named: str,
) -> None:
    with pytest.raises(ValueError, match=named):
        judge_scores(scores, truth, reference)
