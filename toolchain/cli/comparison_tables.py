"""What `toolchain report` prints: two reports side by side, a budget; tables and Markdown."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from toolchain.cli.tables import new_table, standard_output
from toolchain.errors import ToolchainError
from toolchain.units import duration, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolchain.report.budget import Check
    from toolchain.report.diff import Comparison, Difference

_COMPARED = ("", "old", "new", "change", "%")
_SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "&\\`*_{}[]<>#|~!@"}
_CHECKED = ("limit", "allowed", "found", "")


def print_comparison(found: Comparison) -> None:
    """Print two reports side by side, what changed and by how much."""
    console = standard_output()
    console.print(f"{found.old} → {found.new}", soft_wrap=True)
    table = new_table(*_COMPARED, numbers=4)
    group = None
    for one in found.differences:
        if group not in (None, one.group):
            table.add_section()
        group = one.group
        table.add_row(*_row(one))
    console.print(table)


def markdown_of_comparison(found: Comparison) -> str:
    """Return the same as Markdown, for a pull request."""
    rows = (_row(one) for one in found.differences)
    return f"### {_escaped(found.old)} → {_escaped(found.new)}\n\n{_table(_COMPARED, rows)}"


def print_checks(checks: Sequence[Check]) -> None:
    """Print every limit and the site's figure."""
    table = new_table(*_CHECKED, numbers=3)
    for one in checks:
        table.add_row(*_checked(one))
    standard_output().print(table)


def markdown_of_checks(checks: Sequence[Check]) -> str:
    """Return the same as Markdown, for a pull request."""
    over = sum(one.over for one in checks)
    verdict = f"{over} over the budget" if over else "within the budget"
    return f"### Site {verdict}\n\n{_table(_CHECKED, map(_checked, checks))}"


def json_of_checks(checks: Sequence[Check]) -> str:
    """Return the same as JSON."""
    return json.dumps(
        [one.model_dump(mode="json") | {"over": one.over} for one in checks], indent=2
    )


def summarise(markdown: str) -> None:
    """Append Markdown to the summary of a GitHub job, or print it if there is no job.

    Raises:
        ToolchainError: The summary cannot be written.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        typer.echo(markdown)
        return
    try:
        # Append, because earlier steps may have written to it.
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(f"{markdown}\n")
    except OSError as error:
        raise ToolchainError(
            f"the summary {path} that GITHUB_STEP_SUMMARY names cannot be written: {error.strerror}"
        ) from error


def _row(one: Difference) -> tuple[str, ...]:
    change = "" if not one.change else _signed(one.change, one.unit)
    percent = "" if not one.percent else f"{one.percent:+.1f} %"
    name = one.name if one.group in ("plan", "accuracy") else f"{one.group}, {one.name}"
    return name, _figure(one.old, one.unit), _figure(one.new, one.unit), change, percent


def _checked(one: Check) -> tuple[str, ...]:
    mark = "OVER" if one.over else "ok"
    return one.limit, _figure(one.allowed, one.unit), _figure(one.found, one.unit), mark


def _signed(change: float, unit: str) -> str:
    return f"{'+' if change > 0 else '-'}{_figure(abs(change), unit)}"


def _figure(value: float | str | None, unit: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if unit == "bytes":
        return size(round(value))
    if unit == "ms":
        return duration(value)
    if unit == "%":
        return f"{value:.1f} %"
    return f"{value:.2f} {unit}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---", *("---:" for _ in columns[1:])]]
    lines += ([_escaped(cell) for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Escape a text, even a hostile one, so that Markdown shows it literally."""
    return " ".join(text.translate(_SIGNS).split())
