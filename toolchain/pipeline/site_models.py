"""Makes the models of a site: runs a model's stages and times them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError, UnreachableError
from toolchain.photos.photo_folder import find, without_none
from toolchain.pipeline import pixel_values, taught_head, training_photos
from toolchain.quantize import stage as quantization
from toolchain.records import build_report
from toolchain.site import render, web_bundle
from toolchain.smoke_test import stage as smoke_test
from toolchain.sources import resolve, trained
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolchain.cache.store import Store
    from toolchain.pipeline.build_options import BuildOptions, Weights
    from toolchain.progress import Progress
    from toolchain.records.card import Declared, ModelCard
    from toolchain.records.plan import Plan
    from toolchain.records.smoke_test import SmokeTest
    from toolchain.records.verdict import Verdict
    from toolchain.site.page_files import PageFiles
    from toolchain.sources.request import Request
    from toolchain.sources.saved_model import Fetched
    from toolchain.sources.trained import TrainedModel
    from toolchain.tfjs.stage import TfjsModel

_SHOWN = 2  # photos, in the smoke test
_PREVIEW = "preview: "  # prefix of its stages' names, like a variant's name for its stages


@dataclass(frozen=True)
class Made:
    """A finished model for a site, and how it was quantised."""

    name: str
    """Name of its weights."""
    model: TfjsModel
    plan: Plan | None = None
    verdict: Verdict | None = None
    photos: Mapping[str, str | None] = field(default_factory=dict)
    """Digests of the photos that it was quantised by."""


@dataclass(frozen=True)
class Models:
    """All models of a site."""

    first: Made
    """The model that the page begins with."""
    variants: tuple[Made, ...]
    """Its variants: the same model with its weights stored in other ways."""
    preview: Made | None
    notice: str | None
    """Why it is another model than the requested one, if it is."""
    trained: TrainedModel | None = None
    """The model, if `toolchain train` made it."""

    @property
    def offered(self) -> tuple[Made, ...]:
        """The variants that visitors choose from, the first included; empty without a choice."""
        return (self.first, *self.variants) if self.variants else ()

    @property
    def all(self) -> tuple[Made, ...]:
        """The first model, its variants, the preview."""
        return (self.first, *self.variants, *([self.preview] if self.preview else ()))


class Stages:
    """Runs stages for models, and records their times."""

    def __init__(self, options: BuildOptions, store: Store, progress: Progress) -> None:
        self.done: list[build_report.Stage] = []
        self._options = options
        self._store = store
        self._progress = progress
        self._reused = False

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Record the time of the block as a stage of this name."""
        self._reused = False
        begun = time.perf_counter()
        yield
        seconds = round(time.perf_counter() - begun, 3)
        self.done.append(build_report.Stage(name=name, seconds=seconds, reused=self._reused))

    def source(self) -> resolve.Outcome:
        """Fetch the model, or the embedded one as its fallback."""
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
            fetched = _declare(outcome.fetched, options.declared)
            if options.head is not None:
                fetched = taught_head.with_head(
                    fetched, options.head, store=self._store, progress=self._progress
                )
        return replace(outcome, fetched=fetched)

    def with_photos(self, fetched: Fetched) -> BuildOptions:
        """Let a model that was trained here be quantised by its own photos; return the options."""
        first, *others = (
            each
            if isinstance(each, Stored)
            else training_photos.with_photos(each, fetched, self._progress)
            for each in (self._options.weights, *self._options.variants)
        )
        self._options = replace(self._options, weights=first, variants=tuple(others))
        return self._options

    def preview_source(self, request: Request) -> Fetched | None:
        """Fetch the preview; None if its hosts cannot be reached and that is not an error."""
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
        # These are declared for the model, not for its preview.
        own = dict.fromkeys(("licence", "height", "width", "none_of_these"))
        return _declare(fetched, self._options.declared.model_copy(update=own))

    def preview_weights(self, fetched: Fetched) -> Weights:
        """Return how the preview's weights are stored: like the model's, but at any size.

        What a trained model gave out of fold says nothing about another model. So a preview that
        was trained brings its own photos and outputs, and another one has the model's photos only.
        """
        weights = self._options.weights
        if isinstance(weights, Stored):
            return weights
        weights = replace(weights, max_bytes=None)
        if weights.held_out is not None:
            photos = weights.calibration if fetched.trained is None else None
            weights = replace(weights, held_out=None, calibration=photos)
        return training_photos.with_photos(weights, fetched, self._progress)

    def convert(self, fetched: Fetched, weights: Weights, prefix: str = "") -> TfjsModel:
        """Convert a model to TF.js, with its final weights, or with float32 ones to quantise."""
        with self.timed(f"{prefix}convert"):
            model = pixel_values.convert(
                fetched,
                # Quantising starts from the model's own weights.
                weights if isinstance(weights, Stored) else Stored("none", weights.shard_bytes),
                None if isinstance(weights, Stored) else weights.evaluation,
                offered=web_bundle.load_runtimes()[-1].ops,
                store=self._store,
                progress=self._progress,
            )
            self._reused = model.reused
        return model

    def quantize(self, model: TfjsModel, weights: Weights, prefix: str = "") -> Made:
        """Quantise a model's weights, unless they stay as the converter stored them."""
        if isinstance(weights, Stored):
            return Made(weights.name, model)
        with self.timed(f"{prefix}quantize"):
            made = quantization.run(model, weights, store=self._store, progress=self._progress)
            self._reused = made.model.reused
        return Made(weights.name, made.model, made.plan, made.verdict, made.photos)

    def smoke_test(
        self, site: Path, models: Models, files: Sequence[PageFiles]
    ) -> tuple[SmokeTest, ...]:
        """Run every model of a rendered site like its page, and compare it with its source."""
        with self.timed("smoke test"):
            photos = self._some_photos()
            subjects = [
                smoke_test.Subject(
                    "preview" if each is models.preview else each.name, each.model, of, photos
                )
                for each, of in zip(models.all, files, strict=True)
            ]
            found, self._reused = smoke_test.run(
                site,
                subjects,
                host=web_bundle.worker_host(),
                store=self._store,
                progress=self._progress,
            )
        return found

    def _some_photos(self) -> tuple[Path, ...]:
        """Return a few of the user's photos for quantisation."""
        weights = self._options.weights
        if isinstance(weights, Stored):
            return ()
        folder = weights.calibration or weights.evaluation
        if folder is None:
            return ()
        return without_none(find(folder), ()).limited(_SHOWN).paths


def make(options: BuildOptions, stages: Stages) -> Models:
    """Make the models of a site.

    Faults of the preview show before anything is quantised, which takes longest.

    Raises:
        BadInputError: The preview has other labels than the model or lacks its rule for photos
            of none of them, or the page's template has a fault.
        ToolchainError: A stage failed.
    """
    outcome = stages.source()
    options = stages.with_photos(outcome.fetched)
    small = stages.preview_source(options.preview) if options.preview else None
    model = stages.convert(outcome.fetched, options.weights)
    _render_early(model, options)
    converted = stages.convert(small, options.weights, _PREVIEW) if small else None
    if converted:
        _check_preview(converted.converted.card, model.converted.card)
    made = stages.quantize(model, options.weights)
    variants = _variants(outcome.fetched, model, options, stages)
    preview = None
    if small and converted:
        preview = stages.quantize(converted, stages.preview_weights(small), _PREVIEW)
    folder = outcome.fetched.trained
    return Models(
        made, variants, preview, outcome.notice, None if folder is None else trained.read(folder)
    )


def _check_preview(preview: ModelCard, model: ModelCard) -> None:
    """Refuse a preview whose answers would not be the model's."""
    name, full = preview.provenance.name, model.provenance.name
    if preview.labels != model.labels:
        raise BadInputError(
            f"the preview {name} has other labels than {full}; "
            "give one that was trained on the same classes"
        )
    if model.none_of_these and not preview.none_of_these:
        raise BadInputError(
            f"{full} tells photos of none of its labels and the preview {name} cannot, so it would "
            "give them a tag; make the preview from the same photos with `toolchain train`"
        )


def _variants(
    fetched: Fetched, model: TfjsModel, options: BuildOptions, stages: Stages
) -> tuple[Made, ...]:
    """Make the model's other variants; quantised ones share one conversion."""
    plain = None if isinstance(options.weights, Stored) else model
    made = []
    for weights in options.variants:
        prefix = f"{weights.name}: "
        if isinstance(weights, Stored):
            converted = stages.convert(fetched, weights, prefix)
        else:
            converted = plain = plain or stages.convert(fetched, weights, prefix)
        made.append(stages.quantize(converted, weights, prefix))
    return tuple(made)


def _render_early(model: TfjsModel, options: BuildOptions) -> None:
    """Render the page once before the model is quantised, to find a template's faults early."""
    if options.page.template and not isinstance(options.weights, Stored):
        with TemporaryDirectory(prefix="toolchain-") as folder:
            render.render(model, Path(folder), page=options.page)


def _declare(fetched: Fetched, declared: Declared) -> Fetched:
    """Override what a model's source says by what the user says."""
    return replace(fetched, declared=declared.over(fetched.declared))
