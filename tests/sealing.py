"""Renews the digests of a site whose files a test has changed on purpose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from toolchain.site import integrity

if TYPE_CHECKING:
    from pathlib import Path

# As JSON in a script or an attribute, and as an element's attribute.
_SEALS = re.compile(
    r'(?:(?:"|&#34;)|(?:href|src)=")(?P<path>[^"&]+)(?:"|&#34;)(?:: (?:"|&#34;)| integrity=")'
    r"(?P<digest>sha256-[\w+/=]+)"
)


def reseal(site: Path) -> None:
    """Set a site's digests to those of its present files, and remove the compressed files."""
    for packed in [*site.rglob("*.br"), *site.rglob("*.gz")]:
        packed.unlink()

    def renewed(match: re.Match[str]) -> str:
        return match[0].replace(match["digest"], integrity.of_file(site / match["path"]))

    for name in ("index.html", "sw.js"):
        text = (site / name).read_text("utf-8")
        assert _SEALS.search(text)
        (site / name).write_text(_SEALS.sub(renewed, text), "utf-8")
