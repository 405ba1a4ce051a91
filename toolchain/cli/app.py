"""The commands and their options; what is slow to import is imported by the command that runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolchain import __version__
from toolchain.cli import report as reports
from toolchain.cli.options import (
    Backend,
    Budget,
    Calibration,
    CropFraction,
    Engine,
    EvaluationPhotos,
    Form,
    Host,
    InputSize,
    LabelOffset,
    Labels,
    Licence,
    LockFile,
    MaxBytes,
    MaxDrop,
    Mirror,
    Model,
    Network,
    Preview,
    Quantize,
    Sha256,
    ShardSize,
    Timeout,
    UpdatePin,
    ValueRange,
    declared_by,
    request_for,
)

if TYPE_CHECKING:
    from toolchain.sources.resolve import Request

app = typer.Typer(
    name="toolchain",
    help="Turns an image classifier into a static web page that tags images in the browser.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help and plain tracebacks: drawing them would cost a fifth of a second at start.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(reports.app, name="report")

DEFAULT_MODEL = "mobilenet-v2-100-224"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"toolchain {__version__}")
        raise typer.Exit


@app.callback()
def toolchain(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and TensorFlow's own output.")
    ] = False,
) -> None:
    """Take the options that all commands share."""


@app.command()
def build(
    model: Model = DEFAULT_MODEL,
    preview: Preview = None,
    quantize: Quantize = "auto",
    form: Form = "packed",
    calibration: Calibration = None,
    evaluation: EvaluationPhotos = None,
    max_drop: MaxDrop = 1.0,
    max_bytes: MaxBytes = None,
    out: Annotated[Path, typer.Option(help="The folder to write the site to.")] = Path("dist"),
    shard_size: ShardSize = "4MiB",
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
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
    crop_fraction: CropFraction = None,
    licence: Licence = None,
    mirror: Mirror = None,
    sha256: Sha256 = None,
    timeout: Timeout = 600.0,
    lock_file: LockFile = Path("toolchain.lock.json"),
    budget: Budget = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print warnings and errors only.")] = False,
) -> None:
    """Build a site: fetch the model, convert it, render the page, compress the files."""
    from toolchain import build as pipeline
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.cli.options import shard_bytes_of, weights_of
    from toolchain.report import budget as budgets
    from toolchain.store import Store

    limits = None if budget is None else budgets.read(budget)

    quantization, compression = weights_of(
        quantize,
        form=form,
        calibration=calibration,
        evaluation=evaluation,
        max_drop=max_drop,
        max_bytes=max_bytes,
        shard_bytes=shard_bytes_of(shard_size),
    )

    def ask(word: str, sha256: str | None = None) -> Request:
        return request_for(
            word,
            mirror=mirror,
            sha256=sha256,
            timeout=timeout,
            pins=lock_file,
            patient=not fallback,
        )

    options = pipeline.BuildOptions(
        request=ask(model, sha256),
        preview=None if preview is None else ask(preview),
        out=out,
        quantization=quantization,
        compress=compression,
        shard_bytes=shard_bytes_of(shard_size),
        declared=declared_by(
            labels=labels,
            label_offset=label_offset,
            input_size=input_size,
            value_range=value_range,
            crop_fraction=crop_fraction,
            licence=licence,
        ),
        fallback=fallback,
        title=title,
    )
    terminal = Terminal(quiet=quiet)
    tables.warn_of_quantization(options.quantization, terminal)
    report = pipeline.build(options, store=Store.default(), progress=terminal)
    if as_json:
        typer.echo(report.to_json(), nl=False)
    elif not quiet:
        tables.print_report(report, out)
    if limits is not None:
        budgets.enforce(budgets.check(report, limits, out), limits)


@app.command()
def pull(
    model: Annotated[
        str, typer.Argument(help="Catalogue name, TF Hub URL, Kaggle handle or path.")
    ],
    mirror: Mirror = None,
    sha256: Sha256 = None,
    timeout: Timeout = 600.0,
    lock_file: LockFile = Path("toolchain.lock.json"),
    update_pin: UpdatePin = False,
) -> None:
    """Fetch a model into the cache, pin its digest, and print where it lies."""
    from toolchain.cli.console import Terminal
    from toolchain.sources import resolve
    from toolchain.store import Store

    request = request_for(
        model, mirror=mirror, sha256=sha256, timeout=timeout, pins=lock_file, update_pin=update_pin
    )
    fetched = resolve.fetch(request, store=Store.default(), progress=Terminal())
    typer.echo(f"model   {fetched.declared.name or model}")
    typer.echo(f"source  {fetched.source}")
    typer.echo(f"sha256  {fetched.sha256}")
    typer.echo(f"path    {fetched.path}")


@app.command()
def models() -> None:
    """List the models that have a name here."""
    from toolchain.cli import tables

    tables.print_catalogue()


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(help="A built site, or anything that build takes.")],
    labels: Labels = None,
    label_offset: LabelOffset = None,
    input_size: InputSize = None,
    value_range: ValueRange = None,
    mirror: Mirror = None,
    timeout: Timeout = 600.0,
    lock_file: LockFile = Path("toolchain.lock.json"),
) -> None:
    """Print parameters, multiply-adds, sizes, operations and dtypes of a model or site."""
    from toolchain import inspection
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.store import Store

    found = inspection.inspect(
        request_for(model, mirror=mirror, timeout=timeout, pins=lock_file),
        declared_by(
            labels=labels,
            label_offset=label_offset,
            input_size=input_size,
            value_range=value_range,
        ),
        store=Store.default(),
        progress=Terminal(),
    )
    tables.print_inspection(found)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A built site, or anything that build takes.")],
    photos: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Photos in a folder for each class, named by its label, number or WordNet id; "
            "or photos without classes.",
        ),
    ],
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
    crop_fraction: CropFraction = None,
    mirror: Mirror = None,
    timeout: Timeout = 600.0,
    lock_file: LockFile = Path("toolchain.lock.json"),
) -> None:
    """Judge a site or a model on photos: top-1, top-5, and how far it strays from its source."""
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.evaluation import run
    from toolchain.store import Store

    def ask(word: str) -> Request:
        return request_for(word, mirror=mirror, timeout=timeout, pins=lock_file)

    options = run.EvaluationOptions(
        request=ask(model),
        photos=photos,
        reference=None if reference is None else ask(reference),
        declared=declared_by(
            labels=labels,
            label_offset=label_offset,
            input_size=input_size,
            value_range=value_range,
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


@app.command()
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
    crop_fraction: CropFraction = None,
    mirror: Mirror = None,
    timeout: Timeout = 600.0,
    lock_file: LockFile = Path("toolchain.lock.json"),
) -> None:
    """Compute bytes against accuracy at many levels of bits; what was computed is kept."""
    from toolchain.cli import front
    from toolchain.cli.console import Terminal
    from toolchain.cli.options import compression_by, shard_bytes_of
    from toolchain.compress import tune as fronts
    from toolchain.report import keep, schema
    from toolchain.store import Store

    before = None if site is None else schema.read(site)
    options = fronts.TuneOptions(
        request=request_for(model, mirror=mirror, timeout=timeout, pins=lock_file),
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


@app.command()
def serve(
    site: Annotated[Path, typer.Argument(help="The built site.")] = Path("dist"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
) -> None:
    """Serve a built site on 127.0.0.1 until interrupted."""
    from toolchain import serve as server

    def announce(url: str) -> None:
        typer.echo(f"Serving {site} at {url} (Ctrl-C ends it)")

    server.serve(site, port, ready=announce)


@app.command()
def measure(
    site: Annotated[
        str, typer.Argument(metavar="DIR|URL", help="The built site, or a page's address.")
    ] = "dist",
    network: Network = "4g",
    backend: Backend = "auto",
    host: Host = "toolchain",
    runs: Annotated[int, typer.Option(min=1, help="First visits, each with a second one.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    chromium: Annotated[
        Path | None, typer.Option(help="The Chromium to use; by default the system's.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that a visit's first tag may take.")
    ] = 300.0,
) -> None:
    """Visit a site in Chromium: bytes, time to the first tag, memory; into its report.json."""
    from toolchain.cli import visits
    from toolchain.cli.console import Terminal
    from toolchain.cli.options import backend_of, host_of
    from toolchain.measure import networks, run

    options = run.MeasureOptions(
        site=site,
        network=networks.parse(network),
        backend=backend_of(backend),
        host=host_of(host),
        runs=runs,
        timeout=timeout,
        chromium=chromium,
    )
    found = run.measure(options, progress=Terminal())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        visits.print_measurement(found)


@app.command()
def doctor() -> None:
    """Check versions, Node, Chromium, the cache and the network, and say how to mend each."""
    from toolchain import doctor as checks
    from toolchain.cli import tables
    from toolchain.sources.network import NetworkPolicy
    from toolchain.store import Store

    healthy = True
    for finding in checks.examine(Store.default(), NetworkPolicy()):
        tables.print_finding(finding)
        healthy &= finding.good or not finding.needed
    if not healthy:
        raise typer.Exit(1)
