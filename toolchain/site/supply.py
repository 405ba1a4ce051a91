"""What a site is made of, and under which terms: `licenses.txt` and `sbom.cdx.json`.

The first is for people, the second, CycloneDX 1.6 (ECMA-424), for tools. Both lie in the site
beside the files that they are about, and are no part of a visit.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from toolchain.site import assets, licences, parts, sbom
from toolchain.site.contents import Contents

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
        models: All that are in it, in whatever forms.
        page: What the user says of the page.

    Raises:
        BadInputError: There are no samples, or no runtime with the models' operations.
        MissingToolError: The page's runtime is not built.
    """
    runtime = parts.runtime_for(chain(*(each.converted.artifacts.ops for each in models)))
    folder = page.samples_folder
    contents = Contents(
        shipped=parts.shipped_in(runtime),
        # A model's variants have the same source.
        cards=tuple(
            {each.converted.card.provenance: each.converted.card for each in models}.values()
        ),
        samples=() if folder is None else parts.load_samples(folder),
        own_files=(site / assets.FOLDER).is_dir(),
    )
    (site / LICENCES).write_text(licences.text(contents), "utf-8")
    (site / MATERIALS).write_text(sbom.text(contents), "utf-8")
