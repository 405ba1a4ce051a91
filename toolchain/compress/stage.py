"""The compression stage: float32 TF.js artifacts in, artifacts with fewer bytes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.compress.plan import Plan
from toolchain.evaluation.metrics import Verdict
from toolchain.evaluation.photos import Photos, find
from toolchain.tfjs.artifacts import seal
from toolchain.tfjs.stage import Converted, TfjsModel

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.card import ModelCard
    from toolchain.compress.calibration import Inputs
    from toolchain.compress.network import Network
    from toolchain.compress.quantise import Quantised, Quantiser
    from toolchain.progress import Progress
    from toolchain.store import Store
    from toolchain.tfjs.quantised import Format

Recipe = Literal["auto", "int8", "mixed", "tiny"]
RECIPES: tuple[Recipe, ...] = get_args(Recipe)

# Bits for each weight, behind the entropy coder.
_BITS = {"mixed": 4.5, "tiny": 3.8}
_BLIND_BITS = 0.9  # more where generated pictures stand in for photos
_FINEST = 1e-9  # a coarseness at which every step is the finest that a byte has room for
_CALIBRATION = 128
_GENERATED = 64
_SENSITIVITY = 64
_JUDGED = 250
_LAYOUT = 2  # raise it when the same input gives another result


@dataclass(frozen=True)
class CompressOptions:
    """How to compress.

    `auto` finds the smallest plan whose drop stays within `max_drop`; `int8` keeps a step
    for each channel and all 8 bits; `mixed` and `tiny` take 4.5 and 3.8 bits for each
    weight on average, and 0.9 more where there are no photos to round by.
    """

    recipe: Recipe
    form: Format = "packed"
    calibration: Path | None = None
    """Photos, unlabelled; None: generated pictures."""
    evaluation: Path | None = None
    """Photos to judge by, an ImageFolder or unlabelled; None: calibration photos left over."""
    max_drop: float = 1.0
    """In points of top-1, or of agreement with the float network."""
    max_bytes: int | None = None
    """Of the weights, behind an entropy coder."""
    seed: int = 0
    shard_bytes: int = 4 << 20


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    converted: Converted
    plan: Plan
    verdict: Verdict | None


@dataclass(frozen=True)
class Compressed:
    """A compressed model, and how it came about."""

    model: TfjsModel
    plan: Plan
    verdict: Verdict | None
    """On the photos that the plan was chosen by; None where there were none."""


def run(
    source: TfjsModel, options: CompressOptions, *, store: Store, progress: Progress
) -> Compressed:
    """Compress float32 artifacts, or return the kept result of the same work.

    Raises:
        BadInputError: Photos cannot be used, or a weight is NaN or infinite.
        ToolchainError: `auto` found no plan within the limits; the nearest is named.
    """
    key = digest.of_json(
        {
            "layout": _LAYOUT,
            "source": source.key,
            "recipe": options.recipe,
            "form": options.form,
            "calibration": _photos_digest(options.calibration),
            "evaluation": _photos_digest(options.evaluation),
            "max_drop": options.max_drop,
            "max_bytes": options.max_bytes,
            "seed": options.seed,
            "shard_bytes": options.shard_bytes,
        }
    )
    with store.lock(f"compressed-{key}"):
        kept = store.get("compressed", key)
        reused = kept is not None
        if kept is None:
            with store.put("compressed", key) as entry:
                result = _compress(source, options, entry / "model", progress)
                (entry / "result.json").write_text(result.model_dump_json(), "utf-8")
            kept = store.require("compressed", key)
    result = _Result.model_validate_json((kept / "result.json").read_text("utf-8"))
    model = TfjsModel(kept / "model", result.converted, key, reused)
    return Compressed(model, result.plan, result.verdict)


def _photos_digest(folder: Path | None) -> str | None:
    if folder is None:
        return None
    photos = find(folder)
    return digest.of_json(
        [
            [path.relative_to(photos.folder).as_posix(), digest.of_file(path)]
            for path in photos.paths
        ]
    )


def _compress(
    source: TfjsModel, options: CompressOptions, folder: Path, progress: Progress
) -> _Result:
    from toolchain.compress import network as networks
    from toolchain.tfjs import quantised as writer

    card = source.converted.card
    with tensorflow.quiet():
        network = networks.read(source.folder, source.converted.artifacts.model_json)
        calibration, described, left = _calibration(options, card, progress)
        quantiser = _quantiser(network, calibration.images, options, progress)
        quantised, coarseness, verdict = _choose(
            network, quantiser, options, _judged(options, card, left, progress), card, progress
        )
        final = network.with_weights(quantised.biases)
        folder.mkdir()
        writer.write(
            final,
            quantised.kernels,
            folder,
            form=options.form,
            shard_bytes=options.shard_bytes,
        )
    plan = Plan(
        recipe=options.recipe,
        coarseness=coarseness,
        calibration=described,
        seed=options.seed,
        tensors=quantised.tensors,
    )
    converted = source.converted.model_copy(
        update={"artifacts": seal(folder), "quantization": options.recipe}
    )
    return _Result(converted=converted, plan=plan, verdict=verdict)


def _calibration(
    options: CompressOptions, card: ModelCard, progress: Progress
) -> tuple[Inputs, str, Photos | None]:
    """Return the inputs to round by, what to call them, and the photos left over."""
    from toolchain.compress import calibration

    if options.calibration is None:
        progress.say("No calibration photos: rounding is judged by generated pictures")
        pictures = calibration.generated(card.input, count=_GENERATED, seed=options.seed)
        return calibration.Inputs(pictures, None), f"{_GENERATED} generated pictures", None
    photos = find(options.calibration)
    order = np.random.default_rng(options.seed).permutation(len(photos.paths))
    count = min(_CALIBRATION, max(1, len(order) // 2))

    def chosen(places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Photos:
        # Labels are of no use here, and folders need not be named after any.
        return Photos(photos.folder, tuple(photos.paths[place] for place in places), None)

    inputs = calibration.load(
        chosen(order[:count]), card, label="Reading calibration photos", progress=progress
    )
    left = order[count : count + _JUDGED]
    return inputs, f"{len(inputs.images)} photos", chosen(left) if len(left) else None


def _judged(
    options: CompressOptions, card: ModelCard, left: Photos | None, progress: Progress
) -> Inputs | None:
    from toolchain.compress import calibration

    photos = left
    if options.evaluation is not None:
        photos = find(options.evaluation).limited(_JUDGED)
    if photos is None:
        return None
    return calibration.load(photos, card, label="Reading photos to judge by", progress=progress)


def _quantiser(
    network: Network,
    images: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    options: CompressOptions,
    progress: Progress,
) -> Quantiser:
    from toolchain.compress import quantise, sensitivity

    felt = sensitivity.measure(network, images[:_SENSITIVITY], seed=options.seed, progress=progress)
    return quantise.Quantiser(network, images, felt, seed=options.seed, progress=progress)


def _choose(
    network: Network,
    quantiser: Quantiser,
    options: CompressOptions,
    judged: Inputs | None,
    card: ModelCard,
    progress: Progress,
) -> tuple[Quantised, float, Verdict | None]:
    """Return the quantised network, its coarseness, and how it did."""
    from toolchain.compress import calibration, search

    if judged is None and options.recipe == "auto":
        progress.warn(
            "no photos: auto judges by generated pictures, which photos may contradict; "
            "--calibration DIR gives it real ones"
        )
        pictures = calibration.generated(card.input, count=_GENERATED, seed=options.seed + 1)
        judged = calibration.Inputs(pictures, None)
    judge = None
    if judged is not None:
        truth = None if judged.truth is None else judged.truth + card.label_offset
        logits = search.outputs(network, judged.images)
        judge = search.Judge(judged.images, truth, logits)
    if options.recipe == "auto" and judge is not None:
        best = search.find(
            network,
            quantiser,
            judge,
            max_drop=options.max_drop,
            max_bytes=options.max_bytes,
            progress=progress,
        )
        return best.quantised, best.coarseness, best.verdict
    weights = sum(network.weights[layer.kernel].size for layer in network.layers)
    bits = _BITS.get(options.recipe)
    if bits is not None and options.calibration is None:
        bits += _BLIND_BITS
    wanted = None if bits is None else round(bits * weights / 8)
    coarseness = _FINEST if wanted is None else quantiser.coarseness_for(wanted)
    quantised = quantiser.run(coarseness, progress)
    return quantised, coarseness, None if judge is None else judge.verdict(network, quantised)
