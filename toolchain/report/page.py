"""Renders `report.html`: one file that shows a report, without scripts or other files to load.

All figures come from the record. The style sheet is that of the site's page and a few more rules.
The Content-Security-Policy allows this style sheet, by its hash, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from markupsafe import Markup

from toolchain.report import accuracy, sections, training_chapter, training_charts
from toolchain.report.alternatives import alternatives
from toolchain.site import web_bundle
from toolchain.site.template import rendered
from toolchain.units import duration, size

_FLOAT32_WIDTH = 4  # bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolchain.records.build_report import Report
    from toolchain.records.visit_figures import Measurement


def render(report: Report) -> str:
    """Return the HTML of a report.

    Raises:
        BadInputError: The template has a fault; the message names the place.
        MissingToolError: The page's runtime, which has the style sheet, is not built.
    """
    chapter = training_chapter.chapter(report)
    style = _style(["report.css", "charts.css", *(["training.css"] if chapter else [])])
    plan = report.plan if report.plan and report.plan.tensors else None
    measured = _ordered(report.measurements)
    beside = alternatives(report)
    context: dict[str, object] = {
        "report": report,
        "plan": plan,
        "style": Markup(style),  # noqa: S704 - ours, and an element of text
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "size": size,
        "duration": duration,
        "layers": sections.layer_names(plan) if plan else {},
        "setting": sections.setting,
        "accuracy": accuracy,
        "judged": accuracy.judgements(report),
        "alternatives": beside,
        "float32_bytes": float32_bytes(report),
        "now_bytes": beside[0].bytes,
        "measured": measured,
        "chapter": chapter,
        "percent": training_charts.percent,
        "limits": training_charts.limits,
        "charts": {
            "kinds": sections.kinds(report),
            "layers": sections.layers(plan) if plan else None,
            "bits": sections.bits(plan) if plan else None,
            "errors": sections.errors(plan) if plan else None,
            "front": sections.front(report),
            "load_times": sections.load_times(measured),
            "waterfalls": [sections.waterfall(one) for one in measured],
            "sizes": sections.sizes(report),
        },
    }
    return rendered("report.html.j2", context)


def float32_bytes(report: Report) -> int:
    """Return what `model.json` and the weights would take as float32, the former after Brotli.

    The weights are counted without compression, which saves a few per cent of float32.
    """
    path = f"model/{report.artifacts.model_json}"
    graph = sum(file.brotli for file in report.files if file.path == path)
    return graph + _FLOAT32_WIDTH * report.artifacts.parameters


def _style(files: Iterable[str]) -> str:
    """Return the page's style sheet and the report's own ones, from files of `templates/`."""
    (runtime, *_) = web_bundle.load_runtimes()
    of_page = [(web_bundle.runtime_dir() / name).read_text("utf-8") for name in runtime.styles]
    own = [(web_bundle.templates_dir() / name).read_text("utf-8") for name in files]
    return "\n".join((*of_page, *own))


def _ordered(measured: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Return measurements from the slowest network to the fastest."""

    def speed(one: Measurement) -> float:
        return one.network.down_bits or float("inf")

    return tuple(sorted(measured, key=speed))
