"""`toolchain inspect`: the parts of a model or of a built site."""

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
    """The figures of a model, as a SavedModel or in a site."""

    card: ModelCard
    form: str
    """Its form: `SavedModel`, or `TF.js graph model, float16`."""
    parameters: int
    multiply_adds: int
    """Multiplications with additions for one image."""
    file_bytes: int
    memory_bytes: int
    """Bytes of the weights while the graph runs."""
    ops: dict[str, int]
    dtypes: dict[str, int]
    preview: Inspection | None = None
    """For a site: its preview, if it has one."""


def inspect(
    request: Request,
    declared: Declared | None = None,
    *,
    store: Store | None = None,
    progress: Progress = SILENT,
) -> Inspection:
    """Inspect a built site, or fetch a model and inspect its graph.

    Args:
        request: The site or the model.
        declared: What the user says of a model; it overrides what its source says.
        store: The cache; None for the user's.
        progress: Shows fetching.

    Raises:
        ToolchainError: The model cannot be fetched or read.
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
    """Inspect one of a site's models; its files are of one kind."""
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
