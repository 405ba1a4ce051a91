"""The build: one stage after another, from a source to a site on disk."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from toolchain import __version__
from toolchain.card import Declared
from toolchain.compress import stage as compression
from toolchain.report import schema
from toolchain.site import publish
from toolchain.site.precompress import precompress
from toolchain.site.render import render
from toolchain.sources import resolve
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolchain.compress.stage import CompressOptions
    from toolchain.progress import Progress
    from toolchain.store import Store
    from toolchain.tfjs.convert import Quantization

SHARD_BYTES = 4 << 20


@dataclass(frozen=True)
class BuildOptions:
    """What to build and where to."""

    request: resolve.Request
    out: Path
    quantization: Quantization = "float16"
    """How the converter stores the weights; of no account where `compress` says more."""
    compress: CompressOptions | None = None
    """How to compress them instead."""
    shard_bytes: int = SHARD_BYTES
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model; it holds over what its source says."""
    fallback: bool = True
    """Build the embedded model where the hosts of a catalogue model are out of reach."""
    title: str | None = None


class _Clock:
    """Times the stages as they pass."""

    def __init__(self) -> None:
        self.stages: list[schema.Stage] = []
        self.reused = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.reused = False
        begun = time.perf_counter()
        yield
        seconds = round(time.perf_counter() - begun, 3)
        self.stages.append(schema.Stage(name=name, seconds=seconds, reused=self.reused))


def build(options: BuildOptions, *, store: Store, progress: Progress) -> schema.Report:
    """Build a site and put it in place of the one at `options.out`.

    Until the last step nothing at `options.out` changes, whatever fails. Where the new
    site is the same as the old, the old one stays untouched.

    Returns:
        The report that was written into the site as `report.json`.

    Raises:
        ToolchainError: A stage failed; the old site is as it was.
    """
    publish.prepare(options.out)
    clock = _Clock()
    with clock.stage("source"):
        outcome = _fetch(options, store, progress)
    with clock.stage("convert"):
        model = tfjs.run(
            outcome.fetched,
            # Compression starts from the weights as they are.
            quantization="none" if options.compress else options.quantization,
            shard_bytes=options.shard_bytes,
            store=store,
            progress=progress,
        )
        clock.reused = model.reused
    compressed = None
    if options.compress is not None:
        with clock.stage("quantize"):
            compressed = compression.run(model, options.compress, store=store, progress=progress)
            model = compressed.model
            clock.reused = model.reused
    for assumption in model.converted.assumptions:
        progress.warn(assumption)
    with store.lock(f"site-{options.out.resolve()}"), publish.staged(options.out) as site:
        with clock.stage("render"):
            render(model, site, title=options.title, notice=outcome.notice)
        with clock.stage("compress"):
            sizes = precompress(site, store=store, progress=progress)
        files = tuple(
            schema.SiteFile(
                path=path,
                kind=schema.kind_of(path),
                raw=size.raw,
                gzip=size.gzip,
                brotli=size.brotli,
            )
            for path, size in sizes.items()
        )
        report = schema.Report(
            toolchain=__version__,
            requested=options.request.model,
            notice=outcome.notice,
            assumptions=model.converted.assumptions,
            card=model.converted.card,
            quantization=model.converted.quantization,
            plan=compressed.plan if compressed else None,
            verdict=compressed.verdict if compressed else None,
            source_graph=model.converted.facts,
            artifacts=model.converted.artifacts,
            stages=tuple(clock.stages),
            files=files,
            totals=schema.totals(files),
        )
        (site / "report.json").write_text(report.to_json(), "utf-8")
    return report


def _fetch(options: BuildOptions, store: Store, progress: Progress) -> resolve.Outcome:
    if options.fallback:
        outcome = resolve.fetch_or_embedded(options.request, store=store, progress=progress)
    else:
        outcome = resolve.Outcome(resolve.fetch(options.request, store=store, progress=progress))
    declared = options.declared.over(outcome.fetched.declared)
    return replace(outcome, fetched=replace(outcome.fetched, declared=declared))
