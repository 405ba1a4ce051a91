"""Turns pygal's charts into plain SVG: no script, no style, no comment, nothing to load.

pygal computes the layout; the page's style sheet sets the looks, by CSS classes. pygal's data for
tooltips, which needs its script, becomes a `<title>`, which every browser shows, and a label
beside the mark if there is room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as ET

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Placing = Literal["inside", "after", "above"]
"""Where a mark's label is: inside, to the right, or above."""

TEXT = 14.0
"""Size of all text, in the units of the drawing."""
_SVG = "{http://www.w3.org/2000/svg}"
EMPTY_SHARE = "empty-share"
"""An attribute that callers may set on a mark: the share of its bar, from the left, not to draw."""
_LETTER = 0.6  # mean width of a letter, relative to the text's size
_LINE = 1.35  # line height, relative to the text's size
_FEWEST = 6  # a name is not cut to fewer letters
_PADDING = 7.0
# Classes of elements that pygal's script would fill, and of pygal's own titles.
_EMPTY = ("titles", "tooltip-overlay", "text-overlay")


def draw(
    chart: Any, *, described: str, classes: Sequence[str], placing: Placing, tight: bool = False
) -> Markup:
    """Draw a chart.

    Args:
        chart: A pygal chart. Each value is a dict with `value`; `label`, the text beside its
            mark; and `formatter`, which returns its tooltip.
        described: A description of the chart, for screen readers.
        classes: CSS classes of its series, in order.
        placing: Where the labels are.
        tight: Whether to crop the drawing to its marks.
    """
    root = ET.fromstring(chart.render())  # noqa: S314 - it is our own
    box = _box(root) if tight else (0.0, 0.0, float(chart.config.width), float(chart.config.height))
    for parent, child in _unwanted(root):
        parent.remove(child)
    for group in root.iter(f"{_SVG}g"):
        _mark_up(group, classes, placing)
    root.attrib.pop("id", None)
    root.set("viewBox", " ".join(f"{number:.1f}" for number in box))
    root.set("role", "img")
    root.set("aria-label", described)
    ET.register_namespace("", _SVG[1:-1])
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - ElementTree escapes


def _unwanted(root: ET.Element) -> Iterator[tuple[ET.Element, ET.Element]]:
    """Yield each element to be removed, with its parent."""
    for parent in list(root.iter()):
        for child in list(parent):
            name, kind = child.tag.removeprefix(_SVG), child.get("class", "")
            of_root = parent is root and name in ("defs", "title")
            if of_root or kind == "background" or kind.endswith(_EMPTY):
                yield parent, child


def _mark_up(group: ET.Element, classes: Sequence[str], placing: Placing) -> None:
    """Set the class of a series' group, or the label and the tooltip of a mark."""
    words = group.get("class", "").split()
    if words[:1] == ["series"]:
        group.set("class", f"series {classes[int(words[1].removeprefix('serie-'))]}")
    said = {
        (child.get("class") or "").split()[0]: child.text or ""
        for child in group.findall(f"{_SVG}desc")
    }
    for child in group.findall(f"{_SVG}desc"):
        group.remove(child)
    shape = next((child for child in group if child.tag in (f"{_SVG}rect", f"{_SVG}circle")), None)
    if shape is None or "value" not in said:
        return
    if share := float(shape.attrib.pop(EMPTY_SHARE, 0)):
        # pygal draws all bars from zero.
        x, _, width, _ = _rectangle(shape)
        shape.set("x", f"{x + share * width:.2f}")
        shape.set("width", f"{(1 - share) * width:.2f}")
    ET.SubElement(shape, f"{_SVG}title").text = said["value"]
    if label := said.get("label"):
        _write(group, shape, label, placing)


def _write(group: ET.Element, shape: ET.Element, label: str, placing: Placing) -> None:
    """Write a mark's label, line by line; lines that do not fit are left out."""
    if placing == "above":
        x, y = float(shape.get("cx", 0)), float(shape.get("cy", 0)) - 0.9 * TEXT
        _text(group, x, y, label, "middle")
        return
    x, y, width, height = _rectangle(shape)
    if placing == "after":
        _text(group, x + width + _PADDING, y + height / 2 + 0.35 * TEXT, label, "start")
        return
    letters = int((width - 2 * _PADDING) / (_LETTER * TEXT))
    for number, line in enumerate(label.split("\n"), start=1):
        fits = len(line) <= letters
        if number * _LINE * TEXT + _PADDING > height or not (
            fits or (number == 1 and letters >= _FEWEST)
        ):
            return
        shown = line if fits else f"{line[: letters - 1]}…"
        _text(group, x + _PADDING, y + number * _LINE * TEXT, shown, "start")


def _text(group: ET.Element, x: float, y: float, words: str, anchor: str) -> None:
    position = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": "label"}
    ET.SubElement(group, f"{_SVG}text", position).text = words


def _rectangle(shape: ET.Element) -> tuple[float, float, float, float]:
    x, y, width, height = (float(shape.get(name, 0)) for name in ("x", "y", "width", "height"))
    return x, y, width, height


def _box(root: ET.Element) -> tuple[float, float, float, float]:
    """Return the smallest rectangle that holds all marks."""
    marks = [
        _rectangle(shape)
        for shape in root.iter(f"{_SVG}rect")
        if (shape.get("class") or "").startswith("rect ")
    ]
    left, top = (min(mark[axis] for mark in marks) for axis in (0, 1))
    right, bottom = (max(mark[axis] + mark[axis + 2] for mark in marks) for axis in (0, 1))
    return left, top, right - left, bottom - top
