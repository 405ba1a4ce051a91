"""Finds how coarse a plan may be: as few bytes as the allowed drop leaves.

Each candidate is rounded in full, judged on photos that the rounding has not seen, written,
and counted as it travels, after Brotli. The drop falls with the bits but for noise, so a
few steps of bisection find the edge; candidates that contradict this are told apart by less than
the noise, and count as equal.
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
    """Of `model.json` and the weights as written, after Brotli."""
    drop: float
    """In points, from :func:`toolchain.quantize.judge.drop_of`."""
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
        planning: What plans are made with.
        judge_by: What they are judged by.
        max_drop: In points.
        max_bytes: Of `model.json` and the weights after Brotli; None: as few as `max_drop` leaves.
        progress: Hears of each candidate.

    Raises:
        ToolchainError: No candidate keeps both limits; the nearest is named.
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
        _tell(tried, levelled, progress)
        room = None if max_bytes is None else _room(planning, max_bytes, tried[-1])
        bits = next_bits(
            {one.bits: one.drop for one in levelled},
            max_drop=max_drop,
            found=any(_keeps(one, max_drop, max_bytes) for one in levelled),
            room=room,
            least=planning.least_bits,
        )
    kept = [one for one in levelled if _keeps(one, max_drop, max_bytes)]
    if kept:
        best = min(kept, key=lambda one: one.bytes)
        if best.bits <= planning.least_bits:
            progress.say(
                f"Fewer than {planning.least_bits:g} bits a weight are not tried without photos: "
                "what generated pictures say of them has not come true"
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
    """Return the candidates in their order, without the luck that contradicts their bits.

    Where more bits seem to drop more, the judge cannot tell the candidates apart, and none of
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


def _tell(tried: Sequence[Candidate], levelled: Sequence[Candidate], progress: Progress) -> None:
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
            "More bits seem to drop more, so plans cannot be told apart, and the mean counts: "
            + ", ".join(lucky)
        )


def attempt(planning: Planning, judge_by: Judge, bits: float, progress: Progress) -> Candidate:
    """Quantise at so many bits a weight, judge, write, and count the bytes after Brotli."""
    coarseness = planning.quantiser.coarseness_for(planning.bytes_at(bits))
    quantised = planning.quantiser.run(coarseness, progress)
    with TemporaryDirectory() as name, ThreadPoolExecutor(1) as pool:
        folder = Path(name)
        counting = pool.submit(brotli_bytes, folder, planning.write(quantised, folder))
        # Brotli leaves a core or more to the judge, who takes about as long.
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
    """Return the bits a weight to try next; None where trying on would bring little.

    A bit more halves the rounding errors, and the drop is about as their square: that says how
    far it is to `max_drop`, and the candidates on both sides of it say it better.

    Args:
        drops: Bits a weight to the drop found, of all that were tried.
        max_drop: The drop allowed, in points.
        found: Whether one of those that keep it had few enough bytes.
        room: The most bits that there are bytes for; None: any.
        least: The fewest bits to go down to of one's own accord.

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
        """Return how many bits the drop found is off what is allowed; at most one."""
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
        # Further each time, in case the drop falls more slowly than it should.
        most = _STEP_BITS * 2 ** (len(coarse) - 1)
        bits = (low or 0.0) + min(most, max(most / 4, away(low or 0.0)))
    if room is not None:
        bits = min(bits, room)
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
