"""Verdicts for tests of what is made of them."""

from __future__ import annotations

from toolchain.records.verdict import Verdict


def empty(photos: int) -> Verdict:
    """Return a verdict without a figure."""
    return Verdict(
        photos=photos,
        top1=None,
        top5=None,
        reference_top1=None,
        drop=None,
        agreement=None,
        score_shift=None,
        expected_drop=None,
    )
