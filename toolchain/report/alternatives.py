"""Alternatives to compare a site's model with: the converter's own weights, and VGG16."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain.records import site_files
from toolchain.report import accuracy
from toolchain.sources.catalogue import VGG16

if TYPE_CHECKING:
    from toolchain.records.build_report import Report, Variant
    from toolchain.records.pareto import Point

_WIDTHS = {"float16": 2, "uint8": 1}  # bytes that the converter stores per weight


@dataclass(frozen=True)
class Alternative:
    """One classifier that a page could use."""

    name: str
    bytes: int
    counted: str
    """How the bytes were counted."""
    accuracy: str | None
    """None if it is unknown."""


def alternatives(report: Report) -> tuple[Alternative, ...]:
    """Return the site's own model first, then its alternatives."""
    judged = accuracy.judgements(report)
    own = Alternative(
        "This site's model",
        site_files.model_bytes(report.files, "model", report.artifacts),
        "after Brotli",
        f"{accuracy.words(judged[0].verdict)}, by {judged[0].by}" if judged else None,
    )
    known = {variant.name for variant in report.variants}
    stored = {point.weights: point for point in report.front.converted} if report.front else {}
    return (
        own,
        *map(_variant, report.variants),
        *(_converted(name, stored.get(name), report) for name in _WIDTHS if name not in known),
        Alternative(
            "VGG16, float32",
            VGG16.float32_bytes,
            f"published: {VGG16.published}",
            f"top-1 {VGG16.top1:.1f} %, as published",
        ),
    )


def _variant(variant: Variant) -> Alternative:
    judged = None
    if variant.verdict is not None and variant.plan is not None:
        judged = f"{accuracy.words(variant.verdict)}, by {variant.plan.judged}, when it was built"
    return Alternative(f"This site's variant {variant.name}", variant.bytes, "after Brotli", judged)


def _converted(name: str, point: Point | None, report: Report) -> Alternative:
    shown = f"The converter's {name}"
    if point is None:
        count = _WIDTHS[name] * report.artifacts.parameters
        return Alternative(shown, count, f"computed: {_WIDTHS[name]} bytes a weight", None)
    by = "generated pictures" if report.front and report.front.blind else "photos"
    return Alternative(
        shown,
        point.bytes,
        "after Brotli",
        f"{accuracy.words(point.verdict)}, by {point.verdict.photos} {by}",
    )
