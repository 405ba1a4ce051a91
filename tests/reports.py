"""Reports for tests: real ones of a tiny site, filled with made-up findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import tiny_models
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records import build_report, site_files, visit_figures
from toolchain.records.artifacts import Artifacts
from toolchain.records.card import Declared, InputSpec, ModelCard, Provenance
from toolchain.records.evaluation import Change, Evaluation, Judged, Tag
from toolchain.records.graph_facts import GraphFacts
from toolchain.records.pareto import ParetoFront, Point
from toolchain.records.verdict import Drop, Expected, Share, Verdict
from toolchain.sources.request import Request
from toolchain.throttling import LINKS

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store


def tiny_site(model: Path, out: Path, store: Store) -> build_report.Report:
    """Build a site of the tiny model by a recipe, so that it has a plan."""
    options = BuildOptions(
        Request(str(model), lockfile=out.with_name("toolchain.lock.json")),
        out,
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
        weights=QuantizeSettings("int8"),
    )
    return build(options, store=store, progress=Silent())


def verdict(drop: float, *, of: int = 100) -> Verdict:
    """Return a verdict on `of` labelled photos."""
    share = Share(hits=of - 2, of=of, value=1 - 2 / of, low=0.9, high=0.99)
    return Verdict(
        photos=of,
        top1=share,
        top5=share,
        reference_top1=share,
        drop=Drop(points=drop, low=drop - 1, high=drop + 1, lost=3, won=1),
        agreement=share,
        score_shift=0.01,
        expected_drop=Expected(points=0.25, low=0.0, high=0.5),
    )


def evaluation(
    report: build_report.Report, *labels: tuple[str, str], drop: float = 1.5
) -> Evaluation:
    """Return an evaluation in which these labels changed, from the first to the second."""
    provenance = report.card.provenance
    judged = Judged(
        name=provenance.name, source=provenance.source, sha256=provenance.sha256, form="site, int8"
    )
    return Evaluation(
        model=judged,
        reference=judged.model_copy(update={"form": "SavedModel"}),
        note=None,
        folder="photos",
        broken=0,
        broken_photos=(),
        verdict=verdict(drop),
        changed=tuple(
            Change(
                photo=f"{before}/{number}.png",
                reference=Tag(label=before, score=0.8),
                model=Tag(label=after, score=0.4),
                truth=before,
            )
            for number, (before, after) in enumerate(labels)
        ),
    )


def measurement(network: str, first_ms: float, second_ms: float) -> visit_figures.Measurement:
    """Return a measurement with these times to the first tag."""
    first = _visits(first_ms)
    return visit_figures.Measurement(
        network=LINKS[network],
        host="toolchain",
        backend="auto",
        ran_on="wasm",
        browser="Chromium 1",
        runs=3,
        first=first,
        repeat=_visits(second_ms),
        repeat_ratio=spread(second_ms / first_ms),
        inference_ms=spread(9),
        inference_p90_ms=spread(12),
        heap_bytes=1_000_000,
        buffer_bytes=2_000_000,
        tensors=8,
    )


def spread(value: float) -> visit_figures.Spread:
    """Return a figure that was the same in every run."""
    return visit_figures.Spread(median=value, low=value, high=value)


def _visits(first_tag_ms: float) -> visit_figures.VisitFigures:
    return visit_figures.VisitFigures(
        first_tag_ms=spread(first_tag_ms),
        milestones_ms={
            "html": spread(first_tag_ms / 4),
            "model": spread(first_tag_ms / 2),
            "first-tag": spread(first_tag_ms),
        },
        begun_ms={
            "html": spread(0),
            "model": spread(first_tag_ms / 8),
            "first-tag": spread(first_tag_ms * 3 / 4),
        },
        traffic={kind: visit_figures.Traffic(requests=1, bytes=1000) for kind in site_files.KINDS},
        wire_bytes=6000,
        limit_ms=spread(first_tag_ms / 2),
        ratio=spread(2),
        long_tasks=0,
        longest_task_ms=0,
    )


def front(report: build_report.Report) -> ParetoFront:
    """Return a Pareto front of three points, of which the middle one is chosen."""
    provenance = report.card.provenance

    def point(weights: str, bits: float, count: int, drop: float) -> Point:
        rounded = "64 photos" if weights == "packed" else None
        return Point(
            weights=weights,
            rounded_by=rounded,
            bits=bits,
            bytes=count,
            drop=drop,
            verdict=verdict(drop),
        )

    return ParetoFront(
        name=provenance.name,
        source=provenance.source,
        sha256=provenance.sha256,
        blind=False,
        max_drop=1.0,
        max_bytes=None,
        points=(
            point("packed", 3, 300_000, 4.0),
            point("packed", 5, 500_000, 0.5),
            point("packed", 7, 700_000, 0.6),
        ),
        converted=(point("float16", 16, 1_600_000, 0.0), point("uint8", 8, 800_000, 56.0)),
        pareto=(0, 1),
        chosen=1,
    )


def smallest() -> build_report.Report:
    """Return a report of a site that was never built, with a little of everything."""
    card = ModelCard(
        provenance=Provenance(name="tiny", source="tiny", licence="CC0", sha256="ab" * 32),
        input=InputSpec(height=32, width=32, value_range=(0, 1)),
        label_offset=0,
        labels=tiny_models.names(),
    )
    facts = GraphFacts(
        parameters=9, multiply_adds=9, file_bytes=9, memory_bytes=36, ops={}, dtypes={}
    )
    artifacts = Artifacts(
        model_json="model.0.json",
        shards=("group1-shard1of1.0.bin",),
        weight_bytes=9,
        activation="softmax",
        tensors=1,
        parameters=9,
        memory_bytes=36,
        ops={},
        dtypes={},
    )
    files = (
        site_files.SiteFile(path="index.html", kind="page", raw=3, gzip=2, brotli=1),
        site_files.SiteFile(path="model/model.0.json", kind="model", raw=9, gzip=8, brotli=7),
    )
    report = build_report.Report(
        toolchain="0",
        requested="tiny",
        notice=None,
        assumptions=(),
        card=card,
        quantization="none",
        plan=None,
        verdict=verdict(1.0),
        source_graph=facts,
        artifacts=artifacts,
        stages=(build_report.Stage(name="source", seconds=1, reused=False),),
        files=files,
        totals=site_files.totals(files),
    )
    found = measurement("4g", 900.0, 300.0)
    return report.model_copy(
        update={"measurements": (found,), "evaluation": evaluation(report, ("a", "b"))}
    )
