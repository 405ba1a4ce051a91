"""Count the requests a second of nginx, Caddy and `toolchain serve`: `make bench-serve`.

All three serve one site on the loopback to wrk on the same machine; nginx and Caddy use the
configuration that `toolchain server-config` writes. They take turns, so that a machine that slows
down affects all. wrk requests the page, the largest shard, and, in turn, all files that a first
visit in Chromium requests. The figures compare servers on one machine; over a network the
connection is the limit.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests import command_line, load, web_servers
from tests.browser import chromium, toolchain_serve
from tests.page_driver import open_page
from toolchain.cache.store import Store
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROUNDS = 3
SECONDS = 10
REFERENCE = "nginx"


@contextmanager
def serving(name: str, site: Path, folder: Path) -> Iterator[str]:
    """Serve a site with one of the servers; `toolchain serve` as users run it."""
    if name != "toolchain":
        with web_servers.serving(name, site, folder) as url:
            yield url
        return
    with command_line.started("serve", site, "--port", "0") as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert address is not None
        yield address[0]


def first_visit(site: Path) -> list[str]:
    """Return the paths that a new visitor's browser requests before the first tag."""
    paths: list[str] = []
    with toolchain_serve(site) as url, chromium() as browser:
        page = browser.new_page(service_workers="block")
        page.on("request", lambda request: paths.append(urlsplit(request.url).path.lstrip("/")))
        open_page(page, url)
    return list(dict.fromkeys(path for path in paths if not path or (site / path).is_file()))


def works(site: Path) -> dict[str, list[str]]:
    """Return the paths of each kind of load."""
    shards = build_report.read(site).artifacts.shards
    largest = max(shards, key=lambda shard: (site / "model" / shard).stat().st_size)
    return {"page": [""], "shard": [f"model/{largest}"], "first visit": first_visit(site)}


def measure(
    urls: Mapping[str, str], paths: Mapping[str, Sequence[str]], seconds: int
) -> dict[tuple[str, str], list[load.Load]]:
    """Measure the servers in turns; return the rounds of each server and kind of load."""
    found: dict[tuple[str, str], list[load.Load]] = {}
    for turn in range(ROUNDS):
        names = [*urls][turn % len(urls) :] + [*urls][: turn % len(urls)]
        for work, wanted in paths.items():
            for name in names:
                rounds = found.setdefault((work, name), [])
                rounds.append(load.run(urls[name], wanted, seconds=seconds))
    return found


def print_rows(found: Mapping[tuple[str, str], Sequence[load.Load]]) -> None:
    """Print the medians of the rounds, and the ratios to the reference's requests a second."""
    sys.stdout.write(
        f"{'asked for':<13}{'server':<11}{'requests/s':>11}{'MB/s':>8}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'refused':>9}{'broken':>8}  against {REFERENCE} (range)\n"
    )
    for (work, name), rounds in found.items():
        pairs = zip(rounds, found[work, REFERENCE], strict=True)
        ratios = [one.per_second / other.per_second for one, other in pairs]
        sys.stdout.write(
            f"{work:<13}{name:<11}"
            f"{statistics.median(each.per_second for each in rounds):>11,.0f}"
            f"{statistics.median(each.bytes / each.seconds / 1e6 for each in rounds):>8,.0f}"
            f"{statistics.median(each.p50_ms for each in rounds):>9.2f}"
            f"{statistics.median(each.p99_ms for each in rounds):>9.2f}"
            f"{sum(each.refused for each in rounds):>9}{sum(each.broken for each in rounds):>8}"
            f"  {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})\n"
        )


def main() -> None:
    """Serve, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", nargs="?", type=Path, help="a built site; without it, one is built")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="seconds of each run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as running:
        site = options.site
        if site is None:
            site = Path(scratch) / "site"
            build(
                BuildOptions(request=Request("embedded"), out=site),
                store=Store.default(),
                progress=Silent(),
            )
        paths = works(site.resolve())
        before = os.getloadavg()[0]
        urls = {}
        for name in web_servers.NAMES:
            folder = Path(scratch) / name
            folder.mkdir()
            urls[name] = running.enter_context(serving(name, site.resolve(), folder))
        found = measure(urls, paths, options.seconds)
    sys.stdout.write(
        f"{ROUNDS} rounds of {options.seconds} s, 2 threads, 32 connections, {os.cpu_count()} "
        f"cores that servers and wrk share; load before: {before:.1f}\n"
        f"a first visit is {len(paths['first visit'])} files\n"
    )
    print_rows(found)


if __name__ == "__main__":
    main()
