"""The report of a build, `report.json`: what was built, from what, how large, how long.

`docs/report.schema.json` is generated from these classes; a change that breaks readers
raises `SCHEMA`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolchain.card import ModelCard, first_fault
from toolchain.compress.plan import Plan
from toolchain.errors import BadInputError
from toolchain.evaluation.metrics import Verdict
from toolchain.graph.facts import GraphFacts
from toolchain.tfjs.artifacts import Artifacts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEMA: Literal[1] = 1

Kind = Literal["page", "runtime", "wasm", "model", "photos"]
KINDS: tuple[Kind, ...] = ("page", "runtime", "wasm", "model", "photos")


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class Stage(_Part):
    """One stage of the build."""

    name: str
    seconds: Annotated[float, Field(ge=0)]
    reused: bool
    """Whether a kept result of an earlier build served."""


class FileSize(_Part):
    """One file of the site, or the sum of some; bytes plain and in each encoding."""

    raw: int
    gzip: int
    brotli: int


class SiteFile(FileSize):
    """One file of the site."""

    path: str
    kind: Kind


class Report(_Part):
    """The whole report."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    toolchain: str
    """Version of this tool."""
    requested: str
    """The model that was asked for; `card.provenance` is the one that was built."""
    notice: str | None
    """Why another model was built than the one asked for, if so."""
    assumptions: tuple[str, ...]
    card: ModelCard
    quantization: str
    plan: Plan | None
    """What compression decided for each tensor; None where the converter stored the weights."""
    verdict: Verdict | None
    """How the compressed network did on the photos that the plan was chosen by."""
    source_graph: GraphFacts
    artifacts: Artifacts
    stages: tuple[Stage, ...]
    files: tuple[SiteFile, ...]
    totals: dict[Kind, FileSize]

    def to_json(self) -> str:
        """Return the text of `report.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def kind_of(path: str) -> Kind:
    """Tell what a file of the site is for, by its path in the site."""
    if path.startswith("samples/"):
        return "photos"
    if path.startswith(("model/", "contract.")):
        return "model"
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


def read(site: Path) -> Report:
    """Read the report of a built site.

    Raises:
        BadInputError: The folder has none, or one of another version.
    """
    path = site / "report.json"
    try:
        return Report.model_validate_json(path.read_text("utf-8"))
    except OSError as error:
        raise BadInputError(f"{site} is no site of this tool: it has no report.json") from error
    except ValidationError as error:
        raise BadInputError(
            f"{path} is not of this version ({first_fault(error)}); build the site again"
        ) from error


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `report.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "toolchain build report",
        **Report.model_json_schema(by_alias=True, mode="serialization"),
    }
