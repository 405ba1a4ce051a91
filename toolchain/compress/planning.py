"""What every plan of one network has in common: its photos, what was measured, the judge.

Preparing it takes about as long as making a plan with it, and gigabytes, so whoever makes
several plans prepares once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest, fingerprint
from toolchain.evaluation.photos import Photos, find

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.card import ModelCard
    from toolchain.compress.judge import Judge
    from toolchain.compress.network import Network
    from toolchain.compress.options import CompressOptions
    from toolchain.compress.quantise import Quantised, Quantiser
    from toolchain.progress import Progress
    from toolchain.tfjs.artifacts import Artifacts
    from toolchain.tfjs.quantised import Format
    from toolchain.tfjs.stage import TfjsModel

    Array = np.ndarray[Any, Any]

BLIND = (
    "no photos to judge by: drops are what the float network's scores of generated pictures "
    "let expect, which photos may contradict; give some with --calibration or --evaluation"
)
_CALIBRATION = 128
_GENERATED = 64
_SENSITIVITY = 64
# Bits a weight from which on drops expected by generated pictures came true on photos: with
# BatchNorm's statistics for MobileNetV1 0.25 and EfficientNet-Lite0, without for MobileNetV2.
_LEAST_KNOWN = 4.6
_LEAST_GUESSED = 5.4
_JUDGED = 250


@dataclass(frozen=True)
class Selection:
    """Which photos serve for what; None: there are none. No photo serves for both."""

    rounding: Photos | None
    judging: Photos | None


@dataclass(frozen=True)
class Planning:
    """All that stays the same from one coarseness to another."""

    network: Network
    """The float network."""
    quantiser: Quantiser
    judge: Judge | None
    """None where there are no photos left to judge by and the recipe needs none."""
    described: str
    """What the rounding is judged by: `64 photos`, or `64 generated pictures`."""
    form: Format
    shard_bytes: int
    least_bits: float = 0.0
    """For each weight: with fewer, what generated pictures say is no longer to be trusted."""

    @property
    def weights(self) -> int:
        """Number of weights in all kernels."""
        return sum(self.network.weights[layer.kernel].size for layer in self.network.layers)

    def bytes_at(self, bits: float) -> int:
        """Return the bytes of all kernels at so many bits a weight."""
        return round(bits * self.weights / 8)

    def write(self, quantised: Quantised, folder: Path) -> Artifacts:
        """Write a quantised network as sealed TF.js artifacts into an existing empty folder."""
        from toolchain.tfjs import quantised as writer
        from toolchain.tfjs.artifacts import seal

        writer.write(
            self.network.with_weights(quantised.biases),
            quantised.kernels,
            folder,
            form=self.form,
            shard_bytes=self.shard_bytes,
        )
        return seal(folder)


def basis(source: TfjsModel, options: CompressOptions) -> dict[str, Any]:
    """Return, as JSON, all that every plan of a network depends on; photos by their content.

    Raises:
        BadInputError: A folder of photos cannot be used.
    """
    return {
        "code": fingerprint.of(__name__),
        "source": source.key,
        "form": options.form,
        "calibration": _photos_digest(options.calibration),
        "evaluation": _photos_digest(options.evaluation),
        "seed": options.seed,
        "shard_bytes": options.shard_bytes,
    }


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


def select(options: CompressOptions) -> Selection:
    """Choose the photos to round by and those to judge by, without reading them.

    Calibration photos are drawn at random, at most half of them; judged is by evaluation
    photos that were not drawn, or by calibration photos left over.

    Raises:
        BadInputError: A folder of photos cannot be used.
    """
    rounding = judging = None
    if options.calibration is not None:
        photos = find(options.calibration)
        order = np.random.default_rng(options.seed).permutation(len(photos.paths))
        count = min(_CALIBRATION, max(1, len(order) // 2))
        # Labels are of no use here, and folders need not be named after any.
        rounding = _some(photos, order[:count], labelled=False)
        judging = _some(photos, order[count : count + _JUDGED], labelled=False)
    if options.evaluation is not None:
        photos = find(options.evaluation)
        drawn = set() if rounding is None else set(rounding.paths)
        rest = [place for place, path in enumerate(photos.paths) if path not in drawn]
        judging = _some(photos, rest, labelled=True).limited(_JUDGED)
    return Selection(rounding, judging if judging and judging.paths else None)


def _some(photos: Photos, places: list[int] | Array, *, labelled: bool) -> Photos:
    paths = tuple(photos.paths[place] for place in places)
    if not labelled or photos.classes is None:
        return Photos(photos.folder, paths, None)
    return Photos(photos.folder, paths, tuple(photos.classes[place] for place in places))


def prepare(source: TfjsModel, options: CompressOptions, progress: Progress) -> Planning:
    """Read the network and the photos, and measure what planning needs to know.

    Args:
        source: Float32 artifacts.
        options: By which photos; the recipe `auto` always gets a judge.
        progress: Hears of each photo and each layer.

    Raises:
        BadInputError: Photos cannot be used, or a weight is NaN or infinite.
        ToolchainError: The canonical network answers otherwise than the converted one.
    """
    from toolchain.compress import calibration, quantise, sensitivity, statistics, unchanged
    from toolchain.compress import network as networks
    from toolchain.graph import batchnorm

    card = source.converted.card
    selection = select(options)
    network = networks.read(source.folder, source.converted.artifacts.model_json)
    unchanged.check(source, network, seed=options.seed)
    if selection.rounding is None:
        progress.say("No calibration photos: rounding is judged by generated pictures")
        images = calibration.generated(card.input, count=_GENERATED, seed=options.seed)
        described = f"{_GENERATED} generated pictures"
    else:
        label = "Reading calibration photos"
        images = calibration.load(selection.rounding, card, label=label, progress=progress).images
        described = f"{len(images)} photos"
    judge = _judge(network, selection.judging, options, card, progress)
    known = None
    if selection.rounding is None:
        normalised = () if source.statistics is None else batchnorm.load(source.statistics)
        known = statistics.of_inputs(network, normalised)
        progress.say(f"BatchNorm tells what {len(known)} of {len(network.layers)} layers read")
    felt = sensitivity.measure(network, images[:_SENSITIVITY], seed=options.seed, progress=progress)
    return Planning(
        network=network,
        quantiser=quantise.Quantiser(
            network, images, felt, known=known, seed=options.seed, progress=progress
        ),
        judge=judge,
        described=described,
        form=options.form,
        shard_bytes=options.shard_bytes,
        least_bits=0.0 if known is None else _LEAST_KNOWN if known else _LEAST_GUESSED,
    )


def _judge(
    network: Network,
    photos: Photos | None,
    options: CompressOptions,
    card: ModelCard,
    progress: Progress,
) -> Judge | None:
    from toolchain.compress import calibration
    from toolchain.compress import judge as judges

    truth = None
    if photos is not None:
        judged = calibration.load(
            photos, card, label="Reading photos to judge by", progress=progress
        )
        images = judged.images
        truth = None if judged.truth is None else judged.truth + card.label_offset
    elif options.recipe == "auto":
        progress.warn(BLIND)
        images = calibration.generated(card.input, count=_GENERATED, seed=options.seed + 1)
    else:
        return None
    logits = judges.outputs(network, images)
    return judges.Judge(images, truth, logits, generated=photos is None)
