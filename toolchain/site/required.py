"""What the page's code looks up in the page: a template of one's own has to keep it.

Without one of these elements the page would stop in the visitor's browser with an error, so
the build looks for them in what a user's template makes.
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
"""As CSS selectors: of web/src/page, each of its calls of `element`, and of `siteFiles`.

Rows of a preview, what a site with variants has, and the field for addresses are left out: the
page's code asks for them only where they are.
"""


def missing(html: str, script: str) -> Iterator[str]:
    """Yield the selectors of what the page's code needs and a page has not.

    Args:
        html: The page.
        script: Address of the page's code.
    """
    from bs4 import BeautifulSoup

    page = BeautifulSoup(html, "html.parser")
    for template in page.select("template"):
        template.clear()  # what it holds is not in the page
    for selector in (*ELEMENTS, f'script[src="{script}"]'):
        if page.select_one(selector) is None:
            yield selector
