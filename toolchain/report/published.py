"""The part of a report for visitors: `report.networks.json`, the cost of a visit by network.

The report itself names photos and shows some, so it need not be published. The page reads this
file (`web/src/page/network-table.ts`) when a visitor asks for it.
`docs/report.networks.schema.json` is generated from these classes; a change that breaks readers
raises `SCHEMA`.
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
    """Bits per second to the visitor."""


class Visits(Part):
    """First visits, or second ones; medians."""

    first_tag_ms: float
    """Time from the click until the page shows tags of the first photo, by either model."""
    full_tag_ms: float | None
    """Time until the page shows tags by the full model; None if no preview answered first."""
    wire_bytes: int


class Profile(Part):
    """The cost of visits on one network, with one host and one backend."""

    network: str
    """The name of one of `networks`."""
    host: Host | None
    backend: str
    """The backend that was requested."""
    ran_on: str
    browser: str
    runs: int
    first: Visits
    repeat: Visits


class Networks(Part):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    networks: tuple[SlowLink, ...]
    """The throttled presets and all other networks that were measured; from the slowest to the
    fastest."""
    measured: tuple[Profile, ...]
    """Measurements by `toolchain measure`, in the order of `networks`."""

    def to_json(self) -> str:
        """Return the text of `report.networks.json`."""
        return self.model_dump_json(by_alias=True) + "\n"


def networks(report: Report) -> Networks:
    """Extract the cost of visits by network from a report."""
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
