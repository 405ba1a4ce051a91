"""The commands that judge models on photos: one model, or the whole front of plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolchain.cli.options import (
    Calibration,
    ChannelOrder,
    CropFraction,
    Engine,
    EvaluationPhotos,
    Form,
    InputSize,
    LabelOffset,
    Labels,
    LockFile,
    MaxBytes,
    MaxDrop,
    Mean,
    Mirror,
    ShardSize,
    Std,
    TaskOption,
    Threshold,
    Timeout,
    Trust,
    ValueRange,
    compression_by,
    declared_by,
    request_for,
    shard_bytes_of,
)

if TYPE_CHECKING:
    from toolchain.sources.resolve import Request


def evaluate(
    model: Annotated[str, typer.Argument(help="A built site, or anything that build takes.")],
    photos: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos in a folder for each class, named by its label, number or WordNet id; "
            "with a labels.csv of photo,labels; or without classes.",
        ),
    ],
    photo_labels: Annotated[
        Path | None,
        typer.Option(
            help="CSV that says which labels each photo has: lines like `photo.jpg,cat;dog`, or "
            "a column of 0 and 1 for each label. By default labels.csv among the photos."
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="Which of a site's variants; any but the first is only printed."),
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Model to compare with; by default the one that a site was built from."),
    ] = None,
    engine: Engine = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default as many as are worth it.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use only so many photos, evenly spread.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
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
    mirror: Mirror = None,
    timeout: Timeout = 600.0,
    trust: Trust = False,
    lock_file: LockFile = Path("toolchain.lock.json"),
) -> None:
    """Judge a site or a model on photos: top-1 or mAP, and how far it strays from its source."""
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.evaluation import run
    from toolchain.store import Store

    def ask(word: str) -> Request:
        return request_for(word, mirror=mirror, timeout=timeout, pins=lock_file, trust=trust)

    options = run.EvaluationOptions(
        request=ask(model),
        photos=photos,
        photo_labels=photo_labels,
        variant=variant,
        reference=None if reference is None else ask(reference),
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
        ),
        limit=limit,
        workers=workers,
        engine=engine,
    )
    found = run.evaluate(options, store=Store.default(), progress=Terminal())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        tables.print_evaluation(found)


def tune(
    model: Annotated[str, typer.Argument(help="Anything that build takes.")],
    calibration: Calibration = None,
    evaluation: EvaluationPhotos = None,
    from_bits: Annotated[float, typer.Option(min=0.5, max=8, help="Fewest bits a weight.")] = 3.0,
    to_bits: Annotated[float, typer.Option(min=0.5, max=8, help="Most bits a weight.")] = 8.0,
    points: Annotated[int, typer.Option(min=1, help="How many levels, evenly spaced.")] = 6,
    form: Form = "packed",
    max_drop: MaxDrop = 1.0,
    max_bytes: MaxBytes = None,
    engine: Engine = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; by default one, for each takes gigabytes."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    site: Annotated[
        Path | None, typer.Option(help="Site of the same model whose report gets the front.")
    ] = None,
    shard_size: ShardSize = "4MiB",
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
    mirror: Mirror = None,
    timeout: Timeout = 600.0,
    trust: Trust = False,
    lock_file: LockFile = Path("toolchain.lock.json"),
) -> None:
    """Compute bytes against accuracy at many levels of bits; what was computed is kept."""
    from toolchain.cli import front
    from toolchain.cli.console import Terminal
    from toolchain.compress import tune as fronts
    from toolchain.report import keep, schema
    from toolchain.store import Store

    before = None if site is None else schema.read(site)
    options = fronts.TuneOptions(
        request=request_for(model, mirror=mirror, timeout=timeout, pins=lock_file, trust=trust),
        compress=compression_by(
            "auto",
            form=form,
            calibration=calibration,
            evaluation=evaluation,
            max_drop=max_drop,
            max_bytes=max_bytes,
            shard_bytes=shard_bytes_of(shard_size),
        ),
        bits=fronts.levels(from_bits, to_bits, points),
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
        ),
        workers=workers,
        engine=engine,
    )
    found = fronts.tune(options, store=Store.default(), progress=Terminal())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        front.print_front(found)
    if site is not None and before is not None:
        keep.keep_front(site, before, found)
