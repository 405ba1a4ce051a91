"""The commands for hosts: deploy, rollback, verify, server-config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolchain.cli.options import Network, one_of

if TYPE_CHECKING:
    from toolchain.deployment.bucket import Encoding

TargetWord = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A folder, user@host:/folder (rsync), s3://bucket/folder, gh-pages, "
        "git:REPOSITORY#branch, cloudflare-pages:PROJECT (#branch for a preview), or netlify:SITE.",
    ),
]
Endpoint = Annotated[
    str | None, typer.Option(help="Address of a bucket's service, if it is not AWS.")
]
ObjectEncoding = Annotated[
    str,
    typer.Option(
        metavar="br|gzip|none", help="How a bucket's objects are compressed; br needs HTTPS."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would change.")]


def deploy(
    target: TargetWord,
    site: Annotated[Path, typer.Option(help="The built site.")] = Path("dist"),
    dry_run: DryRun = False,
    with_report: Annotated[
        bool,
        typer.Option(
            "--with-report", help="Also send report.json and report.html, which show photos."
        ),
    ] = False,
    grace: Annotated[
        float, typer.Option(min=0, help="Days to keep files of replaced releases.")
    ] = 7.0,
    endpoint: Endpoint = None,
    encoding: ObjectEncoding = "gzip",
) -> None:
    """Deploy a site to a host: hashed names first, index.html last, only what has changed."""
    from datetime import timedelta

    from toolchain.cli import deploy_tables
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import deploy as pipeline

    outcome = pipeline.deploy(
        site,
        target,
        endpoint=endpoint,
        encoding=_encoding(encoding),
        progress=Terminal(),
        dry_run=dry_run,
        with_report=with_report,
        grace=timedelta(days=grace),
    )
    deploy_tables.print_outcome(outcome, target, dry_run=dry_run)


def rollback(
    target: TargetWord,
    dry_run: DryRun = False,
    endpoint: Endpoint = None,
    encoding: ObjectEncoding = "gzip",
) -> None:
    """Restore the release that a host had before the present one."""
    from toolchain.cli import deploy_tables
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import deploy as pipeline

    outcome = pipeline.rollback(
        target,
        endpoint=endpoint,
        encoding=_encoding(encoding),
        dry_run=dry_run,
        progress=Terminal(),
    )
    deploy_tables.print_outcome(outcome, target, dry_run=dry_run)


def verify(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the deployed page.")],
    site: Annotated[
        Path | None,
        typer.Option(help="The built site; by default the host's own build-info.json is trusted."),
    ] = None,
    custom_headers: Annotated[
        bool,
        typer.Option(help="Whether the host lets users set headers; GitHub Pages does not."),
    ] = True,
    visit: Annotated[
        bool, typer.Option(help="Also open the page in Chromium and time its first tag.")
    ] = True,
    network: Network = "none",
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
) -> None:
    """Fetch every file of a deployed site and print what is wrong; then visit it."""
    from toolchain import throttling
    from toolchain.cli import deploy_tables, measure_tables
    from toolchain.cli.console import Terminal
    from toolchain.deployment import verify as verification
    from toolchain.measurement.stage import MeasureOptions
    from toolchain.pipeline.measure import measure

    terminal = Terminal()
    found = verification.verify(url, progress=terminal, site=site, custom_headers=custom_headers)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        deploy_tables.print_verification(found)
    found.enforce()
    if visit:
        options = MeasureOptions(site=found.url, network=throttling.parse(network), runs=1)
        measured = measure(options, progress=terminal)
        if not as_json:
            measure_tables.print_measurement(measured)


def server_config(
    server: Annotated[
        str,
        typer.Argument(
            metavar="nginx|caddy|bucket",
            help="The kind of server; of a bucket, its CORS configuration as JSON.",
        ),
    ],
    root: Annotated[str, typer.Option(help="The site's folder on the server.")] = "/var/www/site",
    address: Annotated[
        str | None,
        typer.Option(help="nginx: the value of `listen`; Caddy: the site's address."),
    ] = None,
    brotli: Annotated[
        bool, typer.Option(help="nginx: whether the module brotli_static is installed.")
    ] = True,
    site: Annotated[
        Path,
        typer.Option(help="The built site, whose --cors and --frame-ancestors hold."),
    ] = Path("dist"),
) -> None:
    """Print a configuration with which nginx or Caddy serves a site with the right headers."""
    from toolchain.deployment import servers
    from toolchain.site import build_info

    wanted = one_of("server", server, servers.SERVERS)
    default = {"nginx": "80", "caddy": "example.org", "bucket": ""}[wanted]
    typer.echo(
        servers.configuration(
            wanted,
            root=root,
            address=address or default,
            brotli=brotli,
            origins=build_info.origins_of(site),
        ),
        nl=False,
    )


def _encoding(word: str) -> Encoding:
    from toolchain.deployment import bucket

    return one_of("--encoding", word, bucket.ENCODINGS_OF_OBJECTS)
