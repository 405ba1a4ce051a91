"""What a tag costs the processor: the browser's CPU time, and energy where it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.errors import ToolchainError
from toolchain.measurement.browser import processes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.sync_api import Browser

_RAPL = Path("/sys/class/powercap")
_MICRO = 1e-6


@dataclass(frozen=True)
class Reading:
    """Values of the counters at one time."""

    cpu: Mapping[int, float]
    """CPU seconds of each process, by its id."""
    packages: Mapping[str, tuple[float, float]]
    """As :func:`packages` gives them."""

    def cpu_s(self, before: Reading) -> float:
        """Return the CPU seconds since another reading; processes that have ended do not count."""
        return sum(now - before.cpu.get(process, 0.0) for process, now in self.cpu.items())

    def joules(self, before: Reading) -> float | None:
        """Return the energy since another reading; None where it cannot be read."""
        common = self.packages.keys() & before.packages.keys()
        if not common:
            return None
        # A counter starts again from 0 behind its range.
        return sum(
            (self.packages[name][0] - before.packages[name][0]) % self.packages[name][1]
            for name in common
        )


class Meter:
    """Reads the CPU time of all processes of a browser, and the energy of the processor.

    The CPU time is what the operating system counts, as DevTools' `SystemInfo.getProcessInfo` gives
    it. The energy is that of whole packages, with everything else that runs on them, by Intel's
    and AMD's counters (RAPL) in Linux' powercap; most systems let only root read these.
    """

    def __init__(self, browser: Browser, rapl: Path = _RAPL) -> None:
        self._session = browser.new_browser_cdp_session()
        self._rapl = rapl

    def read(self) -> Reading:
        """Return the counters' values.

        Raises:
            ToolchainError: The browser does not tell its CPU time.
        """
        from playwright.sync_api import Error

        try:
            told = processes(self._session)
        except Error as error:
            raise ToolchainError(
                "this Chromium does not tell the CPU time of its processes; measure without "
                "--energy, or name another with --chromium"
            ) from error
        cpu = {int(process["id"]): float(process["cpuTime"]) for process in told}
        return Reading(cpu, packages(self._rapl))


def packages(folder: Path) -> dict[str, tuple[float, float]]:
    """Return the counter and its range of each processor package, in joules, by its name."""
    found = {}
    # A name with two colons is a part of a package.
    for zone in sorted(folder.glob("intel-rapl:[0-9]")):
        try:
            now, limit = (
                int((zone / name).read_text("ascii")) * _MICRO
                for name in ("energy_uj", "max_energy_range_uj")
            )
        except (OSError, ValueError):
            continue
        if limit > 0:
            found[zone.name] = (now, limit)
    return found
