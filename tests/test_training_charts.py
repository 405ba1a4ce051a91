"""The charts of the report's chapter on training, by what they draw."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests import trainings
from toolchain.report import training_charts
from toolchain.units import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.records import training

FLOWERS = trainings.record()
SVG = "{http://www.w3.org/2000/svg}"


def test_the_front_is_what_no_candidate_beats() -> None:
    found = training_charts.front(FLOWERS.candidates)
    sizes = [one.expected_bytes for one in found]
    right = [one.accuracy.value for one in found]
    assert sizes == sorted(sizes)
    assert right == sorted(right)
    assert len(found) == 5  # the whole network is larger than block 11 and no better
    for one in FLOWERS.candidates:
        beaten = any(
            other.expected_bytes <= one.expected_bytes and other.accuracy.value > one.accuracy.value
            for other in found
        )
        assert (one in found) != beaten


def test_dots_are_where_their_figures_say() -> None:
    chart = training_charts.candidates(FLOWERS)
    assert chart is not None
    for drawing in (chart.wide, chart.narrow):
        found = dots(drawing)
        assert len(found) == len(FLOWERS.candidates)
        places = [found[tooltip(one)] for one in FLOWERS.candidates]
        bytes_ = [one.expected_bytes for one in FLOWERS.candidates]
        assert [x for x, _ in places] == pytest.approx(on_a_line(bytes_, [x for x, _ in places]))
        right = [-one.accuracy.value for one in FLOWERS.candidates]
        assert [y for _, y in places] == pytest.approx(on_a_line(right, [y for _, y in places]))


def dots(drawing: str) -> dict[str, tuple[float, float]]:
    """Return the places of a chart's dots by their tooltips."""
    return {
        (dot.findtext(f"{SVG}title") or ""): (float(dot.get("cx", 0)), float(dot.get("cy", 0)))
        for group in ET.fromstring(drawing).iter(f"{SVG}g")  # noqa: S314 - it is our own
        if group.get("class") in ("series best", "series beaten")
        for dot in group.iter(f"{SVG}circle")
    }


def on_a_line(values: Sequence[float], places: list[float]) -> list[float]:
    """Return where values belong, if the least and the greatest are in their places."""
    scale = (max(places) - min(places)) / (max(values) - min(values))
    return [min(places) + scale * (each - min(values)) for each in values]


def tooltip(one: training.Candidate) -> str:
    right = training_charts.percent(one.accuracy.value)
    return f"{one.base}, {one.depth}: {size(one.expected_bytes)}, {right}"
