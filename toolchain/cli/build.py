"""The command that builds a site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolchain.cli.options import (
    Budget,
    Calibration,
    ChannelOrder,
    CropFraction,
    EvaluationPhotos,
    Form,
    InputSize,
    LabelOffset,
    Labels,
    Licence,
    LockFile,
    MaxBytes,
    MaxDrop,
    Mean,
    Mirror,
    Model,
    Preview,
    Quantize,
    Sha256,
    ShardSize,
    Std,
    TaskOption,
    Threshold,
    Timeout,
    Trust,
    ValueRange,
    Variants,
    declared_by,
    request_for,
    shard_bytes_of,
    weights_of,
    words_of,
)

if TYPE_CHECKING:
    from toolchain.sources.resolve import Request


DEFAULT_MODEL = "mobilenet-v2-100-224"


def build(
    model: Model = DEFAULT_MODEL,
    preview: Preview = None,
    quantize: Quantize = None,
    variant: Variants = None,
    form: Form = "packed",
    calibration: Calibration = None,
    evaluation: EvaluationPhotos = None,
    max_drop: MaxDrop = 1.0,
    max_bytes: MaxBytes = None,
    out: Annotated[Path, typer.Option(help="The folder to write the site to.")] = Path("dist"),
    shard_size: ShardSize = "4MiB",
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    description: Annotated[
        str | None, typer.Option(help="One sentence under the heading of the page.")
    ] = None,
    accent: Annotated[
        str | None, typer.Option(help="Colour of buttons, links and bars: crimson or #b3261e.")
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(help="Folder with an index.html.j2 that extends or replaces the page's."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file that says of the page what these four do, and more; by default "
            "toolchain.toml of this folder, if there is one."
        ),
    ] = None,
    fallback: Annotated[
        bool,
        typer.Option(
            help="Build the embedded model when the model's hosts are out of reach, and no preview "
            "when the preview's are."
        ),
    ] = True,
    labels: Labels = None,
    label_offset: LabelOffset = None,
    input_size: InputSize = None,
    value_range: ValueRange = None,
    mean: Mean = None,
    std: Std = None,
    channels: ChannelOrder = None,
    task: TaskOption = None,
    threshold: Threshold = None,
    crop_fraction: CropFraction = None,
    licence: Licence = None,
    mirror: Mirror = None,
    sha256: Sha256 = None,
    timeout: Timeout = 600.0,
    trust: Trust = False,
    lock_file: LockFile = Path("toolchain.lock.json"),
    budget: Budget = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print warnings and errors only.")] = False,
) -> None:
    """Build a site: fetch the model, convert it, render the page, compress the files."""
    from toolchain.build import options as building
    from toolchain.build import run
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.report import budget as budgets
    from toolchain.site import configuration
    from toolchain.store import Store

    limits = None if budget is None else budgets.read(budget)

    def weights(word: str) -> building.Weights:
        return building.Weights(
            *weights_of(
                word,
                option="--variant" if variant else "--quantize",
                form=form,
                calibration=calibration,
                evaluation=evaluation,
                max_drop=max_drop,
                max_bytes=max_bytes,
                shard_bytes=shard_bytes_of(shard_size),
            )
        )

    word, others = words_of(quantize, variant)
    first = weights(word)

    def ask(word: str, sha256: str | None = None) -> Request:
        return request_for(
            word,
            mirror=mirror,
            sha256=sha256,
            timeout=timeout,
            pins=lock_file,
            patient=not fallback,
            trust=trust,
        )

    options = building.BuildOptions(
        request=ask(model, sha256),
        preview=None if preview is None else ask(preview),
        out=out,
        quantization=first.quantization,
        compress=first.compress,
        variants=tuple(map(weights, others)),
        shard_bytes=shard_bytes_of(shard_size),
        declared=declared_by(
            labels=labels,
            label_offset=label_offset,
            input_size=input_size,
            value_range=value_range,
            mean=mean,
            std=std,
            channels=channels,
            task=task,
            threshold=threshold,
            crop_fraction=crop_fraction,
            licence=licence,
        ),
        fallback=fallback,
        page=configuration.settle(
            config,
            {
                "title": title,
                "description": description,
                "accent": accent,
                "template": template,
            },
        ),
    )
    terminal = Terminal(quiet=quiet)
    for each in (first, *options.variants):
        tables.warn_of_quantization(each.quantization, terminal)
    report = run.build(options, store=Store.default(), progress=terminal)
    if as_json:
        typer.echo(report.to_json(), nl=False)
    elif not quiet:
        tables.print_report(report, out)
    if limits is not None:
        budgets.enforce(budgets.check(report, limits, out), limits)
