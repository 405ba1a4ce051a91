"""The command that builds a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolchain.cli.model_options import Fetching, Licence, Model, Preview, Said, Sha256
from toolchain.cli.options import Budget
from toolchain.cli.shared import grouped
from toolchain.cli.weight_options import Quantize, RecipeOptions, Variants, words_of

DEFAULT_MODEL = "mobilenet-v2-100-224"


@grouped
def build(
    model: Model = DEFAULT_MODEL,
    preview: Preview = None,
    head: Annotated[
        Path | None,
        typer.Option(
            help="File that a page of this model has exported, with tags that a visitor has "
            "taught; the site gets these tags instead of the model's."
        ),
    ] = None,
    quantize: Quantize = None,
    variant: Variants = None,
    out: Annotated[Path, typer.Option(help="The folder to write the site to.")] = Path("dist"),
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
    teach: Annotated[
        bool | None,
        typer.Option(
            "--teach/--no-teach",
            help="Let visitors teach their own tags with a few photos; none leaves their machine.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with these five options for the page, and more; by default "
            "toolchain.toml of this folder, if there is one."
        ),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Origin of pages that may load the model by tagger.js, such as "
            "https://app.example.org, or * for all; give it again for another.",
        ),
    ] = None,
    frame_ancestors: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Origin of pages that may show the page in a frame and exchange messages with it; "
            "give it again for another.",
        ),
    ] = None,
    package: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[@VERSION]",
            help="Also write an npm package of the model to the folder OUT-package; its version is "
            "1.0.0 if none is given.",
        ),
    ] = None,
    fallback: Annotated[
        bool,
        typer.Option(
            help="Build the embedded model if the model's hosts cannot be reached, and leave out "
            "the preview if its hosts cannot."
        ),
    ] = True,
    licence: Licence = None,
    sha256: Sha256 = None,
    budget: Budget = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print warnings and errors only.")] = False,
    *,
    recipes: RecipeOptions,
    said: Said,
    fetching: Fetching,
) -> None:
    """Build a site: fetch the model, convert it, render the page, compress the files."""
    from toolchain.cli import tables
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import build as pipeline
    from toolchain.pipeline import build_options as building
    from toolchain.report import budget as budgets
    from toolchain.site import configuration, npm_package

    limits = None if budget is None else budgets.read(budget)

    named = None if package is None else npm_package.parse(package)
    option = "--variant" if variant else "--quantize"
    first, *others = (recipes.weights(word, option) for word in words_of(quantize, variant))
    options = building.BuildOptions(
        request=fetching.ask(model, sha256=sha256, patient=not fallback, said=said),
        preview=None if preview is None else fetching.ask(preview, patient=not fallback),
        head=head,
        out=out,
        weights=first,
        variants=tuple(others),
        declared=said.declared(licence),
        fallback=fallback,
        package=named,
        page=configuration.settle(
            config,
            {
                "title": title,
                "description": description,
                "accent": accent,
                "template": template,
                "teach": teach,
            },
        ),
        origins=configuration.settle_origins(
            config, {"cors": cors or None, "frame_ancestors": frame_ancestors or None}
        ),
    )
    terminal = Terminal(quiet=quiet)
    for each in (first, *others):
        tables.warn_of_quantization(each, terminal)
    report = pipeline.build(options, progress=terminal)
    if as_json:
        typer.echo(report.to_json(), nl=False)
    elif not quiet:
        tables.print_report(report, out)
        if named is not None:
            folder = npm_package.folder_beside(out)
            typer.echo(
                f"The npm package {named.name} is in {folder}; npm publish {folder} takes it"
            )
    if limits is not None:
        budgets.enforce(budgets.check(report, limits, out), limits)
