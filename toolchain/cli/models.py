"""The commands about models: which there are, fetch one, look into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolchain.cli.options import (
    ChannelOrder,
    InputSize,
    LabelOffset,
    Labels,
    LockFile,
    Mean,
    Mirror,
    Sha256,
    Std,
    TaskOption,
    Threshold,
    Timeout,
    Trust,
    UpdatePin,
    ValueRange,
    declared_by,
    request_for,
)


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
    from toolchain.text import printable

    request = request_for(
        model, mirror=mirror, sha256=sha256, timeout=timeout, pins=lock_file, update_pin=update_pin
    )
    fetched = resolve.fetch(request, store=Store.default(), progress=Terminal())
    typer.echo(f"model   {printable(fetched.declared.name or model)}")
    typer.echo(f"source  {printable(fetched.source)}")
    typer.echo(f"sha256  {fetched.sha256}")
    typer.echo(f"path    {printable(str(fetched.path))}")


def models() -> None:
    """List the models that have a name here."""
    from toolchain.cli import tables

    tables.print_catalogue()


def inspect(
    model: Annotated[str, typer.Argument(help="A built site, or anything that build takes.")],
    labels: Labels = None,
    label_offset: LabelOffset = None,
    input_size: InputSize = None,
    value_range: ValueRange = None,
    mean: Mean = None,
    std: Std = None,
    channels: ChannelOrder = None,
    task: TaskOption = None,
    threshold: Threshold = None,
    mirror: Mirror = None,
    timeout: Timeout = 600.0,
    trust: Trust = False,
    lock_file: LockFile = Path("toolchain.lock.json"),
) -> None:
    """Print parameters, multiply-adds, sizes, operations and dtypes of a model or site."""
    from toolchain import inspection
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.store import Store

    found = inspection.inspect(
        request_for(model, mirror=mirror, timeout=timeout, pins=lock_file, trust=trust),
        declared_by(
            labels=labels,
            label_offset=label_offset,
            input_size=input_size,
            value_range=value_range,
            mean=mean,
            std=std,
            channels=channels,
            task=task,
            threshold=threshold,
        ),
        store=Store.default(),
        progress=Terminal(),
    )
    tables.print_inspection(found)
