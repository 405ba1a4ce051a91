"""Searches for the plan with the fewest bytes whose drop is allowed.

Each candidate is rounded in full, judged on photos that it was not rounded by, written, and its
bytes counted after Brotli. Apart from noise, more bits mean less drop, so a few steps of bisection
are enough. Where candidates contradict this, noise is larger than their difference, and they count
as equal.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import log2
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolchain.errors import ToolchainError
from toolchain.quantize.judge import drop_of
from toolchain.tfjs.transfer import brotli_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolchain.progress import Progress
    from toolchain.quantize.judge import Judge
    from toolchain.quantize.planning import Planning
    from toolchain.quantize.quantizer import Quantized
    from toolchain.records.verdict import Verdict

# Bits a weight of the first candidate: near 4.5, where `make bench-size` expects the three networks
# of docs/compression.md to drop 0.12 to 0.43 points. The other four were chosen, not measured.
_FIRST_BITS = 4.6
_STEP_BITS = 0.4
_CLOSE_BITS = 0.05  # closer than this to bits that drop too much, another candidate is not worth it
_AIM = 0.98  # share of `max_bytes` to aim at, because estimates are not exact
_RUNS = 5  # candidates at most


@dataclass(frozen=True)
class Candidate:
    """A plan that was made and judged."""

    bits: float
    """Bits a weight that it aims at."""
    coarseness: float
    bytes: int
    """Bytes of `model.json` and the weights as written, after Brotli."""
    drop: float
    """Drop in points, from :func:`toolchain.quantize.judge.drop_of`."""
    verdict: Verdict
    quantised: Quantized


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
        planning: Makes the plans.
        judge_by: Judges them.
        max_drop: Allowed drop in points.
        max_bytes: Allowed bytes of `model.json` and the weights after Brotli; None for no limit.
        progress: Is told of each candidate.

    Raises:
        ToolchainError: No candidate keeps both limits; the message names the nearest.
    """
    tried: list[Candidate] = []
    first = max(_FIRST_BITS, planning.least_bits)
    if max_bytes is not None:
        first = min(first, _room(planning, max_bytes, None))
    bits: float | None = first
    levelled: list[Candidate] = []
    while bits is not None and len(tried) < _RUNS:
        tried.append(attempt(planning, judge_by, bits, progress))
        levelled = without_contradictions(tried)
        _report(tried, levelled, progress)
        room = None if max_bytes is None else _room(planning, max_bytes, tried[-1])
        bits = next_bits(
            {one.bits: one.drop for one in levelled},
            max_drop=max_drop,
            found=any(_is_within_limits(one, max_drop, max_bytes) for one in levelled),
            room=room,
            least=planning.least_bits,
        )
    kept = [one for one in levelled if _is_within_limits(one, max_drop, max_bytes)]
    if kept:
        best = min(kept, key=lambda one: one.bytes)
        if best.bits <= planning.least_bits:
            progress.say(
                f"Fewer than {planning.least_bits:g} bits a weight are not tried without photos: "
                "below that, photos did not confirm the drops found on generated pictures"
            )
        return best
    most = max_bytes
    nearest = min(
        levelled, key=lambda one: (0 if most is None else max(0, one.bytes - most), one.drop)
    )
    limit = "" if max_bytes is None else f" within {_megabytes(max_bytes)} after Brotli"
    raise ToolchainError(
        f"no plan keeps the drop under {max_drop:g} points{limit}; the nearest found has "
        f"{_megabytes(nearest.bytes)} and drops {nearest.drop:.2f} points: allow more with "
        "--max-drop or --max-bytes, or give photos like your own with --calibration"
    )


def without_contradictions(tried: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates in the same order, drops raised where they contradict the bits.

    Where more bits seem to drop more, the judge cannot tell the candidates apart. Then none of
    them gets a drop below their mean (isotonic regression: Barlow et al. 1972).
    """
    places = sorted(range(len(tried)), key=lambda place: tried[place].bits)
    pools: list[list[int]] = []

    def mean(pool: list[int]) -> float:
        return sum(tried[place].drop for place in pool) / len(pool)

    for place in places:
        pools.append([place])
        while len(pools) > 1 and mean(pools[-1]) > mean(pools[-2]):
            pools[-2:] = [pools[-2] + pools[-1]]
    drops = {place: mean(pool) for pool in pools for place in pool if len(pool) > 1}
    return [
        replace(one, drop=max(one.drop, drops.get(place, one.drop)))
        for place, one in enumerate(tried)
    ]


def _report(tried: Sequence[Candidate], levelled: Sequence[Candidate], progress: Progress) -> None:
    last = tried[-1]
    progress.say(
        f"Plan {len(tried)}: {_megabytes(last.bytes)} after Brotli, {last.bits:.2f} bits a "
        f"weight, drop {last.drop:.2f} points"
    )
    lucky = [
        f"{after.drop:.2f} points instead of {before.drop:.2f} at {before.bits:.2f} bits"
        for before, after in zip(tried, levelled, strict=True)
        if after.drop > before.drop
    ]
    if lucky:
        progress.say(
            "More bits seem to drop more, so plans cannot be told apart, and their mean counts: "
            + ", ".join(lucky)
        )


def attempt(planning: Planning, judge_by: Judge, bits: float, progress: Progress) -> Candidate:
    """Quantise at this many bits a weight, judge, write, and count the bytes after Brotli."""
    coarseness = planning.quantiser.coarseness_for(planning.bytes_at(bits))
    quantised = planning.quantiser.run(coarseness, progress)
    with TemporaryDirectory() as name, ThreadPoolExecutor(1) as pool:
        folder = Path(name)
        counting = pool.submit(brotli_bytes, folder, planning.write(quantised, folder))
        # Brotli uses one core. The judge takes about as long and has the others.
        verdict = judge_by.verdict(planning.network, quantised)
        counted = counting.result()
    return Candidate(bits, coarseness, counted, drop_of(verdict), verdict, quantised)


def next_bits(
    drops: Mapping[float, float],
    *,
    max_drop: float,
    found: bool,
    room: float | None,
    least: float = 0.0,
) -> float | None:
    """Return the bits a weight to try next, or None if another candidate would gain little.

    One more bit halves the rounding errors, and the drop grows about with their square. That
    gives the distance to `max_drop`; candidates on both sides of it give it more exactly.

    Args:
        drops: The drop of every candidate so far, by its bits a weight.
        max_drop: The allowed drop, in points.
        found: Whether a candidate keeps both limits.
        room: The most bits a weight that fit into the allowed bytes; None for no limit.
        least: The fewest bits a weight to try where bytes do not force fewer.

    Raises:
        ValueError: Nothing was tried.
    """
    if not drops:
        raise ValueError("nothing was tried")
    coarse = [bits for bits, drop in drops.items() if drop > max_drop]
    low = max(coarse, default=None)
    high = min((bits for bits, drop in drops.items() if drop <= max_drop), default=None)
    worthwhile = _STEP_BITS / 4 if found else _CLOSE_BITS

    def away(bits: float) -> float:
        """Return the estimated distance in bits to the allowed drop; at most one."""
        quarter = max_drop / 4 or 1e-9
        return min(1.0, abs(log2(max(quarter, drops[bits]) / (4 * quarter))) / 2)

    if low is not None and high is not None:
        share = away(low) / max(1e-9, away(low) + away(high))
        bits = low + min(0.75, max(0.25, share)) * (high - low)
    elif high is not None:
        step = min(2 * _STEP_BITS, away(high))
        bits = max(least, high - step)
        if found and high - bits < worthwhile:
            return None
    else:
        # A longer step each time, in case the drop falls more slowly than estimated.
        most = _STEP_BITS * 2 ** (len(coarse) - 1)
        bits = (low or 0.0) + min(most, max(most / 4, away(low or 0.0)))
    if room is not None:
        bits = min(bits, room)
    near = low is not None and bits - low < worthwhile
    return None if near or bits <= 0 else bits


def _room(planning: Planning, max_bytes: int, last: Candidate | None) -> float:
    """Return the bits a weight at which a plan stays a little under `max_bytes`.

    The bytes of the last candidate that are not weights, mostly the graph, are assumed again.
    """
    beyond = 0 if last is None else last.bytes - planning.bytes_at(last.bits)
    return 8 * (_AIM * max_bytes - beyond) / planning.weights


def _is_within_limits(candidate: Candidate, max_drop: float, max_bytes: int | None) -> bool:
    return candidate.drop <= max_drop and (max_bytes is None or candidate.bytes <= max_bytes)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.3f} MB"
