"""The commands of `toolchain report`: compare two reports, check one against a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Compare the reports of two sites, or check a site against a budget.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Json = Annotated[bool, typer.Option("--json", help="Print the record as JSON.")]
_Summary = Annotated[
    bool,
    typer.Option(
        "--github-summary",
        help="Append Markdown to the file that $GITHUB_STEP_SUMMARY names; without one, print it.",
    ),
]


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A built site, or its report.json.")],
    new: Annotated[Path, typer.Argument(help="The site or report to compare with it.")],
    as_json: _Json = False,
    github_summary: _Summary = False,
) -> None:
    """Print the differences: bytes by kind, times to the first tag, accuracy, the plan."""
    from toolchain.cli import comparison_tables
    from toolchain.records import build_report
    from toolchain.report import diff as differences

    found = differences.compare(build_report.read(old), build_report.read(new))
    if github_summary:
        comparison_tables.summarise(comparison_tables.markdown_of_comparison(found))
    elif as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        comparison_tables.print_comparison(found)


@app.command()
def check(
    site: Annotated[Path, typer.Argument(help="A built site, or its report.json.")],
    budget: Annotated[Path, typer.Option(help="TOML file of limits.")] = Path("budget.toml"),
    as_json: _Json = False,
    github_summary: _Summary = False,
) -> None:
    """Check a site against a budget; exit with 1 if it is over a limit."""
    from toolchain.cli import comparison_tables
    from toolchain.records import build_report
    from toolchain.report import budget as budgets

    limits = budgets.read(budget)
    checks = budgets.check(build_report.read(site), limits, site)
    if github_summary:
        comparison_tables.summarise(comparison_tables.markdown_of_checks(checks))
    elif as_json:
        typer.echo(comparison_tables.json_of_checks(checks))
    else:
        comparison_tables.print_checks(checks)
    budgets.enforce(checks, limits)
