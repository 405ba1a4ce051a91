"""What a static host reads of the site itself: `_headers` and `404.html`.

`_headers` is read by Netlify, Cloudflare Pages and others; a rule is a path, or the start of
one with `*`, and the lines below it. Where two rules hold for a file its headers are joined
with a comma, so no two rules here meet in one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from toolchain.site import headers as table
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

HEADERS_FILE = "_headers"


def write(site: Path) -> None:
    """Write `_headers` into a site of which all other files are there."""
    paths = (file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file())
    (site / HEADERS_FILE).write_text(headers_file(paths), "utf-8")


def headers_file(paths: Iterable[str]) -> str:
    """Return the content of `_headers`.

    Args:
        paths: Of all files of the site.
    """
    blocks = (
        "\n".join([pattern, *(f"  {name}: {value}" for name, value in headers.items())])
        for pattern, headers in rules(paths).items()
    )
    return "\n\n".join(blocks) + "\n"


def rules(paths: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """Return the headers of each rule by its pattern; of each file at most one holds.

    A folder that holds nothing but hashed names gets one rule, any other file its own.
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
            # Scripts among them want the page's policy, and it does no other file harm.
            found[f"/{folder}/*"] = _said(f"{folder}/any.js") | {"Cache-Control": table.IMMUTABLE}
        else:
            found |= {f"/{file}": _said(file) for file in files}
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


def _said(path: str) -> dict[str, str]:
    # Hosts know the types of files, and some refuse to be told.
    return {name: value for name, value in table.headers(path).items() if name != "Content-Type"}
