"""The files of a built site: what each is for, and how large it is."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolchain.records.artifacts import Artifacts


MARK = "report.json"
"""The file that marks a folder as a site of this tool."""


VARIANTS = "variants"
"""The folder of a site that holds its variants."""


COMPONENT = (
    *("tagger.json", "tagger.js", "tagger.d.ts"),
    *("image-tagger.js", "image-tagger.d.ts"),
)
"""The files by which other pages use the site's model: the names of the model's files, the module
and the element with their types. The site's own page does not load them. They keep their names,
because other pages refer to them."""
TEACHING_MODULE = "tagger-teach.js"
"""The module that the component loads from sites whose model can be taught; it keeps its
name too."""


Kind = Literal["page", "runtime", "wasm", "preview", "model", "variants", "photos", "component"]


KINDS: tuple[Kind, ...] = get_args(Kind)


_FOLDERS: dict[str, Kind] = {
    "preview": "preview",
    "model": "model",
    "variants": "variants",
    "samples": "photos",
}


class Part(BaseModel):
    """A record of a published file: frozen, without unknown keys, and with all fields present."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class FileSize(Part):
    """The size of one or more files, in bytes: uncompressed, and in each encoding."""

    raw: int
    gzip: int
    brotli: int


class SiteFile(FileSize):
    """One file of the site."""

    path: str
    kind: Kind


def kind_of(path: str) -> Kind:
    """Return what a file of the site is for, judged by its path in the site."""
    if path in (*COMPONENT, TEACHING_MODULE):
        return "component"
    folder, _, below = path.partition("/")
    if below and folder in _FOLDERS:
        return _FOLDERS[folder]
    if path.startswith("contract."):
        return "model"
    if path.startswith("assets/"):
        if path.endswith(".wasm"):
            return "wasm"
        if path.endswith(".js") and not path.startswith("assets/page-"):
            return "runtime"
    return "page"


def totals(files: Iterable[SiteFile]) -> dict[Kind, FileSize]:
    """Add up the files of each kind, in the order of `KINDS`."""
    groups: dict[Kind, list[SiteFile]] = defaultdict(list)
    for file in files:
        groups[file.kind].append(file)
    return {
        kind: FileSize(
            raw=sum(file.raw for file in groups[kind]),
            gzip=sum(file.gzip for file in groups[kind]),
            brotli=sum(file.brotli for file in groups[kind]),
        )
        for kind in KINDS
    }


def model_bytes(files: Iterable[SiteFile], folder: str, artifacts: Artifacts) -> int:
    """Return the Brotli-compressed size of a model's `model.json` and weights, as `tune` counts it.

    Args:
        files: The files of the site.
        folder: The model's folder in the site.
        artifacts: The model's files.
    """
    names = {f"{folder}/{name}" for name in (artifacts.model_json, *artifacts.shards)}
    return sum(file.brotli for file in files if file.path in names)
