"""The links between visitors and sites, and the least time that bytes take on them.

The presets are WebPageTest's of the same names (its `connectivity.ini`): "3G Slow",
"3G Fast", "4G" and "Cable". Rates there are those of the link, the round trip is to the
host; no packet is lost.
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
    """Bits a second towards the visitor; None: as fast as the machine."""
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

# A page begins with its document, and every document takes a request and an answer. The
# browser's emulation charges nothing for setting a connection up, so neither does this.
_UNAVOIDABLE_ROUND_TRIPS = 1


def parse(text: str) -> Link:
    """Read a preset's name, or rates and a round trip like `9mbit,170ms` or `9mbit/1mbit,170ms`.

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
        f"--network {text} is not known; it is one of {', '.join(LINKS)}, or rate and round "
        "trip like 9mbit,170ms"
    )


def limit_ms(network: Link, wire_bytes: int) -> float | None:
    """Return the least time in which so many bytes can come; None where nothing is throttled.

    One round trip for the document, and the time that the link is busy with the bytes.
    """
    if network.down_bits is None:
        return None
    busy_ms = 1000 * 8 * wire_bytes / network.down_bits
    return _UNAVOIDABLE_ROUND_TRIPS * network.round_trip_ms + busy_ms
