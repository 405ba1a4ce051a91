"""The verdicts in a report on its model's accuracy, and sentences about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolchain.records.build_report import Report
    from toolchain.records.verdict import Verdict


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the photos that it is based on."""

    verdict: Verdict
    by: str
    """The photos in words: `250 photos, when it was built`."""


def judgements(report: Report) -> tuple[Judgement, ...]:
    """Return all comparisons of the model with its source, the latest first."""
    found = []
    evaluation = report.evaluation
    if evaluation is not None and evaluation.reference is not None:
        count = evaluation.verdict.photos
        found.append(
            Judgement(evaluation.verdict, f"{count} photos of {PurePath(evaluation.folder).name}")
        )
    if report.verdict is not None and report.plan is not None:
        found.append(Judgement(report.verdict, f"{report.plan.judged}, when it was built"))
    return tuple(found)


def measured_drop(report: Report) -> Judgement | None:
    """Return the latest judgement on labelled photos, or None if there is none."""
    return next((one for one in judgements(report) if one.verdict.drop is not None), None)


def words(verdict: Verdict) -> str:
    """Describe a model's drop against another, with the 95 % interval."""
    if (drop := verdict.drop) is not None and verdict.score_change is None:
        return f"drop of top-1 {drop.points:.1f} points ({drop.low:.1f} … {drop.high:.1f})"
    found = []
    if (expected := verdict.expected_drop) is not None:
        limits = f"{expected.low:.1f} … {expected.high:.1f}"
        found.append(f"expected drop of top-1 {expected.points:.1f} points ({limits})")
    if (change := verdict.score_change) is not None:
        limits = f"{change.low:.1f} … {change.high:.1f}"
        found.append(f"change of scores {change.points:.1f} points ({limits})")
    if (share := verdict.agreement) is not None:
        limits = f"{100 * share.low:.1f} … {100 * share.high:.1f}"
        found.append(f"same first label {100 * share.value:.1f} % ({limits})")
    return ", ".join(found) or "not compared"
