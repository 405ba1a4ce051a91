"""Turns an image classifier into a static web page that tags images in the browser.

The same commands as on the command line, as functions that take and return records; see
`docs/api.md`. Each name is imported when it is first used, because some imports are slow.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "pipeline.build": ("build",),
    "pipeline.build_options": ("BuildOptions",),
    "pipeline.deploy": ("deploy", "rollback"),
    "pipeline.evaluate": ("evaluate",),
    "pipeline.inspection": ("Inspection", "inspect"),
    "pipeline.measure": ("measure",),
    "pipeline.pull": ("pull",),
    "pipeline.train": ("train",),
    "pipeline.tune": ("TuneOptions", "levels", "tune"),
    "cache.store": ("Store",),
    "deployment.stage": ("Outcome",),
    "deployment.verify": ("Verification", "verify"),
    "errors": ("BadInputError", "ToolchainError"),
    "evaluation.stage": ("EvaluationOptions",),
    "measurement.stage": ("MeasureOptions",),
    "progress": ("Progress", "Silent"),
    "quantize.settings": ("QuantizeSettings",),
    "records.build_report": ("Report",),
    "records.card": ("Declared", "ModelCard"),
    "records.evaluation": ("Evaluation",),
    "records.pareto": ("ParetoFront",),
    "records.visit_figures": ("Measurement",),
    "site.configuration": ("PageOptions",),
    "sources.request": ("Request",),
    "sources.saved_model": ("Fetched",),
    "records.training": ("Training",),
    "tfjs.convert": ("Stored",),
    "training.options": ("TrainOptions",),
    "throttling": ("LINKS", "Link"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}
__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - all are strings


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
