"""The report of a build, `report.json`: what was built, from what, how large, how long.

`docs/report.schema.json` is generated from these classes; a change that breaks readers
raises `SCHEMA`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from toolchain import text
from toolchain.errors import BadInputError
from toolchain.records.artifacts import Artifacts
from toolchain.records.card import ModelCard, first_fault
from toolchain.records.evaluation import Evaluation
from toolchain.records.graph_facts import GraphFacts
from toolchain.records.pareto import ParetoFront
from toolchain.records.plan import Plan
from toolchain.records.site_files import FileSize, Kind, Part, SiteFile
from toolchain.records.smoke_test import SmokeTest
from toolchain.records.verdict import Verdict
from toolchain.records.visit_figures import Measurement

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Literal[1] = 1
_MAX_BYTES = 256 << 20  # of the file, with a small picture of every photo that changed


class Stage(Part):
    """One stage of the build."""

    name: str
    seconds: Annotated[float, Field(ge=0)]
    reused: bool
    """Whether a kept result of an earlier build served."""


class Preview(Part):
    """The small model that answers a first visit until the full one is there."""

    requested: str
    """The model that was asked for."""
    assumptions: tuple[str, ...]
    card: ModelCard
    quantization: str
    plan: Plan | None
    verdict: Verdict | None
    source_graph: GraphFacts
    artifacts: Artifacts


class Variant(Part):
    """Another way in which the site stores the model's weights, for the visitor to choose."""

    name: str
    """What was asked for: a recipe, or a kind of the converter's."""
    plan: Plan | None
    verdict: Verdict | None
    artifacts: Artifacts
    """They lie in `variants/NAME/`."""
    bytes: int
    """`model.json` and the weights, after Brotli."""


class Report(Part):
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
    smoke_tests: tuple[SmokeTest, ...] = ()
    """What running each model of the finished site has shown; empty in reports from before."""
    source_graph: GraphFacts
    artifacts: Artifacts
    preview: Preview | None = None
    variants: tuple[Variant, ...] = ()
    """Those besides the one that the page begins with, of which all else here tells."""
    stages: tuple[Stage, ...]
    files: tuple[SiteFile, ...]
    totals: dict[Kind, FileSize]
    measurements: tuple[Measurement, ...] = ()
    """By `toolchain measure`, at most one for each network, host and backend."""
    evaluation: Evaluation | None = None
    """By `toolchain evaluate`, the last one."""
    thumbnails: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    """Photos of `evaluation.changed` by their paths there, as `data:` URLs."""
    front: ParetoFront | None = None
    """By `toolchain tune --site`, of the model that the site was built from."""

    def to_json(self) -> str:
        """Return the text of `report.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def read(site: Path) -> Report:
    """Read the report of a built site: of its folder, or the `report.json` by itself.

    Raises:
        BadInputError: There is none, or one of another version.
    """
    path = site if site.is_file() else site / "report.json"
    try:
        return Report.model_validate_json(text.read(path, most=_MAX_BYTES))
    except OSError as error:
        raise BadInputError(f"{site} is no site of this tool: it has no report.json") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is no text ({error}); build the site again") from error
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
