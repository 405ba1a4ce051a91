"""Writes the bill of materials of a site: `licenses.txt` for people, `sbom.cdx.json` for tools.

Both are part of the site, but the page does not load them.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from toolchain.site import assets, cyclonedx, licences, web_bundle
from toolchain.site.bill_of_materials import BillOfMaterials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolchain.site.configuration import PageOptions
    from toolchain.tfjs.stage import TfjsModel

LICENCES = "licenses.txt"
MATERIALS = "sbom.cdx.json"


def write(site: Path, models: Sequence[TfjsModel], page: PageOptions) -> None:
    """Write both files into a site that is rendered.

    Args:
        site: The site.
        models: All its models, variants and preview included.
        page: The user's options for the page.

    Raises:
        BadInputError: There are no samples, or no runtime with the models' operations.
        MissingToolError: The page's runtime is not built.
    """
    runtime = web_bundle.runtime_for(chain(*(each.converted.artifacts.ops for each in models)))
    folder = page.samples_folder
    bill = BillOfMaterials(
        shipped=web_bundle.shipped_in(runtime),
        # A model's variants have the same source.
        cards=tuple(
            {each.converted.card.provenance: each.converted.card for each in models}.values()
        ),
        samples=() if folder is None else web_bundle.load_samples(folder),
        own_files=(site / assets.FOLDER).is_dir(),
    )
    (site / LICENCES).write_text(licences.text(bill), "utf-8")
    (site / MATERIALS).write_text(cyclonedx.text(bill), "utf-8")
