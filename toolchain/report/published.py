"""What of a report is for visitors: `report.networks.json`, what a visit costs by network.

The report itself names photos and shows some, so it may be left out of what is published.
The page reads this file (`web/src/page/network-table.ts`) when a visitor asks for it.
`docs/report.networks.schema.json` is generated from these classes; a change that breaks
readers raises `SCHEMA`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from toolchain.records.site_files import Part
from toolchain.records.visit_figures import Host
from toolchain.throttling import LINKS, Link

if TYPE_CHECKING:
    from toolchain.records.build_report import Report
    from toolchain.records.visit_figures import VisitFigures

SCHEMA: Literal[1] = 1


class SlowLink(Link):
    """A link that is slower than the machine."""

    down_bits: float
    """Bits a second towards the visitor."""


class Visits(Part):
    """Visits of one sort, medians."""

    first_tag_ms: float
    """From the click until tags of the first photo stand in the page, by whichever model."""
    full_tag_ms: float | None
    """Until those of the full model do; None where no small one answered before it."""
    wire_bytes: int


class Profile(Part):
    """What visits cost on one network, by one host and on one backend."""

    network: str
    """The name of one of `networks`."""
    host: Host | None
    backend: str
    """The one that was asked for."""
    ran_on: str
    browser: str
    runs: int
    first: Visits
    repeat: Visits


class Networks(Part):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    networks: tuple[SlowLink, ...]
    """The presets that are slower than the machine, and what else was measured on; from the
    slowest to the fastest."""
    measured: tuple[Profile, ...]
    """By `toolchain measure`, in the order of `networks`."""

    def to_json(self) -> str:
        """Return the text of `report.networks.json`."""
        return self.model_dump_json(by_alias=True) + "\n"


def networks(report: Report) -> Networks:
    """Take from a report what visits cost by network."""
    measured_on = (one.network for one in report.measurements)
    by_name = LINKS | {network.name: network for network in measured_on}
    throttled = (each for each in by_name.values() if each.down_bits is not None)
    slow = (SlowLink.model_validate(each.model_dump()) for each in throttled)
    ordered = sorted(slow, key=lambda network: network.down_bits)
    order = {network.name: place for place, network in enumerate(ordered)}
    profiles = [
        Profile(
            network=one.network.name,
            host=one.host,
            backend=one.backend,
            ran_on=one.ran_on,
            browser=one.browser,
            runs=one.runs,
            first=_visits(one.first),
            repeat=_visits(one.repeat),
        )
        for one in report.measurements
        if one.network.name in order
    ]
    return Networks(
        networks=tuple(ordered),
        measured=tuple(sorted(profiles, key=lambda one: order[one.network])),
    )


def _visits(figures: VisitFigures) -> Visits:
    return Visits(
        first_tag_ms=figures.first_tag_ms.median,
        full_tag_ms=figures.full_tag_ms.median if figures.full_tag_ms else None,
        wire_bytes=figures.wire_bytes,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `report.networks.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "toolchain: what a visit costs by network",
        **Networks.model_json_schema(by_alias=True, mode="serialization"),
    }
