"""Compares two reports: bytes, times, accuracy, the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from toolchain.report import accuracy
from toolchain.report.sections import setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.records.build_report import Report
    from toolchain.records.verdict import Verdict

Group = Literal["bytes", "first tag", "accuracy", "plan"]
Unit = Literal["bytes", "ms", "points", "%", "bits", "words"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Difference(_Record):
    """One figure of two reports; None if a report does not have it."""

    group: Group
    name: str
    unit: Unit
    old: float | str | None
    new: float | str | None
    change: float | None
    """The new figure minus the old; None if one is missing or is text."""
    percent: float | None
    """The change in percent of the old figure; None if there is no change, or the old is 0."""


class Comparison(_Record):
    """The comparison of two reports; `toolchain report diff --json` prints it."""

    old: str
    """Name of the model."""
    new: str
    differences: tuple[Difference, ...]
    """All figures of either report, unchanged ones included."""


class _Key(NamedTuple):
    group: Group
    name: str
    unit: Unit


_GROUPS: tuple[Group, ...] = ("bytes", "first tag", "accuracy", "plan")


def compare(old: Report, new: Report) -> Comparison:
    """Compare two reports; bytes are those after Brotli."""
    before, after = dict(_figures(old)), dict(_figures(new))
    # In the order of the reports within each group: dicts keep it, and sorting is stable.
    keys = sorted({**after, **before}, key=lambda key: _GROUPS.index(key.group))
    return Comparison(
        old=old.card.provenance.name,
        new=new.card.provenance.name,
        differences=tuple(
            _difference(key, before.get(key), after.get(key))
            for key in keys
            if before.get(key) or after.get(key) or key.unit != "bytes"
        ),
    )


def _difference(key: _Key, old: float | str | None, new: float | str | None) -> Difference:
    change = percent = None
    if isinstance(old, float) and isinstance(new, float):
        change = new - old
        percent = 100 * change / abs(old) if old else None
    return Difference(**key._asdict(), old=old, new=new, change=change, percent=percent)


def _accuracy(verdict: Verdict) -> Iterator[tuple[_Key, float | str]]:
    if verdict.top1 is not None:
        yield _Key("accuracy", "top-1", "%"), 100 * verdict.top1.value
    if verdict.drop is not None:
        yield _Key("accuracy", "drop of top-1", "points"), verdict.drop.points
    if verdict.agreement is not None:
        yield _Key("accuracy", "same first label", "%"), 100 * verdict.agreement.value
    if verdict.expected_drop is not None:
        yield _Key("accuracy", "expected drop", "points"), verdict.expected_drop.points
    if verdict.score_change is not None:
        yield _Key("accuracy", "change of scores", "points"), verdict.score_change.points


def _figures(report: Report) -> Iterator[tuple[_Key, float | str]]:
    for kind, size in report.totals.items():
        yield _Key("bytes", kind, "bytes"), float(size.brotli)
    total = sum(size.brotli for size in report.totals.values())
    yield _Key("bytes", "total", "bytes"), float(total)
    for one in report.measurements:
        for name, visits in (("first visit", one.first), ("second visit", one.repeat)):
            yield _Key("first tag", f"{setting(one)}, {name}", "ms"), visits.first_tag_ms.median
    if found := accuracy.judgements(report):
        yield from _accuracy(found[0].verdict)
    yield _Key("plan", "weights", "words"), report.quantization
    if report.plan is not None:
        yield _Key("plan", "bits a weight", "bits"), report.plan.bits
        yield _Key("plan", "rounded by", "words"), report.plan.calibration
