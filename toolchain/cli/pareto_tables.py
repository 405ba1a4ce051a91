"""Prints the Pareto front that `tune` computes: a table and a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from toolchain.cli.tables import new_table, standard_output
from toolchain.units import size

if TYPE_CHECKING:
    from toolchain.records.pareto import ParetoFront, Point

_WIDTH = 100  # columns of the plot, at most
_HEIGHT = 18  # rows
_CHOSEN, _BEST, _BEATEN = "◆", "●", "○"
_STYLES = {_CHOSEN: "bold green", _BEST: "green", _BEATEN: "yellow"}


def print_front(front: ParetoFront) -> None:
    """Print the converter's figures, the points and a plot; without colours off a terminal."""
    console = standard_output()
    console.print(f"{front.name} from {front.source}, sha256 {front.sha256}", soft_wrap=True)
    first = front.points[0].verdict
    judged = "changed scores" if first.score_change else "expected top-1"
    # The table just fits into a terminal of 80 columns.
    table = new_table(
        "weights", "", "bits", "brotli", "ratio", "drop", "95 % limits", "agree", numbers=6
    )
    for point in front.converted:
        table.add_row(point.weights, "converter's", *_figures(front, point))
    table.add_section()
    for place, point in enumerate(front.points):
        table.add_row(point.weights, _marks(front, place), *_figures(front, point))
    console.print(table)
    for line in _notes(front, judged):
        console.print(line, soft_wrap=True)
    plot = Text(_plot(front, judged, min(console.width, _WIDTH)))
    for symbol, style in _STYLES.items():
        plot.highlight_words((symbol,), style)
    console.print(plot, soft_wrap=True)


def _figures(front: ParetoFront, point: Point) -> tuple[str, ...]:
    """Return the figures of a row; the drop is in points."""
    agreement = point.verdict.agreement
    lost = point.verdict.score_change or point.verdict.expected_drop
    float16 = front.converted[0]
    return (
        f"{point.bits:.2f}",
        size(point.bytes),
        f"{point.bytes / float16.bytes:.3f}",
        "" if lost is None else f"{lost.points:.1f}",
        "" if lost is None else f"{lost.low:.1f} … {lost.high:.1f}",
        "" if agreement is None else f"{agreement.value:.1%}",
    )


def _marks(front: ParetoFront, place: int) -> str:
    marks = []
    if place in front.pareto:
        marks.append("front")
    if place == front.chosen:
        marks.append("auto")
    return ", ".join(marks)


def _notes(front: ParetoFront, judged: str) -> tuple[str, ...]:
    """Explain the figures, what they were judged by, and which point `auto` would take."""
    first = front.points[0]
    by = "the upper limit" if first.verdict.drop is None else "the drop"
    pictures = "generated pictures" if front.blind else "photos it was not rounded by"
    limits = f"--max-drop {front.max_drop:g}"
    if front.max_bytes is not None:
        limits += f" --max-bytes {front.max_bytes}"
    if front.chosen is None:
        chosen = f"None of these keeps {limits}."
    else:
        point = front.points[front.chosen]
        chosen = f"Of these, auto with {limits} takes the one with {point.bits:.2f} bits."
    return (
        f"Bits are per weight, drops in points of {judged}; auto decides by {by}.",
        f"Rounded by {first.rounded_by}, judged on {first.verdict.photos} {pictures}.",
        chosen,
    )


def _plot(front: ParetoFront, judged: str, width: int) -> str:
    """Plot drop against bytes, without the converter's points, which would be far away."""
    import plotext

    plotext.clear_figure()
    plotext.limit_size(False, False)  # it would cut the plot to its guess of the terminal's size
    plotext.plot_size(width, _HEIGHT)
    plotext.title(f"{_CHOSEN} auto   {_BEST} on the front   {_BEATEN} beaten by another")
    plotext.xlabel("kB after Brotli")
    plotext.ylabel(f"drop of {judged}, points")
    for place, point in enumerate(front.points):
        symbol = _BEST if place in front.pareto else _BEATEN
        if place == front.chosen:
            symbol = _CHOSEN
        plotext.scatter([point.bytes / 1e3], [point.drop], marker=symbol)
    drawn: str = plotext.uncolorize(plotext.build())
    return "\n".join(line.rstrip() for line in drawn.splitlines())
