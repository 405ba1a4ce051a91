"""Sizes, times and ages: written for people, and parsed from what people write."""

from __future__ import annotations

import math
import re

_DECIMAL = {"": 1, "b": 1, "kb": 1000, "mb": 1_000_000, "gb": 1_000_000_000}
_SIZES = {**_DECIMAL, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_TIMES = {"ms": 1.0, "s": 1000.0}
_AGES = {"h": 3600.0, "d": 86400.0, "w": 604800.0}
_NUMBER = r"(\d+(?:\.\d+)?)\s*([a-z]*)"


def size(count: int) -> str:
    """Format a number of bytes with three digits, in decimal units as networks use."""
    if count < 1000:  # noqa: PLR2004
        return f"{count} B"
    for unit, scale in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        value = count / scale
        if value < 999.5 or unit == "GB":  # noqa: PLR2004
            digits = max(0, 2 - len(str(int(value))) + 1)
            return f"{value:.{digits}f} {unit}"
    raise AssertionError


def duration(milliseconds: float) -> str:
    """Format a time with at most three digits, in seconds from one second on."""
    if milliseconds < 999.5:  # noqa: PLR2004
        digits = 0 if milliseconds >= 10 or milliseconds == 0 else 1  # noqa: PLR2004
        return f"{milliseconds:.{digits}f} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"  # noqa: PLR2004


def bytes_of(text: str) -> int:
    """Return a size such as `4MiB`, `500 kB`, `1.5MB` or `4194304` in bytes.

    Raises:
        ValueError: It is not a size.
    """
    return round(_amount(text, _SIZES, "not a size; write it like 4MiB"))


def milliseconds_of(text: str) -> float:
    """Return a time such as `3 s` or `900ms` in milliseconds.

    Raises:
        ValueError: It is not a time.
    """
    return _amount(text, _TIMES, "not a time; write it like 3 s or 900 ms")


def age_of(text: str) -> float:
    """Return an age such as `30d`, `12 h` or `2w` in seconds.

    Raises:
        ValueError: It is not an age.
    """
    return _amount(text, _AGES, "not an age; write it like 30d, 12h or 2w")


def _amount(text: str, units: dict[str, float] | dict[str, int], fault: str) -> float:
    match = re.fullmatch(_NUMBER, text.strip().lower())
    if not match or match[2] not in units:
        raise ValueError(f"{text} is {fault}")
    amount = float(match[1]) * units[match[2]]
    if math.isinf(amount):  # the text has hundreds of digits
        raise ValueError(f"{text} is {fault}")
    return amount
