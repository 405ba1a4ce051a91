"""The elements that the page's code needs, and that a user's template therefore has to keep.

Without one of them the page would stop in the visitor's browser with an error. So the build
checks the page that a user's template makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTS = ("page", "runtime", "wasm", "model", "photos", "total")
_STAGES = ("download", "backend", "decode", "warm-up", "first-tag")

_FACTS = ("first-tag", "bytes", "backend", "memory")

ELEMENTS = (
    "html[data-contract]",
    "html[data-weights]",
    "html[data-early-weights]",
    "html[data-weight-bytes]",
    "html[data-samples]",
    "html[data-integrity]",
    "template#strings",
    "#alert",
    "#alert-text",
    "button#retry",
    "input#file",
    "button#camera",
    "button#camera-switch",
    "#camera-note",
    "#camera-spoken",
    "#photo",
    "#photo img",
    "#photo [data-crop]",
    "#status",
    "#amount",
    "#timing",
    "progress#download",
    "#tags-place",
    "ol#tags",
    "#backend",
    "select#backend-choice",
    "#gallery",
    "#gallery-count",
    "progress#gallery-bar",
    "button#gallery-pause",
    "button#gallery-csv",
    "button#gallery-json",
    "button#gallery-clear",
    "#gallery-done",
    "ul#gallery-cells",
    "#load",
    *(f'#load [data-fact="{fact}"] {part}' for fact in _FACTS for part in ("strong", "small")),
    "#load [data-axis]",
    "#stages-end",
    "table#parts",
    *(
        f'#parts tr[data-part="{part}"]{cell}'
        for part in _PARTS
        for cell in ("", " [data-wire]", " [data-decoded]", " [data-source]")
    ),
    "table#stages",
    *(
        f'#stages tr[data-stage="{stage}"]{cell}'
        for stage in _STAGES
        for cell in (" [data-track]", " [data-took]", " [data-ended]")
    ),
    "details#files",
    "#files [data-note]",
    "#files [data-place] template",
    "#files [data-place] tbody",
    "details#networks",
    "#networks [data-note]",
    "#networks [data-place]",
    "button#copy-report",
    "button#share-link",
    "#copied",
    "textarea#report-text",
)
"""CSS selectors of the elements: one for each call of `element` in web/src/page, and those that
`siteFiles` reads.

The rows of a preview, the elements of a site with variants, and the field for addresses are left
out, because the page's code does not need them.
"""


OF_TEACHING = ("template#teach-strings", "#teach[data-width]")
"""Those that the page's code needs where visitors teach their own tags."""


def missing(html: str, script: str, *, teaching: bool = False) -> Iterator[str]:
    """Yield the selectors of required elements that a page lacks.

    Args:
        html: The page.
        script: Address of the page's code.
        teaching: Whether visitors may teach their own tags.
    """
    from bs4 import BeautifulSoup

    page = BeautifulSoup(html, "html.parser")
    for template in page.select("template"):
        template.clear()  # its content is not part of the page
    for selector in (*ELEMENTS, *(OF_TEACHING if teaching else ()), f'script[src="{script}"]'):
        if page.select_one(selector) is None:
            yield selector
