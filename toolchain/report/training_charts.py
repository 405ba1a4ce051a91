"""Makes the charts of the report's chapter on training."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from toolchain.report import charts
from toolchain.report.charts import Mark, Place
from toolchain.units import size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolchain.records.training import Accuracy, Candidate, Training
    from toolchain.records.verdict import Share
    from toolchain.report.charts import Chart

_FEWEST_DOTS = 2  # fewer show no course
_MOST_NUMBERS = 24  # dots that are all numbered; of more, those on the front only
_ROOM = 0.12  # above the highest dot, for its label, as a share of the axis


def percent(value: float) -> str:
    """Format a share in 0…1."""
    return f"{100 * value:.1f} %"


def limits(share: Share) -> str:
    """Format the 95 % interval of a share."""
    return f"{100 * share.low:.1f} … {100 * share.high:.1f} %"


def front(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the candidates that no other one beats in both bytes and accuracy."""
    found: list[Candidate] = []
    for one in sorted(candidates, key=lambda each: (each.expected_bytes, -each.accuracy.value)):
        if not found or one.accuracy.value > found[-1].accuracy.value:
            found.append(one)
    return tuple(found)


def allowed(training: Training) -> float:
    """Return the lowest accuracy in percent that the chosen candidate may have."""
    best = max(one.accuracy.value for one in training.candidates)
    return 100 * best - training.max_drop


def candidates(training: Training) -> Chart | None:
    """Draw bytes against accuracy, a numbered dot for each candidate; None if there is only one."""
    found = training.candidates
    if len(found) < _FEWEST_DOTS:
        return None
    best = front(found)
    series = defaultdict(list)
    for number, one in enumerate(found, start=1):
        said = f"{one.base}, {one.depth}: {size(one.expected_bytes)}, {percent(one.accuracy.value)}"
        is_best = one in best
        label = str(number) if is_best or len(found) <= _MOST_NUMBERS else ""
        mark = Mark(100 * one.accuracy.value, label, said)
        series["best" if is_best else "beaten"].append(Place(one.expected_bytes, mark))
        if one.chosen:
            chosen = Mark(100 * one.accuracy.value, "", f"{said}; the chosen one")
            series["chosen"].append(Place(one.expected_bytes, chosen))
    sizes = [one.expected_bytes for one in found]
    least = allowed(training)
    said = f"{training.max_drop:g} points below the best"
    line = [Place(at, Mark(least, "", said)) for at in (min(sizes), max(sizes))]
    series["best"].sort(key=lambda place: place.x)
    # Later ones are drawn over earlier ones.
    drawn = {name: series[name] for name in ("beaten", "best", "chosen") if series[name]}
    return charts.dots(
        {"allowed": line, **drawn},
        ("best", "allowed"),
        "Expected bytes against the accuracy in percent, for each base and depth",
        write_x=lambda value: size(round(value)),
        write_y=lambda value: f"{value:g} %",
        range_y=_zoomed(place.mark.value for some in (*series.values(), line) for place in some),
    )


def learning(training: Training) -> Chart | None:
    """Draw the accuracy by the number of photos; None if there are too few points."""
    found = training.learning
    if len(found) < _FEWEST_DOTS:
        return None
    series: dict[str, list[Place]] = {"limit-low": [], "limit-high": [], "best": []}
    for one in found:
        share = one.accuracy
        said = f"{one.photos} photos: {percent(share.value)} ({limits(share)})"
        for name, value in (
            ("limit-low", share.low),
            ("limit-high", share.high),
            ("best", share.value),
        ):
            label = f"{100 * value:.0f} %" if name == "best" else ""
            series[name].append(Place(one.photos, Mark(100 * value, label, said)))
    return charts.dots(
        series,
        tuple(series),
        "Accuracy in percent by the number of photos learned from, with its 95 % interval",
        write_x=lambda value: f"{value:,.0f}",
        write_y=lambda value: f"{value:g} %",
        range_y=_zoomed(place.mark.value for some in series.values() for place in some),
    )


def calibration(training: Training) -> Chart | None:
    """Draw which share of the photos is right, by their score; None if there is nothing to draw."""
    series: dict[str, list[Place]] = {
        "ideal": [Place(at, Mark(at, "", "as many right as the score says")) for at in (0, 100)]
    }
    for name, judged in (("best", training.out_of_fold), ("second", training.test)):
        if judged is not None and (places := _bins(judged)):
            series[name] = places
    if len(series) == 1:
        return None
    return charts.dots(
        series,
        tuple(series),
        "Share of right answers against the score, both in percent",
        write_x=lambda value: f"{value:g} %",
        write_y=lambda value: f"{value:g} %",
        range_y=(0, 100),
    )


def _bins(judged: Accuracy) -> list[Place]:
    """Return a dot for each range of scores; multi-label models give one answer for each tag."""
    return [
        Place(
            100 * each.score,
            Mark(
                100 * each.right,
                "",
                f"{each.photos:,} answers with {100 * each.low:g} … {100 * each.high:g} %: "
                f"{percent(each.score)} on average, {percent(each.right)} are right",
            ),
        )
        for each in judged.calibration
        if each.photos
    ]


def _zoomed(values: Iterable[float]) -> tuple[float, float]:
    """Return an axis in percent that begins at the ten below the lowest value."""
    found = list(values)
    low = max(0.0, 10 * math.floor(min(found) / 10))
    return low, max(found) + _ROOM * (max(found) - low or 1)
