"""What the page's code looks up in the page: a template of one's own has to keep it.

Without one of these elements the page would stop in the visitor's browser with an error, so
the build looks for them in what a user's template makes.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

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

_VOID = frozenset(
    "area base br col embed hr img input link meta source track wbr".split()  # noqa: SIM905
)
_COMPOUND = re.compile(
    r'(?P<tag>[a-z]\w*)?(?:#(?P<id>[\w-]+))?(?:\[(?P<has>[\w-]+)(?P<is>="[^"]*")?\])?'
)


def missing(html: str, script: str) -> Iterator[str]:
    """Yield the selectors of what the page's code needs and a page has not.

    Args:
        html: The page.
        script: Address of the page's code.
    """
    page = _Page()
    page.feed(html)
    page.close()
    for selector in (*ELEMENTS, f'script[src="{script}"]'):
        if page.root.find(_xpath(selector)) is None:
            yield selector


def _xpath(selector: str) -> str:
    """Write a selector of this module's kind as ElementTree's XPath."""
    path = "."
    for compound in selector.split(" "):
        match = _COMPOUND.fullmatch(compound)
        if match is None:
            raise ValueError(f"{selector} is beyond what is understood here")
        path += f"//{match['tag'] or '*'}"
        if match["id"]:
            path += f"[@id='{match['id']}']"
        if match["has"]:
            path += f"[@{match['has']}{match['is'] or ''}]"
    return path


class _Page(HTMLParser):
    """Reads HTML into a tree, without what `<template>` elements hold, which is not in the page."""

    def __init__(self) -> None:
        super().__init__()
        self.root = ET.Element("document")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        inert = any(element.tag == "template" for element in self._open)
        element = ET.Element(tag, attributes)
        if not inert:
            self._open[-1].append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        tags = [element.tag for element in self._open]
        if tag in tags:
            # What stands open inside ends with it: the end of a <p> may be left out.
            del self._open[len(tags) - 1 - tags[::-1].index(tag) :]
