"""The links between visitors and sites, and the least time that bytes take on them.

The presets are those of WebPageTest (its `connectivity.ini`): "3G Slow", "3G Fast", "4G" and
"Cable". Rates are those of the link, the round trip is that to the host, and no packet is lost.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from toolchain.errors import BadInputError


class Link(BaseModel):
    """The link between a visitor and the site."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    down_bits: float | None
    """Bits per second towards the visitor; None if not throttled."""
    up_bits: float | None
    round_trip_ms: float


LINKS = {
    network.name: network
    for network in (
        Link(name="slow-3g", down_bits=400_000, up_bits=400_000, round_trip_ms=400),
        Link(name="fast-3g", down_bits=1_600_000, up_bits=768_000, round_trip_ms=150),
        Link(name="4g", down_bits=9_000_000, up_bits=9_000_000, round_trip_ms=170),
        Link(name="cable", down_bits=5_000_000, up_bits=1_000_000, round_trip_ms=28),
        Link(name="none", down_bits=None, up_bits=None, round_trip_ms=0),
    )
}

_NUMBER = r"(\d+(?:\.\d+)?)"
_RATE = rf"{_NUMBER}([km])bit"
_CUSTOM = re.compile(rf"{_RATE}(?:/{_RATE})?,{_NUMBER}ms")
_SCALES = {"k": 1e3, "m": 1e6}

# The request for the document and its answer. Setting up a connection is not counted, because
# the browser's network emulation adds no time for it.
_UNAVOIDABLE_ROUND_TRIPS = 1


def parse(text: str) -> Link:
    """Parse a preset's name, or rates and a round trip like `9mbit,170ms` or `9mbit/1mbit,170ms`.

    Raises:
        BadInputError: It is neither, or a rate is zero.
    """
    if text in LINKS:
        return LINKS[text]
    match = _CUSTOM.fullmatch(text.replace(" ", "").lower())
    if match is not None:
        down = float(match[1]) * _SCALES[match[2]]
        up = float(match[3]) * _SCALES[match[4]] if match[3] else down
        if down and up:
            return Link(name=text, down_bits=down, up_bits=up, round_trip_ms=float(match[5]))
    raise BadInputError(
        f"--network {text} is not known; give one of {', '.join(LINKS)}, or a rate and a round "
        "trip like 9mbit,170ms"
    )


def limit_ms(network: Link, wire_bytes: int) -> float | None:
    """Return the least time in which so many bytes can arrive; None if the link is not throttled.

    It is one round trip for the document, plus the time that the link needs for the bytes.
    """
    if network.down_bits is None:
        return None
    busy_ms = 1000 * 8 * wire_bytes / network.down_bits
    return _UNAVOIDABLE_ROUND_TRIPS * network.round_trip_ms + busy_ms
