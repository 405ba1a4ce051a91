"""The report of a build, `report.json`: what was built from what, its size, and the times.

`docs/report.schema.json` is generated from these classes. A change that breaks readers must
raise `SCHEMA`.
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
from toolchain.records.training import Training
from toolchain.records.verdict import Verdict
from toolchain.records.visit_figures import Measurement

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Literal[1] = 1
_MAX_BYTES = 256 << 20  # of the file, which has a thumbnail of every photo that changed; chosen


class Stage(Part):
    """One stage of the build."""

    name: str
    seconds: Annotated[float, Field(ge=0)]
    reused: bool
    """Whether the result came from the cache."""


class Preview(Part):
    """The small model that answers a first visit until the full one has been fetched."""

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
    """What was asked for: a recipe, or `float32`, `float16` or `uint8` for the converter's."""
    plan: Plan | None
    verdict: Verdict | None
    artifacts: Artifacts
    """The files are in `variants/NAME/`."""
    bytes: int
    """Size of `model.json` and the weights, compressed with Brotli."""


class Report(Part):
    """The whole report."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = SCHEMA
    toolchain: str
    """Version of this tool."""
    requested: str
    """The model that was asked for; `card.provenance` tells which one was built."""
    notice: str | None
    """Why another model was built than the one asked for; None if it was that one."""
    assumptions: tuple[str, ...]
    card: ModelCard
    quantization: str
    plan: Plan | None
    """How each tensor was quantised; None if the converter stored the weights."""
    verdict: Verdict | None
    """How the quantised model did on the photos by which the plan was chosen."""
    smoke_tests: tuple[SmokeTest, ...] = ()
    """The smoke test of each model of the site; empty in reports of versions without it."""
    source_graph: GraphFacts
    artifacts: Artifacts
    preview: Preview | None = None
    variants: tuple[Variant, ...] = ()
    """The other variants. The rest of the report is about the one that the page starts with."""
    stages: tuple[Stage, ...]
    files: tuple[SiteFile, ...]
    totals: dict[Kind, FileSize]
    measurements: tuple[Measurement, ...] = ()
    """The results of `toolchain measure`, at most one for each network, host and backend."""
    evaluation: Evaluation | None = None
    """The last result of `toolchain evaluate`."""
    thumbnails: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    """The photos of `evaluation.changed` as `data:` URLs, by the paths given there."""
    front: ParetoFront | None = None
    """The result of `toolchain tune --site` for the model that the site was built from."""
    training: Training | None = None
    """What `toolchain train` found when it made the model; None if something else made it."""
    training_thumbnails: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    """Some of the photos that `training` names as `data:` URLs, by the paths given there."""
    test_thumbnails: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    """The same of the photos in the folder that was given by `--test`."""

    def to_json(self) -> str:
        """Return the text of `report.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def read(site: Path) -> Report:
    """Read the report of a built site.

    Args:
        site: The site's folder, or a `report.json` itself.

    Raises:
        BadInputError: There is no report, or another version wrote it.
    """
    path = site if site.is_file() else site / "report.json"
    try:
        return Report.model_validate_json(text.read(path, most=_MAX_BYTES))
    except OSError as error:
        raise BadInputError(f"{site} is not a site of this tool: it has no report.json") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{path} is not text ({error}); build the site again") from error
    except ValidationError as error:
        raise BadInputError(
            f"{path} was not written by this version ({first_fault(error)}); build the site again"
        ) from error


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `report.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "toolchain build report",
        **Report.model_json_schema(by_alias=True, mode="serialization"),
    }
