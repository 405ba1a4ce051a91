"""The report of a build, `report.json`: what was built, from what, how large, how long.

`docs/report.schema.json` is generated from these classes; a change that breaks readers
raises `SCHEMA`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolchain import text
from toolchain.card import ModelCard, first_fault
from toolchain.compress.front import Front
from toolchain.compress.plan import Plan
from toolchain.errors import BadInputError
from toolchain.evaluation.metrics import Verdict
from toolchain.evaluation.record import Evaluation
from toolchain.graph.facts import GraphFacts
from toolchain.networks import Network
from toolchain.smoke_test.record import SmokeTest
from toolchain.tfjs.artifacts import Artifacts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEMA: Literal[1] = 1
_MAX_BYTES = 256 << 20  # of the file, with a small picture of every photo that changed

Kind = Literal["page", "runtime", "wasm", "preview", "model", "variants", "photos"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_FOLDERS: dict[str, Kind] = {
    "preview": "preview",
    "model": "model",
    "variants": "variants",
    "samples": "photos",
}


class Part(BaseModel):
    """Any record of a published file: frozen, strict, and all of its fields are there."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class Stage(Part):
    """One stage of the build."""

    name: str
    seconds: Annotated[float, Field(ge=0)]
    reused: bool
    """Whether a kept result of an earlier build served."""


class FileSize(Part):
    """One file of the site, or the sum of some; bytes plain and in each encoding."""

    raw: int
    gzip: int
    brotli: int


class SiteFile(FileSize):
    """One file of the site."""

    path: str
    kind: Kind


class Spread(Part):
    """A figure over several visits."""

    median: float
    low: float
    high: float


class Traffic(Part):
    """What came over the wire for one kind of file."""

    requests: int
    """Answers that came over the wire; those of the browser's caches do not count."""
    bytes: int
    """Bodies as they travelled, and 300 for the headers of each answer."""


class VisitFigures(Part):
    """Visits of one sort, first or repeated; times are milliseconds from navigation."""

    first_tag_ms: Spread
    """Until tags of the first photo stand in the page, by whichever model."""
    full_tag_ms: Spread | None = None
    """Until those of the full model do; None where no small one answered before it."""
    milestones_ms: dict[str, Spread]
    """By the first tag: the last answer of each kind, and the page's own stages' ends."""
    begun_ms: dict[str, Spread] = {}
    """When each of `milestones_ms` had begun: the first request of each kind, and the stages;
    empty in reports that were written before this was measured."""
    traffic: dict[Kind, Traffic]
    """Of the whole visit, medians."""
    wire_bytes: int
    """The sum of `traffic`."""
    limit_ms: Spread | None
    """One round trip, and the time the link is busy with the bytes that came by the first
    tag; None where nothing is throttled."""
    ratio: Spread | None
    """`first_tag_ms` in terms of `limit_ms`, visit by visit."""
    long_tasks: int
    """Tasks of the main thread over 50 ms in the visit that had most."""
    longest_task_ms: float
    """0 where no visit had such a task."""


Host = Literal["toolchain", "plain"]


class Measurement(Part):
    """What visits to the site cost in a real browser."""

    network: Network
    host: Host | None
    """`plain` sends no encodings; None: a host of somebody else's."""
    backend: str
    """The one that was asked for."""
    ran_on: str
    """The one that computed, as the page says."""
    browser: str
    runs: int
    first: VisitFigures
    """With nothing kept from before."""
    repeat: VisitFigures
    """By the same browser once more."""
    repeat_ratio: Spread
    """First tag of the repeated visit in terms of the first one, run by run."""
    inference_ms: Spread | None
    """The runs' medians, over photos tagged after the first; None: the page has no samples."""
    inference_p90_ms: Spread | None
    heap_bytes: int
    """Live JavaScript objects of the page and its workers, median."""
    buffer_bytes: int
    """Their array buffers and WebAssembly memories, median."""
    tensors: int | None
    """How many live after a tag, as the page says."""


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
    """`model.json` and the weights, behind Brotli."""


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
    thumbnails: dict[str, str] = {}
    """Photos of `evaluation.changed` by their paths there, as `data:` URLs."""
    front: Front | None = None
    """By `toolchain tune --site`, of the model that the site was built from."""

    def to_json(self) -> str:
        """Return the text of `report.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def kind_of(path: str) -> Kind:
    """Tell what a file of the site is for, by its path in the site."""
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
    """Return the bytes of a model's `model.json` and weights behind Brotli, as `tune` counts them.

    Args:
        files: Of the site.
        folder: Where the model lies in it.
        artifacts: The model's.
    """
    names = {f"{folder}/{name}" for name in (artifacts.model_json, *artifacts.shards)}
    return sum(file.brotli for file in files if file.path in names)


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
