"""Writes `_headers`, which static hosts such as Netlify and Cloudflare Pages read.

A rule is a path, or the beginning of a path and `*`, followed by lines with headers. If two rules
match a file, hosts join equal headers with a comma. So here at most one rule matches each file.
The values are the same for all who ask. So it lets other origins read files if that is one or all;
`deployment.limits` refuses several for such hosts.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from toolchain.site import headers as table
from toolchain.site.origins import NOBODY
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from toolchain.site.origins import Origins

HEADERS_FILE = "_headers"
_SCRIPT = f"any.{'0' * 16}.js"


def write(site: Path, origins: Origins = NOBODY) -> None:
    """Write `_headers` into a site in which all other files are already there.

    Args:
        site: The site's folder.
        origins: Which other sites may use it.
    """
    paths = (file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file())
    (site / HEADERS_FILE).write_text(headers_file(paths, origins), "utf-8")


def headers_file(paths: Iterable[str], origins: Origins = NOBODY) -> str:
    """Return the content of `_headers`.

    Args:
        paths: Paths of all files of the site.
        origins: Which other sites may use it.
    """
    blocks = (
        "\n".join([pattern, *(f"  {name}: {value}" for name, value in headers.items())])
        for pattern, headers in rules(paths, origins).items()
    )
    return "\n\n".join(blocks) + "\n"


def rules(paths: Iterable[str], origins: Origins = NOBODY) -> Mapping[str, Mapping[str, str]]:
    """Return the headers of each rule, by its pattern; each file matches at most one.

    A folder with nothing but hashed names gets one rule. Any other file gets its own.
    """
    suffixes = tuple(ENCODINGS.values())
    folders: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths):
        if not path.endswith(suffixes) and path != HEADERS_FILE:
            folder, slash, _ = path.partition("/")
            folders[folder if slash else ""].append(path)
    found: dict[str, Mapping[str, str]] = {}
    for folder, files in folders.items():
        if folder and all(table.cache_control(file) == table.IMMUTABLE for file in files):
            # Scripts among them need the page's policy, which does no harm to other files.
            found[f"/{folder}/*"] = _headers_of(f"{folder}/{_SCRIPT}", origins)
        else:
            found |= {f"/{file}": _headers_of(file, origins) for file in files}
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


def _headers_of(path: str, origins: Origins) -> dict[str, str]:
    # Hosts set the type themselves, and some refuse a rule for it.
    return {
        name: value
        for name, value in table.headers(path, origins).items()
        if name != "Content-Type"
    }
