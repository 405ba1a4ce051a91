"""The text of `licenses.txt`: the authors and licences of everything in a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain import __version__
from toolchain.labels import imagenet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.site.bill_of_materials import BillOfMaterials
    from toolchain.site.web_bundle import Package

OWN = "Apache-2.0"
"""The licence of this project."""

_RULE = "=" * 80
_WORDNET = """The class names are those of ImageNet (ILSVRC-2012), which takes them from WordNet:
WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
Terms: https://wordnet.princeton.edu/license-and-commercial-use"""
_OWN_FILES = """Files in own/ come with the page's template; ask its author for their terms."""


def text(bill: BillOfMaterials) -> str:
    """Return the whole text; each licence text is in it only once."""
    return "\n\n".join(_paragraphs(bill)) + "\n"


def _paragraphs(bill: BillOfMaterials) -> Iterator[str]:
    yield "The parts of this site and their licences"
    yield f"The page: toolchain {__version__}, {OWN}"
    for card in bill.cards:
        model = card.provenance
        yield (
            f"Model: {model.name}\nfrom {model.source}\nSHA-256 {model.sha256}\n"
            f"Licence: {model.licence}"
        )
    if any(card.labels == imagenet.labels() for card in bill.cards):
        yield _WORDNET
    for sample in bill.samples:
        yield f"Photo: {sample.credit}\nLicence: {sample.licence}, {sample.licence_url}"
    if bill.own_files:
        yield _OWN_FILES
    yield "Fonts: none; the page uses those of the visitor's system."
    yield "\n".join(["Scripts and WebAssembly contain:", *map(_line, bill.shipped.packages)])
    for terms, whose in _by_terms(bill).items():
        yield f"{_RULE}\n{', '.join(whose)}\n{_RULE}\n\n{terms}"


def _line(package: Package) -> str:
    version = f" {package.version}" if package.version else ""
    within = f", compiled into {package.within}" if package.within else ""
    return f"  {package.name}{version} ({package.licence}){within}"


def _by_terms(bill: BillOfMaterials) -> dict[str, list[str]]:
    found = {bill.shipped.own: ["toolchain"]}
    for package in bill.shipped.packages:
        found.setdefault(package.text, []).append(package.name)
    return found
