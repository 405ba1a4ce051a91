"""The component: the site's model as an ES module for other pages.

Every site has the same `tagger.js` and the same element, `image-tagger.js`, with their types. The
module reads `tagger.json`, which names the site's files with their digests. These files keep their
names, so that other pages can refer to them; all files that `tagger.json` names bear a hash.
`docs/tagger.schema.json` is generated from these classes, and the module's check
(`web/src/schemas/tagger.ts`) from that schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from toolchain.errors import MissingToolError
from toolchain.records.card import Task
from toolchain.records.site_files import COMPONENT, TEACHING_MODULE
from toolchain.site import integrity, web_bundle
from toolchain.site.files import copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from toolchain.records.verdict import Verdict

MANIFEST, MODULE, *_ = COMPONENT

Line = Annotated[str, Field(min_length=1)]
"""Text that is shown or requested."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class TaggerFile(_Part):
    """A file of the site with its digest, as the W3C's Subresource Integrity writes it."""

    url: Line
    """Relative to the site."""
    integrity: Line


class TaggerModel(_Part):
    """Which model it is."""

    name: Line
    source: Line
    licence: Line
    sha256: Line
    task: Task


class TaggerDrop(_Part):
    """What storing the weights in fewer bytes costs, in points, with its 95 % interval."""

    points: float
    low: float
    high: float
    measure: Literal["top-1", "scores"]
    """Of what: of the share of photos whose first label is right, or of all scores, where photos
    may have several labels."""


class TaggerTeaching(_Part):
    """What a page needs to teach the model its own tags."""

    width: Annotated[int, Field(ge=1)]
    """Number of the model's features."""
    module: TaggerFile
    """The code that keeps the lessons."""
    solver: TaggerFile
    """The worker's script that learns from them."""


class TaggerManifest(_Part):
    """The whole file."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    """The version of this file and of the messages that the site's worker understands."""
    model: TaggerModel
    drop: TaggerDrop | None
    """None if it was not measured."""
    weight_bytes: Annotated[int, Field(ge=0)]
    """Total size of the weight files, as stored."""
    contract: TaggerFile
    weights: tuple[TaggerFile, ...]
    worker: tuple[TaggerFile, ...]
    """The worker's script, then the scripts that it imports."""
    simd: TaggerFile
    """The WebAssembly with vector instructions."""
    plain: TaggerFile
    """The WebAssembly without them."""
    teaching: TaggerTeaching | None
    """None if the site was built without `--teach`."""


def write(
    site: Path,
    runtime: web_bundle.Runtime,
    files: Mapping[str, Any],
    verdict: Verdict | None,
) -> None:
    """Write the component into a site that has the files of its runtime and model.

    Args:
        site: The site's folder.
        runtime: Its runtime.
        files: The model's variables for the template: `card`, `contract`, `weight_urls` and
            `weight_bytes`.
        verdict: How the model did on photos, if it was judged.

    Raises:
        MissingToolError: The module is not built, or the runtime is of another version.
    """
    for name in (*COMPONENT[1:], *([TEACHING_MODULE] if runtime.teaching else [])):
        source = web_bundle.runtime_dir() / name
        if not source.is_file():
            raise MissingToolError("the page's runtime is of another version; run `make web` again")
        copy(source, site / name)
    card = files["card"]
    (contract,) = _sealed(site, [files["contract"]])
    simd, plain = _sealed(site, [runtime.wasm.simd, runtime.wasm.plain])
    manifest = TaggerManifest(
        model=TaggerModel(
            name=card.provenance.name,
            source=card.provenance.source,
            licence=card.provenance.licence,
            sha256=card.provenance.sha256,
            task=card.task,
        ),
        drop=None if verdict is None else _drop(verdict),
        weight_bytes=files["weight_bytes"],
        contract=contract,
        weights=_sealed(site, files["weight_urls"]),
        worker=_sealed(site, runtime.worker),
        simd=simd,
        plain=plain,
        teaching=_teaching(site, runtime, files),
    )
    (site / MANIFEST).write_text(f"{manifest.model_dump_json(by_alias=True)}\n", "utf-8")


def _teaching(
    site: Path, runtime: web_bundle.Runtime, files: Mapping[str, Any]
) -> TaggerTeaching | None:
    if not runtime.teaching:
        return None
    (solver,) = (file for file in runtime.teaching if "/solver-" in file)
    module, solver_file = _sealed(site, [TEACHING_MODULE, solver])
    return TaggerTeaching(width=files["features"].width, module=module, solver=solver_file)


def _drop(verdict: Verdict) -> TaggerDrop | None:
    # The page and `report.html` show the same.
    expected = verdict.expected_drop or verdict.drop
    found = expected or verdict.score_change
    if found is None:
        return None
    return TaggerDrop(
        points=found.points,
        low=found.low,
        high=found.high,
        measure="top-1" if expected else "scores",
    )


def _sealed(site: Path, urls: Iterable[str]) -> tuple[TaggerFile, ...]:
    digests = integrity.of_files(site, urls)
    return tuple(TaggerFile(url=url, integrity=digest) for url, digest in digests.items())


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `tagger.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TaggerManifest.model_json_schema(by_alias=True, mode="serialization"),
    }
