"""Finds how coarse a plan may be: as few bytes as the allowed drop leaves.

Each candidate is rounded in full, judged on photos that the rounding has not seen, written,
and counted as it travels, behind Brotli. The drop falls with the bytes but for noise, so a
few steps of bisection find the edge.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolchain.errors import ToolchainError
from toolchain.tfjs.transfer import brotli_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.compress.judge import Judge
    from toolchain.compress.planning import Planning
    from toolchain.compress.quantise import Quantised
    from toolchain.evaluation.metrics import Verdict
    from toolchain.progress import Progress

_FIRST_BITS = 4.6  # for each weight: where most networks stand with a drop under one point
_STEP_BITS = 0.4
_CLOSE_BITS = 0.05  # to what is known to drop too much: not worth another try
_AIM = 0.98  # of the most bytes allowed: estimates are not exact
_RUNS = 5


@dataclass(frozen=True)
class Candidate:
    """One plan, carried out and judged."""

    bits: float
    """For each weight, aimed at."""
    coarseness: float
    bytes: int
    """Of `model.json` and the weights as written, behind Brotli."""
    drop: float
    """In points, of top-1 or of agreement."""
    verdict: Verdict
    quantised: Quantised


def find(
    planning: Planning,
    judge_by: Judge,
    *,
    max_drop: float,
    max_bytes: int | None,
    progress: Progress,
) -> Candidate:
    """Return the candidate with the fewest bytes whose drop is allowed.

    Args:
        planning: What plans are made with.
        judge_by: What they are judged by.
        max_drop: In points, of top-1 or of agreement.
        max_bytes: Of `model.json` and the weights behind Brotli; None: as few as `max_drop` leaves.
        progress: Hears of each candidate.

    Raises:
        ToolchainError: No candidate keeps both limits; the nearest is named.
    """
    tried: list[Candidate] = []
    first = max(_FIRST_BITS, planning.least_bits)
    if max_bytes is not None:
        first = min(first, _room(planning, max_bytes, None))
    bits: float | None = first
    while bits is not None and len(tried) < _RUNS:
        candidate = attempt(planning, judge_by, bits, progress)
        tried.append(candidate)
        progress.say(
            f"Plan {len(tried)}: {_megabytes(candidate.bytes)} behind Brotli, {bits:.2f} bits a "
            f"weight, drop {candidate.drop:.2f} points"
        )
        room = None if max_bytes is None else _room(planning, max_bytes, candidate)
        bits = next_bits(
            coarse=[one.bits for one in tried if one.drop > max_drop],
            fine=[one.bits for one in tried if one.drop <= max_drop],
            found=any(_keeps(one, max_drop, max_bytes) for one in tried),
            room=room,
            least=planning.least_bits,
        )
    kept = [one for one in tried if _keeps(one, max_drop, max_bytes)]
    if kept:
        return min(kept, key=lambda one: one.bytes)
    most = max_bytes
    nearest = min(
        tried, key=lambda one: (0 if most is None else max(0, one.bytes - most), one.drop)
    )
    limit = "" if max_bytes is None else f" within {_megabytes(max_bytes)} behind Brotli"
    raise ToolchainError(
        f"no plan keeps the drop under {max_drop:g} points{limit}; the nearest found has "
        f"{_megabytes(nearest.bytes)} and drops {nearest.drop:.2f} points: allow more with "
        "--max-drop or --max-bytes, or give photos like your own with --calibration"
    )


def attempt(planning: Planning, judge_by: Judge, bits: float, progress: Progress) -> Candidate:
    """Quantise at so many bits a weight, judge, write, and count the bytes behind Brotli."""
    coarseness = planning.quantiser.coarseness_for(planning.bytes_at(bits))
    quantised = planning.quantiser.run(coarseness, progress)
    with TemporaryDirectory() as name, ThreadPoolExecutor(1) as pool:
        folder = Path(name)
        counting = pool.submit(brotli_bytes, folder, planning.write(quantised, folder))
        # Brotli leaves a core or more to the judge, who takes about as long.
        verdict = judge_by.verdict(planning.network, quantised)
        counted = counting.result()
    return Candidate(bits, coarseness, counted, judge_by.drop_of(verdict), verdict, quantised)


def next_bits(
    *,
    coarse: Sequence[float],
    fine: Sequence[float],
    found: bool,
    room: float | None,
    least: float = 0.0,
) -> float | None:
    """Return the bits a weight to try next; None where trying on would bring little.

    Args:
        coarse: Bits at which the drop was too large.
        fine: Bits at which it was not.
        found: Whether one of those had few enough bytes.
        room: The most bits that there are bytes for; None: any.
        least: The fewest bits to go down to of one's own accord.
    """
    low, high = max(coarse, default=None), min(fine, default=None)
    if low is not None and high is not None:
        bits = (low + high) / 2
    elif high is not None:
        bits = max(least, high - _STEP_BITS)
        if bits >= high and found:
            return None
    elif low is not None:
        # Further each time: where photos have no labels, agreement asks for twice the bits.
        bits = low + _STEP_BITS * 2 ** (len(coarse) - 1)
    else:
        raise ValueError("nothing was tried")
    if room is not None:
        bits = min(bits, room)
    worthwhile = _STEP_BITS / 4 if found else _CLOSE_BITS
    near = low is not None and bits - low < worthwhile
    return None if near or bits <= 0 else bits


def _room(planning: Planning, max_bytes: int, last: Candidate | None) -> float:
    """Return the bits a weight at which a plan stays a little under `max_bytes`.

    What the last candidate took beyond its weights, the graph above all, the next takes too.
    """
    beyond = 0 if last is None else last.bytes - planning.bytes_at(last.bits)
    return 8 * (_AIM * max_bytes - beyond) / planning.weights


def _keeps(candidate: Candidate, max_drop: float, max_bytes: int | None) -> bool:
    return candidate.drop <= max_drop and (max_bytes is None or candidate.bytes <= max_bytes)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.3f} MB"
