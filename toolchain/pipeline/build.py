"""`toolchain build`: runs one stage after another, from a source to a site on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain import __version__, digest
from toolchain.cache.store import Store
from toolchain.errors import ToolchainError
from toolchain.pipeline import site_models
from toolchain.progress import SILENT, Progress
from toolchain.records import build_report, site_files
from toolchain.records.site_files import VARIANTS
from toolchain.report import report_files as reports
from toolchain.site import bom, build_info, host_files, npm_package, publish, render
from toolchain.site.precompress import precompress
from toolchain.site.variants import Variant
from toolchain.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.pipeline.build_options import BuildOptions
    from toolchain.tfjs.stage import TfjsModel

_SMALL = 0.5  # of the model's weights; larger previews bring a warning. Chosen, not measured


def build(
    options: BuildOptions, *, store: Store | None = None, progress: Progress = SILENT
) -> build_report.Report:
    """Build a site and put it in place of the one at `options.out`.

    Nothing at `options.out` changes before the last step, whatever fails. If the new site equals
    the old one, the old one is not touched.

    Args:
        options: What to build, and where.
        store: The cache; None for the user's.
        progress: Shows each stage.

    Returns:
        The report that was written into the site as `report.json`, with earlier findings about
        the same site.

    Raises:
        BadInputError: The preview has other labels than the model, or an option for the page
            cannot be used.
        ToolchainError: A stage failed; the old site has not changed.
    """
    store = store or Store.default()
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
            f"the cache {store.root} is being emptied while it is used; build again afterwards"
        ) from error


def _build(options: BuildOptions, store: Store, progress: Progress) -> build_report.Report:
    publish.prepare(options.out)
    if options.package:
        publish.prepare(npm_package.folder_beside(options.out), npm_package.MARK)
    render.check(options.page)
    if missing := render.texts_of(options.page).missing:
        progress.warn(
            f"{len(missing)} texts are not translated to {options.page.language}, such as "
            f"{missing[0]}; the page shows them in English"
        )
    if options.page.colours:
        for change in options.page.colours.changes():
            progress.say(change)
    stages = site_models.Stages(options, store, progress)
    made = site_models.make(options, stages)
    model, small = made.first.model, made.preview.model if made.preview else None
    _warn(model, small, progress)
    with publish.staged(options.out, progress) as site:
        with stages.timed("render"):
            rendered = render.render(
                model,
                site,
                page=options.page,
                variants=[_variant(each) for each in made.offered],
                preview=small,
                verdict=made.first.verdict,
                framed_by=options.origins.frame_ancestors,
            )
        smoke_tests = stages.smoke_test(site, made, rendered)
        with stages.timed("precompress"):
            sizes = precompress(site, store=store, progress=progress)
            bom.write(site, [each.model for each in made.all], options.page)
            host_files.write(site, options.origins)
            build_info.write(site, _built(*made.all), _inputs(options), options.origins)
        files = tuple(
            site_files.SiteFile(
                path=path,
                kind=site_files.kind_of(path),
                raw=size.raw,
                gzip=size.gzip,
                brotli=size.brotli,
            )
            for path, size in sizes.items()
        )
        report = build_report.Report(
            toolchain=__version__,
            requested=printable(options.request.model),
            notice=made.notice,
            assumptions=model.converted.assumptions,
            card=model.converted.card,
            quantization=model.converted.quantization,
            plan=made.first.plan,
            verdict=made.first.verdict,
            smoke_tests=smoke_tests,
            source_graph=model.converted.facts,
            artifacts=model.converted.artifacts,
            preview=_record(made.preview, options),
            variants=tuple(_record_of_variant(variant, files) for variant in made.variants),
            stages=tuple(stages.done),
            files=files,
            totals=site_files.totals(files),
        )
        report = reports.with_training(report, made.trained, store)
        reports.write(site, report)
        if options.package:
            _write_package(options, options.package, site, made, progress)
    return reports.with_what_was_found(report, options.out)


def _write_package(
    options: BuildOptions,
    named: npm_package.NpmName,
    site: Path,
    made: site_models.Models,
    progress: Progress,
) -> None:
    out = npm_package.folder_beside(options.out)
    with publish.staged(out, progress, mark=npm_package.MARK) as folder:
        npm_package.write(site, folder, named, [each.model for each in made.all])


def _variant(made: site_models.Made) -> Variant:
    """Return the page's data about a variant."""
    verdict = made.verdict
    drop = None if verdict is None else verdict.expected_drop or verdict.drop
    return Variant(made.name, made.model, drop)


def _warn(model: TfjsModel, preview: TfjsModel | None, progress: Progress) -> None:
    """Warn of assumptions, and of a preview that is too large to help."""
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
            "a preview of less than half of that would answer sooner"
        )


def _built(*models: site_models.Made) -> tuple[build_info.Built, ...]:
    """Return the entries of `build-info.json` for the models."""
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
    """Return digests of the page's inputs; those of folders are of their content."""
    page = options.page
    samples, template = page.samples_folder, page.template
    return build_info.Inputs(
        shard_bytes=options.weights.shard_bytes,
        page=digest.of_json(page.model_dump(mode="json", exclude={"samples", "template"})),
        samples=None if samples is None else digest.of_tree(samples),
        template=None if template is None else digest.of_tree(template),
    )


def _record_of_variant(
    variant: site_models.Made, files: tuple[site_files.SiteFile, ...]
) -> build_report.Variant:
    artifacts = variant.model.converted.artifacts
    return build_report.Variant(
        name=variant.name,
        plan=variant.plan,
        verdict=variant.verdict,
        artifacts=artifacts,
        bytes=site_files.model_bytes(files, f"{VARIANTS}/{variant.name}", artifacts),
    )


def _record(preview: site_models.Made | None, options: BuildOptions) -> build_report.Preview | None:
    if preview is None or options.preview is None:
        return None
    converted = preview.model.converted
    return build_report.Preview(
        requested=printable(options.preview.model),
        assumptions=converted.assumptions,
        card=converted.card,
        quantization=converted.quantization,
        plan=preview.plan,
        verdict=preview.verdict,
        source_graph=converted.facts,
        artifacts=converted.artifacts,
    )
