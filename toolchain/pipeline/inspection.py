"""What a model or a built site consists of, for `toolchain inspect`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.progress import SILENT, Progress
from toolchain.records import build_report, site_files
from toolchain.records.card import Declared
from toolchain.sources import operations, resolve

if TYPE_CHECKING:
    from toolchain.records.card import ModelCard
    from toolchain.sources.request import Request


@dataclass(frozen=True)
class Inspection:
    """The size of a model, as it lies in a SavedModel or in a site."""

    card: ModelCard
    form: str
    """What was looked at: `SavedModel`, or `TF.js graph model, float16`."""
    parameters: int
    multiply_adds: int
    """For one image."""
    file_bytes: int
    memory_bytes: int
    """Of the weights while the graph runs."""
    ops: dict[str, int]
    dtypes: dict[str, int]
    preview: Inspection | None = None
    """Of a site: the small model that answers first, if it has one."""


def inspect(
    request: Request,
    declared: Declared | None = None,
    *,
    store: Store | None = None,
    progress: Progress = SILENT,
) -> Inspection:
    """Look at a built site, or fetch a model and look at its graph.

    Args:
        request: What to look at.
        declared: What the user says of a model; it holds over what its source says.
        store: The cache; None: the user's.
        progress: Hears of what is done.

    Raises:
        ToolchainError: It cannot be fetched or read.
    """
    if (site := request.site) is not None:
        report = build_report.read(site)
        small = report.preview
        preview = _of_site(report, small, "preview") if small else None
        return _of_site(report, report, "model", preview)
    store = store or Store.default()
    fetched = resolve.fetch(request, store=store, progress=progress)
    from toolchain.graph import classifier, facts

    operations.check(fetched, progress)
    fetched = replace(fetched, declared=(declared or Declared()).over(fetched.declared))
    with tensorflow.quiet():
        read = classifier.read(fetched, ask=False)
        card = read.card
        counted = facts.measure(fetched.path, read.source, card.input, fetched.source)
    return Inspection(
        card=card,
        form="SavedModel",
        parameters=counted.parameters,
        multiply_adds=counted.multiply_adds,
        file_bytes=counted.file_bytes,
        memory_bytes=counted.memory_bytes,
        ops=counted.ops,
        dtypes=counted.dtypes,
    )


def _of_site(
    report: build_report.Report,
    model: build_report.Report | build_report.Preview,
    kind: site_files.Kind,
    preview: Inspection | None = None,
) -> Inspection:
    """Look at one of a site's models, whose files are of a kind."""
    return Inspection(
        card=model.card,
        form=f"TF.js graph model, {model.quantization}",
        parameters=model.artifacts.parameters,
        multiply_adds=model.source_graph.multiply_adds,
        file_bytes=report.totals[kind].raw,
        memory_bytes=model.artifacts.memory_bytes,
        ops=model.artifacts.ops,
        dtypes=model.artifacts.dtypes,
        preview=preview,
    )
