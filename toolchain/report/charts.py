"""The report's charts, each drawn twice: for a wide window, and for a narrow one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.report import svg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

_WIDE, _NARROW = 920, 400  # units of the drawing, in which a text is 14 high
_ROW = 20  # of one bar
_GROUP = 10  # between the bars of one row of the table and the next
_AXIS = 30
_BEYOND = 1.02  # of the largest value, so that its line is not the edge


@dataclass(frozen=True)
class Mark:
    """One value of a chart."""

    value: float
    label: str
    """The text beside it; empty: none. Of several lines only those that have room."""
    said: str
    """What is said of it when it is pointed at."""
    start: float = 0.0
    """Where its bar begins."""


@dataclass(frozen=True)
class Chart:
    """One chart, as SVG for wide and for narrow windows."""

    wide: Markup
    narrow: Markup


def treemap(groups: Mapping[str, Sequence[Mark]], described: str) -> Chart:
    """Draw areas for values, those of a group side by side and of one colour.

    Args:
        groups: At least one value above zero, by the class of its group.
        described: What it shows, in words.
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
    """Draw horizontal bars, for each row one of each series.

    Args:
        rows: What each row is.
        series: By their class, with a value for each row.
        described: What it shows, in words.
        write: Makes text of a value on the axis.
    """
    largest = max(mark.value for marks in series.values() for mark in marks)
    height = len(rows) * (len(series) * _ROW + _GROUP) + _AXIS
    label = max(len(mark.label) for marks in series.values() for mark in marks)

    def drawn(width: int) -> Markup:
        # pygal counts rows from below, and keeps no room for what stands after a bar.
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
    """Draw many thin columns of one series.

    Args:
        marks: In their order.
        described: What it shows, in words.
        write: Makes text of a value on the axis.
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
    """One dot of a chart of two axes."""

    x: float
    mark: Mark
    """Its value is the height."""


def dots(
    series: Mapping[str, Sequence[Place]],
    lines: Sequence[str],
    described: str,
    *,
    write_x: Callable[[float], str],
    write_y: Callable[[float], str],
) -> Chart:
    """Draw dots in a plane.

    Args:
        series: By their class; none is empty.
        lines: Those whose dots a line joins.
        described: What it shows, in words.
        write_x: Makes text of a value on the axis below.
        write_y: Likewise, on the axis at the left.
    """
    places = [place for some in series.values() for place in some]
    least, most = min(place.x for place in places), max(place.x for place in places)
    margin = 0.08 * (most - least or most)
    highest = max(place.mark.value for place in places)

    def drawn(width: int) -> Markup:
        settings = {
            "xrange": (least - margin, most + margin),
            # Room for the text over the highest dot.
            "range": (min(0, *(place.mark.value for place in places)), 1.12 * highest or 1),
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
        margin=settings.get("margin", 4),
        include_x_axis=True,
        style=Style(label_font_size=svg.TEXT, value_font_size=svg.TEXT),
        **{name: value for name, value in settings.items() if name != "margin"},
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
