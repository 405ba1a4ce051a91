"""The commands for a built site: serve it, measure visits to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolchain.cli.options import (
    Backend,
    Host,
    Network,
    one_of,
)


def serve(
    site: Annotated[Path, typer.Argument(help="The built site.")] = Path("dist"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
) -> None:
    """Serve a built site on 127.0.0.1 until interrupted."""
    from toolchain.site import server

    def announce(url: str) -> None:
        typer.echo(f"Serving {site} at {url} (Ctrl-C ends it)")

    server.serve(site, port, ready=announce)


def measure(
    site: Annotated[
        str, typer.Argument(metavar="DIR|URL", help="The built site, or a page's address.")
    ] = "dist",
    network: Network = "4g",
    backend: Backend = "auto",
    host: Host = "toolchain",
    runs: Annotated[int, typer.Option(min=1, help="First visits, each followed by a second.")] = 5,
    browser: Annotated[
        str,
        typer.Option(
            help="chromium, firefox or webkit; the last two take --network none, and are only "
            "printed."
        ),
    ] = "chromium",
    energy: Annotated[
        bool,
        typer.Option(
            "--energy",
            help="Also read the browser's CPU time and, where the machine tells, the processor's "
            "energy; estimate that of other devices.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    chromium: Annotated[
        Path | None, typer.Option(help="The Chromium to use; by default the system's.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that a visit's first tag may take.")
    ] = 300.0,
    memory: Annotated[
        bool,
        typer.Option(
            help="Measure the resident memory too: loaded, after 100 photos and 1,000 frames."
        ),
    ] = False,
) -> None:
    """Measure visits: bytes, time to the first tag, memory; adds Chromium's to the report."""
    from toolchain import throttling
    from toolchain.cli import measure_tables
    from toolchain.cli.console import Terminal
    from toolchain.errors import BadInputError
    from toolchain.measurement import engine_visits, stage
    from toolchain.pipeline import measure as pipeline

    options = stage.MeasureOptions(
        site=site,
        network=throttling.parse(network),
        backend=one_of("--backend", backend, stage.BACKENDS),
        host=one_of("--host", host, stage.HOSTS),
        runs=runs,
        timeout=timeout,
        chromium=chromium,
        memory=memory,
        energy=energy,
    )
    wanted = one_of("--browser", browser, stage.BROWSERS)
    if wanted != "chromium":
        if energy:
            raise BadInputError("--energy needs --browser chromium, which tells its CPU time")
        if memory:
            raise BadInputError("--memory needs --browser chromium, which tells its processes")
        visits = engine_visits.measure(options, wanted, progress=Terminal())
        if as_json:
            typer.echo(visits.model_dump_json(indent=2))
        else:
            measure_tables.print_engine_visits(visits)
        return
    found = pipeline.measure(options, progress=Terminal())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        measure_tables.print_measurement(found)
