"""95 % confidence intervals of shares, of differences of shares, and of sums of rare losses."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

_Z = NormalDist().inv_cdf(0.975)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the score interval of a share, both limits in 0…1.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    J. Am. Stat. Assoc. 22 (1927) 209-212. With 0 or `count` hits one limit is exact.

    Raises:
        ValueError: `count` is not positive, or `hits` is not in 0…`count`.
    """
    if not 0 <= hits <= count or count == 0:
        raise ValueError(f"{hits} of {count} is not a share")
    share = hits / count
    centre = share + _Z**2 / (2 * count)
    half = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    low = 0.0 if hits == 0 else (centre - half) / scale
    high = 1.0 if hits == count else (centre + half) / scale
    return low, high


def newcombe(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    """Return the interval of the first share minus the second, on the same photos.

    R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", Stat. Med. 17 (1998) 2635-2650, method 10: the distances of Wilson's
    limits of both shares, squared and added, with a correction for the correlation of the pairs.

    Args:
        both: Photos that are hits for both.
        first: Photos that are hits only for the first.
        second: Photos that are hits only for the second.
        neither: Photos that are hits for neither.

    Returns:
        Low and high, in -1…1.

    Raises:
        ValueError: There are no photos, or a number is negative.
    """
    count = both + first + second + neither
    low_1, high_1 = wilson(both + first, count)
    low_2, high_2 = wilson(both + second, count)
    share_1, share_2 = (both + first) / count, (both + second) / count
    phi = _correlation(both, first, second, neither)
    down_1, up_1 = share_1 - low_1, high_1 - share_1
    down_2, up_2 = share_2 - low_2, high_2 - share_2
    difference = (first - second) / count
    # If a root's argument is zero, rounding could make it negative.
    below = sqrt(max(0.0, down_1**2 - 2 * phi * down_1 * up_2 + up_2**2))
    above = sqrt(max(0.0, up_1**2 - 2 * phi * up_1 * down_2 + down_2**2))
    return max(-1.0, difference - below), min(1.0, difference + above)


def rare_losses(value: float, variance: float, *, one: float) -> tuple[float, float]:
    """Return the interval of a sum of losses that occur on few photos.

    M. P. Fay, E. J. Feuer, "Confidence intervals for directly standardized rates: a method based
    on the gamma distribution", Stat. Med. 16 (1997) 791-801. One more photo could have had a loss,
    so the upper limit is above zero even if nothing was lost.

    Args:
        value: The sum, not negative.
        variance: Variance of the sum; for counted losses, the sum of their squares.
        one: The largest loss of one photo, positive.

    Returns:
        Low and high; low is not negative, and they are never equal.
    """
    from scipy.stats import chi2

    low = 0.0
    if value > 0 and variance > 0:
        low = variance / (2 * value) * float(chi2.ppf(0.025, 2 * value**2 / variance))
    more, spread = value + one, variance + one**2
    return low, spread / (2 * more) * float(chi2.ppf(0.975, 2 * more**2 / spread))


def _correlation(both: int, first: int, second: int, neither: int) -> float:
    """Return the phi coefficient of the four counts; if positive, with a continuity correction."""
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    if product == 0:
        return 0.0
    excess = float(both * neither - first * second)
    if excess > 0:
        excess = max(0.0, excess - (both + first + second + neither) / 2)
    return excess / sqrt(product)
