"""The quantisation stage: float32 TF.js artifacts in, artifacts with fewer bytes out."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.graph import faults
from toolchain.quantize import planning
from toolchain.records.plan import Plan
from toolchain.records.verdict import Verdict
from toolchain.tfjs.stage import Converted, TfjsModel
from toolchain.tfjs.transfer import brotli_bytes
from toolchain.tfjs_graph.topology import graph_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.quantize.planning import Planning
    from toolchain.quantize.quantizer import Quantized, Quantizer
    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.records.artifacts import Artifacts

# Bits a weight after entropy coding. Chosen; `make bench-size` shows what `mixed` costs: 0.12 to
# 0.43 points expected, for the three networks of docs/compression.md.
_BITS = {"mixed": 4.5, "tiny": 3.8}
# Added where generated pictures are rounded by. With it `mixed` is expected to drop 0.06 to 0.44
# points without photos, about as much as with them (the same bench).
_BLIND_BITS = 0.9
_RESULT = "result.json"
_FINEST = 1e-9  # a coarseness at which only a byte's 255 levels limit each step


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    converted: Converted
    plan: Plan
    verdict: Verdict | None


@dataclass(frozen=True)
class Compressed:
    """A quantised model, its plan and its verdict."""

    model: TfjsModel
    plan: Plan
    verdict: Verdict | None
    """Verdict on the photos that the plan was chosen by; None if there were none."""
    photos: Mapping[str, str | None]
    """Digests of the `calibration` and the `evaluation` photos; None if not given."""


def run(
    source: TfjsModel, options: QuantizeSettings, *, store: Store, progress: Progress
) -> Compressed:
    """Quantise float32 artifacts, or return the result from the cache.

    Raises:
        BadInputError: Photos cannot be used, a weight is NaN or infinite, or the network fails
            on an image.
        ToolchainError: `auto` found no plan within the limits; the message names the nearest.
    """
    basis = planning.basis(source, options)
    key = digest.of_json(
        basis
        | {
            "code": fingerprint.of(__name__),
            "recipe": options.recipe,
            "max_drop": options.max_drop,
            "max_bytes": options.max_bytes,
        }
    )

    def make(entry: Path) -> None:
        result = _compress(source, options, entry / "model", progress)
        fingerprint.require_unchanged(__name__)
        (entry / _RESULT).write_text(result.model_dump_json(), "utf-8")

    (kept, result), reused = store.result(
        "compressed",
        key,
        read=_read,
        make=make,
        doing=f"compressing {source.converted.card.provenance.name}, recipe {options.recipe}",
        progress=progress,
    )
    model = TfjsModel(kept / "model", result.converted, key, reused, reference=source.reference)
    photos = {name: basis[name] for name in ("calibration", "evaluation")}
    return Compressed(model, result.plan, result.verdict, photos)


def _read(kept: Path) -> tuple[Path, _Result]:
    return kept, _Result.model_validate_json((kept / _RESULT).read_text("utf-8"))


@dataclass(frozen=True)
class _Chosen:
    """A quantised network before it is written."""

    quantised: Quantized
    coarseness: float
    bits: float | None
    """Bits a weight that it aims at; None for as many as fit into a byte."""
    calibration: str
    """What it was rounded by, in words."""


@contextmanager
def _of_one_photo(source: TfjsModel, name: str) -> Iterator[None]:
    """Turn the failure of a network that takes exactly one photo into a sentence on that."""
    try:
        yield
    except BadInputError as error:
        path = source.folder / source.converted.artifacts.model_json
        nodes = graph_of(json.loads(path.read_text("utf-8"))).node
        sides = [node.attr["shape"].shape.dim for node in nodes if node.op == "Placeholder"]
        if not any(each and each[0].size == 1 for each in sides):
            raise
        raise BadInputError(
            f"{name} takes exactly one photo, and its weights are quantised with several at once; "
            "build it with --quantize none or float16"
        ) from error


def _compress(
    source: TfjsModel, options: QuantizeSettings, folder: Path, progress: Progress
) -> _Result:
    from threadpoolctl import threadpool_limits

    from toolchain.quantize import unchanged

    name = source.converted.card.provenance.name
    with (
        tensorflow.quiet(),
        _of_one_photo(source, name),
        faults.of_model(name),
        # Several threads wait for each other in a loop: on a busy machine with two processors they
        # took 2.3 times the CPU of one, and they add up in another order on another machine.
        threadpool_limits(1, user_api="blas"),
    ):
        prepared = planning.prepare(source, options, progress)
        chosen, verdict = _choose(prepared, options, progress)
        plan = _by_all_photos(prepared, chosen, progress)
        artifacts = _write(prepared, plan, folder)
        most = options.max_bytes if options.recipe == "auto" else None
        if plan is not chosen and most is not None and brotli_bytes(folder, artifacts) > most:
            # Rounded by all photos the plan is larger than `max_bytes`; take the judged one.
            shutil.rmtree(folder)
            plan = chosen
            artifacts = _write(prepared, plan, folder)
        unchanged.check_written(source, prepared.network, plan.quantised, folder, seed=options.seed)
    record = Plan(
        recipe=options.recipe,
        coarseness=plan.coarseness,
        calibration=plan.calibration,
        judged=_judged(prepared, together=plan is not chosen),
        seed=options.seed,
        tensors=plan.quantised.tensors,
    )
    converted = source.converted.model_copy(
        update={"artifacts": artifacts, "quantization": options.recipe}
    )
    return _Result(converted=converted, plan=record, verdict=verdict)


def _choose(
    prepared: Planning, options: QuantizeSettings, progress: Progress
) -> tuple[_Chosen, Verdict | None]:
    """Return the plan that `auto` finds or the recipe asks for, and its verdict."""
    judge = prepared.judge
    if options.recipe == "auto" and judge is not None:
        from toolchain.quantize import search

        best = search.find(
            prepared,
            judge,
            max_drop=options.max_drop,
            max_bytes=options.max_bytes,
            progress=progress,
        )
        chosen = _Chosen(best.quantised, best.coarseness, best.bits, prepared.described)
        return chosen, best.verdict
    bits = _BITS.get(options.recipe)
    if bits is not None and options.calibration is None:
        bits += _BLIND_BITS
    chosen = _round(prepared, prepared.quantiser, bits, prepared.described, progress)
    verdict = None if judge is None else judge.verdict(prepared.network, chosen.quantised)
    return chosen, verdict


def _by_all_photos(prepared: Planning, chosen: _Chosen, progress: Progress) -> _Chosen:
    """Round again at the same bits, by all photos: now also by those held out to judge by."""
    if prepared.whole is None:
        return chosen
    prepared.quantiser.release()
    quantiser, described = prepared.whole()
    progress.say(f"Rounding the plan by all {described}")
    return _round(prepared, quantiser, chosen.bits, described, progress)


def _round(
    prepared: Planning,
    quantiser: Quantizer,
    bits: float | None,
    calibration: str,
    progress: Progress,
) -> _Chosen:
    coarseness = _FINEST
    if bits is not None:
        coarseness = quantiser.coarseness_for(prepared.bytes_at(bits))
    return _Chosen(quantiser.run(coarseness, progress), coarseness, bits, calibration)


def _write(prepared: Planning, plan: _Chosen, folder: Path) -> Artifacts:
    folder.mkdir()
    return prepared.write(plan.quantised, folder)


def _judged(prepared: Planning, *, together: bool) -> str | None:
    """Describe the photos that the verdict is on; None without a judge."""
    if prepared.judge is None:
        return None
    if together:
        return f"{prepared.judge.described}, by a plan of the other {prepared.described}"
    return f"{prepared.judge.described} it was not rounded by"
