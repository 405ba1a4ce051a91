"""What all plans of one network share: its photos, the measurements and the judge.

Preparing this takes about as long as making one plan, and gigabytes of memory. So a caller that
makes several plans prepares once.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.photos.photo_folder import Photos, find, label_indices
from toolchain.quantize.selection import held_out, select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from toolchain.progress import Progress
    from toolchain.quantize.calibration import Inputs
    from toolchain.quantize.judge import Judge
    from toolchain.quantize.layer_graph import LayerGraph
    from toolchain.quantize.quantizer import Quantized, Quantizer
    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.quantize.statistics import ChannelMoments
    from toolchain.quantize.writing import Format
    from toolchain.records.artifacts import Artifacts
    from toolchain.records.card import Activation, InputSpec, ModelCard
    from toolchain.tfjs.stage import Converted, TfjsModel

    Array = np.ndarray[Any, Any]

BLIND = (
    "no photos to judge by: drops are expected from the float network's scores of generated "
    "pictures, and may differ on photos; give some with --calibration or --evaluation"
)
# These six counts were chosen, not measured.
_GENERATED = 64  # pictures to round by
_JUDGED = 256  # images to judge by; generated pictures make up for missing photos
_FEW_PHOTOS = 128  # with fewer photos, generated pictures are judged by too
_SENSITIVITY = 64  # images to measure sensitivities with
_SEEN = 128  # photos rounded by that the judge uses as further samples of errors
_ROOM = 2_000_000_000  # bytes of activations and photos while rounding
# Factor for errors measured on generated pictures, where the plan was rounded by such pictures
# alone. MobileNetV2's errors (root mean square) were 0.19 on photos and 0.09 on generated pictures
# at 5.4 bits, 0.27 and 0.13 at 4.8. With BatchNorm's statistics both are alike (MobileNetV1 0.25,
# EfficientNet-Lite0): "What is told of a plan" in docs/compression.md.
_UNDERSTATED = 2.0
# Errors fall with the number of photos rounded by, to this power. It was measured from 125 to 250
# photos on the divergence of the scores, which grows with the square of the errors: its exponent
# was 0.27 for MobileNetV1 0.25 and 0.3 for MobileNetV2.
_BY_COUNT = 0.15
# The fewest bits a weight at which drops expected from generated pictures were confirmed by photos:
# with BatchNorm's statistics (MobileNetV1 0.25, EfficientNet-Lite0) and without (MobileNetV2). See
# the table "Told beside found" in docs/compression.md.
_LEAST_KNOWN = 4.6
_LEAST_GUESSED = 5.4


@dataclass(frozen=True)
class Planning:
    """What does not depend on the coarseness."""

    network: LayerGraph
    """The float network."""
    quantiser: Quantizer
    """Rounds by photos other than the ones that the judge uses."""
    judge: Judge | None
    """None if no photos are left to judge by and the recipe needs no judge."""
    described: str
    """What the quantiser rounds by, in words: `188 photos`, or `64 generated pictures`."""
    form: Format
    shard_bytes: int
    activation: Activation
    """What turns the network's outputs into scores."""
    least_bits: float = 0.0
    """Bits a weight below which drops on generated pictures are not trusted."""
    whole: Callable[[], tuple[Quantizer, str]] | None = None
    """Makes the quantiser that also rounds by the photos held out to judge by, and returns it with
    its photos in words. None if no photos are held out."""

    @property
    def weights(self) -> int:
        """Number of weights of all kernels."""
        return sum(self.network.weights[layer.kernel].size for layer in self.network.layers)

    def bytes_at(self, bits: float) -> int:
        """Return the bytes of all kernels at this many bits a weight."""
        return round(bits * self.weights / 8)

    def write(self, quantised: Quantized, folder: Path) -> Artifacts:
        """Write a quantised network as sealed TF.js artifacts into an existing empty folder."""
        from toolchain.quantize import writing as writer
        from toolchain.tfjs.artifacts import seal

        writer.write(
            self.network.with_weights(quantised.biases),
            quantised.kernels,
            folder,
            form=self.form,
            shard_bytes=self.shard_bytes,
        )
        return seal(folder, self.activation)


def basis(source: TfjsModel, options: QuantizeSettings) -> dict[str, Any]:
    """Return, as JSON, what every plan of a network depends on; photos as digests.

    Raises:
        BadInputError: A folder of photos cannot be used.
    """
    return {
        "code": fingerprint.of(__name__),
        "source": source.key,
        "form": options.form,
        "calibration": photos_digest(options.calibration),
        "evaluation": photos_digest(options.evaluation),
        "held_out": None if options.held_out is None else digest.of_file(options.held_out),
        "seed": options.seed,
        "shard_bytes": options.shard_bytes,
    }


def photos_digest(folder: Path | None) -> str | None:
    """Return the digest of a folder's photos, of their names and content; None without a folder."""
    if folder is None:
        return None
    photos = find(folder)
    return digest.of_json(
        [
            [path.relative_to(photos.folder).as_posix(), digest.of_file(path)]
            for path in photos.paths
        ]
    )


def prepare(source: TfjsModel, options: QuantizeSettings, progress: Progress) -> Planning:
    """Read the network and the photos, and measure what planning needs.

    Args:
        source: Float32 artifacts.
        options: Name the photos; with the recipe `auto` there is always a judge.
        progress: Advances with each photo and each layer.

    Raises:
        BadInputError: Photos cannot be used, or a weight is NaN or infinite.
        ToolchainError: The canonical network computes something else than the converted one.
    """
    from toolchain.graph import batchnorm
    from toolchain.quantize import (
        calibration,
        canonical,
        quantizer,
        sensitivity,
        statistics,
        unchanged,
    )

    converted = source.converted
    network = canonical.read(source.folder, converted.artifacts.model_json)
    unchanged.check(source, network, seed=options.seed)
    room = _room_for(network, converted.card.input)
    selection = select(options, room, converted.card.labels)
    unseen = None if options.held_out is None else _held_out(options.held_out)
    known = photos = None
    held = 0
    if selection.rounding is None:
        progress.say("No calibration photos: rounding by generated pictures")
        images = calibration.generated(converted.card.input, count=_GENERATED, seed=options.seed)
        described = f"{_GENERATED} generated pictures"
        normalised = () if source.statistics is None else batchnorm.load(source.statistics)
        known = statistics.of_inputs(network, normalised)
        progress.say(
            f"BatchNorm's statistics cover the inputs of {len(known)} of "
            f"{len(network.layers)} layers"
        )
    else:
        if selection.left_out:
            progress.warn(
                f"{len(selection.rounding.paths)} of the photos in {options.calibration} are "
                f"rounded by, because more would take over {_ROOM / 1e9:g} GB of memory"
            )
        label = "Reading calibration photos"
        photos = _read(
            selection.rounding, converted.card, held_out=unseen, label=label, progress=progress
        )
        held = held_out(len(photos.images)) if selection.holds_out else 0
        images = photos.images[: len(photos.images) - held]
        described = f"{len(images)} photos"
    sensitivities = sensitivity.measure(
        network,
        images[:_SENSITIVITY],
        converted.artifacts.activation,
        seed=options.seed,
        progress=progress,
    )

    def quantiser_by(images: Array) -> Quantizer:
        return quantizer.Quantizer(
            network, images, sensitivities, known=known, seed=options.seed, progress=progress
        )

    def whole() -> tuple[Quantizer, str]:
        everything = images if photos is None else photos.images
        return quantiser_by(everything), f"{len(everything)} photos"

    quantiser = quantiser_by(images)
    judged = photos and photos.cut(len(images), len(photos.images))
    if selection.judging is not None:
        # Class folders of --evaluation must be named after labels; those of --calibration need not.
        read = calibration.load if options.evaluation is not None else _read
        label = "Reading photos to judge by"
        judged = read(
            selection.judging, converted.card, held_out=unseen, label=label, progress=progress
        )
    judge = _judge(
        network,
        converted,
        judged if judged and len(judged.images) else None,
        options,
        progress,
        seen=photos and photos.cut(0, len(images)),
        seen_outputs=quantiser.float_outputs,
        magnified=_magnified(known, len(images), held),
    )
    return Planning(
        network=network,
        quantiser=quantiser,
        judge=judge,
        described=described,
        form=options.form,
        shard_bytes=options.shard_bytes,
        activation=source.converted.artifacts.activation,
        least_bits=0.0 if known is None else _LEAST_KNOWN if known else _LEAST_GUESSED,
        whole=whole if held else None,
    )


def _magnified(known: Mapping[str, ChannelMoments] | None, count: int, held: int) -> float:
    """Return the factor for the errors that the judge measures.

    Args:
        known: BatchNorm's statistics of layers; None where photos are rounded by.
        count: Number of images that candidates are rounded by.
        held: Number of photos that only the final plan is rounded by.
    """
    if known is not None and not known:
        return _UNDERSTATED
    return float((count / (count + held)) ** _BY_COUNT)


def _room_for(network: LayerGraph, spec: InputSpec) -> int:
    """Return how many photos to round by fit into memory."""
    from toolchain.quantize.walk import Walk

    image = np.zeros((1, spec.height, spec.width, 3), np.float32)
    walk = Walk(network, image)
    walk.finish()
    return max(1, _ROOM // (walk.most_bytes + image.nbytes))


def _held_out(path: Path) -> dict[str, Array]:
    """Read the outputs that `toolchain train` keeps, by the digests of photos.

    Raises:
        BadInputError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as kept:
            outputs = kept["outputs"].astype(np.float32)
            return dict(zip(kept["photos"].tolist(), outputs, strict=True))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path} cannot be read ({error}); train the model again") from error


def _read(
    photos: Photos,
    card: ModelCard,
    *,
    held_out: Mapping[str, Array] | None,
    label: str,
    progress: Progress,
) -> Inputs:
    """Read calibration photos, with labels if their class folders are named after labels."""
    from toolchain.quantize import calibration

    if photos.classes is not None:
        try:
            label_indices(photos.classes, card.labels, photos.folder)
        except BadInputError as error:
            progress.say(f"Calibration photos are used without labels: {error}")
            photos = Photos(photos.folder, photos.paths, None)
    return calibration.load(photos, card, held_out=held_out, label=label, progress=progress)


def _judge(
    network: LayerGraph,
    converted: Converted,
    judged: Inputs | None,
    options: QuantizeSettings,
    progress: Progress,
    *,
    seen: Inputs | None,
    seen_outputs: Array,
    magnified: float,
) -> Judge | None:
    """Make the judge.

    Args:
        network: The float network.
        converted: The card and the activation of the converted model.
        judged: Photos to judge by; None if there are none.
        options: The recipe, and the seed of generated pictures.
        progress: Is warned if only generated pictures are judged by.
        seen: Photos that are rounded by; None if there are none.
        seen_outputs: The float network's output for them.
        magnified: Factor for the errors.
    """
    from toolchain.quantize import calibration
    from toolchain.quantize import judge as judges

    card, activation = converted.card, converted.artifacts.activation
    if judged is None and options.recipe != "auto":
        return None
    parts = [] if judged is None else [judged.images]
    known = sum(len(inputs.images) for inputs in (judged, seen) if inputs is not None)
    generated = 0
    if options.recipe == "auto" and (judged is None or known < _FEW_PHOTOS):
        if judged is None:
            progress.warn(BLIND)
        generated = _JUDGED - (0 if judged is None else len(judged.images))
        parts.append(calibration.generated(card.input, count=generated, seed=options.seed + 1))
    reseen = 0 if seen is None or judged is None else min(_SEEN, len(seen.images))
    if seen is not None and reseen:
        parts.append(seen.images[:reseen])
    images = np.concatenate(parts)
    multi_label = activation == "sigmoid" or card.task == "multi-label"

    def truth_of(inputs: Inputs | None) -> Array | None:
        if multi_label or inputs is None or inputs.truth is None:
            return None
        return inputs.truth + card.label_offset

    float_outputs = judges.outputs(network, images)
    shift = np.zeros_like(float_outputs)
    if judged is not None:
        shift[: len(judged.images)] = _shift(judged, float_outputs[: len(judged.images)])
    if seen is not None:
        all_seen = _shift(seen, seen_outputs)
        seen_outputs = seen_outputs + all_seen
        shift[len(shift) - reseen :] = all_seen[:reseen]
    return judges.Judge(
        images=images,
        truth=truth_of(judged),
        float_outputs=float_outputs,
        activation=activation,
        multi_label=multi_label,
        generated=generated,
        seen=reseen,
        others=None if seen is None else seen_outputs,
        others_truth=truth_of(seen),
        magnified=magnified,
        held_out=shift if shift.any() else None,
    )


def _shift(inputs: Inputs, float_outputs: Array) -> Array:
    """Return how outputs would differ if the photos had not been learned from, 0 if unknown."""
    if inputs.held_out is None:
        return np.zeros_like(float_outputs)
    shift: Array = np.nan_to_num(inputs.held_out - float_outputs, nan=0.0)
    return shift
