"""What a tag costs: the browser's CPU time as the system counts it, and the processor's energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from tests import command_line
from tests.browser import plain_host
from tests.test_measure import PAGE
from toolchain.measurement import browser as browsers
from toolchain.measurement import energy
from toolchain.measurement.energy import Reading

if TYPE_CHECKING:
    from pathlib import Path

BUSY = """() => {
    let sum = 0;
    for (let step = 0; step < 3e8; step++) { sum = (sum * 31 + step) % 1000003; }
    return sum;
}"""


def test_the_cpu_time_is_that_of_all_the_browsers_processes(tmp_path: Path) -> None:
    with browsers.started(None) as browser:
        page = browser.new_page()
        meter = energy.Meter(browser, tmp_path)

        def by_the_system(reading: Reading) -> float:
            times = (psutil.Process(process).cpu_times() for process in reading.cpu)
            return float(sum(time.user + time.system for time in times))

        before = meter.read()
        counted = by_the_system(before)
        page.evaluate(BUSY)
        after = meter.read()
        counted = by_the_system(after) - counted
    # Both read the same counters, a moment apart.
    assert after.cpu_s(before) == pytest.approx(counted, rel=0.2, abs=0.1)
    assert after.cpu_s(before) > 0.1
    assert after.joules(before) is None


def test_processes_that_came_count_and_those_that_ended_do_not() -> None:
    before, after = Reading({1: 5.0, 2: 9.0}, {}), Reading({1: 5.5, 3: 0.25}, {})
    assert after.cpu_s(before) == pytest.approx(0.75)


def test_the_energy_of_each_package_is_counted_over_its_range(tmp_path: Path) -> None:
    def zone(name: str, now: int, limit: int = 1_000_000) -> None:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "energy_uj").write_text(f"{now}\n", "ascii")
        (folder / "max_energy_range_uj").write_text(f"{limit}\n", "ascii")

    zone("intel-rapl:0", 900_000)
    zone("intel-rapl:1", 100_000)
    zone("intel-rapl:0:0", 0)  # the cores of the first, which it counts too
    (tmp_path / "intel-rapl:2").mkdir()  # for root only
    before = Reading({}, energy.packages(tmp_path))
    zone("intel-rapl:0", 100_000)
    zone("intel-rapl:1", 400_000)
    zone("intel-rapl:0:0", 500_000)
    after = Reading({}, energy.packages(tmp_path))
    assert after.joules(before) == pytest.approx(0.2 + 0.3)


def test_the_command_says_what_a_photo_costs_and_what_that_assumes(tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text(PAGE, "utf-8")
    with_host = ("measure", "--energy", "--runs", "1", "--network", "none")
    with plain_host(tmp_path / "page") as url:
        done = command_line.run(*with_host, url)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "CPU time of all the browser's processes: " in said
    assert "for each further photo" in said
    assert "Estimated for a laptop: " in said
    assert "1.5 W for a busy core (Intel's base power of a Core i7-1365U" in said
    assert "The estimates assume that the device computes as fast as this one" in said
