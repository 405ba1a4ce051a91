"""The build: one stage after another, from a source to a site on disk."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolchain import __version__, digest
from toolchain.card import Declared
from toolchain.compress import stage as compression
from toolchain.errors import BadInputError, ToolchainError, UnreachableError
from toolchain.report import keep as reports
from toolchain.report import schema
from toolchain.site import build_info, host_files, publish, render, supply
from toolchain.site.configuration import PageOptions
from toolchain.site.precompress import precompress
from toolchain.site.variants import VARIANTS, Variant
from toolchain.sources import resolve
from toolchain.text import printable
from toolchain.tfjs import stage as tfjs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolchain.compress.plan import Plan
    from toolchain.compress.stage import CompressOptions
    from toolchain.evaluation.metrics import Verdict
    from toolchain.progress import Progress
    from toolchain.sources.saved_model import Fetched
    from toolchain.store import Store
    from toolchain.tfjs.convert import Quantization
    from toolchain.tfjs.stage import TfjsModel

SHARD_BYTES = 4 << 20
_PREVIEW = "preview: "  # before the names of its stages, as a variant's name is before its
_SMALL = 0.5  # of the model's weights; a larger preview hardly answers sooner


@dataclass(frozen=True)
class Weights:
    """How to store a model's weights."""

    quantization: Quantization
    """How the converter stores them; of no account where `compress` says more."""
    compress: CompressOptions | None = None
    """How to compress them instead."""

    @property
    def name(self) -> str:
        """The word that asks for them."""
        return self.compress.recipe if self.compress else self.quantization


@dataclass(frozen=True)
class BuildOptions:
    """What to build and where to."""

    request: resolve.Request
    out: Path
    quantization: Quantization = "float16"
    """How the converter stores the weights; of no account where `compress` says more."""
    compress: CompressOptions | None = None
    """How to compress them instead."""
    variants: tuple[Weights, ...] = ()
    """Other ways to store them, of other names, for the visitor to choose."""
    shard_bytes: int = SHARD_BYTES
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model; it holds over what its source says."""
    preview: resolve.Request | None = None
    """A small model with the same labels, to answer first visits until the other one is there.
    What is declared holds for it too, but for the size and the licence."""
    fallback: bool = True
    """Build the embedded model where the hosts of a catalogue model are out of reach, and no
    preview where those of the preview are."""
    page: PageOptions = field(default_factory=PageOptions)

    @property
    def weights(self) -> Weights:
        """How to store them in the variant that the page begins with."""
        return Weights(self.quantization, self.compress)


@dataclass(frozen=True)
class _Made:
    """A model as the site gets it, and how compressing it went."""

    name: str
    """Of its weights."""
    model: TfjsModel
    plan: Plan | None = None
    verdict: Verdict | None = None
    photos: Mapping[str, str | None] = field(default_factory=dict)
    """Digests of those that it was compressed by."""


class _Stages:
    """Runs the stages that models pass, and times them."""

    def __init__(self, options: BuildOptions, store: Store, progress: Progress) -> None:
        self.done: list[schema.Stage] = []
        self._options = options
        self._store = store
        self._progress = progress
        self._reused = False

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time what is done inside as the stage of this name."""
        self._reused = False
        begun = time.perf_counter()
        yield
        seconds = round(time.perf_counter() - begun, 3)
        self.done.append(schema.Stage(name=name, seconds=seconds, reused=self._reused))

    def source(self) -> resolve.Outcome:
        """Fetch the model, or the embedded one in its place."""
        options = self._options
        with self.timed("source"):
            if options.fallback:
                outcome = resolve.fetch_or_embedded(
                    options.request, store=self._store, progress=self._progress
                )
            else:
                outcome = resolve.Outcome(
                    resolve.fetch(options.request, store=self._store, progress=self._progress)
                )
        return replace(outcome, fetched=_declare(outcome.fetched, options.declared))

    def preview_source(self, request: resolve.Request) -> Fetched | None:
        """Fetch the preview; None where its hosts are out of reach and that is no error."""
        with self.timed(f"{_PREVIEW}source"):
            try:
                fetched = resolve.fetch(request, store=self._store, progress=self._progress)
            except UnreachableError as error:
                if not self._options.fallback:
                    raise
                self._progress.warn(str(error))
                self._progress.warn(
                    f"building without the preview {request.model}; "
                    "--no-fallback makes this an error"
                )
                return None
        # Its licence and the size of its input are its own.
        own = {"licence": None, "height": None, "width": None}
        return _declare(fetched, self._options.declared.model_copy(update=own))

    def convert(self, fetched: Fetched, weights: Weights, prefix: str = "") -> TfjsModel:
        """Convert a model to TF.js, with its weights as they shall be or as compression wants."""
        with self.timed(f"{prefix}convert"):
            model = tfjs.run(
                fetched,
                # Compression starts from the weights as they are.
                quantization="none" if weights.compress else weights.quantization,
                shard_bytes=self._options.shard_bytes,
                store=self._store,
                progress=self._progress,
            )
            self._reused = model.reused
        return model

    def quantize(self, model: TfjsModel, weights: Weights, prefix: str = "") -> _Made:
        """Compress a model's weights, unless they are to stay as the converter stored them."""
        if weights.compress is None:
            return _Made(weights.name, model)
        with self.timed(f"{prefix}quantize"):
            made = compression.run(
                model, weights.compress, store=self._store, progress=self._progress
            )
            self._reused = made.model.reused
        return _Made(weights.name, made.model, made.plan, made.verdict, made.photos)


def build(options: BuildOptions, *, store: Store, progress: Progress) -> schema.Report:
    """Build a site and put it in place of the one at `options.out`.

    Until the last step nothing at `options.out` changes, whatever fails. Where the new
    site is the same as the old, the old one stays untouched.

    Returns:
        The report that was written into the site as `report.json`, with what is known of the
        same site from before.

    Raises:
        BadInputError: The preview has other labels than the model, or what the page is to
            have cannot be used.
        ToolchainError: A stage failed; the old site is as it was.
    """
    try:
        return _build(options, store, progress)
    except FileNotFoundError as error:
        if not store.lost(error):
            raise
        progress.warn("the cache was emptied while it was used; building again")
    try:
        return _build(options, store, progress)
    except FileNotFoundError as error:
        if not store.lost(error):
            raise
        raise ToolchainError(
            f"the cache {store.root} is being emptied while it is used; build when that is done"
        ) from error


def _build(options: BuildOptions, store: Store, progress: Progress) -> schema.Report:
    publish.prepare(options.out)
    render.check(options.page)
    if missing := render.texts_of(options.page).missing:
        progress.warn(
            f"{len(missing)} texts are not translated to {options.page.language}, such as "
            f"{missing[0]}; the page shows them in English"
        )
    if options.page.colours:
        for change in options.page.colours.changes():
            progress.say(change)
    stages = _Stages(options, store, progress)
    outcome = stages.source()
    made, variants, preview = _models(outcome.fetched, options, stages)
    model, small = made.model, preview.model if preview else None
    _warn(model, small, progress)
    with publish.staged(options.out) as site:
        with stages.timed("render"):
            render.render(
                model,
                site,
                page=options.page,
                variants=[_variant(each) for each in (made, *variants)] if variants else (),
                preview=small,
                notice=outcome.notice,
            )
        with stages.timed("compress"):
            sizes = precompress(site, store=store, progress=progress)
            everything = (made, *variants, *([preview] if preview else ()))
            supply.write(site, [each.model for each in everything], options.page)
            host_files.write(site)
            build_info.write(site, _built(*everything), _inputs(options))
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
            requested=printable(options.request.model),
            notice=outcome.notice,
            assumptions=model.converted.assumptions,
            card=model.converted.card,
            quantization=model.converted.quantization,
            plan=made.plan,
            verdict=made.verdict,
            source_graph=model.converted.facts,
            artifacts=model.converted.artifacts,
            preview=_record(preview, options),
            variants=tuple(_record_of_variant(variant, files) for variant in variants),
            stages=tuple(stages.done),
            files=files,
            totals=schema.totals(files),
        )
        reports.write(site, report)
    return reports.with_what_was_found(report, options.out)


def _models(
    fetched: Fetched, options: BuildOptions, stages: _Stages
) -> tuple[_Made, tuple[_Made, ...], _Made | None]:
    """Make the model, its other variants, and the preview if there is to be one.

    What can be wrong with the preview shows before anything is compressed, which takes longest.
    """
    small = stages.preview_source(options.preview) if options.preview else None
    model = stages.convert(fetched, options.weights)
    _rehearse(model, options)
    if small is None:
        made = stages.quantize(model, options.weights)
        return made, _variants(fetched, model, options, stages), None
    preview = stages.convert(small, options.weights, _PREVIEW)
    if preview.converted.card.labels != model.converted.card.labels:
        raise BadInputError(
            f"the preview {preview.converted.card.provenance.name} has other labels than "
            f"{model.converted.card.provenance.name}; give one that was trained on the same classes"
        )
    # The bytes that are asked for are those of the model itself.
    compress = options.compress and replace(options.compress, max_bytes=None)
    made = stages.quantize(model, options.weights)
    variants = _variants(fetched, model, options, stages)
    weights = replace(options.weights, compress=compress)
    return made, variants, stages.quantize(preview, weights, _PREVIEW)


def _variants(
    fetched: Fetched, model: TfjsModel, options: BuildOptions, stages: _Stages
) -> tuple[_Made, ...]:
    """Make the model's other variants; those that are compressed share one conversion."""
    plain = model if options.compress else None
    made = []
    for weights in options.variants:
        prefix = f"{weights.name}: "
        if weights.compress is None:
            converted = stages.convert(fetched, weights, prefix)
        else:
            converted = plain = plain or stages.convert(fetched, weights, prefix)
        made.append(stages.quantize(converted, weights, prefix))
    return tuple(made)


def _variant(made: _Made) -> Variant:
    """Return what the page has to know of a variant."""
    verdict = made.verdict
    drop = None if verdict is None else verdict.drop or verdict.expected_drop
    return Variant(made.name, made.model, drop)


def _rehearse(model: TfjsModel, options: BuildOptions) -> None:
    """Make the page once before the model is compressed, where its template may have a fault."""
    if options.page.template and options.compress:
        with TemporaryDirectory(prefix="toolchain-") as folder:
            render.render(model, Path(folder), page=options.page)


def _warn(model: TfjsModel, preview: TfjsModel | None, progress: Progress) -> None:
    """Say what was assumed, and where a preview is hardly worth its bytes."""
    for assumption in model.converted.assumptions:
        progress.warn(assumption)
    if preview is None:
        return
    name = preview.converted.card.provenance.name
    for assumption in preview.converted.assumptions:
        progress.warn(f"the preview {name}: {assumption}")
    small, full = (each.converted.artifacts.weight_bytes for each in (preview, model))
    if small >= _SMALL * full:
        progress.warn(
            f"the preview {name} has {small:,} bytes of weights and the model {full:,}; "
            "one of less than half would answer sooner"
        )


def _built(*models: _Made) -> tuple[build_info.Built, ...]:
    """Say of each model where it came from and how its weights are stored."""
    return tuple(
        build_info.Built(
            **made.model.converted.card.provenance.model_dump(),
            quantization=made.model.converted.quantization,
            basis=made.model.key,
            plan=None if made.plan is None else digest.of_json(made.plan.model_dump(mode="json")),
            calibration=made.photos.get("calibration"),
            evaluation=made.photos.get("evaluation"),
        )
        for made in models
    )


def _inputs(options: BuildOptions) -> build_info.Inputs:
    """Say what the page was made of; folders by their content, not by their place."""
    page = options.page
    samples, template = page.samples_folder, page.template
    return build_info.Inputs(
        shard_bytes=options.shard_bytes,
        page=digest.of_json(page.model_dump(mode="json", exclude={"samples", "template"})),
        samples=None if samples is None else digest.of_tree(samples),
        template=None if template is None else digest.of_tree(template),
    )


def _record_of_variant(variant: _Made, files: tuple[schema.SiteFile, ...]) -> schema.Variant:
    artifacts = variant.model.converted.artifacts
    return schema.Variant(
        name=variant.name,
        plan=variant.plan,
        verdict=variant.verdict,
        artifacts=artifacts,
        bytes=schema.model_bytes(files, f"{VARIANTS}/{variant.name}", artifacts),
    )


def _record(preview: _Made | None, options: BuildOptions) -> schema.Preview | None:
    if preview is None or options.preview is None:
        return None
    converted = preview.model.converted
    return schema.Preview(
        requested=printable(options.preview.model),
        assumptions=converted.assumptions,
        card=converted.card,
        quantization=converted.quantization,
        plan=preview.plan,
        verdict=preview.verdict,
        source_graph=converted.facts,
        artifacts=converted.artifacts,
    )


def _declare(fetched: Fetched, declared: Declared) -> Fetched:
    """Let what the user says of a model hold over what its source says."""
    return replace(fetched, declared=declared.over(fetched.declared))
