"""The Pareto front of points, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import verdicts
from toolchain.errors import BadInputError
from toolchain.pipeline import tune
from toolchain.quantize import points as curve
from toolchain.records.pareto import Point

# --- pure functions --------------------------------------------------------------------------

NOTHING = verdicts.empty(1)


def point(count: int, drop: float) -> Point:
    return Point(
        weights="packed", rounded_by=None, bits=4.0, bytes=count, drop=drop, verdict=NOTHING
    )


@given(
    st.lists(
        st.builds(point, st.integers(1, 6), st.integers(0, 6).map(float)), min_size=1, max_size=12
    )
)
def test_the_front_is_what_none_beats_and_all_else_is_beaten_by_it(
    points: list[Point],
) -> None:
    best = {(points[place].bytes, points[place].drop) for place in curve.pareto(points)}
    assert best
    for one in points:
        beaten = any(
            other != (one.bytes, one.drop) and other[0] <= one.bytes and other[1] <= one.drop
            for other in best
        )
        assert beaten != ((one.bytes, one.drop) in best)


@pytest.mark.parametrize(
    ("max_drop", "max_bytes", "chosen"),
    [(1.0, None, 1), (5.0, None, 0), (1.0, 200, 1), (1.0, 199, None), (0.0, None, 2)],
)
def test_auto_would_choose_the_smallest_within_the_limits(
    max_drop: float, max_bytes: int | None, chosen: int | None
) -> None:
    points = [point(100, 4.0), point(200, 1.0), point(300, 0.0), point(400, -1.0)]
    assert curve.choice(points, max_drop=max_drop, max_bytes=max_bytes) == chosen


def test_levels_are_evenly_spaced_with_both_ends() -> None:
    assert tune.levels(3.0, 8.0, 4) == (3.0, 4.6667, 6.3333, 8.0)
    assert tune.levels(3.0, 3.0, 1) == (3.0,)
    with pytest.raises(BadInputError, match="--to-bits 3 is not above --from-bits 3"):
        tune.levels(3.0, 3.0, 2)
