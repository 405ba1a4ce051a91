"""Renders `report.html`: one file that shows a report, with nothing to load and no script.

All figures come from the record. The style sheet is that of the site's own page and a few
rules more; the page's Content-Security-Policy allows it by its hash and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from markupsafe import Markup

from toolchain.report import accuracy, exhibits
from toolchain.report.alternatives import alternatives
from toolchain.site import parts
from toolchain.site.template import rendered
from toolchain.units import duration, size

if TYPE_CHECKING:
    from toolchain.report.schema import Measurement, Report


def render(report: Report) -> str:
    """Return the HTML of a report.

    Raises:
        BadInputError: The template has a fault; its place is named.
        MissingToolError: The page's runtime, whose style it has, is not built.
    """
    style = _style()
    plan = report.plan if report.plan and report.plan.tensors else None
    measured = _ordered(report.measurements)
    context: dict[str, object] = {
        "report": report,
        "plan": plan,
        "style": Markup(style),  # noqa: S704 - ours, and an element of text
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "size": size,
        "duration": duration,
        "layers": exhibits.layer_names(plan) if plan else {},
        "setting": exhibits.setting,
        "accuracy": accuracy,
        "judged": accuracy.judgements(report),
        "alternatives": alternatives(report),
        "measured": measured,
        "charts": {
            "kinds": exhibits.kinds(report),
            "layers": exhibits.layers(plan) if plan else None,
            "bits": exhibits.bits(plan) if plan else None,
            "errors": exhibits.errors(plan) if plan else None,
            "front": exhibits.front(report),
            "load_times": exhibits.load_times(measured),
            "waterfalls": [exhibits.waterfall(one) for one in measured],
            "sizes": exhibits.sizes(report),
        },
    }
    return rendered("report.html.j2", context)


def _style() -> str:
    (runtime, *_) = parts.load_runtimes()
    of_page = [(parts.runtime_dir() / name).read_text("utf-8") for name in runtime.styles]
    own = (parts.templates_dir() / "report.css").read_text("utf-8")
    return "\n".join((*of_page, own))


def _ordered(measured: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Return measurements from the slowest network to the fastest."""

    def speed(one: Measurement) -> float:
        return one.network.down_bits or float("inf")

    return tuple(sorted(measured, key=speed))
