"""The conversion stage: a SavedModel and its declarations in, sealed TF.js artifacts out.

Its result is cached under the digest of everything it depends on, so that a build without a
change here does not import TensorFlow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.records.artifacts import Artifacts
from toolchain.records.card import ModelCard
from toolchain.records.graph_facts import GraphFacts
from toolchain.sources import operations
from toolchain.tfjs.artifacts import seal
from toolchain.tfjs.convert import Quantization, convert

if TYPE_CHECKING:
    from collections.abc import Collection

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.saved_model import Fetched

_STATISTICS = "batchnorm.npz"
_REFERENCE = "reference.npz"
_RESULT = "converted.json"
# How much a score of the converter's output may differ from the source's (`graph/reference.py`).
# Integers with one scale for a whole tensor have no limit: their loss of accuracy has none.
_WITHIN: dict[Quantization, float | None] = {
    "none": 1e-3,
    "float16": 2e-2,
    "uint16": None,
    "uint8": None,
}


class Converted(BaseModel):
    """The result of the stage; its files are in the same cache entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    card: ModelCard
    facts: GraphFacts
    artifacts: Artifacts
    quantization: str
    """How the weights are stored: one of the converter's ways, or a recipe of `quantize`."""
    assumptions: tuple[str, ...]
    """Sentences for the user: what was not declared and had to be assumed."""


@dataclass(frozen=True)
class TfjsModel:
    """A sealed TF.js model on disk, and what is known about it."""

    folder: Path
    converted: Converted
    key: str
    """Digest of everything that the result depends on."""
    reused: bool
    """Whether it came from the cache."""
    statistics: Path | None = None
    """Statistics of BatchNorm layers before folding (`graph/batchnorm.py`)."""
    reference: Path | None = None
    """The source model's scores for a few pictures (`graph/reference.py`)."""


def run(
    fetched: Fetched,
    *,
    quantization: Quantization,
    shard_bytes: int,
    offered: Collection[str] = (),
    store: Store,
    progress: Progress,
) -> TfjsModel:
    """Convert a fetched model, or return the cached result of the same conversion.

    Args:
        fetched: The model.
        quantization: How the converter stores the weights.
        shard_bytes: The largest size of one file of weights.
        offered: The operations in the page's largest runtime; a graph with other operations is
            refused. If empty, operations are not checked.
        store: The cache.
        progress: Told of each step.

    Raises:
        BadInputError: The model is not an image classifier, contradicts what was declared, uses
            operations that TF.js lacks, or its scores depend on rounding.
        ToolchainError: It could not be converted, or the converted model gives other scores.
    """
    key = digest.of_json(
        {
            "code": fingerprint.of(__name__),
            "sha256": fetched.sha256,
            "prepared_by": fetched.prepared_by,
            "source": fetched.source,
            "declared": fetched.declared.model_dump(mode="json"),
            "range": [
                each and each.model_dump(mode="json")
                for each in (fetched.range_guess, fetched.range_found)
            ],
            "quantization": quantization,
            "shard_bytes": shard_bytes,
            "offered": sorted(offered),
            # A result that code of the model may have made has another key, for users who trust it.
            **({"trusted": True} if fetched.trusted else {}),
        }
    )

    def make(entry: Path) -> None:
        converted = _convert(fetched, entry, quantization, shard_bytes, offered, progress)
        fingerprint.require_unchanged(__name__)
        (entry / _RESULT).write_text(converted.model_dump_json(), "utf-8")

    (kept, converted), reused = store.result(
        "tfjs",
        key,
        read=_read,
        make=make,
        doing=f"converting {fetched.declared.name or fetched.source} to TF.js",
        progress=progress,
    )
    return TfjsModel(kept / "model", converted, key, reused, kept / _STATISTICS, kept / _REFERENCE)


def _read(kept: Path) -> tuple[Path, Converted]:
    return kept, Converted.model_validate_json((kept / _RESULT).read_text("utf-8"))


def _convert(
    fetched: Fetched,
    entry: Path,
    quantization: Quantization,
    shard_bytes: int,
    offered: Collection[str],
    progress: Progress,
) -> Converted:
    from toolchain.graph import batchnorm, classifier, facts, frozen, reference, stability
    from toolchain.tfjs import execute, runnable

    folder = entry / "model"
    operations.check(fetched, progress)
    name = fetched.source
    progress.say(f"Reading the graph of {fetched.declared.name or name}")
    with tensorflow.quiet(), TemporaryDirectory(prefix="toolchain-") as scratch:
        read = classifier.read(fetched)
        counted = facts.measure(fetched.path, read.source, read.card.input, name)
        batchnorm.save(batchnorm.read(read.source), entry / _STATISTICS)
        asked = reference.take(read)
        asked.save(entry / _REFERENCE)
        progress.say(f"Converting to TF.js, weights as {quantization}")
        plain = Path(scratch) / "model"
        frozen.save(read.converted, plain)
        convert(plain, folder, name=name, quantization=quantization, shard_bytes=shard_bytes)
        artifacts = seal(folder, read.ending.converted)
        graph = json.loads((folder / artifacts.model_json).read_text("utf-8"))
        if offered and (sentence := runnable.sentence(graph, offered, name)):
            raise BadInputError(sentence)
        if (within := _WITHIN[quantization]) is not None:
            images, rule = asked.images(read.card), read.card.none_of_these
            outputs, cosines = execute.in_turn(folder, artifacts.model_json, images, rule)
            within = max(within, reference.HALF if read.source.is_widened else 0)
            with stability.explaining(read, images, asked.scores, within):
                reference.compare(
                    asked,
                    outputs,
                    artifacts.activation,
                    cosines,
                    within=within,
                    name=name,
                    after=f"the converted model ({quantization})",
                )
    return Converted(
        card=read.card,
        facts=counted,
        artifacts=artifacts,
        quantization=quantization,
        assumptions=read.assumptions,
    )
