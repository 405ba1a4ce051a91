"""Reads a budget from a TOML file and checks a site against it.

```toml
[bytes]              # after Brotli, by kind of file
total = "2.3MB"
model = "1.9MB"

[first_tag]          # of a first visit, median, by network
4g = "3 s"

[accuracy]
drop = 1.0           # points of top-1, against the model that the site was built from
```
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from toolchain import toml, units
from toolchain.errors import BadInputError, ToolchainError
from toolchain.records.card import first_fault
from toolchain.records.site_files import Kind
from toolchain.report import accuracy
from toolchain.text import read as read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolchain.records.build_report import Report


def _text(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    if isinstance(value, str):
        return value
    raise ValueError("write it as a text")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Accuracy(_Part):
    drop: Annotated[float, Field(ge=0, le=100)] | None = None


def _size(text: str) -> str:
    units.bytes_of(text)
    return text


def _time(text: str) -> str:
    units.milliseconds_of(text)
    return text


class _File(_Part):
    bytes: dict[
        Kind | Literal["total"], Annotated[str, BeforeValidator(_text), AfterValidator(_size)]
    ] = {}
    first_tag: dict[str, Annotated[str, AfterValidator(_time)]] = {}
    accuracy: _Accuracy = _Accuracy()


class OverBudgetError(ToolchainError):
    """A site exceeds its budget."""


@dataclass(frozen=True)
class Budget:
    """A file of limits."""

    path: Path
    limits: _File
    lines: dict[tuple[str, str], int]
    """The line of each limit, from 1, by its table and key, as far as it was found."""


class Check(_Part):
    """One limit, and the site's figure."""

    limit: str
    """Its name, such as `bytes.model`."""
    line: int | None
    """Its line in the file; None if it is written in an unusual way."""
    unit: Literal["bytes", "ms", "points"]
    allowed: float
    found: float

    @property
    def over(self) -> bool:
        """Whether the site has more than is allowed."""
        return self.found > self.allowed


def read(path: Path) -> Budget:
    """Read a file of limits.

    Raises:
        BadInputError: It cannot be read, or holds something that is not a limit, or no limit.
    """
    content = toml.read(path)
    try:
        limits = _File(**content)
    except ValidationError as error:
        raise BadInputError(f"{path}: {first_fault(error)}") from error
    if not limits.model_dump(exclude_defaults=True):
        raise BadInputError(f"{path} sets no limit; write for example [bytes] and total = '2.3MB'")
    return Budget(path, limits, _lines(read_text(path)))


def check(report: Report, budget: Budget, site: Path) -> tuple[Check, ...]:
    """Compare a report with every limit of a budget.

    Args:
        report: The site's report.
        budget: The limits.
        site: The site's folder, for messages.

    Raises:
        BadInputError: A figure was not measured; the message names the command that does.
    """
    return tuple(_checks(report, budget, site))


def _checks(report: Report, budget: Budget, site: Path) -> Iterator[Check]:
    def made(
        table: str, key: str, unit: Literal["bytes", "ms", "points"], allowed: float, found: float
    ) -> Check:
        return Check(
            limit=f"{table}.{key}",
            line=budget.lines.get((table, key)),
            unit=unit,
            allowed=allowed,
            found=found,
        )

    limits = budget.limits
    for kind, text in limits.bytes.items():
        # A report of an earlier version may lack a kind.
        found = sum(size.brotli for key, size in report.totals.items() if kind in ("total", key))
        yield made("bytes", kind, "bytes", units.bytes_of(text), found)
    for network, text in limits.first_tag.items():
        time = _first_tag(report, network)
        if time is None:
            raise BadInputError(
                f"{_place(budget, 'first_tag', network)} cannot be checked, because nothing was "
                "measured on that network; run `toolchain measure "
                f"{shlex.quote(str(site))} --network {shlex.quote(network)}`"
            )
        yield made("first_tag", network, "ms", units.milliseconds_of(text), time)
    if limits.accuracy.drop is not None:
        judged = accuracy.measured_drop(report)
        if judged is None or judged.verdict.drop is None:
            raise BadInputError(
                f"{_place(budget, 'accuracy', 'drop')} cannot be checked, because no drop was "
                "measured with labelled photos; run `toolchain evaluate "
                f"{shlex.quote(str(site))} PHOTOS` with one folder of photos per class"
            )
        yield made("accuracy", "drop", "points", limits.accuracy.drop, judged.verdict.drop.points)


def _first_tag(report: Report, network: str) -> float | None:
    """Return the first visit's time as measured with the default options."""
    for one in report.measurements:
        if (one.network.name, one.host, one.backend) == (network, "toolchain", "auto"):
            return one.first.first_tag_ms.median
    return None


def _place(budget: Budget, table: str, key: str) -> str:
    line = budget.lines.get((table, key))
    return f"{budget.path}{'' if line is None else f':{line}'}: {table}.{key}"


def enforce(checks: tuple[Check, ...], budget: Budget) -> None:
    """Check that every limit is kept.

    Raises:
        OverBudgetError: Some are not; the message names each of them and its line in the file.
    """
    if broken := [_sentence(one, budget) for one in checks if one.over]:
        raise OverBudgetError("; ".join(broken))


def _sentence(one: Check, budget: Budget) -> str:
    table, _, key = one.limit.partition(".")
    write = _WRITE[one.unit]
    by = one.found - one.allowed
    share = f" ({by / one.allowed:.0%})" if one.allowed else ""
    return (
        f"{_place(budget, table, key)} allows {write(one.allowed)} and the site has "
        f"{write(one.found)}, {write(by)}{share} too much"
    )


_WRITE: dict[str, Callable[[float], str]] = {
    "bytes": lambda value: units.size(round(value)),
    "ms": units.duration,
    "points": lambda value: f"{value:.2f} points",
}


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Return the line of each key of each table, if it is written in the usual way."""
    found = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            table = match[1]
        elif match := re.match(r"""\s*(?:"([^"]*)"|'([^']*)'|([\w-]+))\s*=""", line):
            found[table, next(part for part in match.groups() if part is not None)] = number
    return found
