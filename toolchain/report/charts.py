"""Draws the report's charts, each one twice: for a wide and for a narrow window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.report import svg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

_WIDE, _NARROW = 920, 400  # widths, in units in which text is 14 high
_ROW = 20  # height of a bar
_GROUP = 10  # gap between rows
_AXIS = 30  # height of the axis
_BEYOND = 1.02  # upper end of the axis over the largest value, so that its line is visible


@dataclass(frozen=True)
class Mark:
    """One value of a chart."""

    value: float
    label: str
    """The text beside it, or empty. Of several lines only those that fit are drawn."""
    said: str
    """Its tooltip."""
    start: float = 0.0
    """The value at which its bar begins."""


@dataclass(frozen=True)
class Chart:
    """One chart, as SVG for wide and for narrow windows."""

    wide: Markup
    narrow: Markup


def treemap(groups: Mapping[str, Sequence[Mark]], described: str) -> Chart:
    """Draw values as areas; those of a group are side by side and have one colour.

    Args:
        groups: Values by the CSS class of their group; at least one value is above zero.
        described: A description of the chart, for screen readers.
    """
    order = sorted(groups, key=lambda name: -sum(mark.value for mark in groups[name]))

    def drawn(width: int, height: int) -> Markup:
        chart = _new("Treemap", width, height, {"margin": 0})
        for name in order:
            _add(chart, name, sorted(groups[name], key=lambda mark: -mark.value))
        return svg.draw(chart, described=described, classes=order, placing="inside", tight=True)

    return Chart(drawn(_WIDE, 330), drawn(_NARROW, 420))


def bars(
    rows: Sequence[str],
    series: Mapping[str, Sequence[Mark]],
    described: str,
    write: Callable[[float], str],
) -> Chart:
    """Draw horizontal bars: in each row one bar of each series.

    Args:
        rows: The rows' labels.
        series: Series by CSS class, each with a value per row.
        described: A description of the chart, for screen readers.
        write: Formats a value on the axis.
    """
    largest = max(mark.value for marks in series.values() for mark in marks)
    height = len(rows) * (len(series) * _ROW + _GROUP) + _AXIS
    label = max(len(mark.label) for marks in series.values() for mark in marks)

    def drawn(width: int) -> Markup:
        # pygal counts rows from below, and leaves no space for labels after bars.
        room = 0.62 * svg.TEXT * (max(map(len, rows)) + label) + 3 * svg.TEXT
        free = max(0.3, 1 - 0.62 * svg.TEXT * label / (width - room + 0.62 * svg.TEXT * label))
        settings = {
            "x_labels": rows[::-1],
            "range": (0, largest / free),
            "min_scale": 2,
            "max_scale": 3 if width == _NARROW else 6,
            "value_formatter": write,
        }
        chart = _new("HorizontalBar", width, height, settings)
        for name, marks in series.items():
            _add(chart, name, marks[::-1])
        return svg.draw(chart, described=described, classes=[*series], placing="after")

    return Chart(drawn(_WIDE), drawn(_NARROW))


def columns(marks: Sequence[Mark], described: str, write: Callable[[float], str]) -> Chart:
    """Draw one series as many thin columns.

    Args:
        marks: The values, in order.
        described: A description of the chart, for screen readers.
        write: Formats a value on the axis.
    """

    def drawn(width: int, height: int) -> Markup:
        settings = {
            "range": (0, _BEYOND * max(mark.value for mark in marks)),
            "min_scale": 2,
            "max_scale": 4,
            "value_formatter": write,
        }
        chart = _new("Bar", width, height, settings)
        _add(chart, "columns", marks)
        return svg.draw(chart, described=described, classes=["column"], placing="above")

    return Chart(drawn(_WIDE, 170), drawn(_NARROW, 170))


@dataclass(frozen=True)
class Place:
    """One dot of a chart with two axes."""

    x: float
    mark: Mark
    """The dot's mark; its value is y."""


def dots(
    series: Mapping[str, Sequence[Place]],
    lines: Sequence[str],
    described: str,
    *,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
    range_y: tuple[float, float] | None = None,
) -> Chart:
    """Draw a scatter chart.

    Args:
        series: Dots by the CSS class of their series; none is empty.
        lines: Series whose dots are joined by a line.
        described: A description of the chart, for screen readers.
        write_x: Formats a value on the x axis.
        write_y: Formats a value on the y axis.
        range_y: Where the y axis begins and ends; None for zero and above the highest dot.
    """
    places = [place for some in series.values() for place in some]
    least, most = min(place.x for place in places), max(place.x for place in places)
    margin = 0.08 * (most - least or most)
    zoomed = range_y is not None
    if range_y is None:
        heights = [place.mark.value for place in places]
        # Space for the label above the highest dot.
        range_y = min(0, *heights), 1.12 * max(heights) or 1

    def drawn(width: int) -> Markup:
        settings = {
            "xrange": (least - margin, most + margin),
            "range": range_y,
            "include_x_axis": not zoomed,
            "min_scale": 3,
            "max_scale": 4 if width == _NARROW else 6,
            "x_value_formatter": write_x,
            "value_formatter": write_y,
            "dots_size": 5,
        }
        chart = _new("XY", width, 320, settings)
        for name, some in series.items():
            values = [_value(place.mark, (place.x, place.mark.value)) for place in some]
            chart.add(name, values, stroke=name in lines)
        return svg.draw(chart, described=described, classes=[*series], placing="above")

    return Chart(drawn(_WIDE), drawn(_NARROW))


def _new(kind: str, width: int, height: int, settings: Mapping[str, Any]) -> Any:
    import pygal
    from pygal.style import Style

    return getattr(pygal, kind)(
        width=width,
        height=height,
        no_prefix=True,
        js=(),
        show_legend=False,
        spacing=8,
        style=Style(label_font_size=svg.TEXT, value_font_size=svg.TEXT),
        **{"include_x_axis": True, **settings, "margin": settings.get("margin", 4)},
    )


def _add(chart: Any, name: str, marks: Sequence[Mark]) -> None:
    chart.add(name, [_value(mark, mark.value) for mark in marks])


def _value(mark: Mark, value: object) -> dict[str, object]:
    drawn: dict[str, object] = {
        "value": value,
        "label": mark.label,
        "formatter": lambda _: mark.said,
    }
    if mark.start:
        drawn["node"] = {svg.EMPTY_SHARE: mark.start / mark.value}
    return drawn
