"""The conversion stage: a SavedModel and its declarations in, sealed TF.js artifacts out.

Its result is kept in the store under the digest of everything it depends on, so that a
build with nothing changed here imports no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from toolchain import digest, fingerprint
from toolchain import tf as tensorflow
from toolchain.card import ModelCard
from toolchain.graph.facts import GraphFacts
from toolchain.sources import operations
from toolchain.tfjs.artifacts import Artifacts, seal
from toolchain.tfjs.convert import Quantization, convert

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.progress import Progress
    from toolchain.sources.saved_model import Fetched
    from toolchain.store import Store

_STATISTICS = "batchnorm.npz"
_RESULT = "converted.json"


class Converted(BaseModel):
    """What the stage found out and made; the files lie beside it in the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    card: ModelCard
    facts: GraphFacts
    artifacts: Artifacts
    quantization: str
    """How the weights are stored: a kind of the converter's, or a recipe of `compress`."""
    assumptions: tuple[str, ...]
    """What nobody declared and the card had to assume, for the user to read."""


@dataclass(frozen=True)
class TfjsModel:
    """A sealed TF.js model on disk with what is known of it."""

    folder: Path
    converted: Converted
    key: str
    """Digest of all that the result depends on."""
    reused: bool
    """Whether it was there before."""
    statistics: Path | None = None
    """What BatchNorm knew before it was folded (`graph/batchnorm.py`)."""


def run(
    fetched: Fetched,
    *,
    quantization: Quantization,
    shard_bytes: int,
    store: Store,
    progress: Progress,
) -> TfjsModel:
    """Convert a fetched model, or return the kept result of the same conversion.

    Raises:
        BadInputError: The model is no image classifier, contradicts what was declared, or
            uses operations that TF.js lacks.
    """
    key = digest.of_json(
        {
            "code": fingerprint.of(__name__),
            "sha256": fetched.sha256,
            "prepared_by": fetched.prepared_by,
            "source": fetched.source,
            "declared": fetched.declared.model_dump(mode="json"),
            "quantization": quantization,
            "shard_bytes": shard_bytes,
            # What code of the model's own may have made is not for those who do not trust it.
            **({"trusted": True} if fetched.trusted else {}),
        }
    )

    def make(entry: Path) -> None:
        converted = _convert(fetched, entry, quantization, shard_bytes, progress)
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
    return TfjsModel(kept / "model", converted, key, reused, kept / _STATISTICS)


def _read(kept: Path) -> tuple[Path, Converted]:
    return kept, Converted.model_validate_json((kept / _RESULT).read_text("utf-8"))


def _convert(
    fetched: Fetched,
    entry: Path,
    quantization: Quantization,
    shard_bytes: int,
    progress: Progress,
) -> Converted:
    from toolchain.graph import batchnorm, facts, freezing, signature

    folder = entry / "model"

    operations.check(fetched, progress)
    name = fetched.declared.name or fetched.source
    progress.say(f"Reading the graph of {name}")
    with tensorflow.quiet():
        found, loaded = signature.read(fetched.path)
        card, assumed = signature.settle(
            found, fetched.declared, name=name, source=fetched.source, sha256=fetched.sha256
        )
        frozen = freezing.freeze(loaded, found)
        counted = facts.measure(fetched.path, frozen, card.input)
        batchnorm.save(batchnorm.read(frozen), entry / _STATISTICS)
    progress.say(f"Converting to TF.js, weights as {quantization}")
    convert(
        fetched.path,
        folder,
        signature=found.key,
        quantization=quantization,
        shard_bytes=shard_bytes,
    )
    return Converted(
        card=card,
        facts=counted,
        artifacts=seal(folder),
        quantization=quantization,
        assumptions=tuple(assumption.sentence for assumption in assumed),
    )
