"""Makes the charts of a report from its record."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from toolchain.report import charts
from toolchain.report.alternatives import alternatives
from toolchain.report.charts import Mark, Place
from toolchain.units import duration, size

if TYPE_CHECKING:
    from toolchain.records.build_report import Report
    from toolchain.records.plan import Plan
    from toolchain.records.visit_figures import Measurement, VisitFigures
    from toolchain.report.charts import Chart

_HASH = re.compile(r"\.[0-9a-f]{16}(?=\.)|-[\w-]{8}(?=\.\w+$)")
_PARTS = 3  # of a layer's path in its short name, at most
# Names of operations and variables, which do not identify a layer.
_OF_TENSORFLOW = re.compile(
    r"(?:StatefulPartitionedCall|ReadVariableOp|Conv2D|MatMul|depthwise|weights|kernel|_|\d)*"
)


def kinds(report: Report) -> Chart:
    """Draw the bytes of all files after Brotli, by kind."""
    groups = defaultdict(list)
    for file in report.files:
        if file.brotli:
            said = f"{file.kind}: {file.path}, {size(file.brotli)} after Brotli"
            label = f"{_short(file.path)}\n{size(file.brotli)}"
            groups[f"of-{file.kind}"].append(Mark(file.brotli, label, said))
    return charts.treemap(dict(groups), "Bytes of each file after Brotli, by kind of file")


def layers(plan: Plan) -> Chart:
    """Draw the bytes of each layer's weights, by kind of layer."""
    groups = defaultdict(list)
    names = layer_names(plan)
    for tensor in plan.tensors:
        name = names[tensor.name]
        said = f"{tensor.name}: {size(tensor.bytes)}, {tensor.bits:.2f} bits a weight"
        label = f"{name}\n{size(tensor.bytes)}\n{tensor.bits:.1f} bits"
        groups[f"of-{tensor.kind}"].append(Mark(tensor.bytes, label, said))
    return charts.treemap(dict(groups), "Bytes of each layer's weights, by kind of layer")


def layer_names(plan: Plan) -> dict[str, str]:
    """Return a short name of each tensor's layer, just long enough to tell them apart."""
    parts = {
        tensor.name: [part for part in tensor.name.split("/") if not _OF_TENSORFLOW.fullmatch(part)]
        or [tensor.name]
        for tensor in plan.tensors
    }
    for count in range(1, _PARTS + 1):
        found = {name: "/".join(some[-count:]) for name, some in parts.items()}
        if len(set(found.values())) == len(found):
            break
    return found


def bits(plan: Plan) -> Chart:
    """Draw the bits of each layer's weights, in the network's order."""
    names = layer_names(plan)
    marks = [
        Mark(tensor.bits, "", f"{names[tensor.name]}: {tensor.bits:.2f} bits a weight")
        for tensor in plan.tensors
    ]
    return charts.columns(marks, "Bits for each weight, layer by layer", lambda value: f"{value:g}")


def errors(plan: Plan) -> Chart:
    """Draw the rounding error of each layer's weights, in the network's order."""
    names = layer_names(plan)
    marks = [
        Mark(100 * tensor.error, "", f"{names[tensor.name]}: rounding error {tensor.error:.1%}")
        for tensor in plan.tensors
    ]
    described = "Root mean square of the rounding error over that of the weights, layer by layer"
    return charts.columns(marks, described, lambda value: f"{value:g} %")


def front(report: Report) -> Chart | None:
    """Draw the Pareto front; None if none was computed."""
    found = report.front
    if found is None or not found.points:
        return None
    series = defaultdict(list)
    for place, point in enumerate(found.points):
        said = f"{point.bits:.2f} bits a weight: {size(point.bytes)}, drop {point.drop:.1f} points"
        mark = Mark(point.drop, f"{point.bits:g} bits", said)
        series["best" if place in found.pareto else "beaten"].append(Place(point.bytes, mark))
        if place == found.chosen:
            chosen = Mark(point.drop, "", f"{said}; the one that auto takes")
            series["chosen"].append(Place(point.bytes, chosen))
    return charts.dots(
        dict(series),
        ("best",),
        "Bytes after Brotli against the drop in points",
        write_x=lambda value: size(round(value)),
        write_y=lambda value: f"{value:g}",
    )


def load_times(measured: tuple[Measurement, ...]) -> Chart | None:
    """Draw the first tag's time on each network; None if nothing was measured."""
    if not measured:
        return None
    series: dict[str, list[Mark]] = {"first": [], "second": []}
    for one in measured:
        for name, visits in (("first", one.first), ("second", one.repeat)):
            time = visits.first_tag_ms
            spread = f"{duration(time.low)} … {duration(time.high)}"
            said = f"{setting(one)}, {name} visit: {duration(time.median)} ({spread})"
            series[name].append(Mark(time.median, duration(time.median), said))
    rows = [setting(one) for one in measured]
    return charts.bars(rows, series, "Time to the first tag, by network", duration)


def waterfall(measured: Measurement) -> Chart:
    """Draw when each file was loaded and each stage ran, on the first and the second visit."""
    first, second = measured.first, measured.repeat
    found = {**second.milestones_ms, **first.milestones_ms}
    began = {**second.begun_ms, **first.begun_ms}
    # Sorted by their begin, as in a waterfall; older reports have only their ends.
    names = sorted(
        found, key=lambda name: (began.get(name, found[name]).median, found[name].median)
    )
    series = {
        kind: [_stretch(name, kind, visits) for name in names]
        for kind, visits in (("first", first), ("second", second))
    }
    described = f"When each file was loaded and each stage ran, {setting(measured)}"
    return charts.bars(names, series, described, duration)


def _stretch(name: str, kind: str, visits: VisitFigures) -> Mark:
    """Return the bar of one file or stage, for the first or the second visits."""
    end, start = visits.milestones_ms.get(name), visits.begun_ms.get(name)
    if end is None:
        return Mark(0, "", f"{name}: not in the {kind} visit")
    by = duration(end.median)
    if start is None:
        return Mark(end.median, by, f"{name}, {kind} visit: by {by}")
    said = f"{name}, {kind} visit: {duration(start.median)} … {by}"
    # Both are medians over visits, so the start may be after the end.
    return Mark(end.median, by, said, min(start.median, end.median))


def sizes(report: Report) -> Chart:
    """Draw the model's bytes beside those of the alternatives."""
    found = alternatives(report)
    marks = [Mark(one.bytes, size(one.bytes), f"{one.name}: {size(one.bytes)}") for one in found]
    rows = [one.name for one in found]
    described = "Bytes of the model beside others"
    return charts.bars(rows, {"first": marks}, described, lambda value: size(round(value)))


def setting(measured: Measurement) -> str:
    """Name the conditions of a measurement in a few words."""
    host = {"toolchain": "", "plain": ", plain host", None: ", own host"}[measured.host]
    backend = "" if measured.backend == "auto" else f", {measured.backend}"
    return f"{measured.network.name}{backend}{host}"


def _short(path: str) -> str:
    """Return a file's name without its folder and its hash (toolchain's or Vite's)."""
    return _HASH.sub("", PurePosixPath(path).name)
