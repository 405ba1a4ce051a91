"""Prints measurements: first and repeated visits side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.cli.tables import new_table, standard_output
from toolchain.units import size

if TYPE_CHECKING:
    from toolchain.records.visit_figures import Cost, EngineVisits, Measurement, Spread
    from toolchain.throttling import Link


def print_measurement(found: Measurement) -> None:
    """Print the figures of visits: medians, and for the first tag also the least and greatest."""
    # The table just fits into a terminal of 80 columns.
    console = standard_output()
    console.print(
        f"{found.runs} runs on {found.ran_on} in {found.browser}, {_network(found.network)}, "
        f"served by {_SERVED[found.host]}",
        soft_wrap=True,
    )
    table = new_table("", "first visit", "second visit", numbers=2)
    first, repeat = found.first, found.repeat
    for kind, traffic in first.traffic.items():
        again = repeat.traffic[kind]
        table.add_row(f"{kind} bytes", size(traffic.bytes), size(again.bytes))
    table.add_row("bytes on the wire", size(first.wire_bytes), size(repeat.wire_bytes))
    table.add_section()
    for name in (name for name in first.milestones_ms if name != "first-tag"):
        ends = (visits.milestones_ms.get(name) for visits in (first, repeat))
        table.add_row(f"{name} by", *("" if end is None else _ms(end.median) for end in ends))
    table.add_row("first tag", _spread_ms(first.first_tag_ms), _spread_ms(repeat.first_tag_ms))
    if first.full_tag_ms is not None:
        # A second visit has no preview: its first tag is the full model's.
        table.add_row("the full model's", _spread_ms(first.full_tag_ms), "")
    table.add_section()
    if first.limit_ms and first.ratio and repeat.limit_ms:
        table.add_row("the wire's limit", _ms(first.limit_ms.median), _ms(repeat.limit_ms.median))
        table.add_row("first tag / limit", _ratio(first.ratio), "")
    table.add_row("second / first visit", "", _ratio(found.repeat_ratio))
    table.add_row("main-thread tasks > 50 ms", str(first.long_tasks), str(repeat.long_tasks))
    table.add_row("the longest", _ms(first.longest_task_ms), _ms(repeat.longest_task_ms))
    console.print(table)
    if found.inference_ms and found.inference_p90_ms:
        console.print(
            f"Steady inference: {_spread_ms(found.inference_ms)}, "
            f"90 % within {_ms(found.inference_p90_ms.median)}.",
            soft_wrap=True,
        )
    tensors = "" if found.tensors is None else f", {found.tensors} tensors"
    console.print(
        f"Memory: {size(found.heap_bytes)} of objects, {size(found.buffer_bytes)} of buffers "
        f"and WebAssembly{tensors}.",
        soft_wrap=True,
    )
    if resident := found.resident:
        after = f"{size(resident.photos_bytes)} after {resident.photos} photos"
        if resident.frames_bytes is not None:
            after += f", {size(resident.frames_bytes)} after {resident.frames:,} frames of a camera"
        console.print(
            f"Resident memory of its process: {size(resident.loaded_bytes)} loaded, {after}.",
            soft_wrap=True,
        )
    if found.cost is not None:
        print_cost(found.cost)


def print_engine_visits(found: EngineVisits) -> None:
    """Print the figures of visits in a browser other than Chromium."""
    console = standard_output()
    console.print(
        f"{found.runs} runs on {found.ran_on} in {found.browser}, not throttled, "
        f"served by {_SERVED[found.host]}",
        soft_wrap=True,
    )
    table = new_table("", "first visit", "second visit", numbers=2)
    if found.first_bytes is not None and found.repeat_bytes is not None:
        table.add_row("bytes of bodies", size(found.first_bytes), size(found.repeat_bytes))
    table.add_row(
        "first tag", _spread_ms(found.first_tag_ms), _spread_ms(found.repeat_first_tag_ms)
    )
    console.print(table)
    if found.inference_ms:
        console.print(f"Steady inference: {_spread_ms(found.inference_ms)}.", soft_wrap=True)


_SERVED = {"toolchain": "toolchain serve", "plain": "a plain host", None: "its own host"}

_WATTS_A_CORE = {
    "a laptop": (15 / 10, "Intel's base power of a Core i7-1365U, 15 W for 10 cores"),
    "any processor": (12.0, "the default of Green Algorithms, Lannelongue et al. 2021"),
}
"""Published figures by which energy is estimated from CPU time, and where they are from."""


def print_cost(cost: Cost) -> None:
    """Print the CPU time of tags, and what energy that is on some devices by published figures."""
    console = standard_output()
    more = "" if cost.tag_cpu_s is None else f", {_seconds(cost.tag_cpu_s)} for each further photo"
    console.print(
        f"CPU time of all the browser's processes: {_seconds(cost.first_tag_cpu_s)} until the "
        f"first tag{more}.",
        soft_wrap=True,
    )
    if cost.tag_package_j is not None:
        console.print(
            f"Energy of this machine's processor: {cost.tag_package_j.median:.2f} J a photo, with "
            "all else that ran on it (RAPL).",
            soft_wrap=True,
        )
    if cost.tag_cpu_s is not None:
        for device, (watts, source) in _WATTS_A_CORE.items():
            console.print(
                f"Estimated for {device}: {watts * cost.tag_cpu_s.median:.2g} J a photo, at "
                f"{watts:g} W for a busy core ({source}).",
                soft_wrap=True,
            )
        console.print(
            "The estimates assume that the device computes as fast as this one, and leave out "
            "memory, screen, network and graphics.",
            soft_wrap=True,
        )


def _seconds(spread: Spread) -> str:
    return f"{spread.median:.3g} s ({spread.low:.3g} … {spread.high:.3g})"


def _network(network: Link) -> str:
    if network.down_bits is None:
        return "not throttled"
    return f"{network.down_bits / 1e6:g} Mbit/s and {network.round_trip_ms:g} ms"


def _ms(value: float) -> str:
    return f"{_number(value)} ms"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004


def _spread_ms(spread: Spread) -> str:
    return f"{_number(spread.median)} ({_number(spread.low)} … {_number(spread.high)}) ms"


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} … {spread.high:.2f})"
